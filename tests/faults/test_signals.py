"""Processes killed, stopped and frozen: nothing is lost, nothing is done twice."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from scene import BOTH, HOLD, STOPPED, Scene, study

TWO = ("run", "tiny.toml", "--workers", "2")


def gone(scene: Scene) -> None:
    """Wait until no worker is left."""
    scene.until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid, _ in scene.begun()))


def test_one_of_two_workers_is_killed(scene):
    scene.write(study(4))
    running = scene.start(*TWO, PRETEND_HOLD=HOLD)
    victim, _ = scene.held()
    # Anybody may read the command line of a process.
    assert "secret" not in Path(f"/proc/{victim}/cmdline").read_text()
    before = scene.kept()
    os.kill(victim, signal.SIGKILL)
    # Another takes up the point at once, while the living one still works on its own.
    scene.until(lambda: len(scene.begun()) == 5 and scene.states()["RUNNING"] == 2)
    scene.go()
    code, out, errors = scene.end(running)
    assert (code, errors) == (0, "")
    assert "(SIGKILL), another takes its place" in out
    scene.assert_whole(4)
    after = scene.kept()
    assert {trial: after[trial] for trial in before} == before
    assert scene.reasons() == ["its worker died"]
    # The trial that was killed ran once more, no other did.
    assert sorted(Counter(label for _, label in scene.begun()).values()) == [1, 1, 1, 2]
    assert set(Counter(label for _, label in scene.ended()).values()) == {1}


@BOTH
def test_all_workers_and_their_parent_are_killed(scene):
    scene.write(study(4))
    running = scene.start(*TWO, PRETEND_HOLD=HOLD)
    victims = scene.held()
    before = scene.kept()
    for pid in (running.pid, *victims):
        os.kill(pid, signal.SIGKILL)
    running.communicate()
    assert scene.states()["RUNNING"] == 2
    code, _, errors = scene.run(*TWO)
    assert (code, errors) == (0, "")
    scene.assert_whole(4)
    after = scene.kept()
    assert {trial: after[trial] for trial in before} == before
    assert scene.reasons() == ["its worker died"] * 2


def test_workers_whose_parent_is_killed_stop_in_order(file_scene):
    file_scene.write(study(4))
    running = file_scene.start(*TWO, PRETEND_HOLD=HOLD)
    file_scene.held()
    running.kill()
    running.communicate()
    gone(file_scene)
    assert file_scene.states()["RUNNING"] == 0
    assert file_scene.reasons() == ["interrupted"] * 2
    assert file_scene.query("SELECT * FROM remix_workers") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@BOTH
def test_a_signal_stops_the_workers_and_leaves_nothing_running(scene, number):
    scene.write(study(4))
    running = scene.start(*TWO, PRETEND_HOLD=HOLD)
    scene.held()
    before = scene.kept()
    running.send_signal(number)
    code, _, errors = scene.end(running)
    assert (code, errors) == (128 + number, STOPPED)
    gone(scene)
    assert scene.states()["RUNNING"] == 0
    assert scene.query("SELECT * FROM remix_claims") == []
    assert scene.query("SELECT * FROM remix_workers") == []
    assert scene.reasons() == ["interrupted"] * 2
    assert scene.run()[0] == 0
    scene.assert_whole(4)
    after = scene.kept()
    assert {trial: after[trial] for trial in before} == before


@BOTH
def test_a_worker_that_is_frozen_beyond_its_grace_is_taken_over_and_goes_on(scene):
    scene.write(study(4))
    words = ("worker", "tiny.toml", "--workers", "2")
    running = scene.start(*words, PRETEND_HOLD=HOLD, PRETEND_GRACE="2")
    frozen, _ = scene.held()
    label = [label for pid, label in scene.begun() if pid == frozen][-1]
    os.kill(frozen, signal.SIGSTOP)
    scene.go()
    scene.until(lambda: scene.states()["COMPLETE"] == 4)
    # All is done, the frozen worker's point too; only now it finds out.
    assert [found for _, found in scene.begun()].count(label) == 2
    before = scene.kept()
    os.kill(frozen, signal.SIGCONT)
    code, out, errors = scene.end(running)
    assert (code, errors) == (0, "")
    assert f"{label}: another process has taken it over" in out
    scene.assert_whole(4)
    assert scene.kept() == before
    assert scene.reasons() == ["its worker died"]


def test_a_reader_that_goes_away_stops_the_run_in_order(file_scene):
    file_scene.write(study(6))
    running = file_scene.start("run", "tiny.toml", seconds=0.2)
    running.stdout.readline()
    running.stdout.close()
    running.wait(timeout=120)
    assert running.returncode == 141
    assert running.stderr.read() == STOPPED
    running.stderr.close()
    assert file_scene.states()["RUNNING"] == 0
    done = file_scene.states()["COMPLETE"]
    assert 1 <= done < 6
    assert file_scene.run()[0] == 0
    file_scene.assert_whole(6)


def test_a_process_with_trials_side_by_side_is_killed(scene):
    """None of them had scores, so all are run again, and none is left RUNNING."""
    scene.write(study(4, stack="8"))
    running = scene.start("run", "tiny.toml", PRETEND_HOLD=HOLD)
    scene.until(lambda: len(scene.at_work()) == 1 and scene.states()["RUNNING"] == 4)
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    scene.go()
    code, _, errors = scene.run()
    assert (code, errors) == (0, "")
    scene.assert_whole(4)
    assert scene.reasons() == ["its worker died"] * 4
