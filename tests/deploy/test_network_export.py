"""The saved network: stock layers alone, which give the engine's probabilities."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from trained_models import trained, with_first_weights

from remix_study.deploy.contents import feature_file
from remix_study.deploy.network_export import export_network
from remix_study.deploy.network_forms import check_export, write_form
from remix_study.deploy.records import EXPORTS
from remix_study.errors import UsageError

PIECEWISE = 'numeric = "piecewise-linear"\nbins = 6'
QUANTILE = 'numeric = "quantile"\nbins = 6'
CASES = {
    "binary": {},
    "multi-class": {"n_classes": 3, "model": "hidden = [7, 5]"},
    "width by name": {"n_classes": 3, "model": 'hidden = "authors"'},
    "piecewise-linear": {"features": PIECEWISE},
    "quantile": {"n_classes": 3, "features": QUANTILE},
    "blends raw": {"features": f'{PIECEWISE}\nmix = "raw"'},
    "ensemble": {"model": "ensemble = 3", "features": QUANTILE},
    "never stops": {"training": 'stop = "never"'},
    "images": {"images": True, "n_classes": 3, "model": 'name = "cnn"\nfilters = [3]\ndense = 4'},
}
# What another process needs of a model: no package of this project can be imported there.
LOAD = """
import sys
sys.modules["remix_study"] = None
import numpy as np, keras
for name in sys.argv[1:]:
    model = keras.saving.load_model(name + ".keras")
    p = np.asarray(model(np.load(name + ".inputs.npy")))
    print(keras.backend.backend(), np.abs(p - np.load(name + ".outputs.npy")).max())
"""


def inputs(refit):
    X = refit.problem.X
    if refit.problem.dataset.has_images:
        return X.astype(np.float32)
    features = feature_file(refit)
    order = [refit.problem.dataset.features.index(f.name) for f in features.features]
    return features.inputs(X[:, order])


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The cases as files, with their inputs and the engine's probabilities."""
    return write_cases(tmp_path_factory.mktemp("saved"), with_first_weights)


def write_cases(folder, make):
    for place, keys in enumerate(CASES.values()):
        refit = make(**keys)
        export_network(refit).save(folder / f"{place}.keras")
        np.save(folder / f"{place}.inputs.npy", inputs(refit))
        np.save(folder / f"{place}.outputs.npy", refit.probabilities)
    return folder


@pytest.mark.parametrize("case", CASES)
def test_keras_gives_the_probabilities_of_the_network(saved, case):
    from keras.saving import load_model

    place = list(CASES).index(case)
    model = load_model(saved / f"{place}.keras")
    p = np.asarray(model(np.load(saved / f"{place}.inputs.npy")))
    np.testing.assert_allclose(p, np.load(saved / f"{place}.outputs.npy"), atol=1e-6)


def check_form(case, form, folder):
    """A written form gives the probabilities of the network, one row or many."""
    if form == "onnx":
        pytest.importorskip("tf2onnx")
        pytest.importorskip("onnxruntime")
    refit = with_first_weights(**CASES[case])
    outputs = write_form(export_network(refit), form, folder)
    assert [path.name for path in folder.iterdir()] == [EXPORTS[form]]
    np.testing.assert_allclose(outputs(inputs(refit)), refit.probabilities, atol=1e-6)
    np.testing.assert_allclose(outputs(inputs(refit)[:1]), refit.probabilities[:1], atol=1e-6)


@pytest.mark.parametrize("form", EXPORTS)
def test_other_forms_give_the_probabilities_of_the_network(tmp_path, form):
    check_form("piecewise-linear", form, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if case != "piecewise-linear"])
@pytest.mark.parametrize("form", EXPORTS)
def test_every_network_has_other_forms(tmp_path, form, case):
    check_form(case, form, tmp_path)


def test_forms_that_cannot_be_written_are_refused_before_training(monkeypatch):
    with pytest.raises(UsageError, match="hist-gradient-boosting is no network: leave out the ex"):
        check_export("onnx", "hist-gradient-boosting", is_network=False)
    with pytest.raises(UsageError, match='export "pmml" is not known; choose savedmodel or onnx'):
        check_export("pmml", "remix", is_network=True)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r'onnx is not installed; pip install "remix-study\[onnx'):
        check_export("onnx", "remix", is_network=True)
    check_export("savedmodel", "remix", is_network=True)


@pytest.mark.parametrize("place", range(len(CASES)))
def test_all_classes_of_the_file_are_those_of_keras(saved, place):
    with zipfile.ZipFile(saved / f"{place}.keras") as archive:
        config = json.loads(archive.read("config.json"))
    modules = set()

    def walk(node):
        if isinstance(node, dict):
            modules.add(node.get("module") if "class_name" in node else None)
            assert node.get("class_name") != "Lambda"
            assert not node.get("registered_name") or node["registered_name"] in ("Functional",)
            list(map(walk, node.values()))
        elif isinstance(node, list):
            list(map(walk, node))

    walk(config)
    # Arrays in the settings of layers have the module builtins.
    assert {m.partition(".")[0] for m in modules if m} <= {"keras", "builtins"}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "numpy"])
def test_a_process_without_this_package_gives_the_probabilities_of_training(
    tmp_path_factory, backend
):
    saved = write_cases(tmp_path_factory.mktemp("trained"), trained)
    names = [str(saved / str(place)) for place in range(len(CASES))]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    answer = subprocess.run(
        [sys.executable, "-c", LOAD, *names],
        env=environment | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        cwd=saved,
    )
    assert answer.returncode == 0, answer.stderr
    lines = [line.split() for line in answer.stdout.splitlines()]
    assert {name for name, _ in lines} == {backend}
    assert max(float(difference) for _, difference in lines) < 1e-6


def test_a_layer_of_the_users_own_is_refused(monkeypatch):
    import keras

    class Own(keras.layers.Layer):
        def call(self, x):
            return x

    refit = with_first_weights(**CASES["images"])
    network = refit.task.engines[-1].network
    model = keras.Sequential([keras.Input((8, 8, 1)), Own()])
    monkeypatch.setitem(network.__dict__, "infer", model)
    with pytest.raises(UsageError, match="a layer of its own, Own, which Keras alone"):
        export_network(refit)


def test_a_validation_part_is_kept_back_only_where_it_ends_the_training():
    early, never = with_first_weights(), with_first_weights(training='stop = "never"')
    assert len(early.fold.validation) == 36
    assert len(early.fold.train) + len(early.fold.validation) == 120
    assert len(never.fold.train) == 120
