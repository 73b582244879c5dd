"""How much memory a container leaves, by the files of its control group."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from scipy.sparse import csr_matrix

from remix_study.data import python_tables
from remix_study.data.memory import free_bytes, machine_bytes
from remix_study.data.python_tables import frame_or_array
from remix_study.errors import DataError

MB = 10**6


@pytest.mark.parametrize(
    ("folder", "limit", "used", "prefix"),
    [
        ("", "memory.max", "memory.current", ""),
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
    ],
)
def test_files_that_were_read_leave_the_memory_of_a_container_free(
    tmp_path: Path, folder: str, limit: str, used: str, prefix: str
) -> None:
    group = tmp_path / "sys/fs/cgroup" / folder
    group.mkdir(parents=True)
    (group / limit).write_text(f"{100 * MB}\n")
    (group / used).write_text(f"{90 * MB}\n")
    assert free_bytes(root=tmp_path) == 10 * MB
    lines = {"anon": 30, f"{prefix}inactive_file": 40, f"{prefix}active_file": 20}
    (group / "memory.stat").write_text("".join(f"{k} {v * MB}\n" for k, v in lines.items()))
    assert free_bytes(root=tmp_path) == 70 * MB
    assert machine_bytes(root=tmp_path) == 100 * MB
    (group / limit).write_text("max\n")
    assert machine_bytes(root=tmp_path) == psutil.virtual_memory().total


def test_a_system_that_does_not_tell_has_all_of_its_memory_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = psutil.virtual_memory().total

    def missing() -> None:
        raise FileNotFoundError(2, "No such file or directory", "/proc/meminfo")

    monkeypatch.setattr(psutil, "virtual_memory", missing)
    assert free_bytes(root=tmp_path) == machine_bytes(root=tmp_path)
    assert machine_bytes(root=tmp_path) == pytest.approx(total, rel=0.02)


def test_a_sparse_matrix_needs_what_the_container_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_tables, "free_bytes", lambda: 10 * MB)
    with pytest.raises(DataError, match="needs 16 MB as numbers, and 10 MB are free"):
        frame_or_array(csr_matrix((1000, 2000)), "X")
    assert frame_or_array(csr_matrix((1000, 1000)), "X").shape == (1000, 1000)
