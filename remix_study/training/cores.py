"""Cores of the machine, and how many of them this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

_ROOT = Path("/")


def of_machine() -> int:
    """Count the cores of the machine, whatever this process may use of them.

    The size of a stack follows from this number, and with it the last digits of results: it must
    not depend on how many workers share the machine.
    """
    return os.cpu_count() or 1


def allowed(limit: int = 0, *, root: Path = _ROOT) -> int:
    """Count the cores that this process may use.

    That is the least of the process's CPU affinity, which batch systems set, of the CPU quota of
    its control groups, which containers have, and of ``limit``. A part of a core counts as one.

    Args:
        limit: Cores that the caller grants this process; 0 for no such limit.
        root: The folder in which ``proc`` and ``sys`` are.
    """
    counts = [_affinity(), *(math.ceil(quota) for quota in _quotas(root))]
    return max(1, min([*counts, limit] if limit else counts))


def _affinity() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        # macOS and Windows do not have this call.
        return of_machine()


def _quotas(root: Path) -> Iterator[float]:
    """Yield the CPU quotas, in cores, of the control groups that this process is in."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    mounts = root / "sys/fs/cgroup"
    for line in lines:
        # As in "0::/user.slice" (version 2) or "4:cpu,cpuacct:/docker/1f3" (version 1).
        _, controllers, path = line.split(":", 2)
        if not controllers:
            mount, read = mounts, _quota_v2
        elif "cpu" in controllers.split(","):
            mount, read = mounts / "cpu", _quota_v1
        else:
            continue
        group = PurePosixPath(path.lstrip("/"))
        # A quota of a parent is a limit, too. Within a container the path may not be there: its
        # own group is the root.
        for folder in (group, *group.parents):
            with suppress(OSError, ValueError):
                quota = read(mount / folder)
                if quota is not None:
                    yield quota


def _quota_v1(folder: Path) -> float | None:
    quota = float((folder / "cpu.cfs_quota_us").read_text())
    period = float((folder / "cpu.cfs_period_us").read_text())
    return quota / period if quota > 0 else None


def _quota_v2(folder: Path) -> float | None:
    quota, period = (folder / "cpu.max").read_text().split()
    return float(quota) / float(period) if quota != "max" else None
