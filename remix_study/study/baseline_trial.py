"""The baseline of a search: relative constraints need its means before any other trial begins."""

from __future__ import annotations

import numpy as np

from remix_study.study import tables
from remix_study.study.constraints import Constraint, Margin
from remix_study.study.evaluation import Evaluation, MembersFailed
from remix_study.study.record import validation_means
from remix_study.study.trials import Trials


def is_baseline_outside_space(trials: Trials) -> bool:
    """Whether the search space lacks the baseline, so that it is trained beside the search."""
    return "baseline" not in trials.initial


def baseline_means(trials: Trials) -> dict[str, float] | None:
    """Validation mean of each metric of the baseline, None while it has not been trained."""
    if trials.baseline is None:
        is_outside = is_baseline_outside_space(trials)
        owner = trials.references if is_outside else trials
        for trial in owner.in_state("COMPLETE") if owner else ():
            is_first = trial.user_attrs.get(tables.SLOT_ATTRIBUTE) == 0
            if is_first or (is_outside and trial.params == {"strategy": "baseline"}):
                run = trial.user_attrs[tables.RUN_ATTRIBUTE]
                trials.baseline = validation_means(trials.storage.engine, run)
    return trials.baseline


def is_baseline_missing(trials: Trials) -> bool:
    """Whether a constraint is relative to the baseline, which has no scores yet."""
    is_relative = any(constraint.relative for constraint in trials.constraints)
    return is_relative and trials.task.role != "outer" and baseline_means(trials) is None


def constraint_margins(
    trials: Trials, evaluation: Evaluation, slot: int | None
) -> dict[Constraint, Margin]:
    """How far a search's trial lies beyond each constraint.

    Args:
        trials: Of its task.
        evaluation: Its scores.
        slot: Its slot; None for a grid, which has no constraints.

    Raises:
        MembersFailed: A constraint cannot be computed.
    """
    if slot is None or not trials.constraints or trials.task.role == "outer":
        return {}
    means = evaluation.means()
    is_baseline = slot == 0 and not is_baseline_outside_space(trials)
    baseline = means if is_baseline else baseline_means(trials) or {}
    margins = {constraint: constraint.margin(means, baseline) for constraint in trials.constraints}
    for constraint, margin in margins.items():
        if not np.isfinite(margin.beyond):
            raise MembersFailed(f'constraint "{constraint.text}" cannot be computed')
    return margins
