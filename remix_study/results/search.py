"""What a search found: its choices, the recommended trial and the front of its objectives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from remix_study.metrics import is_maximized
from remix_study.results.comparison import Comparison
from remix_study.results.importances import parameter_importances
from remix_study.results.intervals import Interval, paired_interval, score_interval
from remix_study.results.methods import SIMPLEST_FIRST
from remix_study.results.outer_scores import FoldScores, OuterScores, outer_scores
from remix_study.results.search_frames import SearchResult, SearchTrial
from remix_study.study.configurations import strategy_of
from remix_study.study.constraints import Candidate, choose

_PLAIN_PARTS = ("natural", "none", "cross-entropy")


@dataclass(frozen=True, eq=False)
class SearchSummary:
    """All findings on one problem's search.

    Attributes:
        comparison: the problem.
        result: the search as stored.
        chosen: objective -> the trial that it chooses; empty where no trial is complete.
        recommended: the simplest trial within one corrected standard error of the first
            objective's choice; None where no trial is complete.
        n_near_best: number of trials within that error.
        front: feasible trials that no other one beats in every objective, on validation parts.
        references: strategy -> its trial, of baseline and ReMix.
        importances: objective -> parameter -> share; empty with too few trials.
        outer: one entry a choice; empty without outer folds.
        scores: (run, metric, part) -> scores by (repeat, fold).
        validation_ratio: n_validation / n_train, for intervals of validation scores.
    """

    comparison: Comparison
    result: SearchResult
    chosen: Mapping[str, SearchTrial]
    recommended: SearchTrial | None
    n_near_best: int
    front: tuple[SearchTrial, ...]
    references: Mapping[str, SearchTrial]
    importances: Mapping[str, Mapping[str, float]]
    outer: tuple[OuterScores, ...]
    scores: FoldScores
    validation_ratio: float

    @property
    def complete(self) -> tuple[SearchTrial, ...]:
        """Trials that were not pruned."""
        return _complete_trials(self.result)

    def score(self, trial: SearchTrial, metric: str, part: str) -> pd.Series[float]:
        """Scores of a trial by (repeat, fold); empty where it has none."""
        return self.scores.get((trial.run, metric, part), pd.Series(dtype=float))

    def interval(self, trial: SearchTrial, metric: str, part: str) -> Interval:
        """The mean score of a trial over the folds, with its corrected interval.

        Args:
            trial: one of the search.
            metric: what was scored.
            part: "test" or "validation", whose rows take the place of test rows in the
                correction.
        """
        ratio = self.comparison.ratio if part == "test" else self.validation_ratio
        return score_interval(metric, self.score(trial, metric, part), ratio)


def summarize_search(comparison: Comparison, search: SearchResult) -> SearchSummary:
    """Compute all findings on a search; only validation scores choose.

    Args:
        comparison: the problem.
        search: its search.
    """
    objectives = comparison.objectives
    complete = _complete_trials(search)
    chosen = _chosen_trials(complete, objectives)
    scores = {
        (int(str(run)), str(metric), str(part)): group.set_index(["repeat", "fold"])["value"]
        for (run, metric, part), group in search.scores.groupby(["run", "metric", "part"])
    }
    sizes = search.sizes[search.sizes["run"].isin([trial.run for trial in complete])]
    ratio = math.nan
    if len(sizes):
        ratio = float(sizes["n_validation"].sum() / sizes["n_train"].sum())
    near_best: list[SearchTrial] = []
    if chosen:
        metric = objectives[0]
        best = chosen[metric]
        near_best = [t for t in complete if _is_near(t, best, metric, scores, ratio)]
    return SearchSummary(
        comparison=comparison,
        result=search,
        chosen=chosen,
        recommended=min(near_best, key=_simplicity, default=None),
        n_near_best=len(near_best),
        front=pareto_front(complete, objectives),
        references=_references(search),
        importances=parameter_importances(complete, objectives),
        outer=outer_scores(search, objectives, scores),
        scores=scores,
        validation_ratio=ratio,
    )


def pareto_front(
    trials: Sequence[SearchTrial], objectives: Sequence[str]
) -> tuple[SearchTrial, ...]:
    """Select the feasible trials that no other feasible one beats, by ascending first value.

    A trial is beaten by one that is nowhere worse and better in one objective.

    Args:
        trials: complete trials.
        objectives: the search's metrics, in the order of the trials' values.
    """
    feasible = [trial for trial in trials if trial.is_feasible]
    if not feasible:
        return ()
    signs = np.array([-1.0 if is_maximized(metric) else 1.0 for metric in objectives])
    losses = np.array([trial.values for trial in feasible]) * signs
    is_beaten = [
        bool(((losses <= trial_losses).all(axis=1) & (losses < trial_losses).any(axis=1)).any())
        for trial_losses in losses
    ]
    front = [trial for trial, beaten in zip(feasible, is_beaten, strict=True) if not beaten]
    return tuple(sorted(front, key=lambda trial: (trial.values[0], trial.number)))


def _complete_trials(search: SearchResult) -> tuple[SearchTrial, ...]:
    return tuple(trial for trial in search.trials if trial.state == "COMPLETE")


def _chosen_trials(
    complete: Sequence[SearchTrial], objectives: Sequence[str]
) -> dict[str, SearchTrial]:
    """Objective -> the trial that it chooses."""
    by_number = {trial.number: trial for trial in complete}
    candidates = [Candidate(t.number, t.values, t.constraints) for t in complete]
    chosen = {}
    for place, metric in enumerate(objectives):
        choice = choose(candidates, place, maximize=is_maximized(metric))
        if choice is not None:
            chosen[metric] = by_number[choice.number]
    return chosen


def _references(search: SearchResult) -> dict[str, SearchTrial]:
    """Baseline and ReMix, trained besides the search or as its first two trials."""
    candidates = [*search.references, *(trial for trial in search.trials[:2] if trial.slot < 2)]
    references: dict[str, SearchTrial] = {}
    for trial in candidates:
        name = strategy_of(trial.parameters).name
        if name in ("baseline", "remix"):
            references.setdefault(name, trial)
    return references


def _is_near(
    trial: SearchTrial, best: SearchTrial, metric: str, scores: FoldScores, ratio: float
) -> bool:
    """Whether a trial violates constraints no more than the best, and scores within its error.

    The error is one corrected standard error of their difference on validation parts.
    """
    if trial is best:
        return True
    if _violation(trial) > _violation(best):
        return False
    key = (metric, "validation")
    trial_scores, best_scores = scores.get((trial.run, *key)), scores.get((best.run, *key))
    if trial_scores is None or best_scores is None:
        return False
    difference = paired_interval(trial_scores, best_scores, ratio)
    return bool(abs(difference.mean) <= difference.standard_error)


def _violation(trial: SearchTrial) -> float:
    """Sum of the excesses over the constraints; 0 where all are met."""
    return Candidate(trial.number, trial.values, trial.constraints).violation


def _simplicity(trial: SearchTrial) -> tuple[int, int, float, int]:
    """Sort key of trials: fewer parts, simpler strategy, smaller network, earlier slot first."""
    strategy = strategy_of(trial.parameters)
    parts = (strategy.sampler, strategy.mixing, strategy.loss)
    n_parts = sum(part != plain for part, plain in zip(parts, _PLAIN_PARTS, strict=True))
    place = len(SIMPLEST_FIRST)
    if strategy.name in SIMPLEST_FIRST:
        place = SIMPLEST_FIRST.index(strategy.name)
    hidden = trial.parameters.get("model.hidden", "[]")
    widths = [float(width) for width in str(hidden).strip("[]()").split(",") if width.strip()]
    return n_parts, place, sum(widths), trial.slot
