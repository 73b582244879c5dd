"""A problem's trials: what is planned for them, and those that there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from remix_study.study.configurations import Parameters, grid_points
from remix_study.study.constraints import Constraint, parse_constraint
from remix_study.study.initial_trials import first_points, outer_choices
from remix_study.study.registration import Entry
from remix_study.study.tables import point_key
from remix_study.study.task import Task
from remix_study.study.worker_limits import Start

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

_SLOT = "slot "


class TakenOver(Exception):
    """Another worker has closed the trial: it had heard nothing of this one for too long."""


@dataclass(eq=False)
class Trials:
    """One problem's trials.

    Attributes:
        storage: The database.
        task: The problem.
        entry: Its study in the database.
        start: Where it stood when the run began.
        planned: Points of its grid by key; empty for a search.
        given: Slots of a search whose parameters stand fixed.
        constraints: What its trials are held against.
        references: Trials of the first points that the search's space lacks.
        inner: Searches whose choices these trials score, one an outer fold.
        keys: Points, or slots, of trials that have ended, by number: what does not change.
        baseline: Validation means of the baseline, once they were read.
    """

    storage: RDBStorage
    task: Task
    entry: Entry
    start: Start = field(default_factory=lambda: Start(0, 0))
    planned: dict[str, Parameters] = field(init=False)
    given: dict[int, Parameters] = field(init=False)
    constraints: tuple[Constraint, ...] = field(init=False)
    references: Trials | None = None
    inner: Sequence[Trials] = ()
    keys: dict[int, str] = field(init=False, default_factory=dict)
    baseline: dict[str, float] | None = None

    def __post_init__(self) -> None:
        """Plan the grid, or the first points of a search, once."""
        search = self.task.study.search
        points = grid_points(search.space) if search.algorithm == "grid" else []
        self.planned = {point_key(point): point for point in points}
        self.constraints = tuple(parse_constraint(text) for text in search.constraints)
        searches = not self.planned and self.task.role != "outer"
        self.given = dict(enumerate(self.first.values())) if searches else {}

    @property
    def first(self) -> dict[str, Parameters]:
        """The references that the space of a search holds, by name."""
        return first_points(self.task.study, self.task.spec.training)

    @property
    def points(self) -> list[str]:
        """Keys of all that the run may do, in order: points of the grid, or slots."""
        return list(self.planned) or [slot_key(slot) for slot in range(self.start.slots)]

    @property
    def total(self) -> int:
        """How many COMPLETE, or pruned, trials make the problem done."""
        search = self.task.study.search
        if self.task.role == "outer":
            return (search.outer or 0) * len(self.choices)
        return len(self.planned) or search.trials or 0

    @property
    def choices(self) -> tuple[str, ...]:
        """What these trials score on each outer fold."""
        return outer_choices(self.task.study, self.task.spec.training)

    def slot(self, point: str) -> int | None:
        """The slot that a key stands for; None for a point of a grid."""
        return None if self.planned else int(point.removeprefix(_SLOT))

    def block(self, slot: int | None) -> int | None:
        """The block of folds that a slot trains; None for all of them, one after the other."""
        if slot is None or self.task.role != "outer":
            return None
        return slot // len(self.choices)

    def in_state(self, *states: str) -> list[FrozenTrial]:
        """Trials in any of some states, in the order in which they were asked."""
        from optuna.trial import TrialState

        wanted = tuple(TrialState[state] for state in states)
        return self.entry.optuna.get_trials(deepcopy=False, states=wanted)


def slot_key(slot: int) -> str:
    """What stands for a slot of a search among claims."""
    return f"{_SLOT}{slot}"
