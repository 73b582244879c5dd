"""How much memory this process may still take, and one line where something needs more."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil

from remix_study.errors import DataError

_ROOT = Path("/")


def check_memory(n_bytes: int, what: str, remedy: str, *, free: int | None = None) -> None:
    """Refuse what needs more memory than there is.

    Args:
        n_bytes: Bytes that are needed.
        what: What needs them, to begin the message with.
        remedy: What to do.
        free: Bytes that there are; those of the machine when None.

    Raises:
        DataError: The memory that is free is smaller.
    """
    free = available_bytes() if free is None else free
    if n_bytes > free:
        raise DataError(
            f"{what} take {as_gigabytes(n_bytes)}, and {as_gigabytes(free)} of memory are free; "
            f"{remedy}"
        )


def available_bytes(*, root: Path = _ROOT) -> int:
    """Bytes that this process may still take: what the system has free, or its container.

    Args:
        root: The folder in which ``sys`` is.
    """
    free = int(psutil.virtual_memory().available)
    groups = root / "sys/fs/cgroup"
    for limit, used in (
        (groups / "memory.max", groups / "memory.current"),
        (groups / "memory/memory.limit_in_bytes", groups / "memory/memory.usage_in_bytes"),
    ):
        # Absent outside a container; "max" where there is no limit.
        with suppress(OSError, ValueError):
            free = min(free, max(0, int(limit.read_text()) - int(used.read_text())))
    return free


def accelerator_bytes() -> int | None:
    """Bytes of the smallest NVIDIA GPU that this process may see; None where that is not known."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    if visible := os.environ.get("CUDA_VISIBLE_DEVICES"):
        command.append(f"--id={visible}")
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        return min(int(line) for line in answer.stdout.split()) * 1024**2
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def as_gigabytes(n_bytes: float) -> str:
    """A number of bytes as people read it, such as ``1.5 GB``."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= size:
            return f"{n_bytes / size:.3g} {unit}"
    return f"{n_bytes / 1e3:.3g} kB"
