"""Choosing among candidates that fulfil their constraints, and where none does."""

from __future__ import annotations

import pytest

from remix_study.study.constraints import Candidate, choose, parse_constraint

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


@pytest.mark.parametrize(
    ("text", "mean", "beyond", "words"),
    [
        ("brier <= 0.25", 0.3, 0.05, "not met: 0.3000, bound 0.2500"),
        ("brier <= 0.25", 0.25, 0.0, "met: 0.2500, bound 0.2500"),
        ("g_mean >= 0.5", 0.75, -0.25, "met: 0.7500, bound 0.5000"),
        ("brier <= 2 x baseline", 0.3, 0.1, "not met: 0.3000, bound 0.2000"),
    ],
)
def test_margins_are_beyond_a_bound_or_a_multiple_of_the_baseline(text, mean, beyond, words):
    constraint = parse_constraint(text)
    margin = constraint.margin({constraint.metric: mean}, {"brier": 0.1})
    assert margin.beyond == pytest.approx(beyond)
    assert str(margin) == words
