"""Leases: each configuration goes to one worker, and only dead workers lose theirs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from sqlalchemy import create_engine, insert, select, update

from remix_study.errors import StorageError
from remix_study.study import leases, tables
from remix_study.study.leases import GRACE, Worker
from remix_study.study.storage import allow_several_writers


@pytest.fixture
def engine(here):
    engine = create_engine(f"sqlite:///{here}/x.db", connect_args={"timeout": 60})
    allow_several_writers(engine)
    tables.metadata.create_all(engine)
    yield engine
    engine.dispose()


def living_workers(engine):
    with engine.connect() as connection:
        return leases.living_workers(connection)


def leased(engine):
    with engine.connect() as connection:
        return leases.leased_configurations(connection, "study")


def register(engine, uuid, **changes):
    """Insert the row of this process as a worker, with some columns changed."""
    with engine.begin() as connection:
        row = {
            "uuid": uuid,
            "host": leases.host_name(),
            "boot": leases.boot_id(),
            "pid": os.getpid(),
            "started": leases.process_start(os.getpid()),
            "seen": tables.utc_now(),
        }
        connection.execute(insert(tables.workers).values(row | changes))


def test_workers_of_this_machine_at_work_are_counted(engine):
    worker, second_worker = Worker(engine), Worker(engine)
    for uuid, changes in {"elsewhere": {"host": "other", "boot": "b"}, "dead": {"pid": 1}}.items():
        register(engine, uuid, **changes)
        with engine.begin() as connection:
            lease = {"study_uuid": "study", "point": uuid, "worker_uuid": uuid}
            connection.execute(insert(tables.leases).values(lease))
    assert worker.acquire("study", "a")
    assert (worker.others_at_work(), second_worker.others_at_work()) == (0, 1)
    assert second_worker.acquire("study", "b")
    assert second_worker.acquire("study", "c")
    assert (worker.others_at_work(), second_worker.others_at_work()) == (1, 1)


def ago(time_ago: timedelta) -> str:
    return (datetime.now(UTC) - time_ago).isoformat(timespec="milliseconds")


def test_a_configuration_is_leased_once(engine):
    first, second = Worker(engine), Worker(engine)
    assert first.acquire("study", "p")
    assert not second.acquire("study", "p")
    # Again, as where the answer to the first call was lost.
    assert first.acquire("study", "p")
    assert second.acquire("study", "q")
    assert first.acquire("another study", "q")
    first.assign_trial("study", "p", 7)
    assert leased(engine) == {"p": 7, "q": None}
    second.release("study", "p")
    assert leased(engine) == {"p": 7, "q": None}, "only its owner releases a lease"
    first.release("study", "p")
    assert second.acquire("study", "p")


def test_an_unregistered_worker_has_no_leases(engine):
    first, second = Worker(engine), Worker(engine)
    first.acquire("study", "p")
    second.acquire("study", "q")
    first.unregister()
    assert leased(engine) == {"q": None}
    assert living_workers(engine) == {second.uuid}


def test_a_process_that_is_gone_is_dead_at_once(engine):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    worker = Worker(engine)
    register(engine, "gone", pid=process.pid)
    assert living_workers(engine) == {worker.uuid}


def test_a_process_id_that_was_given_out_again_is_another_process(engine):
    register(engine, "before", started="1")
    register(engine, "rebooted", boot="another boot")
    register(engine, "me")
    assert living_workers(engine) == {"me"}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_zombie_is_dead(engine):
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    started = leases.process_start(zombie.pid)
    while Path(f"/proc/{zombie.pid}/stat").read_text().split()[2] != "Z":
        time.sleep(0.01)
    register(engine, "zombie", pid=zombie.pid, started=started)
    assert living_workers(engine) == set()
    zombie.wait()


def test_a_worker_elsewhere_is_dead_after_its_grace(engine):
    second = timedelta(seconds=5)
    register(engine, "fresh", host="elsewhere", pid=1, seen=ago(GRACE - second))
    register(engine, "silent", host="elsewhere", pid=1, seen=ago(GRACE + second))
    assert living_workers(engine) == {"fresh"}


def test_without_proc_a_silent_process_is_dead_too(engine):
    # Its id may have been given out again.
    register(engine, "heard", started="running")
    assert living_workers(engine) == {"heard"}, "it did not know its own start"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leases, "process_start", lambda _pid: "running")
        register(engine, "silent", started="running", seen=ago(GRACE * 2))
        assert living_workers(engine) == {"heard"}


def test_dead_workers_are_removed_with_their_leases(engine):
    worker = Worker(engine)
    worker.acquire("study", "kept")
    register(engine, "dead", started="1")
    with engine.begin() as connection:
        connection.execute(
            insert(tables.leases).values(study_uuid="study", point="freed", worker_uuid="dead")
        )
    leases.remove_dead_workers(engine)
    assert leased(engine) == {"kept": None}
    with engine.connect() as connection:
        assert connection.execute(select(tables.workers.c.uuid)).scalars().all() == [worker.uuid]


def test_a_living_worker_that_was_removed_registers_again(engine):
    worker = Worker(engine)
    with engine.begin() as connection:
        connection.execute(update(tables.workers).values(started="1"))
    leases.remove_dead_workers(engine)
    assert living_workers(engine) == set()
    assert worker.acquire("study", "p")
    assert living_workers(engine) == {worker.uuid}


def test_heartbeats_go_on_after_an_error(engine):
    worker = Worker(engine, heartbeat=0.01)
    with engine.begin() as connection:
        connection.execute(update(tables.workers).values(seen="long ago"))
    beats, has_gone_on = [], threading.Event()

    def on_beat():
        beats.append(1)
        if len(beats) == 1:
            raise OSError("the database is away")
        if len(beats) == 3:
            has_gone_on.set()

    with worker.heartbeat(on_beat):
        assert has_gone_on.wait(60)
    with engine.connect() as connection:
        assert connection.execute(select(tables.workers.c.seen)).scalar_one() != "long ago"
    assert not any(thread.name == "heartbeat" for thread in threading.enumerate())


def test_of_several_workers_one_gets_each_configuration(engine):
    workers = [Worker(engine) for _ in range(4)]
    acquired: list[str] = []

    def acquire_all(worker):
        acquired.extend(key for key in map(str, range(12)) if worker.acquire("study", key))

    threads = [threading.Thread(target=acquire_all, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(acquired) == sorted(map(str, range(12)))


def test_a_lost_lease_is_noticed(engine):
    worker = Worker(engine)
    worker.acquire("study", "p")
    assert worker.holds("study", "p")
    assert worker.assign_trial("study", "p", 1)
    with engine.begin() as connection:
        connection.execute(update(tables.workers).values(started="1"))
    leases.remove_dead_workers(engine)
    assert not worker.holds("study", "p")
    assert not worker.assign_trial("study", "p", 1)
    assert not worker.holds("study", "q")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_suspended_process_is_dead_after_its_grace_and_a_silent_one_is_not(engine):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as suspended:
        os.kill(suspended.pid, signal.SIGSTOP)
        while not leases.is_stopped(suspended.pid):
            time.sleep(0.01)
        started = leases.process_start(suspended.pid)
        register(engine, "just suspended", pid=suspended.pid, started=started)
        register(engine, "suspended", pid=suspended.pid, started=started, seen=ago(GRACE * 2))
        register(engine, "silent", seen=ago(GRACE * 2))
        assert living_workers(engine) == {"just suspended", "silent"}
        suspended.kill()


def test_a_file_is_refused_to_a_worker_while_another_machine_works_on_it(engine):
    elsewhere = {"host": "elsewhere ns", "boot": "another"}
    register(engine, "container", host="container")
    register(engine, "dead", **elsewhere, seen=ago(GRACE * 2))
    Worker(engine)
    register(engine, "living", **elsewhere)
    with pytest.raises(StorageError, match=r"^workers on elsewhere use this SQLite file"):
        Worker(engine)
    with engine.connect() as connection:
        assert len(connection.execute(select(tables.workers)).all()) == 4


def test_a_worker_that_signs_while_it_is_removed_lives(engine, monkeypatch):
    worker = Worker(engine)
    with engine.begin() as connection:
        connection.execute(update(tables.workers).values(seen=ago(GRACE * 2)))
    is_alive = leases.is_alive

    def sign_and_die(_row):
        worker.sign()
        return False

    monkeypatch.setattr(leases, "is_alive", sign_and_die)
    leases.remove_dead_workers(engine)
    monkeypatch.setattr(leases, "is_alive", is_alive)
    assert living_workers(engine) == {worker.uuid}


linux = pytest.mark.skipif(not psutil.LINUX, reason="only Linux tells the start of a process")


def ticks(pid: int) -> str:
    """Start of a process as the kernel counts it, which databases hold."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


@linux
def test_the_start_is_the_kernels_count_of_ticks():
    assert leases.process_start(os.getpid()) == ticks(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert leases.process_start(child.pid) == ticks(child.pid)
        child.stdin.close()


@linux
def test_a_clock_that_is_set_meanwhile_does_not_change_the_start(monkeypatch):
    boot = psutil.boot_time()
    boots = iter([boot + 3600, boot, boot, boot])
    monkeypatch.setattr(psutil, "boot_time", lambda: next(boots))
    assert leases.process_start(os.getpid()) == ticks(os.getpid())


def test_a_process_that_has_ended_is_gone():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert leases.process_start(child.pid) == "gone"
    assert not leases.is_stopped(child.pid)


@pytest.mark.parametrize("error", [psutil.AccessDenied(), PermissionError(), RuntimeError()])
def test_a_process_whose_start_is_unknown_is_running(error, monkeypatch):
    def refuse(_pid):
        raise error

    monkeypatch.setattr(psutil, "Process", refuse)
    assert leases.process_start(os.getpid()) == "running"


def test_a_process_id_that_nobody_has_is_gone_however_little_can_be_read(monkeypatch):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()

    def refuse():
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(psutil, "boot_time", refuse)
    assert leases.process_start(child.pid) == "gone"
    assert leases.process_start(os.getpid()) == "running"


def test_a_process_that_cannot_be_read_does_not_count_as_stopped(monkeypatch):
    def refuse(_pid):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(psutil, "Process", refuse)
    assert not leases.is_stopped(os.getpid())


@pytest.mark.parametrize("started", [None, "running"])
def test_a_worker_that_is_heard_lives_also_where_it_did_not_know_its_start(started):
    worker = SimpleNamespace(
        pid=os.getpid(),
        host=leases.host_name(),
        boot=leases.boot_id(),
        started=started or leases.process_start(os.getpid()),
        seen=datetime.now(UTC).isoformat(),
    )
    assert leases.is_alive(worker)
    silent = SimpleNamespace(**vars(worker) | {"seen": "2020-01-01T00:00:00+00:00"})
    # Its start would tell that it is still the same process; without it, silence decides.
    assert leases.is_alive(silent) == (started is None and psutil.LINUX)
