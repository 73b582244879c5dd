"""Tables of searches, as CSV files have them: trials, choices and unbiased scores."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from remix_study.results.columns import Record, frame_of
from remix_study.results.intervals import corrected_interval
from remix_study.results.search import SearchSummary

_PARTS = ("validation", "test")
_NO_INTERVAL = corrected_interval((), math.nan)


def table_of_trials(summaries: Sequence[SearchSummary]) -> pd.DataFrame:
    """Table of trials: one line a complete or pruned trial, in the order of the search."""
    lines = []
    fronts = [{trial.number for trial in summary.front} for summary in summaries]
    of_trials = zip(summaries, fronts, strict=True)
    for summary, front, trial in (
        (s, f, trial) for s, f in of_trials for trial in s.result.trials
    ):
        problem = summary.comparison
        parts = [(metric, part) for metric in problem.objectives for part in _PARTS]
        scores = {f"{m}_{part}": summary.score(trial, m, part) for m, part in parts}
        line: dict[str, object] = {"study": problem.study, "problem": problem.problem}
        line |= {"trial": trial.number, "slot": trial.slot, "state": trial.state}
        line |= {
            "row": trial.label,
            "feasible": trial.is_feasible,
            "front": trial.number in front,
        }
        line |= {name: score.mean if score else math.nan for name, score in scores.items()}
        folds = max(score.interval.folds if score else 0 for score in scores.values())
        lines.append(line | {"folds": folds})
    return pd.DataFrame(lines)


def table_of_choices(summaries: Sequence[SearchSummary]) -> pd.DataFrame:
    """Table of shown trials: one line a trial, objective and part, with corrected intervals."""
    return frame_of(
        (
            Record(problem=s.comparison, choice=choice, trial=trial, part=part, score=score)
            for s in summaries
            for choice, trial in s.shown_trials
            for metric in s.comparison.objectives
            for part in _PARTS
            if (score := s.score(trial, metric, part))
        ),
        """study=problem.study problem=problem.problem choice trial=trial.number row=trial.label
        metric=score.metric part mean=score.mean corrected_se=score.interval.standard_error
        low=score.interval.low high=score.interval.high optimistic""",
        optimistic=lambda line: line.choice.startswith(("chosen", "recommended")),
    )


def table_of_outer_scores(summaries: Sequence[SearchSummary]) -> pd.DataFrame:
    """Table of unbiased scores: one line a choice and metric, with the gain on the baseline."""
    return frame_of(
        (
            Record(
                problem=s.comparison,
                outer=outer,
                score=score,
                gain=outer.gains[metric].interval if metric in outer.gains else _NO_INTERVAL,
            )
            for s in summaries
            for outer in s.outer
            for metric, score in outer.scores.items()
        ),
        """study=problem.study problem=problem.problem choice=outer.choice metric=score.metric
        outer_folds=score.interval.folds mean=score.mean low=score.interval.low
        high=score.interval.high gain=gain.mean gain_low=gain.low gain_high=gain.high chosen""",
        chosen=lambda line: "; ".join(line.outer.labels),
    )
