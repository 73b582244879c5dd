"""What a search found: its choice, the trade-offs, and what the choice is worth elsewhere."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from remix_study.metrics import CORE_METRICS, is_maximized
from remix_study.results.comparison import Comparison
from remix_study.results.intervals import (
    Interval,
    corrected_interval,
    paired_interval,
    score_interval,
)
from remix_study.results.search_frames import SearchResult, SearchTrial
from remix_study.study.choice import Candidate, choose
from remix_study.study.configurations import strategy_of

# From what is cheapest to run and explain to what is dearest.
SIMPLICITY = ("baseline", "cost", "logit-adjusted", "balance", "smote", "mixup", "remix")
# Fewer complete trials say nothing on which parameter matters.
FEWEST_FOR_IMPORTANCE = 10

OUTER_METRICS = tuple(metric for metric in CORE_METRICS if metric != "cwece")
"""Scores shown of outer folds beside the objectives."""


@dataclass(frozen=True)
class OuterScores:
    """Scores on the outer folds of what one choice found there.

    Attributes:
        choice: the objective that chose, or "baseline".
        labels: what was chosen without each outer fold.
        scores: metric -> interval over the outer folds, each a mean over its networks.
        gains: metric -> interval of what the choice has more than the baseline; empty for it.
    """

    choice: str
    labels: tuple[str, ...]
    scores: Mapping[str, Interval]
    gains: Mapping[str, Interval]


@dataclass(frozen=True, eq=False)
class SearchSummary:
    """All that the section says of one problem's search.

    Attributes:
        chosen: objective -> its trial, None where no trial is complete.
        recommended: the simplest trial within one corrected standard error of the first
            objective's choice.
        n_near_best: how many trials are.
        front: trials that no other beats in every objective, on validation.
        references: the references in the search or beside it, by strategy name.
        importances: objective -> parameter -> share; empty with too few trials.
        outer: one a choice; empty without outer folds.
        folds: run -> metric -> part -> scores by fold.
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
    folds: Mapping[tuple[int, str, str], pd.Series[float]]
    ratio: float

    @property
    def complete(self) -> tuple[SearchTrial, ...]:
        return tuple(trial for trial in self.result.trials if trial.state == "COMPLETE")

    def score(self, trial: SearchTrial, metric: str, part: str) -> pd.Series[float]:
        return self.folds.get((trial.run, metric, part), pd.Series(dtype=float))

    def interval(self, trial: SearchTrial, metric: str, part: str) -> Interval:
        """The mean over folds; on validation its error counts validation rows as test rows."""
        ratio = self.comparison.ratio if part == "test" else self.ratio
        return score_interval(metric, self.score(trial, metric, part), ratio)


def summarize_search(comparison: Comparison, searched: SearchResult) -> SearchSummary:
    """Everything that is to be said of a search, from its trials' validation scores."""
    objectives = comparison.objectives
    complete = [trial for trial in searched.trials if trial.state == "COMPLETE"]
    by_number = {trial.number: trial for trial in complete}
    candidates = [Candidate(t.number, t.values, t.constraints) for t in complete]
    chosen = {}
    for at, metric in enumerate(objectives):
        found = choose(candidates, at, maximize=is_maximized(metric))
        if found is not None:
            chosen[metric] = by_number[found.number]
    folds = {
        (int(str(run)), str(metric), str(part)): group.set_index(["repeat", "fold"])["value"]
        for (run, metric, part), group in searched.scores.groupby(["run", "metric", "part"])
    }
    own = searched.sizes[searched.sizes["run"].isin([trial.run for trial in complete])]
    ratio = float(own["n_validation"].sum() / own["n_train"].sum()) if len(own) else math.nan
    near: list[SearchTrial] = []
    if chosen:
        best, metric = chosen[objectives[0]], objectives[0]
        near = [t for t in complete if _near(t, best, metric, folds, ratio)]
    first: dict[str, SearchTrial] = {}
    for trial in (*searched.references, *searched.trials[:2]):
        name = strategy_of(trial.parameters).name
        if name in ("baseline", "remix") and (trial in searched.references or trial.slot < 2):
            first.setdefault(name, trial)
    return SearchSummary(
        comparison=comparison,
        result=searched,
        chosen=chosen,
        recommended=min(near, key=_simplicity, default=None),
        n_near_best=len(near),
        front=pareto_front(complete, objectives),
        references=first,
        importances=parameter_importances(complete, objectives),
        outer=tuple(_outer(searched, objectives, folds)),
        folds=folds,
        ratio=ratio,
    )


def pareto_front(
    trials: Sequence[SearchTrial], objectives: Sequence[str]
) -> tuple[SearchTrial, ...]:
    """Trials that meet their constraints and that no other such trial beats, by first values."""
    left = [trial for trial in trials if trial.feasible]
    if not left:
        return ()
    signs = np.array([-1.0 if is_maximized(metric) else 1.0 for metric in objectives])
    values = np.array([trial.values for trial in left]) * signs
    beaten = [
        bool(((values <= own).all(axis=1) & (values < own).any(axis=1)).any()) for own in values
    ]
    kept = [trial for trial, worse in zip(left, beaten, strict=True) if not worse]
    return tuple(sorted(kept, key=lambda trial: (trial.values[0], trial.number)))


def parameter_importances(
    trials: Sequence[SearchTrial], objectives: Sequence[str]
) -> dict[str, dict[str, float]]:
    """PED-ANOVA's share of each parameter in reaching the best tenth, by objective."""
    if len(trials) < FEWEST_FOR_IMPORTANCE:
        return {}
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(directions=["minimize"] * len(objectives))
        signs = [-1.0 if is_maximized(metric) else 1.0 for metric in objectives]
        study.add_trials([_frozen(trial, signs) for trial in trials])
        with warnings.catch_warnings():
            # That low values count as good; the signs above see to it.
            warnings.simplefilter("ignore", UserWarning)
            return {
                metric: sorted_shares(
                    optuna.importance.get_param_importances(study, target=_value(at))
                )
                for at, metric in enumerate(objectives)
            }
    finally:
        optuna.logging.set_verbosity(before)


def sorted_shares(shares: Mapping[str, float]) -> dict[str, float]:
    """Sort by share, then by name: Optuna leaves ties in the order of a set of strings."""
    return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))


def _value(at: int) -> Callable[[Any], float]:
    return lambda trial: float(trial.values[at])


def _frozen(trial: SearchTrial, signs: Sequence[float]) -> Any:
    from optuna.distributions import json_to_distribution
    from optuna.trial import create_trial

    distributions = {name: json_to_distribution(text) for name, (_, text) in trial.asked.items()}
    values = {name: value for name, (value, _) in trial.asked.items()}
    return create_trial(
        params={n: d.to_external_repr(values[n]) for n, d in distributions.items()},
        distributions=distributions,
        values=[sign * value for sign, value in zip(signs, trial.values, strict=True)],
    )


def _near(
    trial: SearchTrial,
    best: SearchTrial,
    metric: str,
    folds: Mapping[tuple[int, str, str], pd.Series[float]],
    ratio: float,
) -> bool:
    """Whether a trial lies within one corrected standard error of the best, as good otherwise."""
    if trial is best:
        return True
    if sum(max(0.0, b) for b in trial.constraints.values()) > sum(
        max(0.0, b) for b in best.constraints.values()
    ):
        return False
    key = (metric, "validation")
    own, other = folds.get((trial.run, *key)), folds.get((best.run, *key))
    if own is None or other is None:
        return False
    gap = paired_interval(own, other, ratio)
    return bool(abs(gap.mean) <= gap.standard_error)


def _simplicity(trial: SearchTrial) -> tuple[int, int, float, int]:
    """Sorts trials: fewer parts, then the known order, then smaller networks, then as asked."""
    strategy = strategy_of(trial.parameters)
    defaults = ("natural", "none", "cross-entropy")
    parts = (strategy.sampler, strategy.mixing, strategy.loss)
    changed = sum(part != usual for part, usual in zip(parts, defaults, strict=True))
    known = SIMPLICITY.index(strategy.name) if strategy.name in SIMPLICITY else len(SIMPLICITY)
    hidden = trial.parameters.get("model.hidden", "[]")
    widths = [float(w) for w in str(hidden).strip("[]()").split(",") if w.strip()]
    return changed, known, sum(widths), trial.slot


def _outer(
    searched: SearchResult,
    objectives: Sequence[str],
    folds: Mapping[tuple[int, str, str], pd.Series[float]],
) -> list[OuterScores]:
    if not searched.outer or len(searched.outer) < searched.planned_outer:
        return []
    choices = searched.outer_choices
    sizes = searched.sizes[searched.sizes["run"].isin([t.run for t in searched.outer])]
    ratio = float(sizes["n_test"].sum() / (sizes["n_train"] + sizes["n_validation"]).sum())

    def means(choice: str, metric: str) -> pd.Series[float]:
        """Mean test score of the networks of each outer fold."""
        place = choices.index(choice)
        own = [trial for trial in searched.outer if trial.slot % len(choices) == place]
        return pd.Series(
            {
                trial.slot // len(choices): float(folds[trial.run, metric, "test"].mean())
                for trial in own
                if (trial.run, metric, "test") in folds
            },
            dtype=float,
        )

    metrics = list(dict.fromkeys((*objectives, *OUTER_METRICS)))
    found = []
    for choice in choices:
        place = choices.index(choice)
        own = [trial for trial in searched.outer if trial.slot % len(choices) == place]
        compared = choice != "baseline" and "baseline" in choices
        found.append(
            OuterScores(
                choice,
                tuple(trial.label for trial in own),
                {m: score_interval(m, means(choice, m), ratio) for m in metrics},
                {
                    m: corrected_interval(means(choice, m) - means("baseline", m), ratio)
                    for m in metrics
                    if compared
                },
            )
        )
    return found
