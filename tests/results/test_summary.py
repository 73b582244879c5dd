"""Summary databases: the same tables as of the whole database, from a small file that is read."""

from __future__ import annotations

import contextlib
import json
import lzma
import shutil
import sqlite3
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints

import pandas as pd
import pytest
import sqlalchemy
from golden.report_tables import ADDED, REMOVED, with_present_names
from made_up_studies import leave_figures_empty
from tiny_studies import tiny

from remix_study.cli.main import main
from remix_study.errors import BAD_DATABASE, BAD_INPUT, DONE, SOME_CONFIGURATIONS_FAILED
from remix_study.results import calibration
from remix_study.results.forms import FormName
from remix_study.results.probabilities import Prior
from remix_study.results.summary import write_summary
from remix_study.study import stored_content
from remix_study.study.storage import open_reader, open_storage

pytestmark = pytest.mark.usefixtures("here", "unrendered_figures")
REPORTS = Path(__file__).parents[2] / "reports"


def tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "tables").iterdir()}


@pytest.fixture(scope="module")
def reported(finished, tmp_path_factory) -> Path:
    """A folder with the tiny study's database and its report, with a summary."""
    folder = tmp_path_factory.mktemp("reported")
    shutil.copy(finished, folder / "x.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # A URL must not take the sign for the start of an escape.
        (folder / "50%25").mkdir()
        patch.setattr(tempfile, "tempdir", str(folder / "50%25"))
        leave_figures_empty(patch)
        words = ["report", "--storage", "sqlite:///x.db", "--output", "whole", "--summary"]
        assert main(words) == 0
    return folder


@pytest.fixture
def summary(reported, here) -> Path:
    """The summary in a copy of that folder."""
    shutil.copytree(reported, here, dirs_exist_ok=True)
    return here / "whole" / "summary.db.xz"


def test_its_report_has_the_same_tables(summary, here):
    assert main(["report", "--storage", f"sqlite:///{summary}", "--output", "again"]) == 0
    assert tables(here / "again") == tables(here / "whole")
    assert {"decision.csv", "calibration.csv"} <= tables(here / "again").keys()
    assert (here / "again" / "index.html").read_text().count("<img") > 0


def test_it_holds_no_probabilities(summary, here):
    (here / "unpacked.db").write_bytes(lzma.decompress(summary.read_bytes()))
    with contextlib.closing(sqlite3.connect(here / "unpacked.db")) as connection:
        for table, n_rows in (("probabilities", 0), ("parts", 0), ("runs", 3), ("summaries", 3)):
            counts = connection.execute(f"SELECT count(*) FROM remix_{table}").fetchone()
            assert counts == (n_rows,), table
    words = ["report", "--storage", "sqlite:///unpacked.db", "--output", "unpacked"]
    assert main(words) == 0
    assert tables(here / "unpacked") == tables(here / "whole")


def test_it_comes_into_another_database_with_its_results(summary, here):
    (here / "unpacked.db").write_bytes(lzma.decompress(summary.read_bytes()))
    assert main(["import", "unpacked.db", "--storage", "sqlite:///other.db"]) == 0
    assert main(["report", "--storage", "sqlite:///other.db", "--output", "other"]) == 0
    assert tables(here / "other") == tables(here / "whole")


def test_nothing_is_written_into_it(summary, capsys):
    before = summary.read_bytes()
    assert main(["import", "x.db", "--storage", f"sqlite:///{summary}"]) == BAD_DATABASE
    assert (
        "a compressed database can only be read; unpack it with xz -d" in capsys.readouterr().err
    )
    assert summary.read_bytes() == before
    assert main(["repair", "--storage", f"sqlite:///{summary}"]) == DONE
    assert capsys.readouterr().out == "nothing is wrong\n"


def test_a_summary_of_a_summary_is_the_same(summary, here):
    words = ["report", "--storage", f"sqlite:///{summary}", "--output", "again", "--summary"]
    assert main(words) == 0
    storage = f"sqlite:///{here}/again/summary.db.xz"
    assert main(["report", "--storage", storage, "--output", "third"]) == 0
    assert tables(here / "third") == tables(here / "whole")
    assert "summary.db.xz" in (here / "again" / "index.html").read_text()
    assert "summary.db.xz" in (here / "again" / "README.md").read_text()


@pytest.mark.usefixtures("simulated")
def test_studies_with_and_without_probabilities_share_a_database(summary, here, capsys):
    (here / "other.toml").write_text(tiny(('name = "tiny"', 'name = "other"')))
    assert main(["run", "other.toml", "--storage", "sqlite:///y.db", "--report", "alone"]) == 0
    (here / "unpacked.db").write_bytes(lzma.decompress(summary.read_bytes()))
    assert main(["import", "unpacked.db", "--storage", "sqlite:///y.db"]) == 0
    for study, output in (("other", "alone"), ("tiny", "whole")):
        words = ["report", study, "--storage", "sqlite:///y.db", "--output", f"of-{study}"]
        assert main(words) == 0
        assert tables(here / f"of-{study}") == tables(here / output)
    assert main(["export", "--storage", "sqlite:///y.db", "--output", "exported"]) == 0
    exported = pd.read_csv(here / "exported" / "probabilities.csv")
    assert set(exported["study"]) == {"other"}
    with open_storage("sqlite:///y.db").engine.begin() as connection:
        connection.execute(sqlalchemy.text("DELETE FROM remix_probabilities"))
    capsys.readouterr()
    assert main(["repair", "--storage", "sqlite:///y.db"]) == SOME_CONFIGURATIONS_FAILED
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "3 found, 3 left"
    assert all(line.startswith("left: other/wine: ") for line in lines[:-1])


@pytest.mark.slow
def test_it_comes_into_postgresql(summary, here, server):
    (here / "unpacked.db").write_bytes(lzma.decompress(summary.read_bytes()))
    url = server.create()
    assert main(["import", "unpacked.db", "--storage", url]) == 0
    assert main(["report", "--storage", url, "--output", "other"]) == 0
    assert tables(here / "other") == tables(here / "whole")


def xz(content: bytes) -> bytes:
    return lzma.compress(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (xz(bytes(40))[:-20], "cannot be read as an xz file"),
        (b"no archive", "cannot be read as an xz file"),
        (xz(b""), "holds no SQLite database"),
        (xz(b"a letter to somebody"), "holds no SQLite database"),
        (xz(b"SQLite format 3\0"), "s.db.xz: "),
        (xz(b"SQLite format 3\0" + bytes(5000)), "s.db.xz: "),
    ],
)
def test_a_damaged_one_is_one_line(content, reason, here, capsys):
    (here / "s.db.xz").write_bytes(content)
    assert main(["report", "--storage", "sqlite:///s.db.xz", "--output", "r"]) == BAD_DATABASE
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line


def test_any_database_is_read_compressed(finished, here):
    shutil.copy(finished, here / "x.db")
    with contextlib.closing(sqlite3.connect("x.db")) as connection:
        assert connection.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    Path("x.db.xz").write_bytes(xz(Path("x.db").read_bytes()))
    for database, output in (("x.db", "plain"), ("x.db.xz", "compressed")):
        assert main(["report", "--storage", f"sqlite:///{database}", "--output", output]) == 0
    assert tables(here / "compressed") == tables(here / "plain")


def test_a_demonstration_has_no_summary(capsys):
    assert main(["report", "--demonstration", "--summary"]) == BAD_INPUT
    assert "leave out --summary" in capsys.readouterr().err


def has_summary(folder: Path) -> bool:
    return (folder / "summary.db.xz").exists()


def committed_reports() -> list:
    """Folders with a summary; all but the smallest are among the slow tests."""
    folders = sorted(
        # Of natural data there are only the tables of a script.
        (page.parent for page in REPORTS.rglob("index.html") if has_summary(page.parent)),
        key=lambda folder: (folder / "index.html").stat().st_size,
    )
    return folders[:1] + [pytest.param(folder, marks=pytest.mark.slow) for folder in folders[1:]]


@pytest.mark.parametrize(
    "folder", committed_reports(), ids=lambda folder: folder.relative_to(REPORTS).as_posix()
)
def test_committed_summaries_give_the_committed_tables(folder, here):
    storage = f"sqlite:///{folder}/summary.db.xz"
    _, *words = json.loads((folder / "manifest.json").read_text())["command"].split()
    words = words[: words.index("--storage")] if "--storage" in words else words
    assert main([*words, "--storage", storage, "--output", "again"]) == 0
    committed = tables(folder)
    renamed = {
        name: with_present_names(content.decode()).encode() if name.endswith(".csv") else content
        for name, content in committed.items()
    }
    again = tables(here / "again")
    # The committed report may be older than a table, and than the rules of decisions.
    is_older = "verdict.csv" in committed
    left_out = {f"{name}.csv" for name in (*ADDED, *REMOVED)} if is_older else set()
    first, second, third = (
        {name: content for name, content in files.items() if name not in left_out}
        for files in (again, committed, renamed)
    )
    assert first in (second, third)


def test_committed_reports_hold_no_path_of_the_machine_that_made_them():
    for manifest in REPORTS.rglob("manifest.json"):
        assert "/tmp/" not in manifest.read_text(), manifest
    for summary in REPORTS.rglob("*.db.xz"):
        assert b"/tmp/" not in lzma.decompress(summary.read_bytes()), summary


def test_it_holds_the_keys_of_scores_once(summary, here):
    (here / "unpacked.db").write_bytes(lzma.decompress(summary.read_bytes()))
    with contextlib.closing(sqlite3.connect(here / "unpacked.db")) as connection:
        (text,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'remix_scores'")
        assert text[0].endswith("WITHOUT ROWID")


@pytest.fixture
def statements():
    """The statements that databases have got since the test began."""
    sent: list[str] = []

    def note(_connection, _cursor, statement, *_):
        sent.append(statement)

    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "before_cursor_execute", note)
    yield sent
    sqlalchemy.event.remove(sqlalchemy.engine.Engine, "before_cursor_execute", note)


def selecting(sent: list[str], table: str) -> int:
    return sum(text.startswith("SELECT") and f"FROM {table}" in text for text in sent)


def test_what_it_leaves_out_is_not_read(finished, here, statements):
    shutil.copy(finished, here / "x.db")
    engine = open_reader("sqlite:///x.db")
    write_summary(engine, [], [], [], here / "s.db.xz")
    engine.dispose()
    assert [selecting(statements, f"remix_{t}") for t in ("probabilities", "parts")] == [0, 0]


def test_scores_of_many_runs_are_read_at_once(finished, here, statements):
    shutil.copy(finished, here / "x.db")
    assert main(["import", "x.db", "--storage", "sqlite:///y.db"]) == DONE
    # From the source, and from the target to compare. Probabilities are read run by run.
    assert selecting(statements, "remix_scores") == selecting(statements, "remix_folds") == 2
    assert selecting(statements, "remix_probabilities") == 2 * 3


def test_damage_is_told_by_the_names_that_pages_use():
    """Else a summary with a new form or view would be taken for damaged."""
    hints = get_type_hints(stored_content._Form)
    assert (hints["name"], hints["prior"]) == (FormName, Prior)
    views = get_args(get_type_hints(stored_content.Summary)["reliability"])[0]
    assert set(get_args(views)) == {
        calibration.NATURAL,
        calibration.BALANCED,
        calibration.CORRECTED,
    }
    bins = {field.name for field in fields(calibration.Reliability)}
    assert set(stored_content._Bins.__struct_fields__) == bins
