"""Whether a process lives: its start identifies it, whatever happens to the clock."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from remix_study.study import liveness

linux = pytest.mark.skipif(not psutil.LINUX, reason="only Linux tells the start of a process")


def ticks(pid: int) -> str:
    """Start of a process as the kernel counts it, which databases hold."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


@linux
def test_the_start_is_the_kernels_count_of_ticks():
    assert liveness.process_start(os.getpid()) == ticks(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert liveness.process_start(child.pid) == ticks(child.pid)
        child.stdin.close()


@linux
def test_a_clock_that_is_set_meanwhile_does_not_change_the_start(monkeypatch):
    boot = psutil.boot_time()
    boots = iter([boot + 3600, boot, boot, boot])
    monkeypatch.setattr(psutil, "boot_time", lambda: next(boots))
    assert liveness.process_start(os.getpid()) == ticks(os.getpid())


def test_a_process_that_has_ended_is_gone():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert liveness.process_start(child.pid) == "gone"
    assert not liveness.is_stopped(child.pid)


@pytest.mark.parametrize("error", [psutil.AccessDenied(), PermissionError(), RuntimeError()])
def test_a_process_whose_start_is_unknown_is_running(error, monkeypatch):
    def refuse(_pid):
        raise error

    monkeypatch.setattr(psutil, "Process", refuse)
    assert liveness.process_start(os.getpid()) == "running"


def test_a_process_id_that_nobody_has_is_gone_however_little_can_be_read(monkeypatch):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()

    def refuse():
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(psutil, "boot_time", refuse)
    assert liveness.process_start(child.pid) == "gone"
    assert liveness.process_start(os.getpid()) == "running"


def test_a_process_that_cannot_be_read_does_not_count_as_stopped(monkeypatch):
    def refuse(_pid):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(psutil, "Process", refuse)
    assert not liveness.is_stopped(os.getpid())


@pytest.mark.parametrize("started", [None, "running"])
def test_a_worker_that_is_heard_lives_also_where_it_did_not_know_its_start(started):
    worker = SimpleNamespace(
        pid=os.getpid(),
        host=liveness.host_name(),
        boot=liveness.boot_id(),
        started=started or liveness.process_start(os.getpid()),
        seen=datetime.now(UTC).isoformat(),
    )
    assert liveness.is_alive(worker)
    silent = SimpleNamespace(**vars(worker) | {"seen": "2020-01-01T00:00:00+00:00"})
    # Its start would tell that it is still the same process; without it, silence decides.
    assert liveness.is_alive(silent) == (started is None and psutil.LINUX)
