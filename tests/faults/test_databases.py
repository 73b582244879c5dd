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
from scene import BOTH, HOLD, Scene, both, study
from sqlalchemy import text

TWO = ("run", "tiny.toml", "--workers", "2")


def test_three_processes_begin_a_fresh_database_at_once(scene):
    scene.write(study(7))
    started = [scene.start("run", "tiny.toml", seconds=0.2) for _ in range(3)]
    for process in started:
        code, _, errors = scene.end(process)
        assert (code, errors) == (0, "")
    scene.assert_whole(7)
    assert len(scene.begun()) == 7
    assert scene.query("SELECT count(*) FROM remix_studies") == [(1,)]
    assert scene.query("SELECT version FROM remix_schema") == [(1,)]


@BOTH
def test_a_database_that_is_locked_for_seconds_is_waited_for(scene):
    scene.write(study(5))
    running = scene.start("run", "tiny.toml", seconds=0.2)
    scene.until(lambda: scene.states()["COMPLETE"] >= 1)
    with scene.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # Python's driver would begin a transaction of its own.
            connection.connection.driver_connection.isolation_level = None
            scene.until(lambda: _locked(connection.connection.driver_connection))
        else:
            connection.execute(text("LOCK TABLE trials, remix_claims IN ACCESS EXCLUSIVE MODE"))
        begun = len(scene.begun())
        time.sleep(3)
        assert len(scene.begun()) <= begun + 1
        connection.rollback()
        if connection.dialect.name == "sqlite":
            connection.connection.driver_connection.execute("ROLLBACK")
    code, _, errors = scene.end(running)
    assert (code, errors) == (0, "")
    scene.assert_whole(5)
    assert len(scene.begun()) == 5


def _locked(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        return False
    return True


def test_a_file_that_cannot_grow_stops_the_workers_and_keeps_what_is_done(file_scene):
    file_scene.write(study(4))
    running = file_scene.start(*TWO, PRETEND_HOLD=HOLD)
    workers = file_scene.held()
    before = file_scene.kept()
    for pid in workers:
        # Not even one page.
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, 4096))
    file_scene.go()
    code, _, errors = file_scene.end(running)
    assert code == 3
    assert errors.count("\n") == 1
    assert "make room and run again, finished trials are kept" in errors
    assert file_scene.run()[0] == 0
    file_scene.assert_whole(4)
    after = file_scene.kept()
    assert {trial: after[trial] for trial in before} == before


@contextmanager
def mounted(size: str) -> Iterator[Path]:
    """A folder with a disk of its own."""
    folder = Path(tempfile.mkdtemp(prefix="remix-disk-"))
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "none", str(folder)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        folder.rmdir()
        pytest.skip("only root may mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


@pytest.fixture
def small(request, tmp_path):
    """A study's folder and a small disk with all that its database is made of."""
    if request.param == "sqlite":
        with mounted("24m") as disk:
            scene = Scene(tmp_path, f"sqlite:///{disk}/x.db")
            yield scene, disk
            scene.close()
        return
    request.getfixturevalue("_postgresql")
    with mounted("96m") as disk, postgresql_server.running(place=disk) as server:
        scene = Scene(tmp_path, server.create())
        yield scene, disk
        scene.close()


def fill(disk: Path) -> None:
    with open(disk / "filler", "wb", buffering=0) as file:
        for size in (2**20, 4096):
            try:
                while file.write(b"\0" * size):
                    continue
            except OSError:
                continue


@both("small")
def test_a_full_disk_is_one_line_and_nothing_is_lost(small):
    scene, disk = small
    scene.write(study(60))
    running = scene.start("run", "tiny.toml", seconds=0.02)
    scene.until(lambda: scene.states()["COMPLETE"] >= 1)
    fill(disk)
    code, _, errors = scene.end(running)
    assert code == 3, errors
    assert errors.count("\n") == 1
    assert "make room" in errors
    before = scene.kept()
    (disk / "filler").unlink()
    code, _, errors = scene.run()
    assert (code, errors) == (0, "")
    scene.assert_whole(60)
    after = scene.kept()
    assert {trial: after[trial] for trial in before} == before


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A database with three points, as a file that may be copied."""
    scene = Scene(tmp_path_factory.mktemp("finished"), "sqlite:///x.db")
    scene.write(study(3))
    assert scene.run()[0] == 0
    scene.close()
    path = scene.folder / "x.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def garbage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    # The first page says what tables there are; all others are spoilt.
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)


def halved(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 8192 * 4096)


@pytest.mark.parametrize("damage", [garbage, halved])
def test_a_damaged_file_is_one_line_and_stays_as_it_is(file_scene, finished, damage):
    path = file_scene.folder / "x.db"
    shutil.copy(finished, path)
    damage(path)
    before = path.read_bytes()
    file_scene.write(study(5))
    code, _, errors = file_scene.run(*TWO)
    assert code == 3
    assert errors.count("\n") == 1
    assert "x.db: " in errors
    assert path.read_bytes() == before
    assert file_scene.begun() == []


def test_a_database_that_may_not_be_written_is_one_line(scene, finished):
    scene.write(study(3))
    prefix = ()
    if scene.engine.dialect.name == "sqlite":
        path = scene.folder / "x.db"
        shutil.copy(finished, path)
        path.chmod(0o444)
        if os.getuid() == 0:
            if not shutil.which("setpriv"):
                pytest.skip("root may write everywhere")
            prefix = ("setpriv", "--inh-caps=-all", "--bounding-set=-dac_override")
    else:
        assert scene.run()[0] == 0
        name = scene.engine.url.database
        with scene.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(
                text(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
            )
    begun, before = len(scene.begun()), scene.kept()
    scene.write(study(5))
    code, _, errors = scene.run("run", "tiny.toml", prefix=prefix)
    assert code == 3
    assert errors.count("\n") == 1
    assert "readonly database" in errors or "read-only transaction" in errors
    assert len(scene.begun()) == begun
    assert scene.kept() == before


@BOTH
@pytest.mark.slow
def test_a_study_file_that_was_changed_is_refused_before_any_worker_starts(scene):
    scene.write(study(3))
    assert scene.run()[0] == 0
    begun, before = len(scene.begun()), scene.kept()
    scene.write(study(5).replace("batch_size = 16", "batch_size = 8"))
    code, out, errors = scene.run(*TWO)
    assert (code, out) == (2, "")
    assert "tiny.toml: tiny/wine began with other settings (training.batch_size: 16 -> 8" in errors
    assert len(scene.begun()) == begun
    assert scene.kept() == before
    scene.write(study(5))
    assert scene.run()[0] == 0
    scene.assert_whole(5)


@pytest.mark.parametrize("how", ["fast", pytest.param("immediate", marks=pytest.mark.slow)])
@pytest.mark.parametrize("scene", ["postgresql"], indirect=True)
def test_a_server_that_restarts_in_mid_study_costs_no_trial(scene, server, how):
    scene.write(study(4))
    running = scene.start(*TWO, PRETEND_HOLD=HOLD)
    scene.held()
    server.stop(how)
    # Trials end meanwhile, and have nowhere to go.
    scene.go()
    scene.until(lambda: len(scene.ended()) == 4)
    time.sleep(1)
    assert running.poll() is None
    server.start()
    code, _, errors = scene.end(running)
    assert (code, errors) == (0, "")
    scene.assert_whole(4)
    assert len(scene.begun()) == 4
    assert scene.states() == {"COMPLETE": 4}


@BOTH
def test_sqlite_is_refused_to_a_second_machine_and_postgresql_is_not(scene):
    scene.write(study(4))
    first = scene.start("worker", "tiny.toml", PRETEND_HOST="one", PRETEND_HOLD="baseline")
    scene.until(scene.begun)
    words = ("worker", "tiny.toml", "--no-wait")
    code, _, errors = scene.run(*words, PRETEND_HOST="two")
    if scene.engine.dialect.name == "sqlite":
        assert code == 3
        assert "workers on one use this SQLite file, which is safe on one machine only" in errors
        first.send_signal(signal.SIGTERM)
        assert scene.end(first)[0] == 143
        return
    assert (code, errors) == (0, "")
    scene.go()
    assert scene.end(first)[0] == 0
    scene.assert_whole(4)
    assert len({pid for pid, _ in scene.begun()}) == 2
    assert len(scene.begun()) == 4
