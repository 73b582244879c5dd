"""How much memory this process may still take, and how it is looked through and shared."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from remix_study.errors import DataError

_ROOT = Path("/")
# A parameter of glibc's mallopt, from malloc.h.
_M_ARENA_MAX = -8
_OBJECTS_BETWEEN_COLLECTIONS = 1_000_000


def check_memory(n_bytes: int, what: str, limit: int, holder: str, remedy: str) -> None:
    """Refuse what needs more memory than there is.

    Args:
        n_bytes: Bytes that are needed.
        what: What needs them, to begin the message with.
        limit: Bytes that there are.
        holder: What has them, such as ``the machine has``.
        remedy: What to do.

    Raises:
        DataError: More is needed than there is.
    """
    if n_bytes > limit:
        raise DataError(
            f"{what} take {as_gigabytes(n_bytes)}, and {holder} {as_gigabytes(limit)}; {remedy}"
        )


def share_heap() -> None:
    """Let all threads take memory from one heap, where the C library is glibc.

    By default each thread keeps for itself what it has freed, which with a large table is as much
    as the table. It holds for threads that have not begun.
    """
    with suppress(OSError, TypeError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


@contextmanager
def few_collections() -> Iterator[None]:
    """Search for unreachable objects seldom, where many objects are made that stay.

    The modules of a large library, or the tables of a report: a fifth of the time otherwise.
    """
    usual = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        yield
    finally:
        # Else all of them, now old, would be searched at once.
        gc.freeze()
        gc.set_threshold(*usual)
        gc.unfreeze()


def pool_tensors() -> None:
    """Let TensorFlow, before it is imported, keep tensors of the CPU in a pool of their own.

    In the C library's heap small objects come to lie where a tensor was; the next one finds no
    room there. With a large table such holes took several times the table. Whoever has set
    ``TF_CPU_ALLOCATOR_USE_BFC`` has chosen.
    """
    os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "1")
    # Without a limit of ours it would be 64 GiB.
    os.environ.setdefault("TF_CPU_BFC_MEM_LIMIT_IN_MB", str(max(1024, machine_bytes() // 2**20)))


def free_bytes(*, root: Path = _ROOT) -> int:
    """Bytes that this process may still take: what the system has free, or its container.

    Args:
        root: The folder in which ``sys`` is.
    """
    left = [limit - used for limit, used in _containers(root)]
    return max(0, min([_system_bytes()[1], *left]))


def machine_bytes(*, root: Path = _ROOT) -> int:
    """Bytes that the machine has, or the container."""
    return min([_system_bytes()[0], *(limit for limit, _ in _containers(root))])


def _system_bytes() -> tuple[int, int]:
    """Bytes that the system has and has free; all of them where it has no ``/proc`` to tell."""
    try:
        memory = psutil.virtual_memory()
    except OSError:
        n_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return n_bytes, n_bytes
    return int(memory.total), int(memory.available)


def _containers(root: Path) -> Iterator[tuple[int, int]]:
    """Limit and use of the control groups that limit this process's memory, of either version.

    Contents of files that the system keeps as long as nobody needs their memory are not in use.
    """
    groups = root / "sys/fs/cgroup"
    for folder, limit, used, prefix in (
        (groups, "memory.max", "memory.current", ""),
        (groups / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
    ):
        # Absent outside a container; "max" where there is no limit.
        with suppress(OSError, ValueError):
            limit_bytes, used_bytes = (int((folder / name).read_text()) for name in (limit, used))
            yield limit_bytes, used_bytes - _file_bytes(folder / "memory.stat", prefix)


def _file_bytes(statistics: Path, prefix: str) -> int:
    """Bytes of files' contents in a control group; 0 where that is not known."""
    names = (f"{prefix}active_file", f"{prefix}inactive_file")
    with suppress(OSError, ValueError):
        lines = (line.split() for line in statistics.read_text().splitlines())
        return sum(int(value) for name, value in lines if name in names)
    return 0


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
