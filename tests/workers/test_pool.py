"""What each worker of a pool gets, and what a pool cannot do."""

from __future__ import annotations

import sys

import pytest

from remix_study.cli.main import parser
from remix_study.cli.run import training_function
from remix_study.errors import StorageError, UsageError
from remix_study.study import filesystem, runner
from remix_study.studyfile.parsing import parse_study
from remix_study.training import cores
from remix_study.workers import dask_pool
from remix_study.workers.pool import (
    DEFAULT_RECYCLE,
    WorkerPool,
    check_worker_pool,
    device_environment,
    run_worker_pool,
)

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
    monkeypatch.setattr(cores, "allowed", lambda: granted)
    assert WorkerPool(workers).cores == share
    assert WorkerPool(workers).environment(0)["OMP_NUM_THREADS"] == str(share)


def test_data_that_only_this_process_has_are_refused():
    study = parse_study(STUDY.format(""), "tiny.toml")
    with pytest.raises(UsageError, match=r"^tiny\.toml: workers load the data themselves; name"):
        check_worker_pool(study, "sqlite:///x.db", WorkerPool(2))


MOUNTS = """\
/dev/sda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb /home/local\\040disk xfs rw 0 0
none /run/nfs tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/x.db", "ext4"),
        ("/home/me/x.db", "nfs4"),
        ("/home/local disk/x.db", "xfs"),
        ("/homely/x.db", "ext4"),
        ("/run/nfs/x.db", "tmpfs"),
    ],
)
def test_a_path_lies_on_the_deepest_mount(tmp_path, path, kind):
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert filesystem.file_system(path, mounts) == kind
    assert filesystem.file_system(path, tmp_path / "none") == ""


def test_sqlite_on_a_network_file_system_is_refused_to_several(monkeypatch):
    study = parse_study(STUDY.format('dataset = "wine"'), "tiny.toml")
    monkeypatch.setattr(filesystem, "file_system", lambda _path: "nfs4")
    for pool in (WorkerPool(2), WorkerPool(1, wait=True)):
        with pytest.raises(StorageError, match=r"x\.db: lies on a network file system \(nfs4\)"):
            check_worker_pool(study, "sqlite:///x.db", pool)
        check_worker_pool(study, "postgresql://h/x", pool)
    check_worker_pool(study, "sqlite:///x.db", WorkerPool(1))


def function_of(*words: str):
    """The function that a command line chooses to run its study."""
    return training_function(parser().parse_args(words))


def test_the_command_line_chooses_the_pool():
    assert function_of("run", "x.toml") is runner.run
    pools = {
        ("run", "x.toml", "--workers", "2"): WorkerPool(2),
        ("run", "--workers=3", "--devices=0,1"): WorkerPool(3, ("0", "1")),
        ("run", "--workers=1", "--recycle=0"): WorkerPool(1, recycle=0),
        ("worker", "x.toml"): WorkerPool(1, wait=True),
        ("worker", "x.toml", "--no-wait", "--devices=cpu"): WorkerPool(1, ("cpu",)),
    }
    for words, pool in pools.items():
        function = function_of(*words)
        assert (function.func, function.keywords) == (run_worker_pool, {"pool": pool}), words
    assert WorkerPool(1).recycle == DEFAULT_RECYCLE > 0
    function = function_of("run", "--dask", "tcp://h:1")
    assert function.func is dask_pool.run_on_dask
    assert function.keywords == {"pool": WorkerPool(0), "address": "tcp://h:1"}


@pytest.mark.parametrize(
    "words",
    [
        *("--workers=0", "--workers=-1", "--workers=x", "--recycle=-1", "--recycle=x"),
        *("--stack=0", "--stack=all", "--stack=10001"),
    ],
)
def test_numbers_that_cannot_be_are_refused(words, capsys):
    with pytest.raises(SystemExit) as caught:
        function_of("run", words)
    assert caught.value.code == 2
    assert "write how many" in capsys.readouterr().err


def test_recycling_without_workers_is_refused():
    with pytest.raises(UsageError, match="give --workers, too"):
        function_of("run", "--recycle", "5")


class Cluster:
    """The part of a Dask client that is used before anything runs."""

    def __init__(self, machines) -> None:
        self.machines, self.is_closed = machines, False

    def run(self, _function):
        if isinstance(self.machines, Exception):
            raise self.machines
        return self.machines

    def close(self):
        self.is_closed = True


@pytest.mark.parametrize(
    ("machines", "kind", "expected"),
    [
        ({}, UsageError, "--dask tcp://h:1: the cluster has no workers yet; start some"),
        (ImportError("no remix"), UsageError, r"its workers cannot use remix_study \(no remix\)"),
        ({"tcp://a": "another"}, StorageError, r"sqlite:///x\.db: the Dask workers are on other"),
    ],
)
def test_clusters_that_cannot_work(monkeypatch, machines, kind, expected):
    cluster = Cluster(machines)
    monkeypatch.setattr(dask_pool, "_connect", lambda _address: cluster)
    study = parse_study(STUDY.format('dataset = "wine"'), "tiny.toml")
    with pytest.raises(kind, match=expected):
        dask_pool.run_on_dask(study, WorkerPool(0), "tcp://h:1", storage="sqlite:///x.db")
    assert cluster.is_closed


def test_a_missing_dask_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r'pip install "remix-study\[dask\]"'):
        dask_pool._connect("tcp://h:1")
