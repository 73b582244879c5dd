"""Which rows a model for use learns from, and for how many epochs."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from trained_models import STUDY, prepared, table, without_training

from remix_study.data.arrays import from_arrays
from remix_study.data.table_file import load_file
from remix_study.deploy.refit import median_epochs
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.given_split import GivenSplit
from remix_study.studyfile.parsing import parse_study


def fold_of(dataset, cv="", training=""):
    """The one fold of a data set's model."""
    text = STUDY.format(model="", features="", training=training)
    if dataset.split is not None and dataset.split.kind == "test":
        text = text.replace("folds = 2\n", "")
    (task,) = prepare_tasks(parse_study(text.replace("[cv]", f"[cv]\n{cv}")), dataset)
    return without_training(task, task.configuration({"strategy": "baseline"})).fold


def test_all_rows_are_learned_from_or_kept_back():
    X, y = table(2)
    fold = fold_of(from_arrays(X, y, name="made"))
    rows = np.sort(np.concatenate([fold.train, fold.validation]))
    np.testing.assert_array_equal(rows, np.arange(120))
    assert np.bincount(y[fold.validation]).tolist() == [18, 18]
    np.testing.assert_array_equal(fold.test, np.arange(120))


def test_rows_of_a_test_file_stay_out():
    X, y = table(2)
    dataset = from_arrays(X[:90], y[:90], name="made", X_test=X[90:], y_test=y[90:])
    for training in ("", 'stop = "never"'):
        fold = fold_of(dataset, training=training)
        assert np.concatenate([fold.train, fold.validation]).max() < 90
        np.testing.assert_array_equal(fold.test, np.arange(90))


def test_groups_are_not_parted():
    X, y = table(2)
    groups = np.arange(120) // 4
    fold = fold_of(from_arrays(X, y, name="made", groups=groups), cv="grouped = true")
    assert not set(groups[fold.train]) & set(groups[fold.validation])
    assert 20 < len(fold.validation) < 60


def test_of_times_the_last_rows_end_the_training(tmp_path):
    X, y = table(2)
    days = pd.date_range("2024-01-01", periods=120).strftime("%Y-%m-%d")[::-1]
    frame = pd.DataFrame({"a": X[:, 0], "day": days, "y": y})
    frame.to_csv(tmp_path / "made.csv", index=False)
    dataset = load_file(tmp_path / "made.csv", label="y", split=GivenSplit(time="day"))
    fold = fold_of(dataset)
    assert fold.validation.tolist() == list(range(36))


def test_seeds_are_those_of_no_fold():
    task, configuration = prepared()
    refit = without_training(task, configuration)
    seeds = {member.seed for member in task.members.members}
    assert refit.task.members.members[0].seed not in seeds


@pytest.mark.parametrize(
    ("stopped", "epochs", "median"),
    [
        (["patience"] * 3, [25, 30, 65], 10),
        (["patience", "epochs", "epochs"], [22, 40, 40], 40),
        (["patience"] * 3, [20, 20, 20], 1),
    ],
)
def test_the_median_is_of_the_epochs_whose_weights_were_kept(stopped, epochs, median):
    folds = pd.DataFrame({"stopped": stopped, "epochs": epochs})
    comparison = SimpleNamespace(trained_folds=lambda _: folds)
    choice = SimpleNamespace(comparison=comparison, form=SimpleNamespace(method=None))
    assert median_epochs(choice, 20) == median
