"""Workers on a Dask cluster: placed by Dask, counted by the database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from run_folder import HOLD, PATHS, study_text

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
def cluster(sqlite_folder):
    """Address of a cluster whose workers simulate training."""
    script = sqlite_folder.path / "cluster.py"
    script.write_text(CLUSTER)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join(map(str, PATHS)),
            "SIMULATED_LOG": str(sqlite_folder.log),
            "SIMULATED_HOLD": HOLD,
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
def test_workers_on_a_cluster_share_configurations_and_a_killed_one_is_replaced(
    cluster, sqlite_folder
):
    sqlite_folder.write(study_text(4))
    words = ("run", "tiny.toml", "--dask", cluster, "--report", "page")
    running = sqlite_folder.start(*words)
    os.kill(sqlite_folder.wait_until_held()[0], signal.SIGKILL)
    sqlite_folder.release()
    code, out, errors = sqlite_folder.wait(running)
    assert (code, errors) == (0, "")
    assert "[4/4]" in out
    assert out.endswith("\nreport: page/index.html\n")
    assert (sqlite_folder.path / "page" / "index.html").is_file()
    assert "(SIGKILL), another takes its place" in out
    sqlite_folder.assert_consistent(4)
    assert len(sqlite_folder.started_trials()) == 5
    # The same again has nothing to do.
    assert sqlite_folder.run("run", "tiny.toml", "--dask", cluster)[0] == 0
    assert len(sqlite_folder.started_trials()) == 5


@pytest.mark.slow
def test_ctrl_c_stops_the_workers_on_the_cluster(cluster, sqlite_folder):
    sqlite_folder.write(study_text(4))
    words = ("run", "tiny.toml", "--dask", cluster, "--workers", "2", "--report", "page")
    running = sqlite_folder.start(*words)
    sqlite_folder.wait_until_held()
    running.send_signal(signal.SIGINT)
    code, _, _ = sqlite_folder.wait(running)
    assert code == 130
    assert not (sqlite_folder.path / "page").exists()
    sqlite_folder.wait_until(lambda: not sqlite_folder.processes_in_trials())
    assert sqlite_folder.trial_states()["RUNNING"] == 0
    assert sqlite_folder.query("SELECT * FROM remix_workers") == []


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_one_line(sqlite_folder):
    sqlite_folder.write(study_text(3))
    code, out, errors = sqlite_folder.run("run", "tiny.toml", "--dask", "127.0.0.1:1")
    assert (code, out) == (2, "")
    assert errors.startswith("remix-study: --dask 127.0.0.1:1: no scheduler answers (")
    assert errors.count("\n") == 1
