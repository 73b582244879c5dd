"""Trials of a search that followed a grid compete with its methods; estimators with a search."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_up_studies import MadeUpProblem, frames_with_search, made_up_frames

from remix_study.results.candidates import with_other_parts
from remix_study.results.comparison import comparisons
from remix_study.results.decision import decide

GRID = MadeUpProblem(methods=(("baseline", None), ("balance", None)))
SEARCH = replace(GRID, methods=(("mixup", 0.1), ("remix", 0.3)), algorithm="tpe")


def frames(**constraints):
    return frames_with_search(GRID, SEARCH, **constraints)


def test_the_trials_are_methods_with_their_own_scores():
    study_frames = frames()
    (plain,) = comparisons(study_frames)
    (joined,) = with_other_parts([plain], study_frames)
    (search,) = comparisons(study_frames.following)
    labels = [method.label for method in joined.methods]
    assert labels == ["baseline", "balance", *(method.label for method in search.methods)]
    for part in ("validation", "test"):
        for source in (plain, search):
            for method in source.methods:
                expected = source.score(method.label, "bbs", part)
                assert joined.score(method.label, "bbs", part).to_list() == expected.to_list()
    decision = decide(joined, None)
    assert {form.label for form in decision.entries} == set(labels)


def test_a_grid_without_a_search_is_as_it_was():
    alone = made_up_frames(GRID)
    (plain,) = comparisons(alone)
    assert with_other_parts([plain], alone) == [plain]


@pytest.mark.parametrize("constraints", [[("min_recall >= 0.5",)]])
def test_trials_under_constraints_are_left_out(constraints):
    study_frames = frames(constraints=constraints)
    (plain,) = comparisons(study_frames)
    assert with_other_parts([plain], study_frames) == [plain]


def test_estimators_beside_a_search_compete_and_other_references_do_not():
    beside = frames_with_search(GRID, replace(SEARCH, algorithm="grid")).following
    search = made_up_frames(SEARCH)
    (tried,), (trained_beside,) = comparisons(search), comparisons(beside)
    names = {"sampler": "none", "mixing": "none"}
    runs = beside.runs.assign(**names).where(beside.runs["strategy"] == "mixup", beside.runs)
    study_frames = replace(search, references=replace(beside, runs=runs))
    (joined,) = with_other_parts([tried], study_frames)
    assert [m.label for m in joined.methods[len(tried.methods) :]] == ["mixup (0.1)"]
    expected = trained_beside.score("mixup (0.1)", "bbs").to_list()
    assert joined.score("mixup (0.1)", "bbs").to_list() == expected
    decision = decide(joined, None)
    assert decision.best_reference.method.label == "mixup (0.1)"
