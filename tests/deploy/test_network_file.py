"""Files of networks that name other code than Keras' layers are refused before they are loaded."""

from __future__ import annotations

import json
import zipfile

import keras
import numpy as np
import pytest

from remix_study.deploy.network_file import load_network
from remix_study.errors import UsageError


@pytest.fixture
def path(tmp_path):
    """A small network."""
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(2, "relu", kernel_regularizer="l2", kernel_constraint="max_norm"),
            keras.layers.BatchNormalization(),
        ]
    )
    model.save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def rewrite(path, change):
    """Change the description in a file."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    change(config["config"]["layers"][1])
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def test_layers_of_keras_are_loaded(path):
    outputs = load_network(path)(np.ones((4, 3), np.float32))
    expected = keras.saving.load_model(path)(np.ones((4, 3)))
    np.testing.assert_array_equal(outputs, np.asarray(expected))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("keras.utils", "get_file"),
        ("keras.layers", "Lambda"),
        ("keras.layers", "TFSMLayer"),
        ("builtins", "exec"),
        ("user_nets", "Own"),
    ],
)
def test_other_code_is_refused(path, module, name):
    rewrite(path, lambda layer: layer.update(module=module, class_name=name))
    with pytest.raises(UsageError, match=rf"names {module}\.{name}, which is no layer of Keras"):
        load_network(path)


def test_other_code_deep_inside_is_refused(path):
    def change(layer):
        layer["config"]["activation"] = {"module": "os", "class_name": "system", "config": "true"}

    rewrite(path, change)
    with pytest.raises(UsageError, match=r"names os\.system"):
        load_network(path)


def test_a_damaged_file_is_one_line(path):
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(UsageError, match="Keras cannot load it"):
        load_network(path)
