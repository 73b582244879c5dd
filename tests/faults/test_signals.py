"""Processes killed, stopped and frozen: nothing is lost, nothing is done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest
from run_folder import BOTH_DATABASES, HOLD, STOPPED, RunFolder, study_text

TWO = ("run", "tiny.toml", "--workers", "2")


def wait_until_gone(folder: RunFolder) -> None:
    """Wait until no worker process is left."""
    folder.wait_until(
        lambda: not any(os.path.exists(f"/proc/{pid}") for pid, _ in folder.started_trials())
    )


@BOTH_DATABASES
def test_one_of_two_workers_is_killed(folder):
    folder.write(study_text(4))
    running = folder.start(*TWO, SIMULATED_HOLD=HOLD)
    victim, _ = folder.wait_until_held()
    # Anybody may read the command line of a process.
    assert "secret" not in Path(f"/proc/{victim}/cmdline").read_text()
    before = folder.complete_rows()
    os.kill(victim, signal.SIGKILL)
    # Another takes over the configuration at once, while the living one still trains its own.
    folder.wait_until(
        lambda: len(folder.started_trials()) == 5 and folder.trial_states()["RUNNING"] == 2
    )
    folder.release()
    code, out, errors = folder.wait(running)
    assert (code, errors) == (0, "")
    assert "(SIGKILL), another takes its place" in out
    folder.assert_consistent(4)
    after = folder.complete_rows()
    assert {trial: after[trial] for trial in before} == before
    assert folder.failure_reasons() == ["its worker died"]
    # The trial that was killed ran once more, no other did.
    starts = Counter(label for _, label in folder.started_trials())
    assert sorted(starts.values()) == [1, 1, 1, 2]
    assert set(Counter(label for _, label in folder.finished_trials()).values()) == {1}


@BOTH_DATABASES
def test_all_workers_and_their_coordinator_are_killed(folder):
    folder.write(study_text(4))
    running = folder.start(*TWO, SIMULATED_HOLD=HOLD)
    victims = folder.wait_until_held()
    before = folder.complete_rows()
    for pid in (running.pid, *victims):
        os.kill(pid, signal.SIGKILL)
    running.communicate()
    assert folder.trial_states()["RUNNING"] == 2
    code, _, errors = folder.run(*TWO)
    assert (code, errors) == (0, "")
    folder.assert_consistent(4)
    after = folder.complete_rows()
    assert {trial: after[trial] for trial in before} == before
    assert folder.failure_reasons() == ["its worker died"] * 2


def test_workers_whose_coordinator_is_killed_stop_in_order(sqlite_folder):
    sqlite_folder.write(study_text(4))
    running = sqlite_folder.start(*TWO, SIMULATED_HOLD=HOLD)
    sqlite_folder.wait_until_held()
    running.kill()
    running.communicate()
    wait_until_gone(sqlite_folder)
    assert sqlite_folder.trial_states()["RUNNING"] == 0
    assert sqlite_folder.failure_reasons() == ["interrupted"] * 2
    assert sqlite_folder.query("SELECT * FROM remix_workers") == []


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
@BOTH_DATABASES
def test_a_signal_stops_the_workers_and_leaves_nothing_running(folder, number):
    folder.write(study_text(4))
    running = folder.start(*TWO, SIMULATED_HOLD=HOLD)
    folder.wait_until_held()
    before = folder.complete_rows()
    running.send_signal(number)
    code, _, errors = folder.wait(running)
    assert (code, errors) == (128 + number, STOPPED)
    wait_until_gone(folder)
    assert folder.trial_states()["RUNNING"] == 0
    assert folder.query("SELECT * FROM remix_claims") == []
    assert folder.query("SELECT * FROM remix_workers") == []
    assert folder.failure_reasons() == ["interrupted"] * 2
    assert folder.run()[0] == 0
    folder.assert_consistent(4)
    after = folder.complete_rows()
    assert {trial: after[trial] for trial in before} == before


@BOTH_DATABASES
def test_a_worker_that_is_frozen_beyond_its_grace_is_taken_over_and_goes_on(folder):
    folder.write(study_text(4))
    words = ("worker", "tiny.toml", "--workers", "2")
    running = folder.start(*words, SIMULATED_HOLD=HOLD, SIMULATED_GRACE="2")
    frozen, _ = folder.wait_until_held()
    label = [label for pid, label in folder.started_trials() if pid == frozen][-1]
    os.kill(frozen, signal.SIGSTOP)
    folder.release()
    folder.wait_until(lambda: folder.trial_states()["COMPLETE"] == 4)
    # All are complete, that of the frozen worker too; it notices when it continues.
    assert [started for _, started in folder.started_trials()].count(label) == 2
    before = folder.complete_rows()
    os.kill(frozen, signal.SIGCONT)
    code, out, errors = folder.wait(running)
    assert (code, errors) == (0, "")
    assert f"{label}: another process has taken it over" in out
    folder.assert_consistent(4)
    assert folder.complete_rows() == before
    assert folder.failure_reasons() == ["its worker died"]


def test_a_reader_that_goes_away_stops_the_run_in_order(sqlite_folder):
    sqlite_folder.write(study_text(6))
    running = sqlite_folder.start("run", "tiny.toml", seconds=0.2)
    running.stdout.readline()
    running.stdout.close()
    running.wait(timeout=120)
    assert running.returncode == 141
    assert running.stderr.read() == STOPPED
    running.stderr.close()
    assert sqlite_folder.trial_states()["RUNNING"] == 0
    done = sqlite_folder.trial_states()["COMPLETE"]
    assert 1 <= done < 6
    assert sqlite_folder.run()[0] == 0
    sqlite_folder.assert_consistent(6)


@pytest.mark.parametrize(
    "folder", [pytest.param("sqlite", marks=pytest.mark.slow), "postgresql"], indirect=True
)
def test_a_process_with_trials_side_by_side_is_killed(folder):
    """None of them had scores, so all are run again, and none is left RUNNING."""
    folder.write(study_text(4, stack="8"))
    running = folder.start("run", "tiny.toml", SIMULATED_HOLD=HOLD)
    folder.wait_until(
        lambda: len(folder.processes_in_trials()) == 1 and folder.trial_states()["RUNNING"] == 4
    )
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    folder.release()
    code, _, errors = folder.run()
    assert (code, errors) == (0, "")
    folder.assert_consistent(4)
    assert folder.failure_reasons() == ["its worker died"] * 4


def test_twenty_ctrl_c_stop_a_run_once(sqlite_folder):
    sqlite_folder.write(study_text(4))
    running = sqlite_folder.start("run", "tiny.toml", SIMULATED_HOLD=HOLD)
    sqlite_folder.wait_until(lambda: sqlite_folder.trial_states()["RUNNING"] == 1)
    sqlite_folder.wait_until(lambda: sqlite_folder.trial_states()["COMPLETE"] == 2)
    for _ in range(20):
        running.send_signal(signal.SIGINT)
    running.wait(timeout=5)
    assert sqlite_folder.wait(running)[::2] == (130, STOPPED)
    assert sqlite_folder.trial_states()["RUNNING"] == 0
    assert sqlite_folder.query("SELECT * FROM remix_claims") == []


def test_ctrl_c_while_workers_import_their_modules_prints_one_line(sqlite_folder):
    sqlite_folder.write(study_text(4))
    running = sqlite_folder.start("run", "tiny.toml", "--workers", "2")
    children = psutil.Process(running.pid).children

    def are_importing() -> bool:
        return [sum(child.cpu_times()[:2]) > 0.2 for child in children()] == [True, True]

    sqlite_folder.wait_until(are_importing)
    running.send_signal(signal.SIGINT)
    assert sqlite_folder.wait(running)[::2] == (130, STOPPED)


# Sends this process signals while a module is imported, or while the interpreter ends.
_SIGNALLED = """
import atexit, os, signal, sys
from remix_study.__main__ import main

def storm():
    for _ in range(20):
        os.kill(os.getpid(), signal.SIGINT)

class Finder:
    def find_spec(name, *_):
        if name == "remix_study.cli.main":
            storm()

if sys.argv.pop() == "import":
    sys.meta_path.insert(0, Finder)
else:
    atexit.register(storm)
main()
"""


@pytest.mark.parametrize("moment", ["import", "exit"])
def test_ctrl_c_before_and_after_a_command_prints_no_traceback(moment, tmp_path):
    words = [sys.executable, "-c", _SIGNALLED, "--version", moment]
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        words, cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (130, STOPPED)
