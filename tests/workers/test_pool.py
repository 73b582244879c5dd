"""What each worker of a pool gets, and what a pool cannot do."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import Mock

import psutil
import pytest

from remix_study.errors import StorageError, UsageError
from remix_study.studyfile.parsing import parse_study
from remix_study.workers import pool as pools
from remix_study.workers.pool import WorkerPool, check_worker_pool, device_environment

STUDY = '[study]\nname = "tiny"\n[[problems]]\n{}\n'


def test_each_worker_sees_one_device_in_turn():
    pool = WorkerPool(3, devices=("0", "1"))
    devices = [pool.environment(position)["CUDA_VISIBLE_DEVICES"] for position in range(3)]
    assert devices == ["0", "1", "0"]
    assert "JAX_PLATFORMS" not in pool.environment(0)
    assert WorkerPool(2, devices=("cpu",)).environment(1)["JAX_PLATFORMS"] == "cpu"
    assert "CUDA_VISIBLE_DEVICES" not in WorkerPool(2).environment(0)


@pytest.mark.parametrize(
    ("devices", "cuda", "jax"), [("0", "0", None), ("0,1", "0,1", None), ("cpu", "-1", "cpu")]
)
def test_a_device_is_shown_by_the_variables_that_backends_read(devices, cuda, jax):
    variables = device_environment(devices)
    assert (variables["CUDA_VISIBLE_DEVICES"], variables.get("JAX_PLATFORMS")) == (cuda, jax)


@pytest.mark.parametrize(
    ("granted", "workers", "share"), [(8, 2, 4), (2, 2, 1), (2, 3, 1), (7, 2, 3)]
)
def test_workers_share_the_cores(monkeypatch, granted, workers, share):
    monkeypatch.setattr(pools, "allowed_cores", lambda: granted)
    assert WorkerPool(workers).cores == share
    assert WorkerPool(workers).environment(0)["OMP_NUM_THREADS"] == str(share)


def test_data_that_only_this_process_has_are_refused():
    study = parse_study(STUDY.format(""), "tiny.toml")
    with pytest.raises(UsageError, match=r"^tiny\.toml: workers load the data themselves; name"):
        check_worker_pool(study, "sqlite:///x.db", WorkerPool(2))


def test_sqlite_on_a_network_file_system_is_refused_to_several(monkeypatch):
    study = parse_study(STUDY.format('dataset = "wine"'), "tiny.toml")
    monkeypatch.setattr(pools, "file_system", lambda _path: "nfs4")
    for pool in (WorkerPool(2), WorkerPool(1, wait=True)):
        with pytest.raises(StorageError, match=r"x\.db: lies on a network file system \(nfs4\)"):
            check_worker_pool(study, "sqlite:///x.db", pool)
        check_worker_pool(study, "postgresql://h/x", pool)
    check_worker_pool(study, "sqlite:///x.db", WorkerPool(1))


MOUNTS = [("/", "ext4"), ("/home", "xfs"), ("/home", "nfs4"), ("/home/Größe", "xfs")]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/x.db", "ext4"),
        ("/home/me/x.db", "nfs4"),
        ("/home/Größe/x.db", "xfs"),
        ("/homely/x.db", "ext4"),
    ],
)
def test_a_path_lies_on_the_deepest_mount(monkeypatch, path, kind):
    mounts = [SimpleNamespace(mountpoint=folder, fstype=fstype) for folder, fstype in MOUNTS]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: mounts)
    assert pools.file_system(path) == kind


def test_a_system_without_a_list_of_mounts_refuses_nothing(monkeypatch):
    monkeypatch.setattr(psutil, "disk_partitions", Mock(side_effect=FileNotFoundError))
    assert pools.file_system("/x.db") == ""
