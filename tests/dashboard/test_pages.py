"""What the dashboard shows of a study that really ran, asked through its own REST API."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from chromium import ask, request
from tiny_studies import query, tiny

from remix_study.cli.dashboard import _as_shown
from remix_study.cli.main import main
from remix_study.dashboard.notes import escaped
from remix_study.dashboard.pages import Keeper, Pages
from remix_study.dashboard.server import application
from remix_study.study.storage import open_storage

pytestmark = [
    pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning"),
]


@contextmanager
def opened(database: Path):
    """(pages, dashboard, the storage that it reads) of a database."""
    folder = database.with_suffix("")
    folder.mkdir(exist_ok=True)
    written = open_storage(f"sqlite:///{database}")
    shown = _as_shown(written)
    try:
        yield Pages(shown, written.engine, folder), application(shown, folder), shown
    finally:
        for storage in (shown, written):
            storage.remove_session()
            storage.engine.dispose()


@pytest.fixture
def copied(finished, here) -> Path:
    """A copy of the finished study's database."""
    shutil.copy(finished, here / "shown.db")
    return here / "shown.db"


def change(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def system_attributes(database: Path) -> list[tuple]:
    return query(
        database, "SELECT study_id, key, value_json FROM study_system_attributes ORDER BY 1, 2"
    )


def graphs(detail: dict) -> dict[str, dict]:
    return {g["id"]: json.loads(g["graph_object"]) for g in detail["plotly_graph_objects"]}


def test_a_study_has_its_note_and_its_graphs(copied):
    with opened(copied) as (pages, app, _):
        assert ask(app, "/api/studies/1")["note"]["body"] == ""
        assert pages.renew() > 0
        detail = ask(app, "/api/studies/1")
        found = graphs(detail)
        values = query(
            copied,
            "SELECT value FROM trial_values v JOIN trials t USING (trial_id) WHERE objective = 0 "
            "ORDER BY number",
        )
    note = detail["note"]["body"]
    for text in ("wine", "class_0", "59", "2-fold", "validation rows", "3 points of a grid"):
        assert text in note, (text, note)
    # One alpha above zero is no curve.
    assert set(found) == {"ranks", "calibration"}
    ranks = found["ranks"]["data"]
    assert [trace["name"] for trace in ranks] == ["g-mean", "balanced Brier"]
    ordered = dict(
        zip(("baseline", "balance", "remix (0.1)"), [v for (v,) in values], strict=True)
    )
    shown = dict(zip(ranks[0]["y"], ranks[0]["x"], strict=True))
    # Ties share a rank, so ranks say what the values say.
    for one in ordered:
        for other in ordered:
            assert (shown[one] < shown[other]) == (ordered[one] > ordered[other])
    assert sum(shown.values()) == pytest.approx(6)
    lines = {trace["name"]: trace for trace in found["calibration"]["data"]}
    assert set(lines) == {"calibrated", *ordered}
    for name in ordered:
        # Two folds' validation rows and one rare class.
        counts = [int(text.split()[0].replace(",", "")) for text in lines[name]["text"]]
        assert sum(counts) == query_validation_rows(copied)


def query_validation_rows(database: Path) -> int:
    (row,) = query(database, "SELECT counts FROM remix_folds WHERE run_id = 1 AND fold = 0")
    (other,) = query(database, "SELECT counts FROM remix_folds WHERE run_id = 1 AND fold = 1")
    return sum(sum(json.loads(text)["validation"]) for (text,) in (row, other))


def test_a_trial_has_a_note_its_fold_table_and_its_reliability_diagram(copied):
    with opened(copied) as (pages, app, _):
        pages.renew()
        trials = ask(app, "/api/studies/1")["trials"]
        assert len(trials) == 3
        assert "repeating rows" in trials[1]["note"]["body"]
        assert "Alpha is 0.1." in trials[2]["note"]["body"]
        for trial in trials:
            files = {meta["filename"]: meta for meta in trial["artifacts"]}
            assert set(files) == {"folds.csv", "reliability-validation.png"}
            answers = {
                name: request(app, f"/artifacts/1/{trial['trial_id']}/{meta['artifact_id']}")
                for name, meta in files.items()
            }
            status, headers, content = answers["folds.csv"]
            assert (status, headers["Content-Type"]) == ("200 OK", "text/csv")
            lines = list(csv.DictReader(io.StringIO(content.decode())))
            assert [(line["repeat"], line["fold"]) for line in lines] == [("0", "0"), ("0", "1")]
            # The mean of the table is the trial's value.
            for metric, value in zip(("g_mean", "bbs"), trial["values"], strict=True):
                mean = np.mean([float(line[f"validation {metric}"]) for line in lines])
                assert mean == pytest.approx(float(value), rel=1e-5)
            assert not [name for name in lines[0] if "test" in name]
            status, headers, content = answers["reliability-validation.png"]
            assert headers["Content-Type"] == "image/png"
            pixels = matplotlib.image.imread(io.BytesIO(content))
            assert pixels.shape[0] > 300
            assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 10


def test_no_test_score_or_probability_is_looked_at(copied, here):
    shutil.copy(copied, here / "blind.db")
    change(
        here / "blind.db",
        "DELETE FROM remix_scores WHERE part = 'test'",
        "DELETE FROM remix_probabilities WHERE part = 'test'",
    )
    for name in ("shown.db", "blind.db"):
        with opened(here / name) as (pages, _, _):
            pages.renew()
    assert system_attributes(here / "shown.db") == system_attributes(here / "blind.db")
    for path in (here / "shown").iterdir():
        assert path.read_bytes() == (here / "blind" / path.name).read_bytes()
    # And validation scores are: others give other pages.
    shutil.copy(here / "blind.db", here / "other.db")
    change(here / "other.db", "UPDATE remix_scores SET value = value / 2 WHERE run_id = 1")
    with opened(here / "other.db") as (pages, _, _):
        assert pages.renew() > 0


def test_pages_are_renewed_when_a_trial_has_ended_and_only_then(copied, here):
    change(copied, "UPDATE trials SET state = 'RUNNING' WHERE number = 2")
    with opened(copied) as (pages, app, _):
        pages.renew()
        before = graphs(ask(app, "/api/studies/1"))
        assert pages.renew() == 0
        change(copied, "UPDATE trials SET state = 'COMPLETE' WHERE number = 2")
        assert pages.renew() > 0
        after = graphs(ask(app, "/api/studies/1"))
    assert "remix (0.1)" not in before["ranks"]["data"][0]["y"]
    assert "remix (0.1)" in after["ranks"]["data"][0]["y"]
    # Another process finds all as it should be, and writes nothing.
    stamps = {path: path.stat().st_mtime_ns for path in (here / "shown").iterdir()}
    with opened(copied) as (pages, _, _):
        assert pages.renew() == 0
    assert stamps == {path: path.stat().st_mtime_ns for path in (here / "shown").iterdir()}


def test_what_a_person_wrote_or_deleted_stays(copied):
    with opened(copied) as (pages, app, _):
        pages.renew()
        detail = ask(app, "/api/studies/1")
        version = detail["note"]["version"] + 1
        body = {"body": "mine", "version": version}
        assert request(app, "/api/studies/1/note", "PUT", body)[0].startswith("204")
        trial = detail["trials"][0]
        gone = trial["artifacts"][0]["artifact_id"]
        path = f"/api/artifacts/1/{trial['trial_id']}/{gone}"
        # optuna-dashboard 0.21 deletes it and then stumbles over the trial being finished.
        request(app, path, "DELETE")
    # A file that is lost comes back.
    lost = next((copied.parent / "shown").iterdir())
    content = lost.read_bytes()
    lost.unlink()
    with opened(copied) as (pages, app, _):
        pages.renew()
        detail = ask(app, "/api/studies/1")
    assert detail["note"]["body"] == "mine"
    assert gone not in [meta["artifact_id"] for meta in detail["trials"][0]["artifacts"]]
    assert lost.read_bytes() == content


def test_pages_wait_for_a_writer_and_lock_none_out(copied):
    with opened(copied) as (pages, app, _):
        pages.renew()
        with closing(sqlite3.connect(copied, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            assert ask(app, "/api/studies/1")["note"]["body"]
            # Nothing has changed, so there is nothing to wait for.
            assert pages.renew() == 0
            writer.execute("ROLLBACK")


def test_a_failure_is_told_once_and_ends_nothing(copied, capsys, monkeypatch):
    monkeypatch.setattr("remix_study.dashboard.pages._PAUSE", 0.01)
    monkeypatch.setattr("remix_study.dashboard.pages._REST", 0)
    calls = []

    class Broken:
        def renew(self, _stop):
            calls.append(1)
            raise OSError("no room\nsecond line")

    keeper = Keeper(Broken())
    keeper.start()
    while len(calls) < 3:
        keeper.join(0.01)
        assert keeper.is_alive()
    keeper.end()
    assert not keeper.is_alive()
    assert capsys.readouterr().err == "remix-study: pages were not renewed: no room\n"
    assert copied.exists()


@pytest.mark.usefixtures("simulated")
def test_a_search_has_notes_and_files_and_no_graph_of_a_grid(here):
    search = ("[search.space]", '[search]\nalgorithm = "random"\ntrials = 3\n\n[search.space]')
    (here / "tiny.toml").write_text(tiny(search))
    assert main(["run", "tiny.toml"]) == 0
    with opened(here / "remix-study.db") as (pages, app, _):
        pages.renew()
        detail = ask(app, "/api/studies/1")
    assert graphs(detail) == {}
    assert "3 trials of a search" in detail["note"]["body"]
    points = {str(trial["params"]) for trial in detail["trials"]}
    told = [trial for trial in detail["trials"] if trial["note"]["body"]]
    # A point that was drawn twice is told once, as in reports.
    assert len(told) == len(points) > 1
    assert all(len(trial["artifacts"]) == 2 for trial in told)


def test_a_name_in_a_note_is_shown_as_it_is():
    hostile = "<img src=x onerror=alert(1)> [a](javascript:b) **c** `d` $e$ |f|\n# g"
    text = escaped(hostile)
    assert "<" not in text
    assert "\n" not in text
    for mark in "[]*`$|#(":
        assert text.count(mark) == text.count(f"\\{mark}"), mark
