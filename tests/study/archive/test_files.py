"""Archive files: every value survives, and damaged or foreign files are refused."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from stored_studies import refusal, snapshots

from remix_study.errors import DataError, UsageError
from remix_study.study.archive.files import FORMATS, read_archive, write_archive
from remix_study.study.archive.layout import Snapshot

OTHER = "sqlite:///x.db"

HOSTILE = ["=cmd()", "'x", "a\r\nb", "\rc", 'd"e', "-1", "+1", "@f", "g,h", "", "\tü 😀", "＝x"]


@pytest.mark.parametrize("form", FORMATS)
def test_any_text_and_any_number_survives(database, here, form):
    if form == "parquet":
        pytest.importorskip("pyarrow")
    (snapshot,) = snapshots(database)
    tables = {
        name: [dict(record) for record in records] for name, records in snapshot.tables.items()
    }
    numbers = [5e-324, -0.0, 0.1, 1.7976931348623157e308, 1e-7, 123456789.123456789]
    for score, value in zip(tables["scores"], [*numbers, float("inf")], strict=False):
        score["value"] = value
    for position, text in enumerate(HOSTILE):
        tables["folds"][position % 6] |= {"failed": text, "counts": {text: [text]}}
    loss = np.array([np.nan, np.inf, -np.inf, 1e-45, 3.4028235e38, -0.0, 0.1, 1 / 3], np.float32)
    draws = np.frombuffer(np.random.default_rng(0).bytes(40_000), np.float32).copy()
    draws[np.isnan(draws)] = np.nan
    for values in (loss, draws):
        tables["curves"][0] |= {"loss": values, "monitor": values[::-1], "rate": values}
        changed = Snapshot(tables)
        write_archive([changed], here / "archive", form)
        (read,) = read_archive(here / "archive")
        assert read.digest() == changed.digest() != snapshot.digest()
        values_read = read.tables["curves"][0]["loss"]
        is_number = ~np.isnan(values)
        assert values_read[is_number].tobytes() == values[is_number].tobytes()
        assert read.tables["scores"] == changed.tables["scores"]
        assert read.tables["folds"] == changed.tables["folds"]
        (shutil.rmtree if (here / "archive").is_dir() else Path.unlink)(here / "archive")


def test_a_spreadsheet_runs_no_cell_and_strict_json_has_no_nan(database, here):
    (snapshot,) = snapshots(database)
    fold = dict(snapshot.tables["folds"][0]) | {"failed": "=cmd|' /C calc'!A0"}
    changed = Snapshot({**snapshot.tables, "folds": [fold, *snapshot.tables["folds"][1:]]})
    write_archive([changed], here / "archive", "csv")
    assert ",'=cmd|" in (here / "archive" / "folds.csv").read_text()
    write_archive([changed], here / "archive.json", "json")

    def strict(word: str) -> None:
        raise AssertionError(word)

    json.loads((here / "archive.json").read_text(), parse_constant=strict)


@pytest.fixture(scope="module")
def archives(finished, tmp_path_factory) -> Path:
    """A folder with the finished study as JSON and as CSV."""
    folder = tmp_path_factory.mktemp("archives")
    studies = snapshots(f"sqlite:///{finished}")
    write_archive(studies, folder / "archive.json", "json")
    write_archive(studies, folder / "archive", "csv")
    return folder


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("scores.csv", ",test,brier,0", ",test,brier,1", "tiny/wine is not what was exported"),
        ("scores.csv", "tiny/wine,", "tiny,", "a damaged archive (KeyError"),
        ("scores.csv", ",brier,", ",brier,,", "a line that is too short or too long"),
        ("runs.csv", "alpha", "beta", "a damaged archive (ValueError"),
        ("trials.csv", '"{', '"', "a damaged archive (JSONDecodeError"),
        ("archive.json", '"version": 1', '"version": 2', "a later version of remix_study (2)"),
        ("archive.json", "remix_study archive", "zip", "not an archive of remix_study"),
        ("archive.json", "{", "", "not an archive of remix_study ("),
        ("archive.json", "tiny/wine", "tiny/beer", "tiny/beer is not what was exported"),
    ],
)
def test_a_changed_archive_is_refused_in_a_line(archives, tmp_path, file, old, new, message):
    shutil.copytree(archives / "archive", tmp_path / "archive")
    text = (tmp_path / "archive" / file).read_bytes().decode()
    assert old in text
    (tmp_path / "archive" / file).write_bytes(text.replace(old, new, 1).encode())
    with pytest.raises(DataError) as caught:
        read_archive(tmp_path / "archive")
    assert message in str(caught.value)
    assert str(tmp_path / "archive") in str(caught.value)


def test_other_files_are_refused(archives, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (archives / "archive.json").read_text()
    (tmp_path / "half.json").write_text(text[: len(text) // 2])
    (tmp_path / "p.json").write_bytes(pickle.dumps({"format": "remix_study archive"}))
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "folder").mkdir()
    for name in ("half.json", "p.json", "deep.json", "folder", "absent"):
        message = refusal(["import", name, "--storage", OTHER], capsys)
        assert name in message
    assert not (tmp_path / "x.db").exists()


def test_nothing_is_overwritten_and_what_is_missing_is_named(database, here, capsys, monkeypatch):
    (here / "archive.json").write_text("database")
    words = ["export", "--storage", database, "--output"]
    assert refusal([*words, "archive.json"], capsys).startswith("archive.json exists already;")
    assert (here / "archive.json").read_text() == "database"
    assert refusal(["export", "tinny", *words[1:], "new"], capsys) == (
        'the database holds no study "tinny"; did you mean "tiny"?'
    )
    assert refusal([*words, "tiny.toml/x"], capsys).startswith("tiny.toml/x: cannot be written")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert refusal([*words, "new", "--format", "parquet"], capsys) == (
        'Parquet needs pyarrow: pip install "remix-study[parquet]", or choose --format csv or json'
    )
    assert not (here / "new").exists()


def test_a_full_disk_leaves_no_partial_archive(database, here):
    code = (
        "import resource, signal, sys\n"
        "from remix_study.cli.main import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        f"sys.exit(main(['export', '--storage', '{database}', '--output', 'archive.json']))\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=here, check=False, capture_output=True, text=True
    )
    assert process.returncode == UsageError.exit_code, process.stderr
    assert process.stderr.startswith("remix-study: archive.json: cannot be written (")
    # SQLite's own files lie beside the database.
    names = {path.name for path in here.iterdir()}
    assert names - {"own.db-shm", "own.db-wal"} == {"own.db", "tiny.toml"}
