"""The trials of one task: what is planned for them, and those that exist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from optuna.trial import TrialState

from remix_study.study.configurations import Parameters, grid_configurations
from remix_study.study.constraints import Constraint, parse_constraint
from remix_study.study.initial_trials import initial_configurations, outer_choices
from remix_study.study.registration import RegisteredStudy
from remix_study.study.tables import configuration_key
from remix_study.study.task import Task
from remix_study.study.worker_limits import Start

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

_SLOT = "slot "


class TakenOver(Exception):
    """Raised when another worker has closed the trial, after this one was silent for too long."""


@dataclass(eq=False)
class Trials:
    """The trials of one task.

    Attributes:
        storage: The database.
        task: The task.
        registered: Its study in the database.
        start: Its state when the run began.
        planned: Parameters of a grid's configurations by key; empty for a search.
        fixed: Parameters of the slots of a search that its algorithm does not choose.
        constraints: What trials of a search must fulfil.
        references: Trials of the references that a search space lacks.
        inner: Searches whose choices these trials score, one an outer fold.
        keys: Keys of configurations, or slots, of trials that have ended, by trial number.
        baseline: Validation means of the baseline, once they were read.
    """

    storage: RDBStorage
    task: Task
    registered: RegisteredStudy
    start: Start = field(default_factory=lambda: Start(0, 0))
    planned: dict[str, Parameters] = field(init=False)
    fixed: dict[int, Parameters] = field(init=False)
    constraints: tuple[Constraint, ...] = field(init=False)
    references: Trials | None = None
    inner: Sequence[Trials] = ()
    keys: dict[int, str] = field(init=False, default_factory=dict)
    baseline: dict[str, float] | None = None

    def __post_init__(self) -> None:
        """Plan the grid, or the initial trials of a search, once."""
        search = self.task.study.search
        grid = grid_configurations(search.space) if search.algorithm == "grid" else []
        self.planned = {configuration_key(parameters): parameters for parameters in grid}
        self.constraints = tuple(parse_constraint(text) for text in search.constraints)
        is_search = not self.planned and self.task.role != "outer"
        self.fixed = dict(enumerate(self.initial.values())) if is_search else {}

    @property
    def initial(self) -> dict[str, Parameters]:
        """Parameters of the references that the space of a search contains, by name."""
        return initial_configurations(self.task.study, self.task.spec.training)

    @property
    def configurations(self) -> list[str]:
        """Keys of all that the run may train, in order: a grid's configurations, or slots."""
        return list(self.planned) or [slot_key(slot) for slot in range(self.start.slots)]

    @property
    def total(self) -> int:
        """How many trials with scores complete the task."""
        search = self.task.study.search
        if self.task.role == "outer":
            return (search.outer or 0) * len(self.choices)
        return len(self.planned) or search.trials or 0

    @property
    def choices(self) -> tuple[str, ...]:
        """What is scored on each outer fold: names of objectives, and ``baseline``."""
        return outer_choices(self.task.study, self.task.spec.training)

    def slot(self, key: str) -> int | None:
        """The slot that a key stands for; None for a configuration of a grid."""
        return None if self.planned else int(key.removeprefix(_SLOT))

    def block(self, slot: int | None) -> int | None:
        """The block of folds that a slot trains; None for all of them, one after the other."""
        if slot is None or self.task.role != "outer":
            return None
        return slot // len(self.choices)

    def in_state(self, *states: str) -> list[FrozenTrial]:
        """Trials in any of some of Optuna's states, in the order of their numbers."""
        wanted = tuple(TrialState[state] for state in states)
        return self.registered.optuna.get_trials(deepcopy=False, states=wanted)


def slot_key(slot: int) -> str:
    """The key of a slot of a search, in leases and in reports of failures."""
    return f"{_SLOT}{slot}"
