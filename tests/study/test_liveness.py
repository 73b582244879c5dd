"""Whether a process lives: its start identifies it, whatever happens to the clock."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
