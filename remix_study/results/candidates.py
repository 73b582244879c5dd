"""The decision on a problem: its methods, those of a grid and the trials of a search after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from remix_study.results.comparison import Comparison, comparisons
from remix_study.results.decision import Decision, decide
from remix_study.results.frames import StudyFrames


def decide_problem(problem: Comparison, frames: StudyFrames) -> tuple[Comparison, Decision | None]:
    """The problem with all methods that compete, and the decision if :func:`decide` takes one.

    Pages, the last lines of runs and ``fit`` all decide by it.
    """
    (candidates,) = with_following_searches([problem], frames)
    return candidates, decide(candidates, frames.probabilities, frames.summaries)


def with_following_searches(
    problems: Sequence[Comparison], frames: StudyFrames, *, constrained: bool = False
) -> list[Comparison]:
    """The problems with the trials of the searches that followed their grids as methods, too.

    Trials under constraints choose by rules of their own and are left out unless ``constrained``.
    """
    if frames.following is None or frames.following.problems.empty:
        return list(problems)
    searches = {(c.study, c.problem): c for c in comparisons(frames.following)}
    joined = []
    for comparison in problems:
        search = searches.get((comparison.study, comparison.problem))
        if search is None or (search.info.get("constraints") and not constrained):
            joined.append(comparison)
            continue
        scores = {
            key: pd.concat([frame, search.scores[key]], axis=1) if key in search.scores else frame
            for key, frame in comparison.scores.items()
        }
        methods = (*comparison.methods, *search.methods)
        folds = pd.concat([comparison.folds, search.folds], ignore_index=True)
        joined.append(replace(comparison, methods=methods, scores=scores, folds=folds))
    return joined
