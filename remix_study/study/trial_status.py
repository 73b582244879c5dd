"""What has become of a task's configurations: complete, failed, waiting, open in this run.

A grid's configurations are known by their keys, the trials of a search by their slots: the places
in the order of its trials.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from remix_study.study import tables
from remix_study.study.baseline_trial import is_baseline_missing, is_baseline_outside_space
from remix_study.study.configurations import label_of
from remix_study.study.initial_trials import REFERENCES
from remix_study.study.registration import RegisteredStudy
from remix_study.study.reporter import Failure
from remix_study.study.tables import configuration_key
from remix_study.study.task import Task
from remix_study.study.trials import Trials, slot_key
from remix_study.study.worker_limits import Start

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

# User attributes of trials: the slot that a trial fills, why it failed, and that it would
# fail again.
ASKED_FOR = "slot asked for"
FAILED = "failed"
FINAL = "final"

MAX_TRIES = 3
"""Trials of a configuration that may die or crash in a run before the run gives it up."""

DIED = "its worker died"
INTERRUPTED = "interrupted"
TAKEN_OVER = "another process has taken it over"
NOT_PLANNED = "not part of the plan"
NOT_FIRST = "not one of the first points"
NO_BASELINE = "the baseline has failed, and constraints are relative to it"
# Reasons that do not count as a try of the configuration.
_NO_TRY = (INTERRUPTED, TAKEN_OVER, NOT_PLANNED, NOT_FIRST)
# States of trials that have scores.
_SCORED = ("COMPLETE", "PRUNED")
_ALL_OTHERS = "all others"


def load_trials(
    storage: RDBStorage, task: Task, registered: RegisteredStudy, start: Start | None = None
) -> Trials:
    """Look up the trials of a task.

    Args:
        storage: The database.
        task: The task.
        registered: Its study in the database.
        start: Its state when the run began; its present state when None.
    """
    trials = Trials(storage, task, registered)
    trials.start = start or _current_start(trials)
    return trials


def _current_start(trials: Trials) -> Start:
    """The task's present state.

    A slot seeds what Optuna draws there. A trial that failed by itself has used its slot up: the
    same seed would suggest the same parameters. The first runs use ``total`` slots; one more run
    of a search that then lacks trials replaces those that failed.
    """
    n_trials = len(trials.registered.optuna.get_trials(deepcopy=False))
    if trials.planned:
        return Start(n_trials, 0)
    n_used, total = len(used_slots(trials)), trials.total
    lacking = total - len(complete_configurations(trials))
    return Start(n_trials, total if n_used < total else n_used + max(lacking, 0))


def complete_configurations(trials: Trials) -> set[str]:
    """Keys of planned configurations with a COMPLETE trial.

    For a search: its COMPLETE and PRUNED trials.
    """
    if trials.planned:
        complete = {trial_key(trials, trial) for trial in trials.in_state("COMPLETE")}
        return complete & trials.planned.keys()
    if trials.task.role == "outer":
        return {slot_key(slot) for slot in used_slots(trials)}
    return {str(trial.number) for trial in trials.in_state(*_SCORED)}


def finished_configurations(trials: Trials) -> set[str]:
    """Keys of configurations, or slots, that are complete, used up or given up in this run."""
    ended = trials.in_state(*_SCORED, "FAIL")
    return _done(trials, ended) | _given_up(trials, ended).keys()


def open_configurations(trials: Trials) -> set[str]:
    """Keys of configurations, or slots, that any worker may still train in this run."""
    if has_baseline_failed(trials):
        return set()
    keys = set(trials.configurations) - finished_configurations(trials)
    if trials.task.role == "outer":
        # What an inner search chooses is known once nothing of it is open.
        unchosen = [
            fold for fold, search in enumerate(trials.inner) if open_configurations(search)
        ]
        n_choices = len(trials.choices)
        slots = {fold * n_choices + choice for fold in unchosen for choice in range(n_choices)}
        keys &= {slot_key(slot) for slot in slots | trials.fixed.keys()}
    return keys


def must_wait(trials: Trials, key: str) -> bool:
    """Whether a configuration cannot begin before another trial that it depends on."""
    slot = trials.slot(key)
    if slot is None:
        return False
    if trials.task.role == "outer":
        return slot not in trials.fixed
    return is_baseline_missing(trials) and (slot > 0 or is_baseline_outside_space(trials))


def has_baseline_failed(trials: Trials) -> bool:
    """Whether constraints are relative to a baseline that the run has given up."""
    if not is_baseline_missing(trials):
        return False
    if is_baseline_outside_space(trials):
        owner, key = trials.references, configuration_key({"strategy": REFERENCES[0]})
    else:
        owner, key = trials, slot_key(0)
    is_finished = owner is None or key in finished_configurations(owner)
    # It may have become complete just before that look.
    return is_finished and is_baseline_missing(trials)


def failed_configurations(trials: Trials) -> dict[str, Failure]:
    """Configurations that the run has given up, by key.

    One try is enough for a network that diverged: the same seeds would make it diverge again. A
    worker that died or code that raised gets :data:`MAX_TRIES`.
    """
    return _given_up(trials, trials.in_state(*_SCORED, "FAIL"))


def run_failures(trials: Trials) -> dict[str, Failure]:
    """All that the run will not try again, by key, those that lack a baseline in one entry."""
    failures = failed_configurations(trials)
    if has_baseline_failed(trials):
        failures[_ALL_OTHERS] = Failure(trials.task.name, _ALL_OTHERS, NO_BASELINE)
    return failures


def configurations_with_failures(trials: Trials) -> set[str]:
    """Keys of configurations, or slots, whose trial has died or failed in this run."""
    return set(_failed_tries(trials, trials.in_state("FAIL")))


def _failed_tries(trials: Trials, ended: list[FrozenTrial]) -> dict[str, list[FrozenTrial]]:
    tries: dict[str, list[FrozenTrial]] = {}
    for trial in ended:
        counts = trial.user_attrs.get(FAILED) not in _NO_TRY
        if trial.state.name == "FAIL" and counts and trial.number >= trials.start.trials:
            tries.setdefault(trial_key(trials, trial), []).append(trial)
    return tries


def _given_up(trials: Trials, ended: list[FrozenTrial]) -> dict[str, Failure]:
    failures = {}
    for key, failed in _failed_tries(trials, ended).items():
        final = [trial for trial in failed if FINAL in trial.user_attrs]
        if final or len(failed) >= MAX_TRIES:
            last = (final or failed)[-1]
            reason = str(last.user_attrs.get(FAILED, DIED))
            reason += "" if final else f", {len(failed)} times"
            label = label_of(last.params) if last.params else key
            failures[key] = Failure(trials.task.name, label, reason)
    if failures:
        for key in _done(trials, [trial for trial in ended if trial.state.name in _SCORED]):
            failures.pop(key, None)
    return failures


def used_slots(trials: Trials) -> set[int]:
    """Slots of a search that need no further trial.

    Their trial ended by itself, COMPLETE, PRUNED or FAIL. A slot with fixed parameters is used
    only by a trial with scores, and a slot of outer folds only by the parameters that are chosen
    now.
    """
    return _used(trials, trials.in_state(*_SCORED, "FAIL"))


def _done(trials: Trials, ended: list[FrozenTrial]) -> set[str]:
    """Keys of configurations with a COMPLETE trial, or of slots of a search that are used."""
    if trials.planned:
        return {trial_key(trials, trial) for trial in ended if trial.state.name == "COMPLETE"}
    return {slot_key(slot) for slot in _used(trials, ended)}


def _used(trials: Trials, ended: list[FrozenTrial]) -> set[int]:
    slots = set()
    for trial in ended:
        slot = trial.user_attrs.get(tables.SLOT_ATTRIBUTE)
        if slot is None or (slot in trials.fixed and trial.state.name == "FAIL"):
            continue
        if trials.task.role == "outer" and (
            slot not in trials.fixed
            or configuration_key(trials.fixed[slot]) != configuration_key(dict(trial.params))
        ):
            continue
        slots.add(slot)
    return slots


def trial_key(trials: Trials, trial: FrozenTrial) -> str:
    """Key of a finished trial's configuration or slot; neither changes any more."""
    if trial.number not in trials.keys:
        slot = trial.user_attrs.get(ASKED_FOR)
        key = configuration_key(trial.params) if trials.planned else f"trial {trial.number}"
        trials.keys[trial.number] = key if slot is None else slot_key(slot)
    return trials.keys[trial.number]
