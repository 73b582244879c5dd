"""Pruning: a search's trial ends early where its first folds are clearly behind the best trial."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from optuna.exceptions import UpdateFinishedTrialError

from remix_study.study.algorithms import make_pruner
from remix_study.study.trials import TakenOver, Trials

if TYPE_CHECKING:
    from optuna.trial import Trial


def pruning_rule(
    trials: Trials, trial: Trial, slot: int | None
) -> Callable[[dict[int, float]], bool] | None:
    """Build the rule that decides whether a trial is pruned; None where the study never prunes.

    The rule takes validation scores of the first objective by fold position and reports them to
    Optuna; it raises TakenOver where the trial was closed meanwhile. Trials with fixed parameters
    report, and are never pruned.
    """
    if slot is None or trials.task.role == "outer" or not trials.task.study.search.prune:
        return None
    trials.registered.optuna.pruner = make_pruner()
    reported: set[int] = set()

    def should_prune(scores: dict[int, float]) -> bool:
        try:
            for position, score in scores.items():
                if np.isfinite(score) and position not in reported:
                    trial.report(score, position)
                    reported.add(position)
        except UpdateFinishedTrialError as error:
            raise TakenOver from error
        return slot not in trials.fixed and trial.should_prune()

    return should_prune
