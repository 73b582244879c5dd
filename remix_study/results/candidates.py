"""The decision on a problem: its methods, and what was trained before, beside or after them."""

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
    (candidates,) = with_other_parts([problem], frames)
    return candidates, decide(candidates, frames.probabilities, frames.summaries)


def with_other_parts(
    problems: Sequence[Comparison], frames: StudyFrames, *, constrained: bool = False
) -> list[Comparison]:
    """The problems with trials of searches that follow grids, and estimators beside searches.

    Trials under constraints choose by rules of their own and are left out unless ``constrained``.
    """
    parts = {
        part: {(c.study, c.problem): c for c in comparisons(of_part)}
        for part in ("following", "references")
        if (of_part := getattr(frames, part)) is not None and len(of_part.problems)
    }
    joined = []
    for comparison in problems:
        key = comparison.study, comparison.problem
        search = parts.get("following", {}).get(key)
        if search is not None and (constrained or not search.info.get("constraints")):
            comparison = _joined(comparison, search)
        if references := parts.get("references", {}).get(key):
            estimators = tuple(m for m in references.methods if m.is_estimator)
            comparison = _joined(comparison, replace(references, methods=estimators))
        joined.append(comparison)
    return joined


def _joined(comparison: Comparison, part: Comparison) -> Comparison:
    """A problem with the methods of one of its parts, which has the same folds."""
    labels = [method.label for method in part.methods]
    scores = {
        key: pd.concat([frame, part.scores[key].filter(labels)], axis=1)
        if key in part.scores
        else frame
        for key, frame in comparison.scores.items()
    }
    folds = pd.concat([comparison.folds, part.folds], ignore_index=True)
    methods = (*comparison.methods, *part.methods)
    n_left_out = comparison.n_left_out + part.n_left_out
    return replace(comparison, methods=methods, scores=scores, folds=folds, n_left_out=n_left_out)
