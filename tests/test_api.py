"""Studies from Python: arrays, data frames, groups, and messages on wrong arguments."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading

import numpy as np
import pandas as pd
import pytest
from tiny_studies import assert_clean, complete_values, query, tiny

import remix_study
from remix_study.errors import DataError, StudyFileError, UsageError
from remix_study.study.optuna_tables import read_progress
from remix_study.study.reporter import Reporter
from remix_study.study.storage import open_reader
from remix_study.study.tables import unpack
from remix_study.studyfile.parsing import load_study, parse_study

ARRAYS = tiny(('dataset = "wine"', ""))
URL = "sqlite:///x.db"


@pytest.fixture
def data():
    """80 rows of two classes in 20 groups."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [56, 24])
    return rng.normal(size=(80, 3)) + y[:, None], y, np.arange(80) // 4


@pytest.fixture
def folder(request, here):
    """Simulated training in an empty folder."""
    request.getfixturevalue("simulated")
    return here


def test_a_data_frame_with_text_and_gaps_is_really_trained_on(here, data, capfd):
    X, y, _ = data
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    frame["colour"] = np.where(X[:, 0] > 0, "red", "green")
    frame.loc[3, "b"] = np.nan
    labels = np.where(y, "rare", "common")
    summary = remix_study.run(parse_study(ARRAYS), frame, labels, name="mine", storage=URL)
    assert (summary.configurations, summary.completed, summary.failures) == (3, 3, [])
    out, errors = capfd.readouterr()
    assert out == ""
    assert "Trial" not in errors
    assert "study" not in errors
    assert query(here / "x.db", "SELECT name FROM remix_studies") == [("tiny/mine",)]
    assert_clean(here / "x.db")
    again = remix_study.run(parse_study(ARRAYS), frame, labels, name="mine", storage=URL)
    assert (again.complete_before, again.completed) == (3, 0)


def test_code_of_a_user_is_found_beside_the_study_file(folder, data, monkeypatch):
    monkeypatch.setattr(sys, "path", sys.path.copy())
    (folder / "shop").mkdir()
    (folder / "shop" / "profits.py").write_text("def profit(y, p):\n    return 1.0\n")
    metric = '[metrics.profit]\nfunction = "profits:profit"\ndirection = "maximize"\nworst = 0.0\n'
    (folder / "shop" / "study.toml").write_text(ARRAYS + metric)
    assert remix_study.run("shop/study.toml", *data[:2], storage=URL).completed == 3
    assert query(folder / "x.db", "SELECT DISTINCT value FROM remix_scores "
                 "WHERE metric = 'profit'") == [(1.0,)]  # fmt: skip


@pytest.mark.usefixtures("folder")
def test_what_is_noted_of_columns_is_a_warning(data):
    X, y, _ = data
    frame = pd.DataFrame(X).assign(code=[f"c{i}" for i in range(len(X))], same=1.0)
    with pytest.warns(UserWarning, match="column") as warned:
        remix_study.run(parse_study(ARRAYS), frame, y, storage=URL)
    assert [str(warning.message) for warning in warned] == [
        'data set "data": column "code" looks like an identifier (every text is different); left '
        "out",
        'data set "data": column "same" has one value only; it carries no information',
    ]


@pytest.mark.usefixtures("folder")
def test_arrays_that_changed_are_refused(data):
    X, y, _ = data
    remix_study.run(parse_study(ARRAYS), X, y, storage=URL)
    with pytest.raises(StudyFileError, match=r"problem\.sha256"):
        remix_study.run(parse_study(ARRAYS), X + 1, y, storage=URL)


def test_one_study_runs_on_several_data_sets(folder, data):
    X, y, _ = data
    for name in ("one", "two"):
        summary = remix_study.run(parse_study(ARRAYS), X, y, name=name, storage=URL)
        assert summary.completed == 3
    assert len(complete_values(folder / "x.db")) == 6


def test_groups_stay_together(folder, data):
    X, y, groups = data
    text = ARRAYS.replace("repeats = 1", "repeats = 1\ngrouped = true")
    remix_study.run(parse_study(text), X, y, groups=groups, storage=URL)
    parts = {}
    for fold, part, rows in query(folder / "x.db", "SELECT fold, part, rows FROM remix_parts"):
        parts[fold, part] = set(groups[unpack(rows, np.int32)])
    for fold in (0, 1):
        assert not parts[fold, "test"] & parts[fold, "validation"]
    assert not parts[0, "test"] & parts[1, "test"]


def test_a_study_is_a_path_a_name_or_an_object(folder):
    (folder / "tiny.toml").write_text(tiny())
    for study in (
        folder / "tiny.toml",
        str(folder / "tiny.toml"),
        load_study(folder / "tiny.toml"),
    ):
        assert remix_study.run(study, storage=URL).complete == 3
    with pytest.raises(StudyFileError, match="nor a built-in study"):
        remix_study.run("quickstrat", storage=URL)


def test_wrong_arguments_are_named(folder, data):
    X, y, groups = data
    study = parse_study(ARRAYS)
    for arguments, keywords, error, expected in (
        ((study, X), {}, UsageError, "give X and y together, or neither"),
        ((study, None, y), {}, UsageError, "give X and y together, or neither"),
        ((study,), {"groups": groups}, UsageError, "groups: given without X and y"),
        ((study,), {"sample_weight": y}, UsageError, "sample_weight: given without X and y"),
        (
            (study, X, y),
            {"sample_weight_test": y},
            UsageError,
            "sample_weight_test: given without X_test and y_test",
        ),
        ((study, X, y), {"timeout": math.nan}, UsageError, r"a number above 0 \(found nan\)"),
        ((study, X, y), {"timeout": "10m"}, UsageError, r"a number above 0 \(found '10m'\)"),
        ((study, X[:0], y[:0].astype(str)), {}, DataError, "X has 0 rows"),
        ((pd.DataFrame({"a": [], "b": []}),), {"label": "b"}, DataError, "X has 0 rows"),
        (
            (study,),
            {},
            StudyFileError,
            r"problems\[0\]\.dataset: missing; name a data set, a file",
        ),
        ((parse_study(tiny()), X, y), {}, UsageError, "every problem names its own data"),
        (({"study": 1}, X, y), {}, UsageError, "X belongs to a study; a table has label"),
        ((study, X, y[:-1]), {}, DataError, "X has 80 rows and y has 79"),
        ((study, X[:, 0], y), {}, DataError, r"X has shape \(80,\)"),
        ((study, X, y * 0), {}, DataError, "class"),
        ((study, X, y), {"groups": groups[:5]}, DataError, "groups has 5"),
    ):
        with pytest.raises(error, match=expected):
            remix_study.run(*arguments, storage=URL, **keywords)
    for arguments, keywords, expected in (
        ((study, X), {}, "give X and y together, or neither"),
        ((study,), {"groups": groups}, "groups: given without X and y"),
        ((study, X, y), {"label": "y"}, "y: not beside label"),
        ((study, X), {"label": "y", "sample_weight": y}, "sample_weight: not beside label"),
    ):
        with pytest.raises(UsageError, match=expected):
            remix_study.fit(*arguments, storage=URL, **keywords)
    assert not (folder / "x.db").exists()


def test_an_interrupt_from_the_keyboard_leaves_a_clean_database(folder, data):
    X, y, _ = data

    class InterruptingReporter(Reporter):
        def epoch(self, _members):
            os.kill(os.getpid(), signal.SIGINT)

    # A shell starts what it runs in the background with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            remix_study.run(
                parse_study(ARRAYS), X, y, storage=URL, reporter=InterruptingReporter()
            )
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert_clean(folder / "x.db")
    # What was stopped has not failed.
    engine = open_reader(URL)
    (progress,) = read_progress(engine)
    engine.dispose()
    assert (progress.failed, progress.missing) == (0, 3)


@pytest.mark.usefixtures("folder")
def test_it_runs_in_a_thread_and_beside_a_handler_of_the_users_own(data):
    X, y, _ = data
    summaries = []
    thread = threading.Thread(
        target=lambda: summaries.append(remix_study.run(parse_study(ARRAYS), X, y, storage=URL))
    )
    thread.start()
    thread.join()
    assert summaries[0].complete == 3

    def handler(number, frame): ...

    before = signal.signal(signal.SIGINT, handler)
    try:
        remix_study.run(parse_study(ARRAYS), X, y, name="b", storage=URL)
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)
