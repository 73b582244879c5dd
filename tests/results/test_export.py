"""Studies written to CSV, Parquet and JSON, for reading in other programs."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_studies import TINY, tiny

from remix_study.cli.main import main
from remix_study.errors import UsageError
from remix_study.results.export import FORMATS
from remix_study.results.frames import StudyFrames, load_frames
from remix_study.study.storage import open_reader

DATABASE = "sqlite:///mine.db"
EXPORT = ["export", "--storage", DATABASE, "--output"]


@pytest.fixture
def mine(here, finished) -> Path:
    """A folder with a copy of the finished study's database, and its study file."""
    shutil.copy(finished, here / "mine.db")
    (here / "tiny.toml").write_text(TINY)
    return here


def stored() -> StudyFrames:
    return load_frames(open_reader(DATABASE))


def refused(words: list[str], capsys, code: int = 2) -> str:
    capsys.readouterr()
    assert main(words) == code
    message = capsys.readouterr().err
    assert message.startswith("remix-study: ")
    assert message.count("\n") == 1
    return message.removeprefix("remix-study: ").strip()


def change(*statements: tuple[str, tuple]) -> None:
    with closing(sqlite3.connect("mine.db")) as connection:
        for statement, values in statements:
            connection.execute(statement, values)
        connection.commit()


def check_probabilities(table: pd.DataFrame, frames: StudyFrames) -> None:
    """Every probability of every trial is there, beside its row and true class."""
    columns = [f"probability_class_{code}" for code in range(3)]
    assert list(table.columns) == [
        "run", "study", "problem", "trial", "method", "repeat", "fold", "part", "row", "class",
        "weight",
        *columns,
    ]  # fmt: skip
    n_rows = 0
    for (run, *place), part in table.groupby(["run", "repeat", "fold", "part"]):
        rows, codes, shares, _ = frames.probabilities(np.int64(run), *place)
        assert part["row"].tolist() == rows.tolist()
        assert part["class"].tolist() == [f"class_{code}" for code in codes]
        np.testing.assert_array_equal(part[columns].to_numpy(np.float32), shares)
        n_rows += len(rows)
    assert n_rows == len(table)
    assert len(table.groupby(["run", "repeat", "fold", "part"])) == 3 * 2 * 2
    labels = frames.runs.set_index("run")["row"]
    assert (table["method"] == table["run"].map(labels)).all()


def read_tables(folder: Path, form: str) -> dict[str, pd.DataFrame]:
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet}[form]
    return {path.stem: read(path) for path in folder.iterdir()}


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_folder_holds_every_number(mine, form, capsys):
    if form == "parquet":
        pytest.importorskip("pyarrow")
    assert main([*EXPORT, "kept", "--format", form]) == 0
    assert capsys.readouterr().out == "exported tiny/wine\nexported 1 in all: kept\n"
    tables = read_tables(mine / "kept", form)
    assert set(tables) == {"problems", "trials", "folds", "scores", "probabilities"}
    frames = stored()
    check_probabilities(tables["probabilities"], frames)
    values = tables["scores"]["value"].tolist()
    if form == "csv":
        # Earlier versions of pandas read some numbers a last digit off.
        with open("kept/scores.csv", newline="") as stream:
            values = [float(row["value"]) for row in csv.DictReader(stream)]
    assert values == frames.scores["value"].tolist()
    assert tables["trials"]["method"].tolist() == frames.runs["row"].tolist()
    assert json.loads(tables["trials"]["parameters"][2]) == frames.runs["parameters"][2]
    assert json.loads(tables["folds"]["natural_prior"][0]) == list(
        frames.folds["natural_prior"][0]
    )
    assert len(tables["problems"]) == 1
    # Nothing hidden is left beside it.
    assert {path.name for path in mine.iterdir()} >= {"kept"}
    assert [path.name for path in mine.iterdir() if path.name.startswith(".")] == []


def test_json_is_one_strict_document_without_probabilities(mine, capsys):
    change(("UPDATE remix_scores SET value = 9e999 WHERE rowid = 1", ()))
    assert main([*EXPORT, "kept.json", "--format", "json", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"exported": ["tiny/wine"], "in": "kept.json"}

    def reject(word: str) -> None:
        raise AssertionError(word)

    document = json.loads((mine / "kept.json").read_text(), parse_constant=reject)
    frames = stored()
    assert {name: len(rows) for name, rows in document.items()} == {
        "problems": 1, "trials": 3, "folds": 6, "scores": len(frames.scores)
    }  # fmt: skip
    values = [None if np.isinf(value) else value for value in frames.scores["value"]]
    assert [row["value"] for row in document["scores"]] == values
    assert values.count(None) == 1
    assert document["trials"][0]["alpha"] is None
    assert document["problems"][0]["classes"] == ["class_0", "class_1", "class_2"]


@pytest.mark.usefixtures("mine", "simulated")
def test_problems_with_other_classes_have_their_own_columns():
    second = '\n[[problems]]\ndataset = "breast_cancer"\n\n[cv]'
    Path("b.toml").write_text(tiny(('name = "tiny"', 'name = "b"'), ("\n[cv]", second)))
    assert main(["run", "b.toml", "--storage", DATABASE]) == 0
    assert main([*EXPORT, "kept"]) == 0
    table = pd.read_csv("kept/probabilities.csv")
    assert len(table.groupby(["study", "problem"])) == 3
    columns = [name for name in table if name.startswith("probability_")]
    assert len(columns) == 5
    is_binary = table["problem"] == "breast_cancer"
    for rows, classes in ((table[is_binary], 2), (table[~is_binary], 3)):
        present = [name for name in columns if rows[name].notna().all()]
        assert len(present) == classes
        assert rows[sorted(set(columns) - set(present))].isna().all(axis=None)
        np.testing.assert_allclose(rows[present].sum(axis=1), 1, atol=1e-5)
    # Only the named study, by its file.
    assert main(["export", "tiny.toml", *EXPORT[1:], "one"]) == 0
    assert pd.read_csv("one/trials.csv")["study"].unique().tolist() == ["tiny"]


HOSTILE = ["=cmd|' /C calc'!A0", "a\r\nb", "\rc", 'd"e', "@f", "g,h"]


def test_a_spreadsheet_runs_no_cell(mine):
    change(
        *(
            ("UPDATE remix_folds SET failed = ? WHERE run_id = ? AND fold = ?",
             (text, position // 2 + 1, position % 2))
            for position, text in enumerate(HOSTILE)
        )
    )  # fmt: skip
    assert main([*EXPORT, "kept"]) == 0
    with open(mine / "kept" / "folds.csv", newline="") as file:
        cells = [row["failed"] for row in csv.DictReader(file)]
    assert cells == ["'=cmd|' /C calc'!A0", "a\r\nb", "'\rc", 'd"e', "'@f", "g,h"]
    # Failed folds have no probabilities, and then there is no such table.
    assert not (mine / "kept" / "probabilities.csv").exists()


def test_an_export_neither_writes_to_the_database_nor_waits_for_a_writer(mine):
    before = (mine / "mine.db").read_bytes()
    with closing(sqlite3.connect(mine / "mine.db")) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert main([*EXPORT, "kept"]) == 0
    assert (mine / "mine.db").read_bytes() == before


def test_nothing_is_overwritten_and_what_is_missing_is_named(mine, capsys, monkeypatch):
    (mine / "kept.json").write_text("mine")
    for form in FORMATS:
        message = refused([*EXPORT, "kept.json", "--format", form], capsys)
        assert message.startswith("kept.json exists already;")
    assert (mine / "kept.json").read_text() == "mine"
    assert refused(["export", "tinny", *EXPORT[1:], "new"], capsys) == (
        'the database holds no study "tinny"; did you mean "tiny"?'
    )
    message = refused([*EXPORT, "tiny.toml/x"], capsys)
    assert message.startswith("tiny.toml/x: cannot be written")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert refused([*EXPORT, "new", "--format", "parquet"], capsys) == (
        'Parquet needs pyarrow: pip install "remix-study[parquet]", or choose --format csv or json'
    )
    assert not (mine / "new").exists()


def test_damaged_probabilities_are_named_and_leave_no_export(mine, capsys):
    change(("UPDATE remix_probabilities SET probabilities = x'00' WHERE run_id = 2", ()))
    message = refused([*EXPORT, "kept"], capsys, 3)
    assert message.startswith("tiny/wine: probabilities of trial 1 cannot be read (")
    assert not (mine / "kept").exists()


def test_a_full_disk_leaves_no_half_export(mine):
    code = (
        "import resource, signal, sys\n"
        "from remix_study.cli.main import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))\n"
        f"sys.exit(main({[*EXPORT, 'kept']}))\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=mine, check=False, capture_output=True, text=True
    )
    assert process.returncode == UsageError.exit_code, process.stderr
    assert process.stderr.startswith("remix-study: kept: cannot be written (")
    # SQLite's own files beside the database are no export.
    names = {path.name for path in mine.iterdir()}
    assert names - {"mine.db-shm", "mine.db-wal"} == {"mine.db", "tiny.toml"}


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize("words", [["report"], ["status"], [*EXPORT, "out"]])
def test_a_damaged_row_is_one_line(words, capsys):
    change(("UPDATE remix_studies SET facts = '{'", ()))
    storage = [] if "--storage" in words else ["--storage", "sqlite:///mine.db"]
    assert "the database is damaged: a row is no JSON" in refused([*words, *storage], capsys, 3)
