"""Ending a search's trial early, where its first folds say that it is surely behind the best."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from remix_study.study.algorithms import make_pruner
from remix_study.study.trials import TakenOver, Trials

if TYPE_CHECKING:
    from optuna.trial import Trial


def should_prune(
    trials: Trials, trial: Trial, slot: int | None
) -> Callable[[dict[int, float]], bool] | None:
    """Whether a trial is surely behind the best one; None where the study does not prune.

    What it gives takes scores by fold, and raises TakenOver where the trial was closed meanwhile.
    """
    if slot is None or trials.task.role == "outer" or not trials.task.study.search.prune:
        return None
    from optuna.exceptions import UpdateFinishedTrialError

    trials.entry.optuna.pruner = make_pruner()
    told: set[int] = set()

    def judge(scores: dict[int, float]) -> bool:
        try:
            for place, score in scores.items():
                if np.isfinite(score) and place not in told:
                    trial.report(score, place)
                    told.add(place)
        except UpdateFinishedTrialError as error:
            raise TakenOver from error
        return slot not in trials.given and trial.should_prune()

    return judge
