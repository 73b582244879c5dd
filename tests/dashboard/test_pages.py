"""What the dashboard shows of a trained study, asked through its own REST API."""

from __future__ import annotations

import csv
import io
import json
import lzma
import shutil
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from tiny_studies import query, tiny
from wsgi_client import get_json, request

from remix_study.cli.main import main
from remix_study.dashboard.notes import escape_markdown
from remix_study.dashboard.pages import Pages, RenewalThread
from remix_study.dashboard.server import application, open_storages

pytestmark = [
    pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning"),
]


@contextmanager
def dashboard_of(database: Path):
    """The pages and the dashboard's application of a database."""
    folder = database.with_suffix("")
    folder.mkdir(exist_ok=True)
    with open_storages(f"sqlite:///{database}") as storages:
        pages = Pages(storages.dashboard, storages.pages.engine, folder)
        yield pages, application(storages.dashboard, folder)


@pytest.fixture
def database(finished, here) -> Path:
    """A copy of the finished study's database."""
    shutil.copy(finished, here / "shown.db")
    return here / "shown.db"


@pytest.fixture(scope="module")
def with_pages(finished, tmp_path_factory) -> Path:
    """A copy whose pages are drawn, beside the folder of its artifacts; not to be written to."""
    path = tmp_path_factory.mktemp("pages") / "shown.db"
    shutil.copy(finished, path)
    with dashboard_of(path) as (pages, app):
        assert get_json(app, "/api/studies/1")["note"]["body"] == ""
        assert pages.renew() > 0
    return path


@pytest.fixture
def renewed(with_pages, here) -> Path:
    """A copy of the finished study's database with its pages, which are drawn once."""
    shutil.copytree(with_pages.parent, here, dirs_exist_ok=True)
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


def test_a_study_has_its_note_and_its_graphs(renewed):
    with dashboard_of(renewed) as (_, app):
        detail = get_json(app, "/api/studies/1")
        figures = graphs(detail)
        values = query(
            renewed,
            "SELECT value FROM trial_values v JOIN trials t USING (trial_id) WHERE objective = 0 "
            "ORDER BY number",
        )
    note = detail["note"]["body"]
    for text in (
        "wine",
        "class_0",
        "59",
        "2-fold",
        "validation rows",
        "3 configurations of a grid",
    ):
        assert text in note, (text, note)
    # One alpha above zero is no curve.
    assert set(figures) == {"ranks", "calibration"}
    ranks = figures["ranks"]["data"]
    assert [trace["name"] for trace in ranks] == ["g-mean", "balanced Brier"]
    labels = ("baseline", "balance", "remix (0.1)")
    value_of = dict(zip(labels, [value for (value,) in values], strict=True))
    rank_of = dict(zip(ranks[0]["y"], ranks[0]["x"], strict=True))
    # Methods of equal values share a rank.
    for label in labels:
        for rival in labels:
            assert (rank_of[label] < rank_of[rival]) == (value_of[label] > value_of[rival])
    assert sum(rank_of.values()) == pytest.approx(6)
    lines = {trace["name"]: trace for trace in figures["calibration"]["data"]}
    assert set(lines) == {"calibrated", *labels}
    for label in labels:
        # One rare class: as many forecasts as validation rows.
        counts = [int(text.split()[0].replace(",", "")) for text in lines[label]["text"]]
        assert sum(counts) == n_validation_rows(renewed)


THEN = """
[search.then]
algorithm = "tpe"
trials = 2

[search.then.space]
sampler = ["natural", "balanced"]
mixing = ["beta"]
alpha = [0.1, 0.3]
"""


@pytest.mark.usefixtures("simulated", "unrendered_figures")
def test_a_search_that_follows_a_grid_has_pages_of_its_own(here):
    text = tiny(("hidden = [4]", "")) + "model.hidden = [[4], [5]]\n" + THEN
    (here / "tiny.toml").write_text(text)
    assert main(["run", "tiny.toml"]) == 0
    with dashboard_of(here / "remix-study.db") as (pages, app):
        assert pages.renew() > 0
        listed = get_json(app, "/api/studies")["study_summaries"]
        grid, search = (
            get_json(app, f"/api/studies/{study['study_id']}")
            for study in sorted(listed, key=lambda study: study["study_name"])
        )
    assert "6 configurations of a grid" in grid["note"]["body"]
    assert "2 trials of a search" in search["note"]["body"]
    assert [len(study["trials"]) for study in (grid, search)] == [6, 2]
    for trial in (*grid["trials"], *search["trials"]):
        assert "Network: mlp, hidden" in trial["note"]["body"]
        assert {file["filename"] for file in trial["artifacts"]} >= {"folds.csv"}
    # The first columns of the table of trials.
    assert [a["key"] for a in grid["union_user_attrs"]][:2] == ["Network", "Strategy"]


def n_validation_rows(database: Path) -> int:
    counts = query(database, "SELECT counts FROM remix_folds WHERE run_id = 1")
    return sum(sum(json.loads(text)["validation"]) for (text,) in counts)


def test_a_trial_has_a_note_its_fold_table_and_its_reliability_diagram(renewed):
    with dashboard_of(renewed) as (_, app):
        trials = get_json(app, "/api/studies/1")["trials"]
        assert len(trials) == 3
        assert "repeating rows" in trials[1]["note"]["body"]
        assert "Alpha is 0.1." in trials[2]["note"]["body"]
        attributes = {entry["key"]: entry["value"] for entry in trials[2]["user_attrs"]}
        assert attributes["Strategy"] == "remix (0.1)"
        # 13 features, 4 units, 3 classes.
        assert attributes["Network"] == f"mlp 4-3, {14 * 4 + 5 * 3} parameters"
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


def test_no_test_score_or_probability_is_read(database, with_pages, here):
    shutil.copy(database, here / "no-test-parts.db")
    change(
        here / "no-test-parts.db",
        "UPDATE remix_scores SET value = value / 3 WHERE part = 'test'",
        "DELETE FROM remix_probabilities WHERE part = 'test'",
    )
    with dashboard_of(here / "no-test-parts.db") as (pages, _):
        pages.renew()
    assert system_attributes(with_pages) == system_attributes(here / "no-test-parts.db")
    for path in with_pages.with_suffix("").iterdir():
        assert path.read_bytes() == (here / "no-test-parts" / path.name).read_bytes()
    # Validation scores are read: other scores give other pages.
    shutil.copy(here / "no-test-parts.db", here / "other.db")
    shutil.copytree(here / "no-test-parts", here / "other")
    change(here / "other.db", "UPDATE remix_scores SET value = value / 2 WHERE run_id = 1")
    with dashboard_of(here / "other.db") as (pages, _):
        assert pages.renew() > 0


@pytest.mark.usefixtures("unrendered_figures")
def test_a_summary_has_pages_without_what_its_test_parts_show(database, with_pages, here):
    storage = f"sqlite:///{database}"
    assert main(["report", "--storage", storage, "--output", "report", "--summary"]) == 0
    content = lzma.decompress((here / "report" / "summary.db.xz").read_bytes())
    (here / "summary.db").write_bytes(content)
    (here / "blank.db").write_bytes(content)
    empty = json.dumps({"corrected": {}, "reliability": {}})
    change(here / "blank.db", f"UPDATE remix_summaries SET content = '{empty}'")
    for name in ("summary", "blank"):
        with dashboard_of(here / f"{name}.db") as (pages, app):
            assert pages.renew() > 0
            names = graphs(get_json(app, "/api/studies/1")).keys()
        # One table a trial, and no diagram.
        assert len(list((here / name).iterdir())) == 3
        assert names
        assert not [graph for graph in names if "calibration" in graph]
    with dashboard_of(with_pages) as (_, app):
        whole = graphs(get_json(app, "/api/studies/1")).keys()
    assert len([graph for graph in whole if "calibration" in graph]) == 1
    assert system_attributes(here / "summary.db") == system_attributes(here / "blank.db")


def test_pages_are_renewed_when_a_trial_has_ended_and_only_then(database, here):
    change(database, "UPDATE trials SET state = 'RUNNING' WHERE number = 2")
    with dashboard_of(database) as (pages, app):
        pages.renew()
        before = graphs(get_json(app, "/api/studies/1"))
        assert pages.renew() == 0
        change(database, "UPDATE trials SET state = 'COMPLETE' WHERE number = 2")
        assert pages.renew() > 0
        after = graphs(get_json(app, "/api/studies/1"))
    assert "remix (0.1)" not in before["ranks"]["data"][0]["y"]
    assert "remix (0.1)" in after["ranks"]["data"][0]["y"]
    # Another process finds all as it should be, and writes nothing.
    stamps = {path: path.stat().st_mtime_ns for path in (here / "shown").iterdir()}
    with dashboard_of(database) as (pages, _):
        assert pages.renew() == 0
    assert stamps == {path: path.stat().st_mtime_ns for path in (here / "shown").iterdir()}


def test_what_a_person_wrote_or_deleted_stays(renewed):
    with dashboard_of(renewed) as (_, app):
        detail = get_json(app, "/api/studies/1")
        version = detail["note"]["version"] + 1
        body = {"body": "mine", "version": version}
        assert request(app, "/api/studies/1/note", "PUT", body)[0].startswith("204")
        trial = detail["trials"][0]
        deleted = trial["artifacts"][0]["artifact_id"]
        path = f"/api/artifacts/1/{trial['trial_id']}/{deleted}"
        # optuna-dashboard 0.21 deletes it and then stumbles over the trial being finished.
        request(app, path, "DELETE")
    # A file that was deleted otherwise is written again.
    file = next((renewed.parent / "shown").iterdir())
    content = file.read_bytes()
    file.unlink()
    with dashboard_of(renewed) as (pages, app):
        pages.renew()
        detail = get_json(app, "/api/studies/1")
    assert detail["note"]["body"] == "mine"
    assert deleted not in [meta["artifact_id"] for meta in detail["trials"][0]["artifacts"]]
    assert file.read_bytes() == content


def test_pages_wait_for_a_writer_and_lock_none_out(renewed):
    with dashboard_of(renewed) as (pages, app):
        pages.renew()
        with closing(sqlite3.connect(renewed, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            assert get_json(app, "/api/studies/1")["note"]["body"]
            # Nothing has changed, so there is nothing to wait for.
            assert pages.renew() == 0
            writer.execute("ROLLBACK")


def test_a_failure_is_printed_once_and_ends_nothing(database, capsys, monkeypatch):
    monkeypatch.setattr("remix_study.dashboard.pages._PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("remix_study.dashboard.pages._PAUSE_FACTOR", 0)
    calls = []

    class FailingPages:
        def renew(self, _stop):
            calls.append(1)
            raise OSError("no room\nsecond line")

    renewal = RenewalThread(FailingPages())
    renewal.start()
    while len(calls) < 3:
        renewal.join(0.01)
        assert renewal.is_alive()
    renewal.end()
    assert not renewal.is_alive()
    assert capsys.readouterr().err == "remix-study: pages were not renewed: no room\n"
    assert database.exists()


@pytest.mark.usefixtures("simulated")
def test_a_search_has_notes_and_files_and_no_graph_of_a_grid(here):
    search = ("[search.space]", '[search]\nalgorithm = "random"\ntrials = 3\n\n[search.space]')
    (here / "tiny.toml").write_text(tiny(search))
    assert main(["run", "tiny.toml"]) == 0
    with dashboard_of(here / "remix-study.db") as (pages, app):
        pages.renew()
        detail = get_json(app, "/api/studies/1")
    assert graphs(detail) == {}
    assert "3 trials of a search" in detail["note"]["body"]
    configurations = {str(trial["params"]) for trial in detail["trials"]}
    with_note = [trial for trial in detail["trials"] if trial["note"]["body"]]
    # A configuration that was drawn twice is one method, as in reports.
    assert len(with_note) == len(configurations) > 1
    assert all(len(trial["artifacts"]) == 2 for trial in with_note)


def test_a_name_in_a_note_is_escaped():
    hostile = "<img src=x onerror=alert(1)> [a](javascript:b) **c** `d` $e$ |f|\n# g"
    text = escape_markdown(hostile)
    assert "<" not in text
    assert "\n" not in text
    for character in "[]*`$|#(":
        assert text.count(character) == text.count(f"\\{character}"), character
