"""Whether a worker process still lives, as far as this machine can tell."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Row

GRACE = timedelta(seconds=300)
"""How long a worker on another machine may be silent before it counts as dead."""

# Start of a process that exists, where its start is unknown.
_RUNNING = "running"
_GONE = "gone"


def machine_id() -> str:
    """Identity of this machine; containers on one machine share it."""
    return boot_id() or socket.gethostname()


def host_name() -> str:
    """Name of the machine and of the namespace of its processes.

    Containers on one machine cannot see each other's processes.
    """
    try:
        return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def boot_id() -> str:
    """Identity of this boot of the machine, "" where the system has none."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""


def process_start(pid: int) -> str:
    """When a process began, in clock ticks since the boot of the machine.

    A process id is given out again: with its start it identifies one process. Ticks since the
    boot stay the same when the machine's clock is set.

    Returns:
        The ticks; "running" for a process whose start is unknown (not on Linux, or not readable
        for this user); "gone" where there is no such process, or a zombie.
    """
    try:
        while True:
            boot = psutil.boot_time()
            # Made after that look: psutil adds the boot time that it saw last.
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return _GONE
            if not psutil.LINUX:
                return _RUNNING
            seconds = process.create_time() - boot
            # Both are wall times, which differ when the clock was set between the two calls.
            if psutil.boot_time() == boot:
                return str(round(seconds * os.sysconf("SC_CLK_TCK")))
    except psutil.NoSuchProcess:
        return _GONE
    except (psutil.AccessDenied, OSError, RuntimeError):
        # Whether such a worker lives is left to its heartbeat, unless nothing has its process id.
        return _RUNNING if psutil.pid_exists(pid) else _GONE


def is_stopped(pid: int) -> bool:
    """Whether a process is suspended, as by Ctrl-Z: it exists, and may never continue."""
    try:
        status = psutil.Process(pid).status()
    except (psutil.Error, OSError):
        return False
    return status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)


def is_here(worker: Row[Any]) -> bool:
    """Whether a worker is, or was, on this machine; its containers share the boot, not the name.

    Args:
        worker: Its row in the table of workers.
    """
    return bool(worker.host == host_name() or worker.boot == boot_id())


def is_alive(worker: Row[Any]) -> bool:
    """Whether a worker lives: known at once on this machine, elsewhere by its heartbeat.

    Args:
        worker: Its row in the table of workers.
    """
    seen = datetime.fromisoformat(worker.seen)
    is_recent = datetime.now(UTC) - seen < GRACE
    if worker.host != host_name():
        return is_recent
    # A process of this machine exists or not, and after a reboot none does.
    start = process_start(worker.pid)
    # The start may have been unknown to the worker itself, or be unknown now.
    is_known = _RUNNING not in (start, worker.started)
    exists = worker.boot == boot_id() and start != _GONE
    if is_known:
        exists = exists and start == worker.started
    is_certain = is_known and not is_stopped(worker.pid)
    return bool(exists and (is_recent or is_certain))
