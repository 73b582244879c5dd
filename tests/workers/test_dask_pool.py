"""What is refused before workers start on a Dask cluster."""

from __future__ import annotations

import sys

import pytest

from remix_study.errors import StorageError, UsageError
from remix_study.studyfile.parsing import parse_study
from remix_study.workers import dask_pool
from remix_study.workers.pool import WorkerPool

STUDY = '[study]\nname = "tiny"\n[[problems]]\ndataset = "wine"\n'


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
    study = parse_study(STUDY, "tiny.toml")
    with pytest.raises(kind, match=expected):
        dask_pool.run_on_dask(study, WorkerPool(0), "tcp://h:1", storage="sqlite:///x.db")
    assert cluster.is_closed


def test_a_missing_dask_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r'pip install "remix-study\[dask\]"'):
        dask_pool._connect("tcp://h:1")
