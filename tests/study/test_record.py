"""Rows of trained trials: scores, probabilities and curves agree with each other."""

from __future__ import annotations

import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_studies import TINY, assert_clean, complete_values, query

from remix_study.cli.main import main
from remix_study.data.named_datasets import load_dataset
from remix_study.metrics import score
from remix_study.results.frames import load_frames
from remix_study.study import evaluation
from remix_study.study.storage import open_reader


@pytest.fixture
def frames(finished):
    return load_frames(open_reader(f"sqlite:///{finished}"))


def test_trial_values_are_means_of_the_stored_validation_scores(finished):
    rows = query(
        finished,
        "SELECT v.value, avg(s.value), count(*) FROM trial_values v JOIN trial_user_attributes a "
        "ON a.trial_id = v.trial_id AND a.key = 'remix_run' JOIN remix_runs r "
        "ON r.uuid = trim(a.value_json, '\"') JOIN remix_scores s ON s.run_id = r.id "
        "AND s.part = 'validation' AND s.metric = CASE v.objective WHEN 0 THEN 'g_mean' "
        "ELSE 'bbs' END GROUP BY v.trial_id, v.objective",
    )
    assert len(rows) == 3 * 2
    for value, mean, folds in rows:
        assert folds == 2
        assert value == pytest.approx(mean, rel=1e-15)
    assert_clean(finished)


@pytest.mark.usefixtures("finished")
def test_scores_are_those_of_the_stored_probabilities(frames):
    wine = load_dataset("wine")
    scores = frames.scores.set_index(["run", "repeat", "fold", "part", "metric"]).value
    for run in frames.runs.run:
        for fold in (0, 1):
            for part in ("validation", "test"):
                rows, labels, probabilities, _ = frames.probabilities(run, 0, fold, part)
                np.testing.assert_array_equal(labels, wine.y[rows])
                expected = score(labels, probabilities, 3)
                for metric, value in expected.items():
                    assert scores[run, 0, fold, part, metric] == pytest.approx(value, rel=1e-6)


def test_learning_curves_are_stored(finished):
    for (blob,) in query(finished, "SELECT curves FROM remix_folds"):
        loss, monitor, rates = np.frombuffer(zlib.decompress(blob), np.float32).reshape(3, -1)
        assert len(loss) == 2
        assert (loss > 0).all()
        assert np.isnan(monitor).all(), "nothing watched the validation loss"
        np.testing.assert_allclose(rates, 1e-3)


def test_the_same_file_gives_the_same_numbers_to_the_last_bit(finished, here):
    (here / "tiny.toml").write_text(TINY)
    assert main(["run", "tiny.toml", "--storage", "sqlite:///again.db"]) == 0
    assert complete_values(here / "again.db") == complete_values(finished)
    for table in ("scores", "probabilities"):
        rows = f"SELECT * FROM remix_{table} ORDER BY 1, 2, 3, 4, 5"
        assert query(here / "again.db", rows) == query(finished, rows)


@pytest.mark.parametrize(("platform", "mib"), [("linux", 3072.0), ("darwin", 3.0)])
def test_peak_memory_is_in_mib_whatever_the_system_counts(platform, mib, monkeypatch):
    usage = SimpleNamespace(ru_maxrss=3 * 2**20)
    monkeypatch.setattr(evaluation.resource, "getrusage", lambda _: usage)
    monkeypatch.setattr(evaluation.sys, "platform", platform)
    assert evaluation.peak_memory_mb() == mib
