"""What is wrong in a database is named; what can be put right without a loss is."""

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
from remix_study.study.transfer_rows import rows_digest
from remix_study.study.transfer_source import open_source

DATABASE = Path("remix-study.db")


def repaired(capsys, *words: str) -> tuple[int, list[str]]:
    """Exit code and lines of ``repair``."""
    capsys.readouterr()
    code = main(["repair", *words])
    out, errors = capsys.readouterr()
    assert errors == ""
    return code, out.splitlines()


def change(*statements: str) -> None:
    with closing(sqlite3.connect(DATABASE)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def digest() -> str:
    with open_source("sqlite:///remix-study.db") as source:
        (registered,) = source.select()
        study = source.optuna_study(registered)
        return study.content() + rows_digest(source.rows(study))


@pytest.fixture
def mine(here, finished) -> Path:
    """A copy of the finished study's database as the default one."""
    shutil.copy(finished, here / DATABASE)
    (here / "tiny.toml").write_text(TINY)
    return here


def test_a_good_database_is_not_touched(mine, capsys):
    before = (mine / DATABASE).read_bytes()
    assert repaired(capsys) == (0, ["nothing is wrong"])
    assert (mine / DATABASE).read_bytes() == before


def test_a_killed_workers_trial_is_freed_at_once(here, capsys):
    (here / "tiny.toml").write_text(TINY)
    process = command("run", "tiny.toml", cwd=here, simulated=True, seconds=2)
    wait_for(DATABASE, {"COMPLETE": 1, "RUNNING": 1}, process)
    # While its worker lives nothing is wrong.
    assert repaired(capsys) == (0, ["nothing is wrong"])
    assert main(["status", "--json"]) == 0
    (alive,) = json.loads(capsys.readouterr().out)
    assert (alive["running"], alive["dead"], alive["missing"]) == (1, 0, 1)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert main(["status", "--json"]) == 0
    (dead,) = json.loads(capsys.readouterr().out)
    assert (dead["running"], dead["dead"], dead["missing"]) == (0, 1, 2)

    code, lines = repaired(capsys, "--dry-run")
    assert code == 1
    assert lines[0].startswith("left: 1 lease of workers that are gone; run `repair`")
    assert "left: tiny/wine: trial 1 is RUNNING and nobody works on it" in lines[2]
    assert [state for *_, state in trials(DATABASE)] == ["COMPLETE", "RUNNING"]

    code, lines = repaired(capsys)
    assert (code, lines[-1]) == (0, "3 found, 0 left")
    assert all(line.startswith("repaired: ") for line in lines[:-1])
    assert [state for *_, state in trials(DATABASE)] == ["COMPLETE", "FAIL"]
    assert_clean(DATABASE)
    assert repaired(capsys) == (0, ["nothing is wrong"])


@pytest.mark.usefixtures("mine")
def test_a_silent_worker_elsewhere_is_gone_after_the_grace_period_or_by_the_users_word(capsys):
    optuna.load_study(study_name="tiny/wine", storage="sqlite:///remix-study.db").ask()
    from remix_study.study.tables import utc_now

    before = digest()
    fields = "(uuid, host, boot, pid, started, seen)"
    change(
        f"INSERT INTO remix_workers {fields} VALUES ('w', 'other', 'b', 7, '1', '{utc_now()}')",
        "INSERT INTO remix_claims SELECT uuid, 'p', 'w', 3 FROM remix_studies",
    )
    assert repaired(capsys) == (0, ["nothing is wrong"])
    code, lines = repaired(capsys, "--all", "--dry-run")
    assert (code, lines[-1]) == (1, "3 found, 3 left")
    assert "worker 7 on other, last heard of" in lines[1]
    change("UPDATE remix_workers SET seen = '2020-01-01T00:00:00.000+00:00'")
    code, lines = repaired(capsys, "--dry-run")
    assert (code, lines[-1]) == (1, "3 found, 3 left")
    change(f"UPDATE remix_workers SET seen = '{utc_now()}'")
    code, lines = repaired(capsys, "--all")
    assert (code, lines[-1]) == (0, "3 found, 0 left")
    assert [state for *_, state in trials(DATABASE)] == ["COMPLETE"] * 3 + ["FAIL"]
    assert_clean(DATABASE)
    assert digest() != before


ORPHAN = "INSERT INTO remix_scores VALUES (99, 0, 0, 'test', 'brier', 0.5)"
STRAY = "INSERT INTO remix_manifests (study_uuid, manifest) VALUES ('gone', '{}')"
BEGUN = (
    "INSERT INTO remix_studies SELECT 'gone', 'old/wine', study, problem, created, definition, "
    "facts, planned, trials FROM remix_studies"
)
CLAIM = "INSERT INTO remix_claims (study_uuid, point, worker_uuid) VALUES ('{}', 'p', 'nobody')"


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(
    ("broken", "said"),
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
        ([CLAIM], "1 lease of workers that are gone"),
    ],
)
def test_rows_that_hang_on_nothing_go(capsys, broken, said):
    before = digest()
    change(*(text.format("nobody") if text == CLAIM else text for text in broken))
    dump = query(DATABASE, "SELECT count(*) FROM remix_scores")
    code, lines = repaired(capsys, "--dry-run")
    assert code == 1
    assert lines[0].startswith(f"left: {said}; run `repair` to put it right")
    assert query(DATABASE, "SELECT count(*) FROM remix_scores") == dump
    code, lines = repaired(capsys)
    assert code == 0
    assert lines[0] == f"repaired: {said}"
    assert repaired(capsys) == (0, ["nothing is wrong"])
    assert_clean(DATABASE)
    assert digest() == before


@pytest.mark.usefixtures("mine")
def test_a_failed_trials_rows_go_and_the_point_can_run_again(capsys):
    change(
        "UPDATE trials SET state = 'FAIL' WHERE number = 1",
        "DELETE FROM trial_values WHERE trial_id = 2",
    )
    code, lines = repaired(capsys)
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
def test_a_complete_trial_without_its_rows_is_told_of_and_kept(mine, capsys, damage):
    change(damage)
    before = (mine / DATABASE).read_bytes()
    code, lines = repaired(capsys)
    assert code == 1
    said = [line for line in lines if "is COMPLETE and rows of its results are not there" in line]
    assert len(said) == 1
    assert said[0].startswith("left: tiny/wine: trial 1 ")
    assert (mine / DATABASE).read_bytes() == before


@pytest.mark.usefixtures("mine")
def test_a_point_that_is_complete_twice_is_told_of(capsys):
    study = optuna.load_study(study_name="tiny/wine", storage="sqlite:///remix-study.db")
    study.add_trial(study.get_trials()[0])
    code, lines = repaired(capsys, "--json")
    found = json.loads("\n".join(lines))
    assert (code, found["left"]) == (1, 1)
    assert found["findings"][0]["kind"] == "doubled"
    assert "trial 3 is COMPLETE, and so is another" in found["findings"][0]["text"]


@pytest.mark.usefixtures("mine")
def test_a_study_deleted_in_the_dashboard_keeps_its_rows_until_the_user_says_so(capsys):
    optuna.delete_study(study_name="tiny/wine", storage="sqlite:///remix-study.db")
    runs = query(DATABASE, "SELECT * FROM remix_runs")
    code, lines = repaired(capsys)
    assert (code, lines[0]) == (
        1,
        "left: tiny/wine: 3 runs of a study that was deleted in Optuna; `repair --prune` takes "
        "them out",
    )
    assert query(DATABASE, "SELECT * FROM remix_runs") == runs
    code, lines = repaired(capsys, "--prune")
    assert (code, lines[-1]) == (0, "1 found, 0 left")
    assert_clean(DATABASE)
    assert query(DATABASE, "SELECT * FROM remix_parts") == []
    assert repaired(capsys) == (0, ["nothing is wrong"])


def test_a_damaged_file_is_left_as_it_is(mine, capsys):
    content = bytearray((mine / DATABASE).read_bytes())
    half = len(content) // 2
    content[half : half + 8192] = b"\xff" * 8192
    (mine / DATABASE).write_bytes(content)
    assert main(["repair"]) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("remix-study: sqlite:///remix-study.db: ")
    assert (mine / DATABASE).read_bytes() == bytes(content)


@pytest.mark.usefixtures("here")
def test_nothing_is_made_where_there_is_no_database(capsys):
    for words in (["repair"], ["repair", "--dry-run"], ["export", "--output", "x"]):
        assert main(words) == 3
        assert "there is no such database" in capsys.readouterr().err
    assert list(Path().iterdir()) == []
