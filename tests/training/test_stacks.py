"""Cores that a process may use: affinity, quotas of control groups, and a limit of its own."""

from __future__ import annotations

import os

import pytest

from remix_study.training import stacks
from remix_study.training.stacks import (
    allowed_cores,
    machine_cores,
    stack_size,
    stacks_at_a_time,
)


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch):
    """A machine of eight cores, all of which this process may use."""
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)), raising=False)


def write(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text + "\n")


def test_without_affinity_and_quota_all_cores_are_allowed(tmp_path):
    assert allowed_cores(root=tmp_path) == machine_cores() == 8


def test_affinity_limits_what_is_allowed_and_not_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {2, 5, 6})
    assert allowed_cores(root=tmp_path) == 3
    assert machine_cores() == 8


def test_a_system_without_affinity_has_all_cores(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    assert allowed_cores(root=tmp_path) == 8


def test_a_system_that_counts_no_cores_has_one(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine_cores() == 1


def test_a_limit_only_lowers(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2})
    assert [allowed_cores(limit, root=tmp_path) for limit in (0, 1, 2, 3, 9)] == [3, 1, 2, 3, 3]


@pytest.mark.parametrize(
    ("quota", "count"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("250000 100000", 3),
        ("50000 100000", 1),
        ("100000 50000", 2),
        ("6400000 100000", 8),
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_the_quota_of_a_container_is_kept(tmp_path, version, quota, count):
    """Within a container its own group is the root, whatever path the kernel names."""
    amount, period = quota.split()
    if version == 2:
        files = {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": quota}
    else:
        files = {
            "proc/self/cgroup": "5:memory:/docker/1f3\n4:cpu,cpuacct:/docker/1f3\n1:name=x:/",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": amount.replace("max", "-1"),
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": period,
        }
    write(tmp_path, files)
    assert allowed_cores(root=tmp_path) == count


@pytest.mark.parametrize(("group", "parent", "count"), [(3, 2, 2), (2, 3, 2), ("max", 5, 5)])
def test_the_quota_of_a_parent_is_a_limit_too(tmp_path, group, parent, count):
    def line(quota):
        return f"{quota if quota == 'max' else quota * 1000} 1000"

    write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/user.slice/job",
            "sys/fs/cgroup/user.slice/job/cpu.max": line(group),
            "sys/fs/cgroup/user.slice/cpu.max": line(parent),
        },
    )
    assert allowed_cores(root=tmp_path) == count


def test_a_version_1_group_outside_a_container(tmp_path):
    folder = "sys/fs/cgroup/cpu/batch/7/"
    write(
        tmp_path,
        {
            "proc/self/cgroup": "2:cpu:/batch/7",
            folder + "cpu.cfs_quota_us": "400000",
            folder + "cpu.cfs_period_us": "100000",
        },
    )
    assert allowed_cores(root=tmp_path) == 4


@pytest.mark.parametrize("text", ["", "what is this"])
def test_files_that_cannot_be_read_set_no_limit(tmp_path, text):
    write(tmp_path, {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": text})
    assert allowed_cores(root=tmp_path) == 8


def test_a_limit_changes_how_many_stacks_train_at_a_time_and_never_their_size(monkeypatch):
    monkeypatch.setattr(stacks, "_quotas", lambda _root: iter(()))
    assert [(stacks_at_a_time(limit), stack_size(20)) for limit in (0, 4, 1)] == [
        (8, 3),
        (4, 3),
        (1, 3),
    ]
