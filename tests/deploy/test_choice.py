"""What is trained for use: the method of the decision, or a trial of a grid or a search."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_up_studies import MadeUpProblem, frames_with_search, made_up_frames

from remix_study.deploy.choice import choose
from remix_study.errors import UsageError
from remix_study.report.page import headline_decisions

GRID = MadeUpProblem(methods=(("baseline", None), ("balance", None)))
SEARCH = replace(GRID, methods=(("mixup", 0.1), ("remix", 0.2), ("remix", 0.3)), algorithm="tpe")


@pytest.mark.parametrize("frames", [made_up_frames(GRID), frames_with_search(GRID, SEARCH)])
def test_it_is_what_the_page_names(frames):
    (decision,) = headline_decisions(frames)
    choice = choose(frames)
    assert (choice.form.label, choice.is_decided) == (decision.chosen.label, True)


def test_trials_of_a_search_alone_and_of_one_that_follows_a_grid_are_known():
    alone = choose(made_up_frames(SEARCH), trial=2)
    assert alone.form.method.label == "remix (0.3) #2"
    constrained = frames_with_search(GRID, SEARCH, constraints=[("min_recall >= 0.5",)])
    for frames in (frames_with_search(GRID, SEARCH), constrained):
        choice = choose(frames, trial=2)
        assert choice.form.method.label == "remix (0.3) #2"
        folds = choice.comparison.trained_folds(choice.form.method)
        assert len(folds) == 20


def test_a_number_of_two_trials_is_refused():
    frames = frames_with_search(GRID, SEARCH)
    message = 'trial 1 is of the grid "balance" and of the search "remix .0.2. #1"; name one by'
    with pytest.raises(UsageError, match=message):
        choose(frames, trial=1)
    assert choose(frames, method="remix (0.2) #1").form.method.alpha == 0.2
    with pytest.raises(UsageError, match="trial 3 is not there, or not complete"):
        choose(frames, trial=3)
