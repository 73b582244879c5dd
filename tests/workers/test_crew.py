"""What each worker of a crew gets, and what a crew cannot do."""

from __future__ import annotations

import pytest

from remix_study.errors import StorageError, UsageError
from remix_study.study import places
from remix_study.studyfile import parse_study
from remix_study.workers import crew as crews
from remix_study.workers.crew import Crew, check_crew

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
