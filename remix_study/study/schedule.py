"""What a schedule is: which configurations a task trains, and what has become of each.

A grid's configurations are known by their keys, the trials of a search by their slots: the places
in the order of its trials, whose keys are ``slot 0`` and so on.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence, Set
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from remix_study.study.configurations import Parameters, label_of
from remix_study.study.constraints import Constraint, Margin
from remix_study.study.evaluation import Evaluation
from remix_study.study.extensions import Earlier
from remix_study.study.fold_blocks import Blocks
from remix_study.study.optuna_tables import DIED, FAILED, NO_TRY
from remix_study.study.reporter import ALL_OTHERS, Failure
from remix_study.study.trials import FINAL, SCORED, Trials

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, Trial

MAX_TRIES = 3
"""Trials of a configuration that may die or crash in a run before the run gives it up."""

NO_BASELINE = "the baseline has failed, and constraints are relative to it"
_SLOT = "slot "

PruningRule = Callable[[dict[int, float]], bool]
"""Whether to end a trial, from validation scores of the first objective by fold position."""


class Schedule(Protocol):
    """Which configurations a task trains, in which order, and what each of them waits for.

    Attributes:
        trials: The trials of the task.
        has_fixed_order: Whether what is trained later depends on what was trained before.
    """

    trials: Trials
    has_fixed_order: ClassVar[bool] = True

    @property
    @abstractmethod
    def total(self) -> int:
        """How many trials with scores complete the task."""

    @abstractmethod
    def n_complete(self) -> int:
        """How many of them there are."""

    @abstractmethod
    def configurations(self) -> list[str]:
        """Keys of all that the run may train, in order."""

    @abstractmethod
    def key_of(self, trial: FrozenTrial) -> str:
        """The key of a trial's configuration or slot."""

    @abstractmethod
    def done(self, ended: Sequence[FrozenTrial]) -> set[str]:
        """Keys that need no further trial, by what trials that have ended left."""

    @abstractmethod
    def start(self, key: str) -> Trial:
        """Begin the trial of a leased configuration, as RUNNING."""

    @abstractmethod
    def parameters(self, trial: Trial, key: str) -> Parameters:
        """Parameters of an open trial; in a search Optuna chooses them now."""

    def must_wait(self, _trial: Trial, _key: str) -> bool:
        """Whether an open trial gets its parameters after others that have none yet."""
        return False

    def label(self, trial: FrozenTrial, key: str) -> str:
        """Name of a trial's configuration for people; its key where that is not known."""
        return label_of(trial.params) if trial.params else key

    def label_end(self, _key: str) -> str:
        """What its name says beside its parameters."""
        return ""

    def remark(self) -> str:
        """What a person should know when a run ends; "" for nothing."""
        return ""

    def slots(self) -> int:
        """Slots that a run which begins now may use; 0 for a grid."""
        return 0

    def done_now(self) -> Set[str]:
        """Keys that need no further trial now."""
        return self.done(self.trials.ended())

    def scored_now(self) -> Set[str]:
        """Those of them that have scores."""
        return self.done(self.trials.in_state(*SCORED))

    def unfinished(self) -> list[str]:
        """Keys that may still have to be trained, in the order of :meth:`configurations`."""
        return self.configurations()

    def open(self) -> set[str]:
        """Keys of what any worker may still train in this run."""
        return set(self.configurations()) - finished(self)

    def can_begin(self, _key: str) -> bool:
        """Whether all is there that a configuration depends on."""
        return True

    def baseline_state(self) -> Literal["ready", "missing", "failed"]:
        """Whether constraints that are relative to the baseline have what they need."""
        return "ready"

    def blocks(self, _key: str) -> Blocks:
        """Positions of the folds that a configuration trains, block by block."""
        return self.trials.task.blocks

    def repeats(self) -> dict[str, int]:
        """How many repeats configurations of a grid have, by key; those of none are left out."""
        return {}

    def earlier(self, _key: str) -> Earlier | None:
        """What a configuration has of its folds, where its next trial adds the others."""
        return None

    def pruning_rule(self, _trial: Trial, _key: str) -> PruningRule | None:
        """The rule that decides whether a trial is pruned; None where it never is."""
        return None

    def margins(self, _evaluation: Evaluation, _key: str) -> dict[Constraint, Margin]:
        """How far a trial lies beyond each constraint of a search."""
        return {}

    def facts(self, key: str) -> dict[str, Any]:  # noqa: ARG002
        """What is stored with a trial's run of why its parameters were trained."""
        return {}

    def update(self) -> None:
        """Take in what finished trials of other tasks, or people, have changed."""
        return


def slot_key(slot: int) -> str:
    """The key of a slot of a search, in leases and in reports of failures."""
    return f"{_SLOT}{slot}"


def slot_of(key: str) -> int | None:
    """The slot that a key stands for; None for a configuration of a grid."""
    return int(key.removeprefix(_SLOT)) if key.startswith(_SLOT) else None


def finished(schedule: Schedule) -> Set[str]:
    """Keys of configurations, or slots, that are complete, used up or given up in this run."""
    with schedule.trials.one_look():
        done, given_up = schedule.done_now(), _given_up(schedule)
    return done | given_up.keys() if given_up else done


def run_failures(schedule: Schedule) -> dict[str, Failure]:
    """All that the run will not try again, by key, those that lack a baseline in one entry.

    One try is enough for a network that diverged: the same seeds would make it diverge again. A
    worker that died or code that raised gets :data:`MAX_TRIES`.
    """
    failures = _given_up(schedule)
    if schedule.baseline_state() == "failed":
        failures[ALL_OTHERS] = Failure(schedule.trials.task.name, ALL_OTHERS, NO_BASELINE)
    return failures


def with_failures(schedule: Schedule) -> set[str]:
    """Keys of configurations, or slots, whose trial has died or failed in this run."""
    return set(_failed_tries(schedule))


def known_key(schedule: Schedule, trial: FrozenTrial) -> str:
    """Key of a trial that has ended; it does not change any more and is computed once."""
    keys = schedule.trials.keys
    if trial.number not in keys:
        keys[trial.number] = schedule.key_of(trial)
    return keys[trial.number]


def _failed_tries(schedule: Schedule) -> dict[str, list[FrozenTrial]]:
    tries: dict[str, list[FrozenTrial]] = {}
    for trial in schedule.trials.in_state("FAIL"):
        counts = trial.user_attrs.get(FAILED) not in NO_TRY
        is_recent = trial.number >= schedule.trials.start.trials
        if counts and is_recent:
            tries.setdefault(known_key(schedule, trial), []).append(trial)
    return tries


def _given_up(schedule: Schedule) -> dict[str, Failure]:
    failures = {}
    for key, failed in _failed_tries(schedule).items():
        final = [trial for trial in failed if FINAL in trial.user_attrs]
        if final or len(failed) >= MAX_TRIES:
            last = (final or failed)[-1]
            reason = str(last.user_attrs.get(FAILED, DIED))
            reason += "" if final else f", {len(failed)} times"
            failures[key] = Failure(schedule.trials.task.name, schedule.label(last, key), reason)
    if failures:
        for key in failures.keys() & schedule.scored_now():
            del failures[key]
    return failures
