"""What a run may still do, and what it will never do."""

from __future__ import annotations

from remix_study.study import baseline_trial
from remix_study.study.baseline_trial import NO_BASELINE
from remix_study.study.reporter import Failure
from remix_study.study.trial_status import failures, settled
from remix_study.study.trials import Trials, slot_key


def left(trials: Trials) -> set[str]:
    """Points, or slots, that this worker or another may still do in this run."""
    if baseline_trial.has_failed(trials):
        return set()
    left_ = set(trials.points) - settled(trials)
    if trials.task.role == "outer":
        # What an inner search has chosen is known when nothing is left to do for it.
        open_ = [fold for fold, search in enumerate(trials.inner) if left(search)]
        of_these = range(len(trials.choices))
        coming = {fold * len(trials.choices) + place for fold in open_ for place in of_these}
        left_ &= {slot_key(slot) for slot in coming | trials.given.keys()}
    return left_


def waits(trials: Trials, point: str) -> bool:
    """Whether a point cannot be asked yet, for another trial that it needs."""
    slot = trials.slot(point)
    if slot is None:
        return False
    if trials.task.role == "outer":
        return slot not in trials.given
    return baseline_trial.is_lacking(trials) and (slot > 0 or baseline_trial.is_beside(trials))


def given_up(trials: Trials) -> dict[str, Failure]:
    """Points without a COMPLETE trial that the run will not try again, and why."""
    found = failures(trials)
    if baseline_trial.has_failed(trials):
        found["all others"] = Failure(trials.task.name, "all others", NO_BASELINE)
    return found
