"""The lines that a run ends with, from the numbers of its problems."""

from __future__ import annotations

import pytest
from made_up_studies import MadeUpProblem, made_up_frames

from remix_study.report.page import MOST_PROBLEMS, outcome_lines

ROWS = (("baseline", None), ("balance", None), ("remix", 0.1))


@pytest.fixture
def many():
    """Problems of one study, by their number."""
    return lambda count, **options: [
        MadeUpProblem(methods=ROWS, problem=f"problem-{at}", **options) for at in range(count)
    ]


def test_a_few_problems_have_a_line_each(many):
    lines = outcome_lines(made_up_frames(*many(MOST_PROBLEMS)))
    assert len(lines) == MOST_PROBLEMS
    assert all("ReMix (0.1) " in line for line in lines)


def test_many_problems_are_counted(many):
    lines = outcome_lines(made_up_frames(*many(MOST_PROBLEMS + 1)))
    assert len(lines) == 2
    assert all(line.startswith("ReMix on ") for line in lines)
    assert all(str(MOST_PROBLEMS + 1) in line for line in lines)


def test_many_searches_are_told_in_part(many):
    lines = outcome_lines(made_up_frames(*many(MOST_PROBLEMS + 2, algorithm="tpe")))
    assert len(lines) == MOST_PROBLEMS + 1
    assert lines[-1] == "And 2 more problems: see the report."


def test_nothing_complete_is_said():
    lines = outcome_lines(made_up_frames(MadeUpProblem(methods=())))
    assert lines == ("No configuration is complete yet, so there are no results.",)
