"""Databases of the first schema: read as they are, upgraded by the first writer, continued."""

from __future__ import annotations

import json
import lzma
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import pytest
from earlier_engines import pretend_engine_version
from golden.report_tables import ADDED, report_tables, with_present_names
from sqlalchemy import NullPool, create_engine, select
from tiny_studies import query

from remix_study.cli.main import main
from remix_study.results.frames import load_frames
from remix_study.study import tables, upgrade
from remix_study.study.leases import boot_id, host_name, process_start
from remix_study.study.storage import open_reader, open_storage
from remix_study.study.tables import utc_now
from remix_study.version import ENGINE_VERSION

FOLDER = Path(__file__).parent / "schema_1"
OLD = "sqlite:///old.db"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("schema_1") / "old.db"
    path.write_bytes(lzma.decompress((FOLDER / "database.xz").read_bytes()))
    return path


@pytest.fixture
def old(here, unpacked) -> Path:
    """A copy of the database in the current folder, with its study files."""
    for path in FOLDER.glob("*.toml"):
        shutil.copy(path, here)
    return Path(shutil.copy(unpacked, here / "old.db"))


@pytest.fixture
def same_engine(monkeypatch) -> None:
    """As if this package trained as the commit did that made the database."""
    pretend_engine_version(monkeypatch, 1)


def dump(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return list(connection.iterdump())


def version_of(database: Path) -> int:
    ((version,),) = query(database, "SELECT version FROM remix_schema")
    return version


def columns_of(database: Path, table: str) -> set[str]:
    return {row[1] for row in query(database, f"PRAGMA table_info({table})")}


def refused(words: list[str], capsys, code: int = 3) -> str:
    capsys.readouterr()
    assert main(words) == code
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    return errors.removeprefix("remix-study: ").strip()


def test_the_file_is_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 300_000


def test_it_is_read_as_it_is(old, capsys):
    before = old.read_bytes()
    assert main(["status", "--storage", OLD, "--json"]) == 0
    counts = {row["name"]: row["complete"] for row in json.loads(capsys.readouterr().out)}
    assert (counts["grid/wine"], counts["half/wine"]) == (2, 2)
    assert (counts["search/wine"], counts["half-search/wine"]) == (3, 3)
    assert main(["export", "--storage", OLD, "--output", "exported"]) == 0
    assert main(["repair", "--storage", OLD]) == 0
    assert old.read_bytes() == before


def stored_tables() -> dict[str, str]:
    with tarfile.open(FOLDER / "tables.tar.xz") as archive:
        return {
            name.removesuffix(".csv"): with_present_names(
                archive.extractfile(name).read().decode()
            )
            for name in archive.getnames()
        }


@pytest.mark.parametrize("is_upgraded", [False, True])
def test_its_report_is_that_of_the_commit_that_made_it(old, is_upgraded):
    if is_upgraded:
        open_storage(OLD).engine.dispose()
    assert version_of(old) == (tables.SCHEMA if is_upgraded else 1)
    report = report_tables(old.resolve(), (), Path("report").resolve())
    texts = {name: table.text for name, table in report.items() if name not in ADDED}
    # Pages of few problems have no ranks and gains any more, and those of one alpha no curve.
    assert texts == {name: text for name, text in stored_tables().items() if name in texts}
    assert {"results", "calibration", "problems"} <= texts.keys()


def rows_of(database: Path, study: str) -> dict[str, list[tuple]]:
    """Everything that training gave of a study's configurations, by their parameters."""
    frames = load_frames(open_reader(f"sqlite:///{database}"), [study])
    contents = {}
    for run in frames.runs.itertuples():
        folds = frames.folds[frames.folds["run"] == run.run]
        scores = frames.scores[frames.scores["run"] == run.run].drop(columns="run")
        contents[json.dumps(run.parameters)] = [
            run.values,
            *scores.itertuples(index=False, name=None),
            *(
                frames.probabilities(run.run, fold.repeat, fold.fold, part)[2].tobytes()
                for fold in folds.itertuples()
                for part in ("validation", "test")
            ),
        ]
    return contents


@pytest.mark.slow
@pytest.mark.usefixtures("same_engine")
@pytest.mark.parametrize(("study", "n_before"), [("half", 2), ("half-search", 3)])
def test_a_half_finished_study_goes_on_as_if_nothing_had_been(old, study, n_before, capsys):
    before = rows_of(old, study)
    assert len(before) == n_before
    say_its_width(study)
    assert main(["run", f"{study}.toml", "--storage", OLD, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["complete_before"] == n_before
    assert main(["run", f"{study}.toml", "--storage", "sqlite:///new.db"]) == 0
    resumed, undisturbed = rows_of(old, study), rows_of(Path("new.db"), study)
    assert resumed.keys() == undisturbed.keys()
    for parameters, rows in resumed.items():
        if parameters in before:
            assert rows == before[parameters]
        else:
            assert rows == undisturbed[parameters]
    assert version_of(old) == tables.SCHEMA


def say_its_width(study: str) -> None:
    """Write into a study file the width that was the default when its study began."""
    file = Path(f"{study}.toml")
    file.write_text(f'{file.read_text()}\n[model]\nhidden = "paper"\n')


@pytest.mark.usefixtures("old", "same_engine")
def test_a_finished_study_is_finished(capsys):
    for study in ("grid", "search"):
        say_its_width(study)
        assert main(["run", f"{study}.toml", "--storage", OLD, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["completed"] == 0


@pytest.mark.usefixtures("old")
def test_every_study_and_trial_gets_what_is_known_of_it():
    open_storage(OLD).engine.dispose()
    with create_engine(OLD).connect() as connection:
        studies = {row.name: row for row in connection.execute(select(tables.studies))}
        facts = connection.execute(select(tables.runs.c.facts)).scalars().all()
    # int(2 (13 + 3) / 3)
    assert studies["grid/wine"].settings["model"] == {
        "name": "mlp",
        "hidden": [10, 10, 10],
        "dropout": 0.1,
    }
    assert studies["search/wine"].settings["search"]["space"]["alpha"] == {"remix": 0.1}
    assert {row.settings["engine_version"] for row in studies.values()} == {1}
    assert {json.dumps(value) for value in facts} == {'{"engine_version": 1}'}


@pytest.mark.usefixtures("old", "simulated", "same_engine")
def test_it_does_not_go_on_at_another_default(capsys):
    text = refused(["run", "half.toml", "--storage", OLD], capsys, 2)
    assert text == (
        "half.toml: half/wine began with other settings (model.hidden: [10, 10, 10] -> "
        "[128, 64]); write the earlier values into the file, or give the study another name"
    )
    say_its_width("half")
    assert main(["run", "half.toml", "--storage", OLD]) == 0


@pytest.mark.usefixtures("old")
def test_trials_of_another_engine_are_read_and_never_continued(capsys):
    assert refused(["run", "half.toml", "--storage", OLD], capsys) == (
        "half/wine: its trials are of engine version 1, and this remix_study trains with version "
        f"{ENGINE_VERSION}, whose numbers differ; report, export and dashboard read them as they "
        "are, to train more give the study another name"
    )
    assert main(["status", "--storage", OLD]) == 0


def test_it_is_not_upgraded_under_workers_that_use_it(old, capsys):
    values = ("w", host_name(), boot_id(), os.getpid(), process_start(os.getpid()), utc_now())
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("INSERT INTO remix_workers VALUES (?, ?, ?, ?, ?, ?)", values)
        connection.commit()
    before = dump(old)
    assert refused(["run", "half.toml", "--storage", OLD], capsys) == (
        "sqlite:///old.db: its tables are of version 1 and would be upgraded to version 3, but "
        "workers use them; let these end, or stop them, and run again"
    )
    assert dump(old) == before


KILLED = """
import os, signal
from remix_study.study import storage, upgrade
fill = upgrade.settings_of_version_1
def killed(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)
upgrade.settings_of_version_1 = killed
storage.open_storage({url!r})
"""


def kill_in_an_upgrade(url: str) -> None:
    process = subprocess.run([sys.executable, "-c", KILLED.format(url=url)], check=False)
    assert process.returncode == -signal.SIGKILL


def test_an_upgrade_that_is_killed_leaves_the_database_as_it_was(old):
    before = dump(old)
    kill_in_an_upgrade(OLD)
    assert dump(old) == before
    open_storage(OLD).engine.dispose()
    assert version_of(old) == tables.SCHEMA
    assert "settings" in columns_of(old, "remix_studies")


def test_an_error_in_an_upgrade_leaves_the_database_as_it_was(old, monkeypatch):
    def fail(*_arguments):
        raise RuntimeError("broken")

    before = dump(old)
    monkeypatch.setattr(upgrade, "settings_of_version_1", fail)
    with pytest.raises(Exception, match="broken"):
        open_storage(OLD)
    assert dump(old) == before


@pytest.mark.slow
@pytest.mark.usefixtures("same_engine")
def test_an_upgrade_that_is_killed_on_postgresql(old, server):
    url = server.create()
    copy_to_postgresql(old, url)
    kill_in_an_upgrade(url)
    with create_engine(url, poolclass=NullPool).connect() as connection:
        assert connection.execute(select(tables.schema.c.version)).scalar_one() == 1
        columns = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'settings'"
        assert connection.exec_driver_sql(columns).scalar_one() == 0
    assert main(["status", "--storage", url]) == 0
    say_its_width("grid")
    assert main(["run", "grid.toml", "--storage", url]) == 0
    with create_engine(url, poolclass=NullPool).connect() as connection:
        assert connection.execute(select(tables.schema.c.version)).scalar_one() == tables.SCHEMA
        settings = connection.execute(select(tables.studies.c.settings)).scalars().all()
    assert all(value["engine_version"] == 1 for value in settings)


def copy_to_postgresql(database: Path, url: str) -> None:
    """Bring the studies to a server, and its tables back to the first version."""
    assert main(["import", str(database), "--storage", url]) == 0
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.exec_driver_sql("ALTER TABLE remix_studies DROP COLUMN settings")
        connection.exec_driver_sql("ALTER TABLE remix_runs DROP COLUMN facts")
        connection.exec_driver_sql("UPDATE remix_schema SET version = 1")


def test_an_import_brings_upgraded_rows_and_leaves_the_source(old):
    before = old.read_bytes()
    assert main(["import", "old.db", "--storage", "sqlite:///new.db"]) == 0
    assert old.read_bytes() == before
    open_storage(OLD).engine.dispose()
    rows = "SELECT name, settings FROM remix_studies ORDER BY name"
    assert query(Path("new.db"), rows) == query(old, rows)
    rows = "SELECT uuid, facts FROM remix_runs ORDER BY uuid"
    assert query(Path("new.db"), rows) == query(old, rows)


def test_several_processes_upgrade_it_once(old):
    code = f"from remix_study.study.storage import open_storage; open_storage({OLD!r})"
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert query(old, "SELECT version FROM remix_schema") == [(tables.SCHEMA,)]


def test_a_column_is_not_added_twice(old):
    open_storage(OLD).engine.dispose()
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("DROP TABLE remix_schema")
        connection.commit()
    open_storage(OLD).engine.dispose()
    assert version_of(old) == tables.SCHEMA


@pytest.mark.parametrize("version", [1, 2])
def test_every_released_schema_opens_and_nothing_in_it_is_taken_for_damage(here, capsys, version):
    packed = FOLDER.with_name(f"schema_{version}") / "database.xz"
    (here / "old.db").write_bytes(lzma.decompress(packed.read_bytes()))
    assert main(["repair", "--dry-run", "--storage", OLD]) == 0
    assert capsys.readouterr().out == "nothing is wrong\n"
    assert main(["status", "--json", "--storage", OLD]) == 0
    assert json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("old")
def test_tables_without_a_version_are_of_the_first():
    with create_engine(OLD, poolclass=NullPool).connect() as connection:
        tables.schema.drop(connection)
        assert tables.stored_version(connection) == 1
