"""Findings of the doctor, and the repair of what can be repaired without a loss."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from tiny_studies import TINY, assert_clean, command, query, trials, wait_for

from remix_study.cli.main import main
from remix_study.study.leases import host_name
from remix_study.study.tables import utc_now
from remix_study.study.transfer import open_source
from remix_study.study.transfer_rows import comparable, read_study

DATABASE = Path("remix-study.db")


def repair(capsys, *words: str) -> tuple[int, list[str]]:
    """Exit code and lines of ``repair``."""
    capsys.readouterr()
    code = main(["repair", *words])
    out, errors = capsys.readouterr()
    assert errors == ""
    return code, out.splitlines()


def change(*statements: str) -> None:
    """Change the database by SQL."""
    with closing(sqlite3.connect(DATABASE)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def digest() -> str:
    """Hash of the study in the database."""
    with open_source("sqlite:///remix-study.db", ()) as (connection, ((study_id, row),)):
        return comparable(
            [(table.name, rows) for table, rows in read_study(connection, study_id, row)]
        )


@pytest.fixture
def folder(here, finished) -> Path:
    """A folder with the tiny study, finished in the default database."""
    shutil.copy(finished, here / DATABASE)
    (here / "tiny.toml").write_text(TINY)
    return here


def test_a_good_database_is_not_touched(folder, capsys):
    before = (folder / DATABASE).read_bytes()
    assert repair(capsys) == (0, ["nothing is wrong"])
    assert (folder / DATABASE).read_bytes() == before


def test_a_killed_workers_trial_is_freed_at_once(here, capsys):
    (here / "tiny.toml").write_text(TINY)
    process = command("run", "tiny.toml", cwd=here, simulated=True, seconds=2)
    wait_for(DATABASE, {"COMPLETE": 1, "RUNNING": 1}, process)
    # While its worker lives nothing is wrong.
    assert repair(capsys) == (0, ["nothing is wrong"])
    assert main(["status", "--json"]) == 0
    (progress,) = json.loads(capsys.readouterr().out)
    assert (progress["running"], progress["dead"], progress["missing"]) == (1, 0, 1)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert main(["status", "--json"]) == 0
    (progress,) = json.loads(capsys.readouterr().out)
    assert (progress["running"], progress["dead"], progress["missing"]) == (0, 1, 2)

    code, lines = repair(capsys, "--dry-run")
    assert code == 1
    assert lines[0].startswith("left: 1 lease of workers that are gone; run `repair`")
    assert "left: tiny/wine: trial 1 is RUNNING and nobody works on it" in lines[2]
    assert [state for *_, state in trials(DATABASE)] == ["COMPLETE", "RUNNING"]

    code, lines = repair(capsys)
    assert (code, lines[-1]) == (0, "3 found, 0 left")
    assert all(line.startswith("repaired: ") for line in lines[:-1])
    assert [state for *_, state in trials(DATABASE)] == ["COMPLETE", "FAIL"]
    assert_clean(DATABASE)
    assert repair(capsys) == (0, ["nothing is wrong"])


@pytest.mark.usefixtures("folder")
def test_a_silent_worker_elsewhere_is_gone_after_the_grace_period_or_with_all(capsys):
    optuna.load_study(study_name="tiny/wine", storage="sqlite:///remix-study.db").ask()
    before = digest()
    fields = "(uuid, host, boot, pid, started, seen)"
    change(
        f"INSERT INTO remix_workers {fields} VALUES ('w', 'other', 'b', 7, '1', '{utc_now()}')",
        "INSERT INTO remix_claims SELECT uuid, 'p', 'w', 3 FROM remix_studies",
    )
    assert repair(capsys) == (0, ["nothing is wrong"])
    code, lines = repair(capsys, "--all", "--dry-run")
    assert (code, lines[-1]) == (1, "3 found, 3 left")
    assert "worker 7 on other, last heard of" in lines[1]
    change("UPDATE remix_workers SET seen = '2020-01-01T00:00:00.000+00:00'")
    code, lines = repair(capsys, "--dry-run")
    assert (code, lines[-1]) == (1, "3 found, 3 left")
    for damage in ("host = ' '", f"host = '{host_name()}', pid = -7"):
        change(f"UPDATE remix_workers SET {damage}")
        _, lines = repair(capsys, "--dry-run")
        assert lines[0].startswith("left: workers: remix_workers: "), lines
    assert main(["status"]) == 3
    change(f"UPDATE remix_workers SET seen = '{utc_now()}', host = 'other', pid = 7")
    code, lines = repair(capsys, "--all")
    assert (code, lines[-1]) == (0, "3 found, 0 left")
    assert [state for *_, state in trials(DATABASE)] == ["COMPLETE"] * 3 + ["FAIL"]
    assert_clean(DATABASE)
    assert digest() != before


ORPHAN = "INSERT INTO remix_scores VALUES (99, 0, 0, 'test', 'brier', 0.5)"
STRAY = (
    "INSERT INTO remix_manifests (study_uuid, manifest) "
    """VALUES ('gone', '{"study": "old", "problem": "wine"}')"""
)
BEGUN = (
    "INSERT INTO remix_studies SELECT 'gone', 'old/wine', study, problem, created, definition, "
    "facts, planned, trials, settings FROM remix_studies"
)
LEASE = "INSERT INTO remix_claims (study_uuid, point, worker_uuid) VALUES ('{}', 'p', 'nobody')"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("statements", "text"),
    [
        ([ORPHAN], "remix_scores: 1 row of runs that are not there"),
        (
            [
                "INSERT INTO remix_folds SELECT 99, repeat, fold, counts, epochs, stopped, failed,"
                " trained_on, curves FROM remix_folds WHERE run_id = 1"
            ],
            "remix_folds: 2 rows of runs that are not there",
        ),
        ([STRAY], "remix_manifests: 1 row of studies that are not there"),
        ([BEGUN, STRAY], "old/wine: a study that was deleted before it ran"),
        ([LEASE], "1 lease of workers that are gone"),
    ],
)
def test_rows_that_belong_to_nothing_are_deleted(capsys, statements, text):
    before = digest()
    change(*(sql.format("nobody") if sql == LEASE else sql for sql in statements))
    n_scores = query(DATABASE, "SELECT count(*) FROM remix_scores")
    code, lines = repair(capsys, "--dry-run")
    assert code == 1
    assert lines[0].startswith(f"left: {text}; run `repair` to put it right")
    assert query(DATABASE, "SELECT count(*) FROM remix_scores") == n_scores
    code, lines = repair(capsys)
    assert code == 0
    assert lines[0] == f"repaired: {text}"
    assert repair(capsys) == (0, ["nothing is wrong"])
    assert_clean(DATABASE)
    assert digest() == before


@pytest.mark.usefixtures("folder")
def test_the_rows_of_a_failed_trial_are_deleted(capsys):
    change(
        "UPDATE trials SET state = 'FAIL' WHERE number = 1",
        "DELETE FROM trial_values WHERE trial_id = 2",
    )
    code, lines = repair(capsys)
    assert (code, lines) == (
        0,
        ["repaired: tiny/wine: trial 1 failed and has rows of results", "1 found, 0 left"],
    )
    assert_clean(DATABASE)


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM remix_folds WHERE run_id = 2 AND fold = 1",
        "DELETE FROM remix_scores WHERE run_id = 2 AND fold = 1 AND part = 'test'",
        "DELETE FROM remix_probabilities WHERE run_id = 2 AND fold = 1 AND part = 'test'",
        "DELETE FROM trial_user_attributes WHERE trial_id = 2 AND key = 'remix_run'",
    ],
)
def test_a_complete_trial_without_its_rows_is_reported_and_kept(folder, capsys, damage):
    change(damage)
    before = (folder / DATABASE).read_bytes()
    code, lines = repair(capsys)
    assert code == 1
    reported = [
        line for line in lines if "is COMPLETE and rows of its results are not there" in line
    ]
    assert len(reported) == 1
    assert reported[0].startswith("left: tiny/wine: trial 1 ")
    assert (folder / DATABASE).read_bytes() == before


@pytest.mark.usefixtures("folder")
def test_a_configuration_that_is_complete_twice_is_reported(capsys):
    study = optuna.load_study(study_name="tiny/wine", storage="sqlite:///remix-study.db")
    study.add_trial(study.get_trials()[0])
    code, lines = repair(capsys, "--json")
    answer = json.loads("\n".join(lines))
    assert (code, answer["left"]) == (1, 1)
    assert answer["findings"][0]["kind"] == "doubled"
    assert "trial 3 is COMPLETE, and so is another" in answer["findings"][0]["text"]


@pytest.mark.usefixtures("folder")
def test_a_study_deleted_in_the_dashboard_keeps_its_rows_until_pruned(capsys):
    optuna.delete_study(study_name="tiny/wine", storage="sqlite:///remix-study.db")
    runs = query(DATABASE, "SELECT * FROM remix_runs")
    code, lines = repair(capsys)
    assert (code, lines[0]) == (
        1,
        "left: tiny/wine: 3 runs of a study that was deleted in Optuna; `repair --prune` takes "
        "them out",
    )
    assert query(DATABASE, "SELECT * FROM remix_runs") == runs
    code, lines = repair(capsys, "--prune")
    assert (code, lines[-1]) == (0, "1 found, 0 left")
    assert_clean(DATABASE)
    assert query(DATABASE, "SELECT * FROM remix_parts") == []
    assert repair(capsys) == (0, ["nothing is wrong"])


def test_a_damaged_file_is_not_changed(folder, capsys):
    content = bytearray((folder / DATABASE).read_bytes())
    half = len(content) // 2
    content[half : half + 8192] = b"\xff" * 8192
    (folder / DATABASE).write_bytes(content)
    assert main(["repair"]) == 3
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert message.startswith("remix-study: sqlite:///remix-study.db: ")
    assert (folder / DATABASE).read_bytes() == bytes(content)


@pytest.mark.usefixtures("here")
def test_no_command_creates_a_database(capsys):
    for words in (["repair"], ["repair", "--dry-run"], ["export", "--output", "x"]):
        assert main(words) == 3
        assert "there is no such database" in capsys.readouterr().err
    assert list(Path().iterdir()) == []
