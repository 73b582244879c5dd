"""What a notebook shows of a run, and the tidy frames, against the database."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import remix_study
from remix_study.errors import StudyFileError, UsageError
from remix_study.report.notebook import StudySummary
from remix_study.report.python_progress import (
    NotebookReporter,
    WarningReporter,
    default_reporter,
)
from remix_study.study import default_study

URL = "sqlite:///x.db"
pytestmark = pytest.mark.usefixtures("simulated")


def shorten(patch) -> None:
    """Plan fewer methods, trials and folds than the default study has."""
    text = default_study._METHODS.replace('"smote", "balance", "logit-adjusted", "mixup", ', "")
    patch.setattr(default_study, "_METHODS", text.replace("trials = 12", "trials = 3"))
    patch.setattr(default_study, "_SIZES", ((100, 1, 200, 16),))


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    names = np.where(np.arange(100) % 5 == 0, "<b>rare", "often")
    return pd.DataFrame({"a": rng.normal(size=100), "b": rng.normal(size=100), "kind": names})


@pytest.fixture(scope="module")
def _trained(tmp_path_factory, frame):
    """The database and the summary of the default study of a frame, trained once."""
    from simulated_training import simulate_training

    path = tmp_path_factory.mktemp("planned") / "x.db"
    with pytest.MonkeyPatch.context() as patch:
        simulate_training(patch.setattr)
        shorten(patch)
        summary = remix_study.run(frame, label="kind", storage=f"sqlite:///{path}")
    return path, summary


@pytest.fixture
def summary(_trained, here, monkeypatch) -> StudySummary:
    shorten(monkeypatch)
    path, summary = _trained
    for part in path.parent.glob("x.db*"):
        shutil.copy(part, here / part.name)
    return summary


def test_a_planned_study_is_resumed_and_refuses_other_data(summary, frame):
    assert summary.configurations == summary.completed == 10
    again = remix_study.run(frame.to_dict("list"), label="kind", storage=URL)
    assert (again.complete_before, again.completed) == (10, 0)
    assert again.study_file == summary.study_file
    halved = frame.assign(a=0.5 * frame["a"])
    with pytest.raises(StudyFileError, match=r"problem\.sha256"):
        remix_study.run(halved, label="kind", storage=URL)


def test_a_notebook_shows_escaped_scores_and_a_terminal_plain_ones(summary):
    html, text = summary._repr_html_(), repr(summary)
    assert "<b>" not in html
    assert "data-&lt;b&gt;rare" in html
    for shown in (html, text):
        assert "data: 10 of 10 configurations complete, 10 of them new" in shown
        assert "remix (0.1)" in shown
        assert shown.count("Optuna: ") == 3
    table = summary.tables()["data-<b>rare"]
    with closing(sqlite3.connect("x.db")) as connection:
        mean = connection.execute(
            "SELECT avg(value) FROM remix_scores s JOIN remix_runs r ON r.id = s.run_id "
            "WHERE r.strategy = 'cost' AND part = 'test' AND metric = 'g_mean'"
        ).fetchone()[0]
    assert table.loc["cost", "g-mean ↑ test"] == pytest.approx(mean)
    best = table["g-mean ↑ validation"].tail(3)
    assert best.is_monotonic_decreasing


class RecordingDisplay:
    """The part of ``IPython.display.display`` that shows a picture and changes it in place."""

    def __init__(self) -> None:
        self.pictures = []

    def __call__(self, picture, *, raw, display_id):
        assert (raw, bool(display_id), self.pictures) == (True, True, [])
        self.update(picture, raw=raw)
        return self

    def update(self, picture, *, raw):
        assert raw
        self.pictures.append(picture)


def test_a_notebook_shows_bars_that_end_with_the_counts():
    display = RecordingDisplay()
    reporter = NotebookReporter(display)
    reporter.switch_problem("a/<b>", 3, 1)
    reporter.trial("remix (0.1)", 2, 50)
    reporter._shown_at = -1e9
    reporter.epoch(2)
    assert display.pictures[-1]["text/plain"].splitlines() == [
        "a/<b>: 1 of 3 configurations complete",
        "remix (0.1): 2 of at most 100 epochs of all its folds",
    ]
    n_pictures = len(display.pictures)
    reporter.epoch(2)
    assert len(display.pictures) == n_pictures
    reporter.complete("remix (0.1)", {}, 1.0)
    reporter.failed("cost", "diverged")
    assert display.pictures[-1] == {
        "text/plain": "a/<b>: 2 of 3 configurations complete, 1 failed",
        "text/html": '<div><progress value="3" max="3"></progress> <b>a/&lt;b&gt;</b> '
        "2 of 3 configurations complete, 1 failed</div>",
    }


def test_bars_are_for_the_kernel_of_a_notebook_alone(monkeypatch):
    for kernel, reporter in ((None, WarningReporter), (object(), NotebookReporter)):
        shell = SimpleNamespace(kernel=kernel)
        ipython = SimpleNamespace(get_ipython=lambda shell=shell: shell)
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=print))
        assert type(default_reporter()) is reporter
    monkeypatch.setitem(sys.modules, "IPython", None)
    assert type(default_reporter()) is WarningReporter


def test_failures_are_listed_and_a_lost_database_is_no_error(here):
    from remix_study.study.reporter import Failure

    summary = StudySummary(3, 0, 2, 2, [Failure("a/b", "smote", "<NaN>")], study="a", storage=URL)
    assert repr(summary).splitlines() == [
        "a: 2 of 3 configurations complete, 2 of them new",
        "failed: a/b, smote: <NaN>",
    ]
    assert "&lt;NaN&gt;" in summary._repr_html_()
    assert not (here / "x.db").exists()


def test_the_frames_hold_every_complete_trial_and_score(summary):
    results = remix_study.read_results(URL)
    counts = results.trials["source"].value_counts().to_dict()
    assert counts == {"planned": 7, "suggested": 3}
    assert results.objectives == ("g_mean", "bbs")
    assert results.trials["run"].is_unique
    with closing(sqlite3.connect("x.db")) as connection:
        n_scores = connection.execute("SELECT count(*) FROM remix_scores").fetchone()[0]
    assert len(results.scores) == n_scores
    means = results.scores.groupby(["run", "metric", "part"])["value"].mean()
    for trial in results.trials.itertuples():
        assert trial.g_mean_test == pytest.approx(means[trial.run, "g_mean", "test"])
        assert trial.bbs_validation == pytest.approx(means[trial.run, "bbs", "validation"])
    with pytest.raises(UsageError):
        remix_study.read_results(URL, "another")
    assert summary.results.trials.equals(results.trials)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"study": "quickstart", "label": "y"}, "quickstart is a study, and label is for a table"),
        ({"study": {"a": [1, 2]}, "label": "a", "X": [[1]], "y": [1]}, "X belongs to a study"),
        ({"study": {"a": [1, 2], "b": [1, 2]}}, "name the column to predict"),
    ],
)
def test_arguments_that_do_not_go_together_are_named(arguments, message):
    with pytest.raises(UsageError, match=message):
        remix_study.run(**arguments)
