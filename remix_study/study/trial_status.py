"""What has become of a problem's points, or of the slots of a search: done, used up, given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remix_study.study import tables
from remix_study.study.configurations import label_of
from remix_study.study.registration import Entry
from remix_study.study.reporter import Failure
from remix_study.study.tables import point_key
from remix_study.study.task import Task
from remix_study.study.trials import Trials, slot_key
from remix_study.study.worker_limits import Start

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

# User attributes of trials: the slot a trial was asked for, why it failed, and that it would
# fail again.
ASKED_FOR = "slot asked for"
FAILED = "failed"
FINAL = "final"

MOST_TRIES = 3
"""Trials of a point that may die or crash in a run before the run gives the point up."""

DIED = "its worker died"
INTERRUPTED = "interrupted"
TAKEN_OVER = "another process has taken it over"
NOT_PLANNED = "not part of the plan"
NOT_FIRST = "not one of the first points"
# Ends that say nothing of the point.
_NO_TRY = (INTERRUPTED, TAKEN_OVER, NOT_PLANNED, NOT_FIRST)
# Ends of a trial that has scores.
_DONE = ("COMPLETE", "PRUNED")


def problem_trials(
    storage: RDBStorage, task: Task, entry: Entry, began: Start | None = None
) -> Trials:
    """A problem's trials.

    Args:
        storage: The database.
        task: The problem.
        entry: Its study in the database.
        began: Where it stood when the run began; as it stands now when None.
    """
    trials = Trials(storage, task, entry)
    trials.start = began or _start(trials)
    return trials


def _start(trials: Trials) -> Start:
    """Where the problem stands.

    A slot is a place in the order of trials and seeds what Optuna draws there. A trial that
    failed by itself has used its slot up: the same seed would ask for the same point. The first
    runs use ``total`` slots; one more run of a search that then lacks trials replaces those that
    failed.
    """
    there = len(trials.entry.optuna.get_trials(deepcopy=False))
    if trials.planned:
        return Start(there, 0)
    used, total = len(used_slots(trials)), trials.total
    lacking = total - len(complete(trials))
    return Start(there, total if used < total else used + max(lacking, 0))


def settled(trials: Trials) -> set[str]:
    """Points, or slots, that the run need not look at: done, used up or given up."""
    ended = trials.in_state(*_DONE, "FAIL")
    return _done(trials, ended) | _failures(trials, ended).keys()


def complete(trials: Trials) -> set[str]:
    """Planned points with a COMPLETE trial; for a search, its COMPLETE and pruned trials."""
    if trials.planned:
        return {key_of(trials, t) for t in trials.in_state("COMPLETE")} & trials.planned.keys()
    if trials.task.role == "outer":
        return {slot_key(slot) for slot in used_slots(trials)}
    return {str(trial.number) for trial in trials.in_state(*_DONE)}


def failures(trials: Trials) -> dict[str, Failure]:
    """Points without a COMPLETE trial that the run has tried in vain, and why.

    The same seeds would make a diverged network diverge again: one try is enough. A worker that
    died or code that raised gets :data:`MOST_TRIES`.
    """
    return _failures(trials, trials.in_state(*_DONE, "FAIL"))


def tried(trials: Trials) -> set[str]:
    """Points, or slots, whose trial has died or failed in this run."""
    return set(_tries(trials, trials.in_state("FAIL")))


def _tries(trials: Trials, ended: list[FrozenTrial]) -> dict[str, list[FrozenTrial]]:
    found: dict[str, list[FrozenTrial]] = {}
    for trial in ended:
        counts = trial.user_attrs.get(FAILED) not in _NO_TRY
        if trial.state.name == "FAIL" and counts and trial.number >= trials.start.trials:
            found.setdefault(key_of(trials, trial), []).append(trial)
    return found


def _failures(trials: Trials, ended: list[FrozenTrial]) -> dict[str, Failure]:
    found = {}
    for point, failed in _tries(trials, ended).items():
        final = [trial for trial in failed if FINAL in trial.user_attrs]
        if final or len(failed) >= MOST_TRIES:
            last = (final or failed)[-1]
            reason = str(last.user_attrs.get(FAILED, DIED))
            reason += "" if final else f", {len(failed)} times"
            label = label_of(last.params) if last.params else point
            found[point] = Failure(trials.task.name, label, reason)
    for point in _done(trials, [t for t in ended if t.state.name in _DONE]) if found else ():
        found.pop(point, None)
    return found


def used_slots(trials: Trials) -> set[int]:
    """Slots of a search that need not be asked again.

    Their trial ended by itself, well or badly. One whose parameters stand fixed must have ended
    well, and what is no longer chosen does not count.
    """
    return _used(trials, trials.in_state(*_DONE, "FAIL"))


def _done(trials: Trials, ended: list[FrozenTrial]) -> set[str]:
    """Planned points with a COMPLETE trial, or slots of a search that are used up."""
    if trials.planned:
        return {key_of(trials, trial) for trial in ended if trial.state.name == "COMPLETE"}
    return {slot_key(slot) for slot in _used(trials, ended)}


def _used(trials: Trials, ended: list[FrozenTrial]) -> set[int]:
    found = set()
    for trial in ended:
        slot = trial.user_attrs.get(tables.SLOT_ATTRIBUTE)
        if slot is None or (slot in trials.given and trial.state.name == "FAIL"):
            continue
        if trials.task.role == "outer" and (
            slot not in trials.given
            or point_key(trials.given[slot]) != point_key(dict(trial.params))
        ):
            continue
        found.add(slot)
    return found


def key_of(trials: Trials, trial: FrozenTrial) -> str:
    """A finished trial's point or slot; neither changes any more."""
    if trial.number not in trials.keys:
        slot = trial.user_attrs.get(ASKED_FOR)
        key = point_key(trial.params) if trials.planned else f"trial {trial.number}"
        trials.keys[trial.number] = key if slot is None else slot_key(slot)
    return trials.keys[trial.number]
