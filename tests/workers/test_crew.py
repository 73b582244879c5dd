"""What each worker of a crew gets, and what a crew cannot do."""

from __future__ import annotations

import sys

import pytest

from remix_study import cli
from remix_study.errors import StorageError, UsageError
from remix_study.study import places, runner
from remix_study.studyfile import parse_study
from remix_study.workers import crew as crews
from remix_study.workers import on_dask
from remix_study.workers.crew import RECYCLE, Crew, check_crew, run_crew

STUDY = '[study]\nname = "tiny"\n[[problems]]\n{}\n'


def test_each_worker_sees_one_device_in_turn():
    crew = Crew(3, devices=("0", "1"))
    seen = [crew.environment(position)["CUDA_VISIBLE_DEVICES"] for position in range(3)]
    assert seen == ["0", "1", "0"]
    assert "JAX_PLATFORMS" not in crew.environment(0)
    assert Crew(2, devices=("cpu",)).environment(1)["JAX_PLATFORMS"] == "cpu"
    assert "CUDA_VISIBLE_DEVICES" not in Crew(2).environment(0)


@pytest.mark.parametrize(
    ("granted", "workers", "share"), [(8, 2, 4), (2, 2, 1), (2, 3, 1), (7, 2, 3)]
)
def test_workers_share_the_cores(monkeypatch, granted, workers, share):
    monkeypatch.setattr(crews.cores, "granted", lambda: granted)
    assert Crew(workers).cores == share
    assert Crew(workers).environment(0)["OMP_NUM_THREADS"] == str(share)


def test_data_that_only_this_process_has_are_refused():
    study = parse_study(STUDY.format(""), "tiny.toml")
    with pytest.raises(UsageError, match=r"^tiny\.toml: workers load the data themselves; name"):
        check_crew(study, "sqlite:///x.db", Crew(2))


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
    assert places.file_system(path, mounts) == kind
    assert places.file_system(path, tmp_path / "none") == ""


def test_sqlite_on_a_network_file_system_is_refused_to_several(monkeypatch):
    study = parse_study(STUDY.format('dataset = "wine"'), "tiny.toml")
    monkeypatch.setattr(places, "file_system", lambda _path: "nfs4")
    for crew in (Crew(2), Crew(1, wait=True)):
        with pytest.raises(StorageError, match=r"x\.db: lies on a network file system \(nfs4\)"):
            check_crew(study, "sqlite:///x.db", crew)
        check_crew(study, "postgresql://h/x", crew)
    check_crew(study, "sqlite:///x.db", Crew(1))


def working(*words: str):
    return cli._working(cli._parser().parse_args(words))


def test_the_command_line_says_who_works():
    assert working("run", "x.toml") is runner.run
    asked = {
        ("run", "x.toml", "--workers", "2"): Crew(2),
        ("run", "--workers=3", "--devices=0,1"): Crew(3, ("0", "1")),
        ("run", "--workers=1", "--recycle=0"): Crew(1, recycle=0),
        ("worker", "x.toml"): Crew(1, wait=True),
        ("worker", "x.toml", "--no-wait", "--devices=cpu"): Crew(1, ("cpu",)),
    }
    for words, crew in asked.items():
        found = working(*words)
        assert (found.func, found.keywords) == (run_crew, {"crew": crew}), words
    assert Crew(1).recycle == RECYCLE > 0
    found = working("run", "--dask", "tcp://h:1")
    assert found.func is on_dask.run_on_dask
    assert found.keywords == {"crew": Crew(0), "address": "tcp://h:1"}


@pytest.mark.parametrize(
    "words",
    [
        *("--workers=0", "--workers=-1", "--workers=x", "--recycle=-1", "--recycle=x"),
        *("--stack=0", "--stack=all", "--stack=10001"),
    ],
)
def test_numbers_that_cannot_be_are_refused(words, capsys):
    with pytest.raises(SystemExit) as caught:
        working("run", words)
    assert caught.value.code == 2
    assert "write how many" in capsys.readouterr().err


def test_recycling_without_workers_is_refused():
    with pytest.raises(UsageError, match="give --workers, too"):
        working("run", "--recycle", "5")


class Cluster:
    """As much of a Dask client as is asked before anything runs."""

    def __init__(self, places) -> None:
        self.places, self.closed = places, False

    def run(self, _function):
        if isinstance(self.places, Exception):
            raise self.places
        return self.places

    def close(self):
        self.closed = True


@pytest.mark.parametrize(
    ("places", "kind", "expected"),
    [
        ({}, UsageError, "--dask tcp://h:1: the cluster has no workers yet; start some"),
        (ImportError("no remix"), UsageError, r"its workers cannot use remix_study \(no remix\)"),
        ({"tcp://a": "another"}, StorageError, r"sqlite:///x\.db: the Dask workers are on other"),
    ],
)
def test_clusters_that_cannot_work(monkeypatch, places, kind, expected):
    cluster = Cluster(places)
    monkeypatch.setattr(on_dask, "_connect", lambda _address: cluster)
    study = parse_study(STUDY.format('dataset = "wine"'), "tiny.toml")
    with pytest.raises(kind, match=expected):
        on_dask.run_on_dask(study, Crew(0), "tcp://h:1", storage="sqlite:///x.db")
    assert cluster.closed


def test_a_missing_dask_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r'pip install "remix-study\[dask\]"'):
        on_dask._connect("tcp://h:1")
