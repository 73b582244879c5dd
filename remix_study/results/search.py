"""What a search found: its choices, the recommended trial, the front, and what searching is worth.

Only validation scores choose. The trials of the search are the methods of its effects, named by
their runs, since a search may train one configuration several times.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.metrics import CORE_METRICS, is_maximized, short_name
from remix_study.results.columns import grouped
from remix_study.results.comparison import Comparison
from remix_study.results.effects import Difference, Effects, Score
from remix_study.results.importances import Importances, parameter_importances
from remix_study.results.methods import SIMPLEST_FIRST
from remix_study.results.score_frames import scores_by_fold
from remix_study.results.search_frames import SearchResult, StoredTrial
from remix_study.study.configurations import ESTIMATOR, strategy_of
from remix_study.study.constraints import choose

OUTER_METRICS = tuple(metric for metric in CORE_METRICS if metric != "cwece")
"""Scores of outer folds that are computed besides the objectives."""

REFERENCES = {
    "baseline": "baseline",
    "remix": "ReMix as in the paper",
    "estimator": "best estimator",
    "grid": "best of the grid",
}
"""What a search is compared with -> how tables call it: strategies that it begins with or that are
trained besides, and by the first objective the best estimator there, or the best method of a grid
that it follows."""

_PLAIN_PARTS = ("natural", "none", "cross-entropy")


@dataclass(frozen=True)
class OuterScores:
    """What one criterion's choices are worth on outer folds, which took no part in the search.

    Attributes:
        choice: the objective that chose, or "baseline".
        labels: the configuration chosen for each outer fold.
        scores: by metric; each fold counts once, with the mean over its networks.
        gains: metric -> the choice minus the baseline; empty for the baseline, and without it.
    """

    choice: str
    labels: tuple[str, ...]
    scores: Mapping[str, Score]
    gains: Mapping[str, Difference]


@dataclass(frozen=True, eq=False)
class SearchSummary:
    """All findings on one problem's search."""

    comparison: Comparison
    result: SearchResult

    @cached_property
    def complete(self) -> tuple[StoredTrial, ...]:
        return tuple(trial for trial in self.result.trials if trial.is_complete)

    @cached_property
    def chosen(self) -> dict[str, StoredTrial]:
        """Objective -> the trial that it chooses; empty where no trial is complete."""
        by_number = {trial.number: trial for trial in self.complete}
        candidates = [trial.candidate for trial in self.complete]
        return {
            metric: by_number[choice.number]
            for place, metric in enumerate(self.comparison.objectives)
            if (choice := choose(candidates, place, maximize=is_maximized(metric)))
        }

    @property
    def choice(self) -> StoredTrial:
        return self.chosen[self.comparison.objectives[0]]

    @cached_property
    def near_best(self) -> tuple[StoredTrial, ...]:
        """Complete trials within one corrected standard error of the first objective's choice.

        The error is that of their difference on validation parts. They violate constraints no more
        than the choice.
        """
        return tuple(trial for trial in self.complete if self._is_near_best(trial))

    @cached_property
    def recommended(self) -> StoredTrial | None:
        """The simplest of `near_best`; None where no trial is complete."""
        return min(self.near_best, key=_simplicity, default=None)

    @cached_property
    def references(self) -> dict[str, StoredTrial]:
        """Baseline and ReMix, besides the search or its first trials, and the best estimator.

        After a grid its baseline, its ReMix at the paper's alpha, and its best by the first
        objective.
        """
        if self.result.follows_grid:
            return self._grid_references()
        first = [trial for trial in self.result.trials[:2] if trial.slot < 2]
        by_strategy = grouped(
            [*self.result.references, *first], lambda trial: strategy_of(trial.parameters).name
        )
        references = {n: trials[0] for n, trials in by_strategy.items() if n in REFERENCES}
        estimators = [trial for trial in self.result.references if ESTIMATOR in trial.parameters]
        best = self._best_of(estimators)
        return references | ({"estimator": best} if best else {})

    def _grid_references(self) -> dict[str, StoredTrial]:
        plain: dict[str, dict[str, Any]] = {
            "baseline": {"strategy": "baseline"},
            "remix": {"strategy": "remix", "alpha": PUBLISHED_ALPHA},
        }
        references = {
            name: trial
            for name, parameters in plain.items()
            for trial in self.result.references
            if trial.parameters == parameters
        }
        best = self.best_of_grid
        if best and best not in references.values():
            references["grid"] = best
        return references

    @property
    def best_of_grid(self) -> StoredTrial | None:
        """The best method of the grid before the search by the first objective."""
        return self._best_of(self.result.references) if self.result.follows_grid else None

    def _best_of(self, trials: Sequence[StoredTrial]) -> StoredTrial | None:
        """The best of some trials of one study by the first objective; None of none."""
        by_number = {trial.number: trial for trial in trials}
        candidates = [trial.candidate for trial in trials]
        best = choose(candidates, 0, maximize=is_maximized(self.comparison.objectives[0]))
        return by_number[best.number] if best else None

    @property
    def shown_trials(self) -> list[tuple[str, StoredTrial]]:
        """References, chosen and recommended trials, each behind what it is."""
        trials = [(REFERENCES[name], trial) for name, trial in self.references.items()]
        trials += [(f"chosen by {short_name(m)}", trial) for m, trial in self.chosen.items()]
        return [*trials, *([("recommended", self.recommended)] if self.recommended else [])]

    @cached_property
    def front(self) -> tuple[StoredTrial, ...]:
        """Feasible trials that no other one beats on validation parts, by the first objective.

        A trial is beaten by one that is nowhere worse and better in one objective.
        """
        feasible = [trial for trial in self.complete if trial.is_feasible]
        signs = [-1.0 if is_maximized(metric) else 1.0 for metric in self.comparison.objectives]
        losses = np.array([trial.values for trial in feasible]).reshape(-1, len(signs)) * signs
        places: list[int] = []
        # By the first objective, then the next: whatever beats a trial comes before it, and one
        # that beats it is in the front.
        for place in np.lexsort(losses.T[::-1]).tolist():
            loss, of_front = losses[place], losses[places]
            if not ((of_front <= loss).all(axis=1) & (of_front < loss).any(axis=1)).any():
                places.append(place)
        front = [feasible[place] for place in places]
        return tuple(sorted(front, key=lambda trial: (trial.values[0], trial.number)))

    @cached_property
    def importances(self) -> Importances:
        """Objective -> parameter -> share; empty with too few trials."""
        return parameter_importances(self.complete, self.comparison.objectives)

    def score(self, trial: StoredTrial, metric: str, part: str) -> Score | None:
        """The mean score of a trial on "validation" or "test" parts; None where it has none.

        The rows of validation parts take the place of test rows in the correction.
        """
        return self._effects[part].score(str(trial.run), metric)

    def is_better(self, trial: StoredTrial, rival: StoredTrial, metric: str) -> bool:
        """Whether a trial has a better validation mean than another one in an objective."""
        place = self.comparison.objectives.index(metric)
        difference = trial.values[place] - rival.values[place]
        return difference > 0 if is_maximized(metric) else difference < 0

    @cached_property
    def outer(self) -> tuple[OuterScores, ...]:
        """What each choice is worth; empty without outer folds, and while some are missing."""
        trials = self.result.outer
        if not trials or len(trials) < self.result.planned_outer:
            return ()
        sizes = self.result.sizes_of(trials)
        ratio = float(sizes["n_test"].sum() / (sizes["n_train"] + sizes["n_validation"]).sum())
        metrics = tuple(dict.fromkeys((*self.comparison.objectives, *OUTER_METRICS)))
        by_choice = grouped(trials, lambda trial: trial.chosen_by)
        means = {
            ("test", m): pd.DataFrame({c: self._outer_means(t, m) for c, t in by_choice.items()})
            for m in metrics
        }
        effects = Effects(means, ratio)
        return tuple(
            OuterScores(
                choice=choice,
                labels=tuple(trial.label for trial in choice_trials),
                scores={m: score for m in metrics if (score := effects.score(choice, m))},
                gains=effects.differences(
                    choice, "baseline", metrics if choice != "baseline" else ()
                ),
            )
            for choice, choice_trials in by_choice.items()
        )

    def _outer_means(self, trials: Sequence[StoredTrial], metric: str) -> pd.Series[float]:
        """Mean test score of the networks of each outer fold, by outer fold."""
        scores = {trial.outer_fold: self.score(trial, metric, "test") for trial in trials}
        return pd.Series({fold: s.mean for fold, s in scores.items() if s}, dtype=float)

    @cached_property
    def _effects(self) -> dict[str, Effects]:
        """Part -> effects of the trials, named by their runs."""
        search = self.result
        trials = (*search.trials, *search.references, *search.outer)
        labels = {trial.run: str(trial.run) for trial in trials}
        scores = scores_by_fold(search.scores[search.scores["run"].isin(list(labels))], labels)
        sizes = search.sizes_of(self.complete)
        ratio = math.nan
        if len(sizes):
            ratio = float(sizes["n_validation"].sum() / sizes["n_train"].sum())
        test = self.comparison.effects_of_runs(scores, labels)
        return {"test": test, "validation": Effects(scores, ratio, "validation")}

    def _is_near_best(self, trial: StoredTrial) -> bool:
        best, metric = self.choice, self.comparison.objectives[0]
        if trial is best:
            return True
        if trial.candidate.violation > best.candidate.violation:
            return False
        gap = self._effects["validation"].difference(str(trial.run), str(best.run), metric)
        return gap is not None and abs(gap.mean) <= gap.interval.standard_error


def search_summaries(
    comparisons: Sequence[Comparison], searches: Sequence[SearchResult]
) -> list[SearchSummary]:
    """The summaries of searches that have trials, in the order of their problems."""
    by_name = {(search.study, search.problem): search for search in searches if search.trials}
    keys = [(comparison, (comparison.study, comparison.problem)) for comparison in comparisons]
    return [SearchSummary(comparison, by_name[key]) for comparison, key in keys if key in by_name]


def _simplicity(trial: StoredTrial) -> tuple[int, int, int, int]:
    """Sort key of trials: fewer parts, simpler strategy, smaller network, earlier slot first."""
    strategy = strategy_of(trial.parameters)
    parts = (strategy.sampler, strategy.mixing, strategy.loss)
    n_parts = sum(part != plain for part, plain in zip(parts, _PLAIN_PARTS, strict=True))
    place = [*SIMPLEST_FIRST, strategy.name].index(strategy.name)
    return n_parts, place, trial.row.network_parameters, trial.slot
