"""Splits of real tables, read anew here and split by scikit-learn: times, a test file, groups."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import TimeSeriesSplit
from tiny_studies import tiny

from remix_study.study.task import Task
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import parse_study


def published(name: str) -> Path:
    path = Path(os.environ.get("REMIX_STUDY_DATA", "no folder")) / name
    if not path.is_file():
        pytest.skip(f"REMIX_STUDY_DATA has no {name}")
    return path


def task_of(keys: str, cv: str) -> Task:
    text = tiny(('dataset = "wine"', f"header = false\nlabel = -1\n{keys}"), ("folds = 2\n", cv))
    (task,) = prepare_tasks(parse_study(text))
    return task


def test_ozone_days_are_split_by_date() -> None:
    path = published("ozone/onehr.data.gz")
    keys = f'file = "{path}"\nseparator = ","\ntime = 1\nmissing = ["?"]'
    task = task_of(keys, "folds = 3\n")
    table = pd.read_csv(path, header=None, na_values="?")
    order = np.argsort(pd.to_datetime(table[0], format="%m/%d/%Y").to_numpy(), kind="stable")
    for fold, (train, test) in zip(task.folds, TimeSeriesSplit(3).split(order), strict=True):
        n_validation = int(np.ceil(0.3 * len(train)))
        np.testing.assert_array_equal(fold.test, np.sort(order[test]))
        np.testing.assert_array_equal(fold.validation, np.sort(order[train][-n_validation:]))
    assert task.problem.dataset.n_features == 72


def test_the_test_file_of_satimage_is_every_test_part() -> None:
    train, test = published("satimage/sat.trn.gz"), published("satimage/sat.tst.gz")
    task = task_of(f'file = "{train}"\ntest_file = "{test}"\nseparator = " "', "")
    with gzip.open(train, "rt") as first, gzip.open(test, "rt") as second:
        rows = np.loadtxt([*first, *second])
    np.testing.assert_array_equal(task.problem.X, rows[:, :-1])
    (fold,) = task.folds
    np.testing.assert_array_equal(fold.test, np.arange(4435, 6435))
    np.testing.assert_array_equal(np.sort(np.r_[fold.train, fold.validation]), np.arange(4435))


def test_molecules_of_musk_are_in_one_part() -> None:
    path = published("musk2/clean2.data.gz")
    keys = f'file = "{path}"\ngroups = 1\ndrop = [2]'
    task = task_of(keys, "folds = 3\ngrouped = true\n")
    molecules = pd.read_csv(path, header=None)[0].to_numpy()
    for fold in task.folds:
        parts = [set(molecules[rows]) for rows in (fold.train, fold.validation, fold.test)]
        assert len(set.union(*parts)) == sum(map(len, parts)) == 102
