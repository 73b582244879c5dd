"""Databases that are new, locked, full, damaged, read-only, or restarted in mid-study."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import postgresql_server
import pytest
from run_folder import BOTH_DATABASES, HOLD, RunFolder, on_both_databases, study_text
from sqlalchemy import text

from remix_study.study.tables import SCHEMA

TWO = ("run", "tiny.toml", "--workers", "2")


@pytest.mark.slow
@BOTH_DATABASES
def test_three_processes_begin_a_fresh_database_at_once(folder):
    folder.write(study_text(20))
    started = [folder.start("run", "tiny.toml", seconds=0.05) for _ in range(3)]
    for process in started:
        code, _, errors = folder.wait(process)
        assert (code, errors) == (0, "")
    folder.assert_consistent(20)
    assert len(folder.started_trials()) == 20
    assert len({pid for pid, _ in folder.started_trials()}) == 3
    assert folder.query("SELECT count(*) FROM remix_studies") == [(1,)]
    assert folder.query("SELECT version FROM remix_schema") == [(SCHEMA,)]
    for table in ("alembic_version", "version_info"):
        assert folder.query(f"SELECT count(*) FROM {table}") == [(1,)]


@BOTH_DATABASES
def test_a_database_that_is_locked_for_seconds_is_waited_for(folder):
    folder.write(study_text(5))
    running = folder.start("run", "tiny.toml", seconds=0.2)
    folder.wait_until(lambda: folder.trial_states()["COMPLETE"] >= 1)
    with folder.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # Python's driver would begin a transaction of its own.
            connection.connection.driver_connection.isolation_level = None
            folder.wait_until(lambda: _locked(connection.connection.driver_connection))
        else:
            connection.execute(text("LOCK TABLE trials, remix_claims IN ACCESS EXCLUSIVE MODE"))
        begun = len(folder.started_trials())
        time.sleep(1.5)
        assert len(folder.started_trials()) <= begun + 1
        connection.rollback()
        if connection.dialect.name == "sqlite":
            connection.connection.driver_connection.execute("ROLLBACK")
    code, _, errors = folder.wait(running)
    assert (code, errors) == (0, "")
    folder.assert_consistent(5)
    assert len(folder.started_trials()) == 5


def _locked(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        return False
    return True


@pytest.mark.slow
def test_a_file_that_cannot_grow_stops_the_workers_and_keeps_complete_trials(sqlite_folder):
    sqlite_folder.write(study_text(4))
    running = sqlite_folder.start(*TWO, SIMULATED_HOLD=HOLD)
    workers = sqlite_folder.wait_until_held()
    before = sqlite_folder.complete_rows()
    for pid in workers:
        # Not even one page.
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, 4096))
    sqlite_folder.release()
    code, _, errors = sqlite_folder.wait(running)
    assert code == 3
    assert errors.count("\n") == 1
    assert "make room and run again, finished trials are kept" in errors
    assert sqlite_folder.run()[0] == 0
    sqlite_folder.assert_consistent(4)
    after = sqlite_folder.complete_rows()
    assert {trial: after[trial] for trial in before} == before


@contextmanager
def mounted(size: str) -> Iterator[Path]:
    """A folder with a disk of its own."""
    folder = Path(tempfile.mkdtemp(prefix="remix-disk-"))
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "none", str(folder)],
        capture_output=True,
        check=False,
    )
    if mount.returncode:
        folder.rmdir()
        pytest.skip("only root may mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


@pytest.fixture
def small_disk(request, tmp_path):
    """A folder of a study, and a small disk with all files of its database."""
    if request.param == "sqlite":
        with mounted("24m") as disk:
            folder = RunFolder(tmp_path, f"sqlite:///{disk}/x.db")
            yield folder, disk
            folder.close()
        return
    request.getfixturevalue("_postgresql")
    with mounted("96m") as disk, postgresql_server.running(folder=disk) as server:
        folder = RunFolder(tmp_path, server.create())
        yield folder, disk
        folder.close()


def fill(disk: Path) -> None:
    with open(disk / "filler", "wb", buffering=0) as file:
        for size in (2**20, 4096):
            try:
                while file.write(b"\0" * size):
                    continue
            except OSError:
                continue


@on_both_databases("small_disk")
def test_a_full_disk_is_one_line_and_nothing_is_lost(small_disk):
    folder, disk = small_disk
    folder.write(study_text(12))
    running = folder.start("run", "tiny.toml", seconds=0.1)
    folder.wait_until(lambda: folder.trial_states()["COMPLETE"] >= 1)
    fill(disk)
    code, _, errors = folder.wait(running)
    assert code == 3, errors
    assert errors.count("\n") == 1
    assert "make room" in errors
    before = folder.complete_rows()
    (disk / "filler").unlink()
    code, _, errors = folder.run()
    assert (code, errors) == (0, "")
    folder.assert_consistent(12)
    after = folder.complete_rows()
    assert {trial: after[trial] for trial in before} == before


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A SQLite file with three complete configurations, to be copied."""
    folder = RunFolder(tmp_path_factory.mktemp("finished"), "sqlite:///x.db")
    folder.write(study_text(3))
    assert folder.run()[0] == 0
    folder.close()
    path = folder.path / "x.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def overwrite(path: Path) -> None:
    content = bytearray(path.read_bytes())
    # The first page, which lists the tables, stays.
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 8192 * 4096)


@pytest.mark.parametrize("damage", [overwrite, truncate])
def test_a_damaged_file_is_one_line_and_stays_as_it_is(sqlite_folder, finished, damage):
    path = sqlite_folder.path / "x.db"
    shutil.copy(finished, path)
    damage(path)
    before = path.read_bytes()
    sqlite_folder.write(study_text(5))
    code, _, errors = sqlite_folder.run(*TWO)
    assert code == 3
    assert errors.count("\n") == 1
    assert "x.db: " in errors
    assert path.read_bytes() == before
    assert sqlite_folder.started_trials() == []


@BOTH_DATABASES
def test_a_database_that_may_not_be_written_is_one_line(folder, finished):
    folder.write(study_text(3))
    prefix = ()
    if folder.engine.dialect.name == "sqlite":
        path = folder.path / "x.db"
        shutil.copy(finished, path)
        path.chmod(0o444)
        if os.getuid() == 0:
            if not shutil.which("setpriv"):
                pytest.skip("root may write everywhere")
            prefix = ("setpriv", "--inh-caps=-all", "--bounding-set=-dac_override")
    else:
        assert folder.run()[0] == 0
        name = folder.engine.url.database
        with folder.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(
                text(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
            )
    begun, before = len(folder.started_trials()), folder.complete_rows()
    folder.write(study_text(5))
    code, _, errors = folder.run("run", "tiny.toml", prefix=prefix)
    assert code == 3
    assert errors.count("\n") == 1
    assert "readonly database" in errors or "read-only transaction" in errors
    assert len(folder.started_trials()) == begun
    assert folder.complete_rows() == before


@BOTH_DATABASES
@pytest.mark.slow
def test_a_study_file_that_was_changed_is_refused_before_any_worker_starts(folder):
    folder.write(study_text(3))
    assert folder.run()[0] == 0
    begun, before = len(folder.started_trials()), folder.complete_rows()
    folder.write(study_text(5).replace("batch_size = 16", "batch_size = 8"))
    code, out, errors = folder.run(*TWO)
    assert (code, out) == (2, "")
    assert "tiny.toml: tiny/wine began with other settings (training.batch_size: 16 -> 8" in errors
    assert len(folder.started_trials()) == begun
    assert folder.complete_rows() == before
    folder.write(study_text(5))
    assert folder.run()[0] == 0
    folder.assert_consistent(5)


@pytest.mark.parametrize(
    "how", ["fast", *(pytest.param(how, marks=pytest.mark.slow) for how in ("immediate", "kill"))]
)
@pytest.mark.parametrize("folder", ["postgresql"], indirect=True)
def test_a_server_that_restarts_in_mid_study_costs_no_trial(folder, server, how):
    folder.write(study_text(4))
    running = folder.start(*TWO, SIMULATED_HOLD=HOLD)
    folder.wait_until_held()
    server.stop(how)
    # Trials end while the server is away.
    folder.release()
    folder.wait_until(lambda: len(folder.finished_trials()) == 4)
    time.sleep(1)
    assert running.poll() is None
    server.start()
    code, out, errors = folder.wait(running)
    assert (code, errors) == (0, "")
    assert out.count("the database is away (") == 1
    folder.assert_consistent(4)
    assert len(folder.started_trials()) == 4
    assert folder.trial_states() == {"COMPLETE": 4}


@BOTH_DATABASES
def test_sqlite_is_refused_to_a_second_machine_and_postgresql_is_not(folder):
    folder.write(study_text(4))
    first = folder.start("run", "tiny.toml", SIMULATED_HOST="one", SIMULATED_HOLD="baseline")
    folder.wait_until(folder.started_trials)
    code, _, errors = folder.run(SIMULATED_HOST="two")
    if folder.engine.dialect.name == "sqlite":
        assert code == 3
        assert "workers on one use this SQLite file, which is safe on one machine only" in errors
        assert "try again in 5 minutes" in errors
        first.send_signal(signal.SIGTERM)
        assert folder.wait(first)[0] == 143
        return
    assert (code, errors) == (0, "")
    folder.release()
    assert folder.wait(first)[0] == 0
    folder.assert_consistent(4)
    assert len({pid for pid, _ in folder.started_trials()}) == 2
    assert len(folder.started_trials()) == 4
