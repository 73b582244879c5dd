"""Importing studies: equal in every bit, all or nothing, on every database."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from stored_studies import content, refusal, report, snapshots
from tiny_studies import query, trials

from remix_study.cli.main import main
from remix_study.study.archive import restore
from remix_study.study.archive.files import FORMATS, write_archive
from remix_study.study.archive.layout import Snapshot

OTHER = "sqlite:///x.db"


@pytest.mark.parametrize("form", FORMATS)
def test_an_imported_study_is_equal_in_every_bit_and_complete(database, here, form, capsys):
    if form == "parquet":
        pytest.importorskip("pyarrow")
    assert main(["export", "--storage", database, "--output", "archive", "--format", form]) == 0
    assert main(["import", "archive", "--storage", OTHER]) == 0
    assert content(OTHER) == content(database)
    assert main(["run", "tiny.toml", "--storage", OTHER, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out.split("\n{", 1)[1].join(["{", ""]))
    assert (answer["complete_before"], answer["completed"]) == (3, 0)
    assert content(OTHER) == content(database)
    assert [path.name for path in here.iterdir() if path.name.startswith(".")] == []


@pytest.mark.usefixtures("here")
def test_reports_of_both_databases_are_the_same_bytes(database):

    assert main(["export", "tiny", "--storage", database, "--output", "archive.json"]) == 0
    assert main(["import", "archive.json", "--storage", OTHER]) == 0
    assert report(OTHER, "theirs") == report(database, "ours")


def test_sqlite_to_postgresql_and_back(database, postgresql, capsys):
    assert main(["export", "--storage", database, "--output", "archive.json"]) == 0
    assert main(["import", "archive.json", "--storage", postgresql]) == 0
    assert main(["run", "tiny.toml", "--storage", postgresql, "--json"]) == 0
    assert '"completed": 0' in capsys.readouterr().out
    assert report(postgresql, "theirs") == report(database, "ours")
    assert main(["export", "--storage", postgresql, "--output", "back.json"]) == 0
    ours, theirs = (json.loads(Path(name).read_text()) for name in ("archive.json", "back.json"))
    assert theirs["studies"] == ours["studies"]
    assert theirs["content"] == ours["content"]
    assert main(["import", "back.json", "--storage", OTHER]) == 0
    assert content(OTHER) == content(database)
    refusal(["import", "archive.json", "--storage", postgresql], capsys, 3)


def test_a_database_that_holds_the_study_is_not_changed(database, capsys):
    main(["export", "--storage", database, "--output", "archive.json"])
    before = content(database)
    message = refusal(["import", "archive.json", "--storage", database], capsys, 3)
    assert message == (
        "tiny/wine: the database holds this study already; name another database, or delete the "
        "study there first"
    )
    assert content(database) == before


def test_an_export_neither_writes_to_the_database_nor_waits_for_a_writer(database, here):
    before = (here / "own.db").read_bytes()
    with closing(sqlite3.connect(here / "own.db")) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert main(["export", "--storage", database, "--output", "archive.json"]) == 0
    assert (here / "own.db").read_bytes() == before


def test_a_killed_import_is_repeated_by_the_next(database, here):
    main(["export", "--storage", database, "--output", "archive.json"])
    code = (
        "import os, signal, sys\n"
        "from remix_study.study.archive import restore\n"
        "write = restore.write_rows\n"
        "def killed(*words):\n"
        "    write(*words)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "restore.write_rows = killed\n"
        "from remix_study.cli.main import main\n"
        f"main(['import', 'archive.json', '--storage', '{OTHER}'])\n"
    )
    process = subprocess.run([sys.executable, "-c", code], cwd=here, check=False)
    assert process.returncode == -signal.SIGKILL
    assert [state for *_, state in trials(here / "x.db")] == ["COMPLETE"] * 3
    assert query(here / "x.db", "SELECT * FROM remix_studies") == []
    assert main(["import", "archive.json", "--storage", OTHER]) == 0
    assert content(OTHER) == content(database)


def test_all_studies_of_an_archive_are_imported_or_none(database, monkeypatch, capsys):
    (snapshot,) = snapshots(database)
    (study,) = snapshot.tables["studies"]
    other = Snapshot({**snapshot.tables, "studies": [study | {"name": "b/b", "title": "b/b"}]})
    write_archive([snapshot, other], Path("archive.json"), "json")
    message = refusal(["import", "archive.json", "--storage", OTHER], capsys, 3)
    assert message.startswith("b/b: rows contradict each other")
    empty = content(OTHER)
    assert not any(empty)
    # What a database gives back is compared with what was written.
    main(["export", "--storage", database, "--output", "one.json"])
    pack = restore.pack
    monkeypatch.setattr(restore, "pack", lambda array: pack(array * (1 + 1e-6)))
    message = refusal(["import", "one.json", "--storage", OTHER], capsys, 3)
    assert "does not give back what was written" in message
    assert content(OTHER) == empty


def test_a_running_trial_is_imported_as_failed(database, capsys):
    study = optuna.load_study(study_name="tiny/wine", storage=database)
    study.ask()
    study.enqueue_trial({"strategy": "cost"})
    main(["export", "--storage", database, "--output", "archive.json"])
    assert main(["import", "archive.json", "--storage", OTHER]) == 0
    assert [state for *_, state in trials(Path("x.db"))] == ["COMPLETE"] * 3 + ["FAIL"] * 2
    capsys.readouterr()
    assert main(["status", "--storage", OTHER, "--json"]) == 0
    (progress,) = json.loads(capsys.readouterr().out)
    assert (progress["complete"], progress["dead"], progress["missing"]) == (3, 0, 0)
