"""The baseline in a search: constraints may speak of it, and then all others wait for it."""

from __future__ import annotations

import numpy as np

from remix_study.study import tables
from remix_study.study.constraints import Constraint, Margin
from remix_study.study.evaluation import Evaluation, MembersFailed
from remix_study.study.initial_trials import REFERENCES
from remix_study.study.record import validation_means
from remix_study.study.tables import point_key
from remix_study.study.trial_status import settled
from remix_study.study.trials import Trials, slot_key

NO_BASELINE = "the baseline has failed, and constraints speak of it"


def is_beside(trials: Trials) -> bool:
    """Whether the baseline lies outside the space."""
    return "baseline" not in trials.first


def means(trials: Trials) -> dict[str, float] | None:
    """Validation means of the baseline, None while it has not been trained."""
    if trials.baseline is None:
        beside = is_beside(trials)
        asked = trials.references if beside else trials
        wanted = {"strategy": "baseline"}
        for trial in asked.in_state("COMPLETE") if asked else ():
            first = trial.user_attrs.get(tables.SLOT_ATTRIBUTE) == 0
            if first or (beside and trial.params == wanted):
                run = trial.user_attrs[tables.RUN_ATTRIBUTE]
                trials.baseline = validation_means(trials.storage.engine, run)
    return trials.baseline


def is_lacking(trials: Trials) -> bool:
    """Whether a constraint speaks of the baseline, and there is none yet."""
    relative = any(constraint.relative for constraint in trials.constraints)
    return relative and trials.task.role != "outer" and means(trials) is None


def has_failed(trials: Trials) -> bool:
    """Whether constraints speak of a baseline that the run has tried in vain."""
    if not is_lacking(trials):
        return False
    if is_beside(trials):
        asked, point = trials.references, point_key({"strategy": REFERENCES[0]})
    else:
        asked, point = trials, slot_key(0)
    tried = asked is None or point in settled(asked)
    # It may have become complete just before that look.
    return tried and is_lacking(trials)


def margins(trials: Trials, found: Evaluation, slot: int | None) -> dict[Constraint, Margin]:
    """How far a search's trial lies beyond each constraint.

    Raises:
        MembersFailed: A constraint cannot be computed.
    """
    if slot is None or not trials.constraints or trials.task.role == "outer":
        return {}
    own = found.means()
    baseline = own if slot == 0 and not is_beside(trials) else means(trials) or {}
    told = {one: one.margin(own, baseline) for one in trials.constraints}
    for constraint, margin in told.items():
        if not np.isfinite(margin.beyond):
            raise MembersFailed(f'constraint "{constraint.text}" cannot be computed')
    return told
