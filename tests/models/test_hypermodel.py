"""Hypermodels of KerasTuner: the same models as there, and their space as Optuna suggests it."""

from __future__ import annotations

from functools import cache

import numpy as np
import optuna
import pytest
import user_hypermodels
from simulated_training import simulate_training, skip_migrations

import remix_study
from remix_study.errors import StudyFileError, UsageError
from remix_study.models.custom import build_custom, learning_rate_of, with_hyperparameters
from remix_study.models.hypermodel import build_hypermodel, explore, hypermodel_of
from remix_study.study.configurations import configuration_of
from remix_study.study.search_parameters import suggest
from remix_study.studyfile.parsing import parse_study
from remix_study.studyfile.search_space import Choice, Condition, Range

EXAMPLES = {"tuned_mlp": user_hypermodels.tuned_mlp, "MlpOrCnn": user_hypermodels.MlpOrCnn}


@cache
def space_of(name, **fixed):
    build = hypermodel_of(getattr(user_hypermodels, name))
    return explore(f"user_hypermodels:{name}", build, fixed)


def study_of(name, model="", search='algorithm = "random"\ntrials = 4', space=""):
    return parse_study(
        f'[study]\nname = "tuned"\nobjectives = ["bbs"]\n[cv]\nrepeats = 1\n'
        f'[training]\nbatch_size = 16\n[model]\nname = "user_hypermodels:{name}"\n{model}\n'
        f'[search]\n{search}\n[search.space]\nstrategy = ["remix"]\n{space}\n'
    )


def test_depth_widths_and_what_follows_a_truth_value():
    space = space_of("tuned_mlp")
    widths = Choice((4, 8, 12))
    assert space.domains == {
        "layers": Range(1.0, 3.0, integer=True),
        "units_0": widths,
        "activation": Choice(("relu", "tanh")),
        "has_dropout": Choice((False, True)),
        "rate": Range(1e-4, 1e-2, log=True),
        "units_1": widths,
        "units_2": widths,
        "dropout": Choice((0.1, 0.2, 0.3, 0.4)),
    }
    assert space.conditions == {
        "units_1": (Condition("layers", (2, 3)),),
        "units_2": (Condition("layers", (3,)),),
        "dropout": (Condition("has_dropout", (True,)),),
    }
    assert space.defaults["rate"] == 3e-3
    assert space.has_rate


def test_conditional_scopes_and_fixed_values():
    space = space_of("MlpOrCnn")
    assert space.domains == {
        "kind": Choice(("mlp", "cnn")),
        "filters": Range(2.0, 8.0, integer=True),
        "pooling": Choice(("max", "mean")),
        "window": Range(2.0, 3.0, integer=True),
        "width": Choice((8, 16, 32, 64)),
    }
    cnn = (Condition("kind", ("cnn",)),)
    assert space.conditions == {
        "filters": cnn,
        "pooling": cnn,
        "window": cnn,
        "width": (Condition("kind", ("mlp",)),),
    }
    assert space.defaults["kernel"] == 3
    assert not space.has_rate
    # What has a value is no part of the space, nor what would need another one.
    assert list(space_of("MlpOrCnn", kind="mlp").domains) == ["width"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_models_are_those_of_keras_tuner(name):
    keras_tuner = pytest.importorskip("keras_tuner")
    build, space = hypermodel_of(EXAMPLES[name]), space_of(name)
    rng = np.random.default_rng(0)
    for case in range(4):
        theirs = keras_tuner.HyperParameters()
        build(theirs)
        if case:
            # Its own draws, until all that these need is there, too.
            for _ in range(3):
                for parameter in theirs.space:
                    theirs.values[parameter.name] = parameter.random_sample(int(rng.integers(1e6)))
                build(theirs)
        values = {key: value for key, value in theirs.values.items() if key in space.domains}
        for key, value in values.items():
            domain = space.domains[key]
            if isinstance(domain, Choice):
                assert np.isin(value, domain.values) or np.isclose(value, domain.values).any()
            else:
                assert domain.low <= value <= domain.high
        expected = build(theirs)
        model = build_hypermodel(name, build, values)
        assert [layer.count_params() for layer in model.layers] == [
            layer.count_params() for layer in expected.layers
        ]
        assert [type(layer) for layer in model.layers] == [
            type(layer) for layer in expected.layers
        ]


def test_optuna_gets_what_is_in_use():
    study = with_hyperparameters(study_of("tuned_mlp"))
    trials = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    seen = set()
    for _ in range(12):
        trial = trials.ask()
        parameters = suggest(trial, study.search)
        assert trial.params == parameters
        depth = parameters["model.layers"]
        assert ("model.units_1" in parameters) == (depth > 1)
        assert ("model.units_2" in parameters) == (depth > 2)
        assert ("model.dropout" in parameters) == parameters["model.has_dropout"]
        seen.add((depth, parameters["model.has_dropout"]))
        configuration = configuration_of(parameters, study.training, study.model)
        rate = configuration.training.learning_rate
        assert rate == pytest.approx(parameters["model.rate"], rel=1e-6)
    assert len(seen) > 3


def test_a_grid_takes_defaults_and_what_its_file_lists():
    text = study_of("by_class_instance", search="", space="model.units = [2, 3]")
    study = with_hyperparameters(text)
    assert list(study.search.space.settings) == ["model.units"]
    assert study.model.options == {"rate": 0.01, "units": 4}
    assert learning_rate_of(study.model) == 0.01
    network = build_custom(study.model.name, (13,), 3, study.model.options)
    assert not network.train.compiled


def test_a_study_runs_goes_on_and_refuses_other_bounds(tmp_path, monkeypatch):
    simulate_training(monkeypatch.setattr)
    skip_migrations(monkeypatch.setattr)
    X, y = np.random.default_rng(0).normal(size=(60, 13)), np.arange(60) % 3
    file, storage = study_of("by_class_instance"), f"sqlite:///{tmp_path}/studies.db"
    # Four, and the baseline, which the space lacks.
    assert remix_study.run(file, X, y, storage=storage).completed == 5
    assert remix_study.run(file, X, y, storage=storage).completed == 0
    tuned = user_hypermodels.by_class_instance

    def wider(hp):
        hp.Int("more", 1, 3)
        return tuned(hp)

    monkeypatch.setattr(user_hypermodels, "by_class_instance", wider)
    with pytest.raises(StudyFileError, match=r"model\.more"):
        remix_study.run(file, X, y, storage=storage)


def test_a_hypermodel_in_an_objective_for_optuna():
    X, y = np.random.default_rng(0).normal(size=(40, 13)), np.arange(40) % 3
    objective = remix_study.objective(
        X,
        y,
        user_hypermodels.tuned_mlp,
        {"strategy": ["cost"]},
        cv={"repeats": 1},
        training={"epochs": 2, "batch_size": 8},
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(1))
    study.optimize(objective, 1)
    assert {"strategy", "model.layers", "model.rate"} <= set(study.best_params)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("by_rmsprop", "compile: optimizer RMSprop; only Adam's learning_rate"),
        ("by_other_adam", "compile: Adam's beta_1 = 0.8"),
        ("by_schedule", "compile: a schedule of learning rates"),
        ("by_focal_loss", "compile: loss .*CategoricalFocalCrossentropy.*write categorical_cross"),
        ("by_smoothed_labels", "compile: loss .*CategoricalCrossentropy"),
        ("by_two", '"width" is in use, or its bounds, depend on several'),
        ("by_changing_bounds", '"width" is in use, or its bounds, depend on several'),
        ("by_mixed_choice", 'hp.Choice "width" needs numbers, names'),
        ("by_unknown_kind", "hp.Percentage is not known here; there are Int,"),
        ("by_reserved_name", 'hp "ensemble" is a key of \\[model\\]'),
        ("by_error", "cannot be built with {'optimizer': 'adam'}: TypeError"),
    ],
)
def test_what_cannot_be_mapped_is_refused_by_name(name, words):
    with pytest.raises(UsageError, match=f'^model "user_hypermodels:{name}".*{words}') as error:
        space_of(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"model": "depth = 3"}, 'asks for no hyperparameter "depth"; it has rate, units'),
        ({"space": "model.units = [3]"}, "search.space.model.units: the hypermodel says"),
        ({"space": "learning_rate = [0.1]"}, "search.space.learning_rate: the hypermodel says"),
    ],
)
def test_keys_that_contradict_the_hypermodel(keys, words):
    with pytest.raises((UsageError, StudyFileError), match=words):
        with_hyperparameters(study_of("by_class_instance", **keys))
