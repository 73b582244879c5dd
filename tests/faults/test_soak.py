"""Many workers on many trivial trials: none lost, none doubled."""

from __future__ import annotations

import pytest
from scene import study


@pytest.mark.parametrize(
    ("points", "workers"),
    [(100, 4), pytest.param(2000, 8, marks=pytest.mark.slow)],
)
def test_trivial_trials_in_one_file(file_scene, points, workers):
    file_scene.write(study(points))
    running = file_scene.start("run", "tiny.toml", "--workers", str(workers), "--recycle", "0")
    _, errors = running.communicate(timeout=3600)
    assert (running.returncode, errors) == (0, "")
    file_scene.assert_whole(points)
    assert file_scene.states() == {"COMPLETE": points}
    labels = [label for _, label in file_scene.begun()]
    assert len(labels) == len(set(labels)) == points
    pids = [pid for pid, _ in file_scene.begun()]
    assert len(set(pids)) == workers
