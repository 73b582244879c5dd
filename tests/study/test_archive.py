"""Studies written to files and brought back elsewhere, bit by bit."""

from __future__ import annotations

import json
import pickle
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import zlib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy
from tiny_studies import TINY, query, trials

from remix_study.cli.main import main
from remix_study.errors import DataError, RemixStudyError, UsageError
from remix_study.study.archive.files import FORMATS, read_archive, write_archive
from remix_study.study.archive.layout import Snapshot
from remix_study.study.archive.snapshot import open_source, read_studies

X = "sqlite:///x.db"

# Every number and text of a study, whatever ids a database gave its rows.
_QUERIES = (
    "SELECT uuid, name, study, problem, created, trials, definition, facts, planned "
    "FROM remix_studies",
    "SELECT study_uuid, manifest FROM remix_manifests ORDER BY id",
    "SELECT * FROM remix_parts ORDER BY 1, 2, 3, 4",
    "SELECT uuid, study_uuid, label, strategy, sampler, mixing, alpha, loss, parameters, "
    "network_parameters, seconds, peak_memory_mb, started, finished FROM remix_runs ORDER BY id",
    *(
        f"SELECT uuid, x.* FROM {table} x JOIN remix_runs r ON r.id = x.run_id ORDER BY {order}"
        for table, order in [
            ("remix_folds", "uuid, repeat, fold"),
            ("remix_scores", "uuid, repeat, fold, part, metric"),
            ("remix_probabilities", "uuid, repeat, fold, part"),
        ]
    ),
    "SELECT number, state, datetime_start, datetime_complete FROM trials ORDER BY number",
    *(
        f"SELECT number, x.* FROM {table} x JOIN trials t ON t.trial_id = x.trial_id"
        for table in ("trial_values", "trial_params", "trial_user_attributes")
    ),
    "SELECT x.* FROM study_user_attributes x",
    "SELECT x.* FROM study_system_attributes x",
)
_IDS = ("run_id", "trial_id", "study_id", *(f"trial_{x}_id" for x in ("value", "param")),
        *(f"{x}_user_attribute_id" for x in ("trial", "study")),
        "study_system_attribute_id")  # fmt: skip


def content(url: str) -> list[set[tuple]]:
    engine = sqlalchemy.create_engine(url)
    found = []
    with engine.connect() as connection:
        for sql in _QUERIES:
            rows = connection.execute(sqlalchemy.text(sql)).mappings()
            found.append(
                sorted(
                    repr([(k, _bits(v)) for k, v in row.items() if k not in _IDS]) for row in rows
                )
            )
    engine.dispose()
    return found


def _bits(value):
    if isinstance(value, float):
        return struct.pack("<d", value).hex()
    if isinstance(value, bytes):
        return zlib.decompress(value).hex()
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value)


def snapshots(url: str) -> list[Snapshot]:
    storage = open_source(url)
    found = list(read_studies(storage))
    storage.remove_session()
    storage.engine.dispose()
    return found


def report(storage: str, folder: str) -> dict[str, bytes]:
    assert main(["report", "--storage", storage, "--output", folder]) == 0
    kept = [*Path(folder, "tables").iterdir(), *Path(folder, "figures").glob("*.svg")]
    assert len(kept) > 20
    return {path.name: path.read_bytes() for path in kept}


def refused(words: list[str], capsys, code: int = 2) -> str:
    capsys.readouterr()
    assert main(words) == code
    said = capsys.readouterr().err
    assert said.startswith("remix-study: ")
    assert said.count("\n") == 1
    return said.removeprefix("remix-study: ").strip()


@pytest.fixture(scope="module")
def postgres(server):
    return server.create()


@pytest.fixture
def mine(here, finished) -> str:
    """A copy of the finished study's database, and its study file."""
    shutil.copy(finished, here / "mine.db")
    (here / "tiny.toml").write_text(TINY)
    return "sqlite:///mine.db"


@pytest.mark.parametrize("form", FORMATS)
def test_a_study_comes_back_bit_by_bit_and_is_done_there(mine, here, form, capsys):
    if form == "parquet":
        pytest.importorskip("pyarrow")
    assert main(["export", "--storage", mine, "--output", "kept", "--format", form]) == 0
    assert main(["import", "kept", "--storage", X]) == 0
    assert content(X) == content(mine)
    assert main(["run", "tiny.toml", "--storage", X, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out.split("\n{", 1)[1].join(["{", ""]))
    assert (answer["complete_before"], answer["completed"]) == (3, 0)
    assert content(X) == content(mine)
    assert [path.name for path in here.iterdir() if path.name.startswith(".")] == []


@pytest.mark.usefixtures("here")
def test_reports_of_both_databases_are_the_same_bytes(mine):
    # A study that stands there already moves the ids of all rows.
    assert main(["export", "tiny", "--storage", mine, "--output", "kept.json"]) == 0
    assert main(["import", "kept.json", "--storage", X]) == 0
    assert report(X, "theirs") == report(mine, "ours")


def test_sqlite_to_postgresql_and_back(mine, postgres, capsys):
    assert main(["export", "--storage", mine, "--output", "kept.json"]) == 0
    assert main(["import", "kept.json", "--storage", postgres]) == 0
    assert main(["run", "tiny.toml", "--storage", postgres, "--json"]) == 0
    assert '"completed": 0' in capsys.readouterr().out
    assert report(postgres, "theirs") == report(mine, "ours")
    assert main(["export", "--storage", postgres, "--output", "back.json"]) == 0
    ours, theirs = (json.loads(Path(name).read_text()) for name in ("kept.json", "back.json"))
    assert theirs["studies"] == ours["studies"]
    assert theirs["content"] == ours["content"]
    assert main(["import", "back.json", "--storage", X]) == 0
    assert content(X) == content(mine)
    refused(["import", "kept.json", "--storage", postgres], capsys, 3)


def test_a_database_that_holds_the_study_is_left_as_it_is(mine, capsys):
    main(["export", "--storage", mine, "--output", "kept.json"])
    before = content(mine)
    said = refused(["import", "kept.json", "--storage", mine], capsys, 3)
    assert said == (
        "tiny/wine: the database holds this study already; name another database, or delete the "
        "study there first"
    )
    assert content(mine) == before


def test_an_export_neither_writes_to_the_database_nor_waits_for_a_writer(mine, here):
    before = (here / "mine.db").read_bytes()
    with closing(sqlite3.connect(here / "mine.db")) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert main(["export", "--storage", mine, "--output", "kept.json"]) == 0
    assert (here / "mine.db").read_bytes() == before


def test_an_import_that_is_killed_is_begun_anew_by_the_next(mine, here):
    main(["export", "--storage", mine, "--output", "kept.json"])
    code = (
        "import os, signal, sys\n"
        "from remix_study.study.archive import restore\n"
        "write = restore.write_rows\n"
        "def killed(*words):\n"
        "    write(*words)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "restore.write_rows = killed\n"
        "from remix_study.cli.main import main\n"
        f"main(['import', 'kept.json', '--storage', '{X}'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=here, check=False)
    assert done.returncode == -signal.SIGKILL
    assert [state for *_, state in trials(here / "x.db")] == ["COMPLETE"] * 3
    assert query(here / "x.db", "SELECT * FROM remix_studies") == []
    assert main(["import", "kept.json", "--storage", X]) == 0
    assert content(X) == content(mine)


def test_an_archive_comes_whole_or_not_at_all(mine, monkeypatch, capsys):
    from remix_study.study.archive import restore

    (whole,) = snapshots(mine)
    (study,) = whole.tables["studies"]
    other = Snapshot({**whole.tables, "studies": [study | {"name": "b/b", "title": "b/b"}]})
    write_archive([whole, other], Path("kept.json"), "json")
    said = refused(["import", "kept.json", "--storage", X], capsys, 3)
    assert said.startswith("b/b: rows contradict each other")
    empty = content(X)
    assert not any(empty)
    # What a database gives back is compared with what was written.
    main(["export", "--storage", mine, "--output", "one.json"])
    pack = restore.pack
    monkeypatch.setattr(restore, "pack", lambda array: pack(array * (1 + 1e-6)))
    said = refused(["import", "one.json", "--storage", X], capsys, 3)
    assert "does not give back what was written" in said
    assert content(X) == empty


def test_a_trial_that_was_running_has_failed_elsewhere(mine, capsys):
    storage = open_source(mine)  # only reads
    storage.engine.dispose()
    import optuna

    study = optuna.load_study(study_name="tiny/wine", storage=mine)
    study.ask()
    study.enqueue_trial({"strategy": "cost"})
    main(["export", "--storage", mine, "--output", "kept.json"])
    assert main(["import", "kept.json", "--storage", X]) == 0
    assert [state for *_, state in trials(Path("x.db"))] == ["COMPLETE"] * 3 + ["FAIL"] * 2
    capsys.readouterr()
    assert main(["status", "--storage", X, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["complete"], found["dead"], found["missing"]) == (3, 0, 0)


HOSTILE = ["=cmd()", "'x", "a\r\nb", "\rc", 'd"e', "-1", "+1", "@f", "g,h", "", "\tü 😀", "＝x"]


@pytest.mark.parametrize("form", FORMATS)
def test_any_text_and_any_number_survives(mine, here, form):
    if form == "parquet":
        pytest.importorskip("pyarrow")
    (whole,) = snapshots(mine)
    tables = {name: [dict(record) for record in records] for name, records in whole.tables.items()}
    numbers = [5e-324, -0.0, 0.1, 1.7976931348623157e308, 1e-7, 123456789.123456789]
    for score, value in zip(tables["scores"], [*numbers, float("inf")], strict=False):
        score["value"] = value
    for place, text in enumerate(HOSTILE):
        tables["folds"][place % 6] |= {"failed": text, "counts": {text: [text]}}
    loss = np.array([np.nan, np.inf, -np.inf, 1e-45, 3.4028235e38, -0.0, 0.1, 1 / 3], np.float32)
    draws = np.frombuffer(np.random.default_rng(0).bytes(40_000), np.float32).copy()
    draws[np.isnan(draws)] = np.nan
    for values in (loss, draws):
        tables["curves"][0] |= {"loss": values, "monitor": values[::-1], "rate": values}
        odd = Snapshot(tables)
        write_archive([odd], here / "kept", form)
        (back,) = read_archive(here / "kept")
        assert back.digest() == odd.digest() != whole.digest()
        kept = back.tables["curves"][0]["loss"]
        number = ~np.isnan(values)
        assert kept[number].tobytes() == values[number].tobytes()
        assert back.tables["scores"] == odd.tables["scores"]
        assert back.tables["folds"] == odd.tables["folds"]
        (shutil.rmtree if (here / "kept").is_dir() else Path.unlink)(here / "kept")


def test_a_spreadsheet_runs_no_cell_and_strict_json_has_no_nan(mine, here):
    (whole,) = snapshots(mine)
    fold = dict(whole.tables["folds"][0]) | {"failed": "=cmd|' /C calc'!A0"}
    odd = Snapshot({**whole.tables, "folds": [fold, *whole.tables["folds"][1:]]})
    write_archive([odd], here / "kept", "csv")
    assert ",'=cmd|" in (here / "kept" / "folds.csv").read_text()
    write_archive([odd], here / "kept.json", "json")

    def strict(word: str) -> None:
        raise AssertionError(word)

    json.loads((here / "kept.json").read_text(), parse_constant=strict)


@pytest.fixture(scope="module")
def archives(finished, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("archives")
    found = snapshots(f"sqlite:///{finished}")
    write_archive(found, folder / "kept.json", "json")
    write_archive(found, folder / "kept", "csv")
    return folder


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
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
def test_a_changed_archive_is_refused_in_a_line(archives, tmp_path, file, old, new, said):
    shutil.copytree(archives / "kept", tmp_path / "kept")
    text = (tmp_path / "kept" / file).read_bytes().decode()
    assert old in text
    (tmp_path / "kept" / file).write_bytes(text.replace(old, new, 1).encode())
    with pytest.raises(DataError) as caught:
        read_archive(tmp_path / "kept")
    assert said in str(caught.value)
    assert str(tmp_path / "kept") in str(caught.value)


def test_what_is_no_archive(archives, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = (archives / "kept.json").read_text()
    (tmp_path / "half.json").write_text(whole[: len(whole) // 2])
    (tmp_path / "p.json").write_bytes(pickle.dumps({"format": "remix_study archive"}))
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "folder").mkdir()
    for name in ("half.json", "p.json", "deep.json", "folder", "absent"):
        said = refused(["import", name, "--storage", X], capsys)
        assert name in said
    assert not (tmp_path / "x.db").exists()


def test_nothing_is_overwritten_and_what_is_missing_is_named(mine, here, capsys, monkeypatch):
    (here / "kept.json").write_text("mine")
    words = ["export", "--storage", mine, "--output"]
    assert refused([*words, "kept.json"], capsys).startswith("kept.json exists already;")
    assert (here / "kept.json").read_text() == "mine"
    assert refused(["export", "tinny", *words[1:], "new"], capsys) == (
        'the database holds no study "tinny"; did you mean "tiny"?'
    )
    assert refused([*words, "tiny.toml/x"], capsys).startswith("tiny.toml/x: cannot be written")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert refused([*words, "new", "--format", "parquet"], capsys) == (
        'Parquet needs pyarrow: pip install "remix-study[parquet]", or choose --format csv or json'
    )
    assert not (here / "new").exists()


def test_a_full_disk_leaves_no_half_archive(mine, here):
    code = (
        "import resource, signal, sys\n"
        "from remix_study.cli.main import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        f"sys.exit(main(['export', '--storage', '{mine}', '--output', 'kept.json']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=here, check=False, capture_output=True, text=True
    )
    assert done.returncode == UsageError.exit_code, done.stderr
    assert done.stderr.startswith("remix-study: kept.json: cannot be written (")
    # SQLite's own files beside the database are no archive.
    names = {path.name for path in here.iterdir()}
    assert names - {"mine.db-shm", "mine.db-wal"} == {"mine.db", "tiny.toml"}
    assert issubclass(UsageError, RemixStudyError)
