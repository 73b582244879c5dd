"""Which networks train in one program, how many of them, and how many programs at a time."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from remix_study.batches.losses import FOCAL
from remix_study.batches.strategies import Strategy
from remix_study.errors import UsageError
from remix_study.studyfile.model_options import DEFAULT_DROPOUT
from remix_study.studyfile.schema import Model, Training
from remix_study.training.backend import backend

STACKED = "mlp"
"""The network that has a form for many members at once."""

_ROOT = Path("/")
# Stacks that train at a time on a CPU.
_MOST_AT_A_TIME = 8
_FEWEST_ROWS = 512


def program_key(strategy: Strategy) -> tuple[bool, bool]:
    """Return which of a network's programs trains a strategy: (focal loss, augmentation).

    All strategies in a stack have the same key.
    """
    return strategy.loss == FOCAL, strategy.augment


def can_stack(model: Model, training: Training) -> bool:
    """Whether members of this network share a program.

    The dense networks have a form for it. Any other is mapped over its members where the backend
    can: on an accelerator, or where the study file gives a stack's size. On a CPU convolutions of
    several networks at a time take several times as long as one after the other.
    """
    if model.name == STACKED:
        return True
    return backend().maps_members and (has_accelerator() or training.stack not in (0, "auto"))


def dropout_rate(model: Model) -> float | None:
    """Return the rate of the masks that the stacked network is given; None for other networks."""
    if model.name != STACKED:
        return None
    return float(model.options.get("dropout", DEFAULT_DROPOUT))


def has_accelerator() -> bool:
    """Whether Keras has found something faster than a CPU."""
    return backend().has_accelerator()


def stacks_at_a_time(limit: int = 0) -> int:
    """Return how many stacks train at a time: one on an accelerator; on a CPU one a core, up to 8.

    ``limit`` is the most cores to use; 0 for all that the process may use.
    """
    return 1 if has_accelerator() else min(allowed_cores(limit), _MOST_AT_A_TIME)


def stack_size(members: int) -> int:
    """Return the members of a stack where the study file leaves it open: an equal share a core.

    Cores of the machine, not those that this process may use: numbers do not depend on how many
    workers share the machine.
    """
    stacks = 1 if has_accelerator() else min(machine_cores(), _MOST_AT_A_TIME)
    return -(-members // stacks)


def padded_rows(rows: int) -> int:
    """Room for rows: at least 512, then 1, 1.25, 1.5 or 1.75 times a power of two.

    Tables of similar size then have arrays of the same shape, and share what is compiled.
    """
    rows = max(rows, _FEWEST_ROWS)
    quarter = 1 << ((rows - 1).bit_length() - 3)
    return -(-rows // quarter) * quarter


def check_precision(training: Training) -> None:
    """Refuse mixed precision on a CPU, where it would only cost digits.

    Raises:
        UsageError: It is asked for, and Keras runs on a CPU.
    """
    if training.precision == "mixed" and not has_accelerator():
        raise UsageError(
            'training.precision "mixed" is for accelerators, and Keras has found none; leave it '
            'out, or set it to "float32"'
        )


def machine_cores() -> int:
    """Count the cores of the machine, whatever this process may use of them.

    The size of a stack follows from this number, and with it the last digits of results: it must
    not depend on how many workers share the machine.
    """
    return os.cpu_count() or 1


def allowed_cores(limit: int = 0, *, root: Path = _ROOT) -> int:
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
        return machine_cores()


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
