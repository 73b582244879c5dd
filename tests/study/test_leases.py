"""Claims: one worker a point, the dead known, the living left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert, select, update

from remix_study.errors import StorageError
from remix_study.study import leases, liveness, tables
from remix_study.study.leases import Worker
from remix_study.study.liveness import GRACE
from remix_study.study.storage import allow_several_writers


@pytest.fixture
def engine(here):
    engine = create_engine(f"sqlite:///{here}/x.db", connect_args={"timeout": 60})
    allow_several_writers(engine)
    tables.metadata.create_all(engine)
    yield engine
    engine.dispose()


def living(engine):
    with engine.connect() as connection:
        return leases.living_workers(connection)


def claimed(engine):
    with engine.connect() as connection:
        return leases.leased_configurations(connection, "study")


def register(engine, uuid, **changes):
    """A worker's row like that of this process, with something changed."""
    with engine.begin() as connection:
        row = {
            "uuid": uuid,
            "host": liveness.host_name(),
            "boot": liveness.boot_id(),
            "pid": os.getpid(),
            "started": liveness.process_start(os.getpid()),
            "seen": tables.utc_now(),
        }
        connection.execute(insert(tables.workers).values(row | changes))


def ago(time_ago: timedelta) -> str:
    return (datetime.now(UTC) - time_ago).isoformat(timespec="milliseconds")


def test_a_point_is_claimed_once(engine):
    one, other = Worker(engine), Worker(engine)
    assert one.acquire("study", "p")
    assert not other.acquire("study", "p")
    # Its own once more, where the answer to the first time was lost.
    assert one.acquire("study", "p")
    assert other.acquire("study", "q")
    assert one.acquire("another study", "q")
    one.assign_trial("study", "p", 7)
    assert claimed(engine) == {"p": 7, "q": None}
    other.release("study", "p")
    assert claimed(engine) == {"p": 7, "q": None}, "only its owner gives a point back"
    one.release("study", "p")
    assert other.acquire("study", "p")


def test_who_leaves_takes_its_claims_along(engine):
    one, other = Worker(engine), Worker(engine)
    one.acquire("study", "p")
    other.acquire("study", "q")
    one.unregister()
    assert claimed(engine) == {"q": None}
    assert living(engine) == {other.uuid}


def test_a_process_that_is_gone_is_dead_at_once(engine):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    own = Worker(engine)
    register(engine, "gone", pid=gone.pid)
    assert living(engine) == {own.uuid}


def test_a_process_id_that_was_given_out_again_is_another_process(engine):
    register(engine, "before", started="1")
    register(engine, "rebooted", boot="another boot")
    register(engine, "me")
    assert living(engine) == {"me"}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_zombie_is_dead(engine):
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    started = liveness.process_start(zombie.pid)
    while Path(f"/proc/{zombie.pid}/stat").read_text().split()[2] != "Z":
        time.sleep(0.01)
    register(engine, "zombie", pid=zombie.pid, started=started)
    assert living(engine) == set()
    zombie.wait()


def test_a_worker_elsewhere_is_dead_after_its_grace(engine):
    second = timedelta(seconds=5)
    register(engine, "fresh", host="elsewhere", pid=1, seen=ago(GRACE - second))
    register(engine, "silent", host="elsewhere", pid=1, seen=ago(GRACE + second))
    assert living(engine) == {"fresh"}


def test_without_proc_a_silent_process_is_dead_too(engine):
    # Its id may have been given out again.
    register(engine, "heard", started="running")
    assert living(engine) == set(), "the start of this process is known here"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(liveness, "process_start", lambda _pid: "running")
        register(engine, "silent", started="running", seen=ago(GRACE * 2))
        assert living(engine) == {"heard"}


def test_burying_frees_what_the_dead_had_claimed(engine):
    living_one = Worker(engine)
    living_one.acquire("study", "kept")
    register(engine, "dead", started="1")
    with engine.begin() as connection:
        connection.execute(
            insert(tables.leases).values(study_uuid="study", point="freed", worker_uuid="dead")
        )
    leases.remove_dead_workers(engine)
    assert claimed(engine) == {"kept": None}
    with engine.connect() as connection:
        assert connection.execute(select(tables.workers.c.uuid)).scalars().all() == [
            living_one.uuid
        ]


def test_a_worker_that_was_buried_alive_registers_again(engine):
    worker = Worker(engine)
    with engine.begin() as connection:
        connection.execute(update(tables.workers).values(started="1"))
    leases.remove_dead_workers(engine)
    assert living(engine) == set()
    assert worker.acquire("study", "p")
    assert living(engine) == {worker.uuid}


def test_a_heart_beats_and_goes_on_after_an_error(engine):
    worker = Worker(engine, heartbeat=0.01)
    with engine.begin() as connection:
        connection.execute(update(tables.workers).values(seen="long ago"))
    beats, often = [], threading.Event()

    def beat():
        beats.append(1)
        if len(beats) == 1:
            raise OSError("the database is away")
        if len(beats) == 3:
            often.set()

    with worker.heartbeat(beat):
        assert often.wait(10)
    with engine.connect() as connection:
        assert connection.execute(select(tables.workers.c.seen)).scalar_one() != "long ago"
    assert not any(thread.name == "heartbeat" for thread in threading.enumerate())


def test_many_claim_at_once_and_each_point_goes_to_one(engine):
    workers = [Worker(engine) for _ in range(4)]
    got: list[str] = []

    def claim_all(worker):
        got.extend(point for point in map(str, range(12)) if worker.acquire("study", point))

    threads = [threading.Thread(target=claim_all, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(map(str, range(12)))


def test_a_lost_claim_is_noticed(engine):
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
def test_a_process_that_is_held_is_dead_after_its_grace_and_a_silent_one_is_not(engine):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as held:
        os.kill(held.pid, signal.SIGSTOP)
        while not liveness.is_stopped(held.pid):
            time.sleep(0.01)
        started = liveness.process_start(held.pid)
        register(engine, "just held", pid=held.pid, started=started)
        register(engine, "held", pid=held.pid, started=started, seen=ago(GRACE * 2))
        register(engine, "silent", seen=ago(GRACE * 2))
        assert living(engine) == {"just held", "silent"}
        held.kill()


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


def test_who_comes_back_at_its_burial_lives(engine, monkeypatch):
    worker = Worker(engine)
    with engine.begin() as connection:
        connection.execute(update(tables.workers).values(seen=ago(GRACE * 2)))
    is_alive = liveness.is_alive

    def comes_back(_row):
        worker.sign()
        return False

    monkeypatch.setattr(liveness, "is_alive", comes_back)
    leases.remove_dead_workers(engine)
    monkeypatch.setattr(liveness, "is_alive", is_alive)
    assert living(engine) == {worker.uuid}
