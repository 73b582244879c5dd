"""The objective returns what a study of this project gives Optuna, and nothing of test rows."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import optuna
import pytest
from simulated_training import simulate_training, skip_migrations

import remix_study
from remix_study.errors import StudyFileError, UsageError
from remix_study.study.task import Task

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
RNG = np.random.default_rng(0)
Y = RNG.choice(2, 190, p=[0.7, 0.3])
X = RNG.normal(size=(190, 3)) + Y[:, None]
SMALL = {"cv": {"folds": 2, "repeats": 5}, "model": {"hidden": [4]}, "training": {"batch_size": 8}}


@pytest.fixture
def simulated(monkeypatch):
    simulate_training(monkeypatch.setattr)
    skip_migrations(monkeypatch.setattr)


def optimized(objective, n_trials=1, **options):
    study = optuna.create_study(directions=objective.directions, **options)
    study.optimize(objective, n_trials=n_trials)
    return study


@pytest.mark.usefixtures("simulated")
def test_values_are_those_of_a_study_of_this_project(tmp_path):
    space = {"strategy": ["remix"], "alpha": [0.3]}
    objective = remix_study.objective(X, Y, space=space, metrics=["g_mean", "bbs"], **SMALL)
    (trial,) = optimized(objective).trials
    assert objective.directions == ["maximize", "minimize"]
    file = tmp_path / "study.toml"
    file.write_text(
        '[study]\nname = "own"\nobjectives = ["g_mean", "bbs"]\n[cv]\nfolds = 2\nrepeats = 5\n'
        "[model]\nhidden = [4]\n[training]\nbatch_size = 8\n"
        '[search.space]\nstrategy = ["remix"]\nalpha = [0.3]\n'
    )
    storage = f"sqlite:///{tmp_path}/studies.db"
    remix_study.run(file, X, Y, storage=storage)
    (expected,) = optuna.load_study(study_name="own/data", storage=storage).trials
    assert trial.values == expected.values
    assert trial.user_attrs["validation"]["g_mean"] == trial.values[0]


@pytest.mark.usefixtures("simulated")
def test_predictions_of_test_rows_change_nothing(monkeypatch):
    objective = remix_study.objective(X, Y, space={"strategy": ["cost"]}, **SMALL)
    expected = optimized(objective).best_trial
    fit = Task.fit

    def fit_with_other_test_rows(*arguments):
        return [replace(outcome, test=outcome.test[::-1]) for outcome in fit(*arguments)]

    monkeypatch.setattr(Task, "fit", fit_with_other_test_rows)
    trial = optimized(objective).best_trial
    assert (trial.value, trial.user_attrs) == (expected.value, expected.user_attrs)


@pytest.mark.usefixtures("simulated")
def test_a_space_may_be_a_function_of_the_trial():
    def space(trial):
        strategy = trial.suggest_categorical("kind", ["baseline", "remix"])
        alpha = {"alpha": trial.suggest_float("a", 0.1, 1)} if strategy == "remix" else {}
        return {"strategy": strategy, "model.dropout": 0.2, **alpha}

    sampler = optuna.samplers.RandomSampler(0)
    study = optimized(remix_study.objective(X, Y, space=space, **SMALL), 6, sampler=sampler)
    assert len({trial.value for trial in study.trials}) > 2
    wrong = remix_study.objective(X, Y, space=lambda _: {"strategie": "remix"}, **SMALL)
    with pytest.raises(UsageError, match='unknown parameter "strategie"; did you mean "strategy"'):
        optimized(wrong)


@pytest.mark.usefixtures("simulated")
def test_a_trial_that_diverges_fails_and_one_that_is_behind_is_pruned():
    space = {"strategy": ["cost"], "learning_rate": [5.0]}
    failed = optimized(remix_study.objective(X, Y, space=space, **SMALL)).trials[0]
    assert failed.state == optuna.trial.TrialState.FAIL
    assert "diverged" in failed.user_attrs["failed"]
    objective = remix_study.objective(X, Y, space={"strategy": ["cost"]}, prune=True, **SMALL)
    pruner = optuna.pruners.ThresholdPruner(upper=0.0)
    pruned = optimized(objective, pruner=pruner).trials[0]
    assert pruned.state == optuna.trial.TrialState.PRUNED
    # The ten folds are two blocks of whole repeats: three and two.
    assert list(pruned.intermediate_values) == [6]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"space": {"alpha": {"low": 1.0}}}, StudyFileError, "search.space.alpha: expected"),
        ({"space": {"strategy": ["remixx"]}}, StudyFileError, "remixx"),
        ({"training": {"epoch": 3}}, StudyFileError, 'training.epoch: unknown key.*"epochs"'),
        ({"metrics": "gmean"}, StudyFileError, "gmean"),
        ({"build": 3}, UsageError, "build must be a function"),
        ({"build": len, "model": {"name": "mlp"}}, UsageError, "give build or a name"),
        ({"metrics": ["bbs", "g_mean"], "prune": True}, UsageError, "prune: "),
    ],
)
def test_mistakes_are_one_line(arguments, error, words):
    with pytest.raises(error, match=words):
        remix_study.objective(X, Y, **arguments)


def test_the_example_of_the_page_runs():
    pattern = r"```python\n(import keras\nimport optuna.*?)```"
    (example,) = re.findall(pattern, PAGE.read_text(), re.DOTALL)
    example = example.replace("n_trials=50", "n_trials=1")
    example = example.replace('cv={"folds": 2, "repeats": 5}', 'cv={"folds": 2, "repeats": 1}')
    names = {"X": X, "y": Y}
    exec(example, names)
    (trial,) = names["study"].trials
    assert math.isfinite(trial.value)
    assert set(trial.params) >= {"strategy", "model.width"}
    assert isinstance(names["build"]((3,), 2), keras.Model)
