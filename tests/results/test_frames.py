"""Data frames of a study that really ran."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pandas as pd
import pytest
from tiny_studies import TINY

from remix_study.data.named_datasets import load_dataset
from remix_study.errors import StorageError, UsageError
from remix_study.results.frames import load_frames
from remix_study.study.optuna_tables import read_progress
from remix_study.study.storage import open_reader


@pytest.fixture
def frames(finished):
    return load_frames(open_reader(f"sqlite:///{finished}"))


def test_folds_have_their_rows_and_epochs(frames):
    folds = frames.folds
    assert len(folds) == 3 * 2
    assert set(folds.epochs) == {2}
    assert set(folds.stopped) == {"epochs"}
    assert set(folds.failed) == {""}
    assert ((folds.n_train + folds.n_validation + folds.n_test) == 178).all()
    assert (folds.minority_train < folds.n_train).all()
    natural = np.array(folds.natural_prior.tolist())
    np.testing.assert_allclose(natural.sum(axis=1), 1)
    effective = np.array(folds.effective_prior.tolist())
    labels = folds.run.map(frames.runs.set_index("run").row)
    # Of the six batches of 16 rows one may lack a class, the others have 5 or 6 rows of each.
    most = (16 / 3 + 5 * (16 / 3 - 5)) / 96
    np.testing.assert_allclose(effective[labels == "balance"], 1 / 3, atol=most + 1e-9)


def test_frames_describe_problem_and_runs(frames):
    (problem,) = frames.problems.to_dict("records")
    assert problem["study"] == "tiny"
    assert problem["problem"] == problem["dataset"] == "wine"
    assert problem["counts"] == {"class_0": 59, "class_1": 71, "class_2": 48}
    assert problem["minority"] == ("class_2",)
    assert math.isnan(problem["imbalance"])
    assert (problem["planned"], problem["complete"], problem["failed"]) == (3, 3, 0)
    assert (problem["folds"], problem["repeats"], problem["algorithm"]) == (2, 1, "grid")
    runs = frames.runs
    assert runs.row.tolist() == ["baseline", "balance", "remix (0.1)"]
    assert runs.strategy.tolist() == ["baseline", "balance", "remix"]
    assert runs.alpha.fillna(-1).tolist() == [-1, -1, 0.1]
    assert runs.loss.unique().tolist() == ["cross-entropy"]
    assert runs.parameters.tolist()[2] == {"strategy": "remix", "alpha": 0.1}
    assert [len(values) for values in runs["values"]] == [2, 2, 2]
    assert isinstance(frames.problems, pd.DataFrame)
    (manifest,) = frames.manifests
    assert manifest["file"]["sha256"] == hashlib.sha256(TINY.encode()).hexdigest()
    assert manifest["data"]["sha256"] == load_dataset("wine").sha256


def test_frames_hold_the_named_studies(finished):
    engine = open_reader(f"sqlite:///{finished}")
    assert load_frames(engine, ["tiny"]).runs.shape == load_frames(engine).runs.shape
    with pytest.raises(UsageError, match=r'no study "tini"; did you mean "tiny"\?'):
        load_frames(engine, ["tini"])


@pytest.mark.usefixtures("storage")
def test_an_empty_database_has_no_frames():
    with pytest.raises(StorageError, match="holds no study yet"):
        load_frames(open_reader("sqlite:///x.db"))
    assert read_progress(open_reader("sqlite:///x.db")) == []
