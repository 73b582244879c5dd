"""Configurations that always fail: retried where that helps, then reported; the others go on."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from run_folder import BOTH_DATABASES, study_text


def failures(out: str) -> list[dict[str, str]]:
    return json.loads(out)["failures"]


@pytest.mark.slow
@BOTH_DATABASES
def test_a_configuration_that_kills_its_worker_is_given_up_after_three_workers(folder):
    folder.write(study_text(4))
    code, out, _ = folder.run(
        "run", "tiny.toml", "--workers", "2", "--json", seconds=0.1, SIMULATED_FAULT="balance=kill"
    )
    assert code == 1
    assert failures(out) == [
        {"study": "tiny/wine", "point": "balance", "reason": "its worker died, 3 times"}
    ]
    folder.assert_consistent(4, failed=1)
    assert folder.trial_states() == {"COMPLETE": 3, "FAIL": 3}
    assert Counter(label for _, label in folder.started_trials())["balance"] == 3
    # Without the fault, the next run retries this configuration alone.
    assert folder.run()[0] == 0
    folder.assert_consistent(4)
    assert len(folder.started_trials()) == 3 + 3 + 1


@pytest.mark.slow
def test_configurations_that_share_a_program_with_a_deadly_one_complete(sqlite_folder):
    """The first death is that of the whole group; then each is tried alone."""
    sqlite_folder.write(study_text(4, stack="8"))
    code, out, _ = sqlite_folder.run(
        "run", "tiny.toml", "--workers", "1", "--json", SIMULATED_FAULT="balance=kill"
    )
    assert code == 1
    assert failures(out) == [
        {"study": "tiny/wine", "point": "balance", "reason": "its worker died, 3 times"}
    ]
    sqlite_folder.assert_consistent(4, failed=1)
    assert sqlite_folder.trial_states() == {"COMPLETE": 3, "FAIL": 4 + 2}
    # Without the fault, the next run retries this configuration alone.
    begun = len(sqlite_folder.started_trials())
    assert sqlite_folder.run()[0] == 0
    sqlite_folder.assert_consistent(4)
    assert [label for _, label in sqlite_folder.started_trials()[begun:]] == ["balance"]


@BOTH_DATABASES
def test_a_configuration_that_raises_is_tried_three_times(folder):
    folder.write(study_text(4))
    code, out, errors = folder.run("run", "tiny.toml", "--json", SIMULATED_FAULT="balance=raise")
    assert code == 1
    (failure,) = failures(out)
    assert failure["point"] == "balance"
    assert failure["reason"].startswith("ZeroDivisionError: made up (sitecustomize.py, line ")
    assert failure["reason"].endswith("), 3 times")
    assert errors.count("again balance: ZeroDivisionError: made up") == 2
    assert errors.count("failed balance: ZeroDivisionError: made up") == 1
    folder.assert_consistent(4, failed=1)
    assert Counter(label for _, label in folder.started_trials())["balance"] == 3


@BOTH_DATABASES
def test_networks_that_all_diverge_fail_once_and_are_reported(folder):
    folder.write(study_text(3))
    code, out, _ = folder.run(
        "run", "tiny.toml", "--workers", "1", "--json", SIMULATED_FAULT="=nan"
    )
    assert code == 1
    assert {f["point"]: f["reason"] for f in failures(out)} == dict.fromkeys(
        ("baseline", "balance", "remix (0.001)"), "2 of 2 folds diverged: made up"
    )
    # The same seeds would diverge again.
    assert len(folder.started_trials()) == 3
    folder.assert_consistent(3, failed=3)


@BOTH_DATABASES
def test_networks_that_all_diverge_may_count_as_the_worst(folder):
    folder.write(study_text(3, on_nan='"worst"'))
    code, _, errors = folder.run("run", "tiny.toml", SIMULATED_FAULT="=nan")
    assert (code, errors) == (0, "")
    folder.assert_consistent(3)
    assert folder.query("SELECT DISTINCT failed FROM remix_folds") == [("made up",)]
    assert folder.query("SELECT count(*) FROM remix_probabilities") == [(0,)]


@pytest.mark.parametrize(
    ("folder", "trials", "recycle"),
    [
        ("sqlite", 7, 0),
        pytest.param("sqlite", 12, 5, marks=pytest.mark.slow),
        pytest.param("postgresql", 12, 5, marks=pytest.mark.slow),
    ],
    indirect=["folder"],
)
def test_the_budget_of_a_search_is_kept_by_all_workers_together(folder, trials, recycle):
    search = (
        f'[search]\nalgorithm = "tpe"\ntrials = {trials}\n[search.space]\n'
        "learning_rate = {low = 0.001, high = 0.5}"
    )
    folder.write(
        study_text(3)
        .replace("[search.space]", search)
        .replace("[0.0, 0.001]", "{low = 0.1, high = 1.0}")
    )
    words = ("run", "tiny.toml", "--workers", "2", "--recycle", str(recycle))
    code, _, errors = folder.run(*words, seconds=0.05)
    assert (code, errors) == (0, "")
    assert folder.trial_states() == {"COMPLETE": trials}
    assert len(folder.started_trials()) == trials
    slots = folder.query("SELECT value_json FROM trial_user_attributes WHERE key = 'slot'")
    assert sorted(int(slot) for (slot,) in slots) == list(range(trials))
