"""Several workers: every point once, the budget kept, processes recycled."""

from __future__ import annotations

from scene import BOTH, study


@BOTH
def test_workers_share_the_points_and_are_recycled(scene):
    scene.write(study(9))
    code, out, errors = scene.run(
        "run", "tiny.toml", "--workers", "2", "--recycle", "3", seconds=0.2
    )
    assert (code, errors) == (0, "")
    assert out.startswith("tiny/wine  0 of 9 points complete; rows")
    assert "[9/9]" in out
    assert "secret" not in out
    scene.assert_whole(9)
    # Nobody ran more than three trials, and no trial ran twice.
    pids = [pid for pid, _ in scene.begun()]
    assert len(pids) == 9
    assert max(map(pids.count, pids)) <= 3
    assert len(scene.query("SELECT * FROM remix_manifests")) == 1
