"""Workers on a Dask cluster: placed by Dask, counted by the database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from scene import HOLD, PATHS, study

pytest.importorskip("distributed")

# A cluster of two worker processes on loopback, until its standard input closes.
CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True,
                      dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def cluster(file_scene):
    """Address of a cluster; its workers make up training as everybody here does."""
    script = file_scene.folder / "cluster.py"
    script.write_text(CLUSTER)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join(map(str, PATHS)),
            "PRETEND_LOG": str(file_scene.log),
            "PRETEND_HOLD": HOLD,
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process.stdout.readline().strip()
    process.stdin.close()
    process.wait(timeout=120)
    process.stdout.close()


@pytest.mark.slow
def test_workers_on_a_cluster_share_the_points_and_a_killed_one_is_replaced(cluster, file_scene):
    file_scene.write(study(4))
    words = ("run", "tiny.toml", "--dask", cluster, "--report", "page")
    running = file_scene.start(*words)
    os.kill(file_scene.held()[0], signal.SIGKILL)
    file_scene.go()
    code, out, errors = file_scene.end(running)
    assert (code, errors) == (0, "")
    assert "[4/4]" in out
    assert out.endswith("\nreport: page/index.html\n")
    assert (file_scene.folder / "page" / "index.html").is_file()
    assert "(SIGKILL), another takes its place" in out
    file_scene.assert_whole(4)
    assert len(file_scene.begun()) == 5
    # The same again has nothing to do.
    assert file_scene.run("run", "tiny.toml", "--dask", cluster)[0] == 0
    assert len(file_scene.begun()) == 5


@pytest.mark.slow
def test_ctrl_c_stops_the_workers_on_the_cluster(cluster, file_scene):
    file_scene.write(study(4))
    words = ("run", "tiny.toml", "--dask", cluster, "--workers", "2", "--report", "page")
    running = file_scene.start(*words)
    file_scene.held()
    running.send_signal(signal.SIGINT)
    code, _, _ = file_scene.end(running)
    assert code == 130
    assert not (file_scene.folder / "page").exists()
    file_scene.until(lambda: not file_scene.at_work())
    assert file_scene.states()["RUNNING"] == 0
    assert file_scene.query("SELECT * FROM remix_workers") == []


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_one_line(file_scene):
    file_scene.write(study(3))
    code, out, errors = file_scene.run("run", "tiny.toml", "--dask", "127.0.0.1:1")
    assert (code, out) == (2, "")
    assert errors.startswith("remix-study: --dask 127.0.0.1:1: no scheduler answers (")
    assert errors.count("\n") == 1
