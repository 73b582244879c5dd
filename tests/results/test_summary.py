"""Summary databases: the same tables as of the whole database, from a small file that is read."""

from __future__ import annotations

import contextlib
import lzma
import shutil
import sqlite3
from pathlib import Path

import pytest
from made_up_studies import unrendered_figures

from remix_study.cli.main import main
from remix_study.errors import BAD_DATABASE, BAD_INPUT, DONE

__all__ = ["unrendered_figures"]
pytestmark = pytest.mark.usefixtures("here", "unrendered_figures")
REPORTS = Path(__file__).parents[2] / "reports"


def tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "tables").iterdir()}


@pytest.fixture
def summary(finished, here) -> Path:
    """A report of the tiny study, with a summary of its database."""
    shutil.copy(finished, here / "x.db")
    assert main(["report", "--storage", "sqlite:///x.db", "--output", "whole", "--summary"]) == 0
    return here / "whole" / "summary.db.xz"


def test_its_report_has_the_same_tables(summary, here):
    assert main(["report", "--storage", f"sqlite:///{summary}", "--output", "again"]) == 0
    assert tables(here / "again") == tables(here / "whole")
    assert {"corrections.csv", "calibration.csv"} <= tables(here / "again").keys()
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


def test_a_damaged_one_is_one_line(summary, capsys):
    summary.write_bytes(summary.read_bytes()[:-40])
    assert main(["report", "--storage", f"sqlite:///{summary}", "--output", "r"]) == BAD_DATABASE
    (line,) = capsys.readouterr().err.splitlines()
    assert "summary.db.xz: cannot be read as an xz file" in line


def test_a_demonstration_has_no_summary(capsys):
    assert main(["report", "--demonstration", "--summary"]) == BAD_INPUT
    assert "leave out --summary" in capsys.readouterr().err


def committed_reports() -> list:
    """Folders with a summary; all but the smallest are among the slow tests."""
    smallest, *others = sorted(
        (path.parent for path in REPORTS.rglob("summary.db.xz")),
        key=lambda folder: (folder / "summary.db.xz").stat().st_size,
    )
    return [smallest, *(pytest.param(folder, marks=pytest.mark.slow) for folder in others)]


@pytest.mark.parametrize(
    "folder", committed_reports(), ids=lambda folder: folder.relative_to(REPORTS).as_posix()
)
def test_committed_summaries_give_the_committed_tables(folder, here):
    storage = f"sqlite:///{folder}/summary.db.xz"
    assert main(["report", "--storage", storage, "--output", "again"]) == 0
    assert tables(here / "again") == tables(folder)
