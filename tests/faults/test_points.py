"""Points that always fail: tried again where that can help, then reported; the others go on."""

from __future__ import annotations

import json
from collections import Counter

from scene import BOTH, study


def failures(out: str) -> list[dict[str, str]]:
    return json.loads(out)["failures"]


@BOTH
def test_a_point_that_kills_its_worker_is_given_up_after_three_workers(scene):
    scene.write(study(4))
    code, out, _ = scene.run(
        "run", "tiny.toml", "--workers", "2", "--json", seconds=0.1, PRETEND_FAULT="balance=kill"
    )
    assert code == 1
    assert failures(out) == [
        {"study": "tiny/wine", "point": "balance", "reason": "its worker died, 3 times"}
    ]
    scene.assert_whole(4, failed=1)
    assert scene.states() == {"COMPLETE": 3, "FAIL": 3}
    assert Counter(label for _, label in scene.begun())["balance"] == 3
    # The cause put right, the next run tries it again, and nothing else.
    assert scene.run()[0] == 0
    scene.assert_whole(4)
    assert len(scene.begun()) == 3 + 3 + 1


def test_a_point_that_kills_its_worker_takes_none_along_that_train_beside_it(file_scene):
    """The first death is that of the whole group; then each is tried alone."""
    file_scene.write(study(4, stack="8"))
    code, out, _ = file_scene.run(
        "run", "tiny.toml", "--workers", "1", "--json", PRETEND_FAULT="balance=kill"
    )
    assert code == 1
    assert failures(out) == [
        {"study": "tiny/wine", "point": "balance", "reason": "its worker died, 3 times"}
    ]
    file_scene.assert_whole(4, failed=1)
    assert file_scene.states() == {"COMPLETE": 3, "FAIL": 4 + 2}


@BOTH
def test_a_point_that_raises_is_tried_three_times(scene):
    scene.write(study(4))
    code, out, errors = scene.run("run", "tiny.toml", "--json", PRETEND_FAULT="balance=raise")
    assert code == 1
    (failure,) = failures(out)
    assert failure["point"] == "balance"
    assert failure["reason"].startswith("ZeroDivisionError: made up (sitecustomize.py, line ")
    assert failure["reason"].endswith("), 3 times")
    assert errors.count("again balance: ZeroDivisionError: made up") == 2
    assert errors.count("failed balance: ZeroDivisionError: made up") == 1
    scene.assert_whole(4, failed=1)
    assert Counter(label for _, label in scene.begun())["balance"] == 3


@BOTH
def test_networks_that_all_diverge_fail_once_and_are_reported(scene):
    scene.write(study(3))
    code, out, _ = scene.run("run", "tiny.toml", "--workers", "2", "--json", PRETEND_FAULT="=nan")
    assert code == 1
    # Two workers may begin in either order.
    assert {f["point"]: f["reason"] for f in failures(out)} == dict.fromkeys(
        ("baseline", "balance", "remix (0.001)"), "2 of 2 folds diverged: made up"
    )
    # The same seeds would diverge again.
    assert len(scene.begun()) == 3
    scene.assert_whole(3, failed=3)


@BOTH
def test_networks_that_all_diverge_may_count_as_the_worst(scene):
    scene.write(study(3, on_nan='"worst"'))
    code, _, errors = scene.run("run", "tiny.toml", PRETEND_FAULT="=nan")
    assert (code, errors) == (0, "")
    scene.assert_whole(3)
    assert scene.query("SELECT DISTINCT failed FROM remix_folds") == [("made up",)]
    assert scene.query("SELECT count(*) FROM remix_probabilities") == [(0,)]


@BOTH
def test_the_budget_of_a_search_is_kept_by_all_workers_together(scene):
    search = (
        '[search]\nalgorithm = "tpe"\ntrials = 12\n[search.space]\n'
        "learning_rate = {low = 0.001, high = 0.5}"
    )
    scene.write(
        study(3)
        .replace("[search.space]", search)
        .replace("[0.0, 0.001]", "{low = 0.1, high = 1.0}")
    )
    code, _, errors = scene.run(
        "run", "tiny.toml", "--workers", "2", "--recycle", "5", seconds=0.05
    )
    assert (code, errors) == (0, "")
    assert scene.states() == {"COMPLETE": 12}
    assert len(scene.begun()) == 12
    slots = scene.query("SELECT value_json FROM trial_user_attributes WHERE key = 'slot'")
    assert sorted(int(slot) for (slot,) in slots) == list(range(12))
