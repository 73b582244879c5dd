"""Choosing among candidates that fulfil their constraints, and where none does."""

from __future__ import annotations

import pytest

from remix_study.study.constraints import Candidate, choose

BEST = Candidate(0, (0.9, 0.5), {"a": 0.2, "b": -1.0})
GOOD = Candidate(1, (0.7, 0.2), {"a": 0.0, "b": -1.0})
SAME = Candidate(2, (0.7, 0.3), {"a": -0.1, "b": -0.1})


@pytest.mark.parametrize(
    ("candidates", "objective", "maximize", "expected"),
    [
        ([BEST, SAME, GOOD], 0, True, GOOD),
        ([BEST, SAME, GOOD], 1, True, SAME),
        ([BEST, SAME, GOOD], 1, False, GOOD),
        ([BEST, Candidate(3, (1.0, 1.0), {"a": 0.1, "b": 0.2})], 0, True, BEST),
        ([Candidate(0, (0.9,), {}), Candidate(1, (0.95,), {"a": 0.1})], 0, True,
         Candidate(0, (0.9,), {})),
        ([], 0, True, None),
    ],
    ids=["tie", "objective", "minimize", "violation", "unconstrained", "empty"],
)  # fmt: skip
def test_the_best_candidate_that_fulfils_its_constraints_is_chosen(
    candidates, objective, maximize, expected
):
    assert choose(candidates, objective, maximize=maximize) == expected
