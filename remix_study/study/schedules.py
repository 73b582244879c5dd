"""The schedules of a problem: a grid, a search, and the choices of searches in outer folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

from optuna.trial import Trial, TrialState, create_trial

from remix_study.study import tables
from remix_study.study.algorithms import PlannedSampler
from remix_study.study.configurations import Parameters, planned_configurations
from remix_study.study.extensions import Earlier, mark_extended, read_scores
from remix_study.study.fold_blocks import Blocks
from remix_study.study.optuna_tables import NOT_PLANNED, chains, count_trials
from remix_study.study.rare_rows_schedule import CANDIDATE_ROLES, RareRowsSchedule
from remix_study.study.schedule import Schedule, known_key, slot_key, slot_of
from remix_study.study.search_parameters import distributions, outer_choices
from remix_study.study.search_schedule import SearchSchedule
from remix_study.study.slot_schedule import SlotSchedule
from remix_study.study.tables import configuration_key
from remix_study.study.trials import Start, Trials, fail_trial

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial


def make_schedules(
    group: Sequence[Trials], starts: Mapping[str, Start] | None = None
) -> list[Schedule]:
    """Make the schedules of one problem's tasks, each with those that it depends on.

    Args:
        group: Trials of the tasks, in the order of
            :func:`remix_study.study.task_preparation.search_tasks`.
        starts: State of the tasks when the run began, by name; the present state for others.
    """
    schedules: list[Schedule] = []
    references: Schedule | None = None
    inner: list[SearchSchedule] = []
    for trials in group:
        schedule: Schedule
        if trials.task.role == "outer":
            schedule = NestedSchedule(trials, inner)
        elif trials.task.role == "rare-rows":
            of_problem = [s for s in schedules if s.trials.task.role in CANDIDATE_ROLES]
            schedule = RareRowsSchedule(trials, of_problem)
        elif trials.task.study.search.algorithm == "grid":
            schedule = references = GridSchedule(trials)
        else:
            schedule, references = SearchSchedule(trials, references), None
            if trials.task.role == "inner":
                inner.append(schedule)
        trials.start = (starts or {}).get(trials.task.name) or Start(
            count_trials(trials.storage.engine, trials.registered.optuna._study_id),
            schedule.slots(),
        )
        schedules.append(schedule)
    return schedules


@dataclass(eq=False)
class GridSchedule(Schedule):
    """The configurations of a grid, all of them planned before the first is trained.

    Attributes:
        trials: The trials of the task.
        planned: Parameters of the configurations by key.
    """

    has_fixed_order: ClassVar[bool] = False
    trials: Trials
    planned: dict[str, Parameters] = field(init=False)
    _n_read: int = field(init=False, default=0)
    _complete_of: dict[str, list[FrozenTrial]] = field(init=False, default_factory=dict)
    _chain_of: dict[str, list[FrozenTrial]] = field(init=False, default_factory=dict)
    _done: set[str] = field(init=False, default_factory=set)
    _unfinished: dict[str, None] = field(init=False)

    def __post_init__(self) -> None:
        """Plan the grid, once."""
        study = self.trials.task.study
        self.planned = {configuration_key(p): p for p in planned_configurations(study)}
        self._unfinished = dict.fromkeys(self.planned)

    @property
    def total(self) -> int:
        """Number of configurations."""
        return len(self.planned)

    def n_complete(self) -> int:
        """Planned configurations with a COMPLETE trial."""
        return len(self.done_now() & self.planned.keys())

    def configurations(self) -> list[str]:
        """Keys of the configurations."""
        return list(self.planned)

    def key_of(self, trial: FrozenTrial) -> str:
        """The key of a trial's parameters."""
        return configuration_key(trial.params)

    def done(self, ended: Sequence[FrozenTrial]) -> set[str]:
        """Keys of configurations whose COMPLETE trials hold all repeats."""
        needed = self.trials.task.study.cv.repeats
        chains_now = self._chains(ended).items()
        return {key for key, chain in chains_now if self._repeats(chain) >= needed}

    def done_now(self) -> Set[str]:
        """The same of all trials, from those that are new."""
        self._chains_now()
        return self._done

    def scored_now(self) -> Set[str]:
        """All of them: no grid's trial without scores ends a configuration."""
        return self.done_now()

    def unfinished(self) -> list[str]:
        """Keys that lack repeats, in the order of the plan."""
        self._chains_now()
        return list(self._unfinished)

    def repeats(self) -> dict[str, int]:
        """How many repeats configurations have, by key; those of none are left out."""
        return {key: self._repeats(chain) for key, chain in self._chains_now().items()}

    def earlier(self, key: str) -> Earlier | None:
        """What a configuration has, with its scores; None where it has not been trained."""
        # Whoever asks has looked since the configuration is leased: nobody else adds to it.
        chain, task = self._chain_of.get(key), self.trials.task
        if chain is None:
            return None
        runs, repeats = [t.user_attrs[tables.RUN_ATTRIBUTE] for t in chain], self._repeats(chain)
        n_folds, engine = repeats * task.study.cv.folds, self.trials.storage.engine
        scores = read_scores(engine, runs, task.study.objectives, n_folds)
        return Earlier(runs[0], chain[-1].number, chain[-1]._trial_id, repeats, scores)

    def start(self, key: str) -> Trial:
        """Begin a trial with all its parameters at once; ``ask`` takes a transaction each."""
        registered, parameters = self.trials.registered, self.planned[key]
        study, space = registered.optuna, self.trials.task.study.search.space
        study.sampler = PlannedSampler(parameters)
        fixed = distributions(parameters, space, registered.choices)
        running = create_trial(state=TrialState.RUNNING, params=parameters, distributions=fixed)
        return Trial(study, self.trials.storage.create_new_trial(study._study_id, running))

    def parameters(self, _trial: Trial, key: str) -> Parameters:
        """The planned parameters."""
        return self.planned[key]

    def update(self) -> None:
        """Close trials that a person enqueued; mark those that have been extended."""
        for trial in self.trials.in_state("WAITING"):
            fail_trial(self.trials.storage, trial._trial_id, NOT_PLANNED)
        for chain in self._chains_now().values():
            for earlier, later in pairwise(chain):
                if tables.EXTENDED_ATTRIBUTE not in earlier.user_attrs:
                    mark_extended(self.trials.storage.engine, earlier._trial_id, later.number)

    def _chains_now(self) -> dict[str, list[FrozenTrial]]:
        """The chains of all trials, where only those of new trials are made anew."""
        log, n_repeats = self.trials.log(), self.trials.task.study.cv.repeats
        new = [trial for trial in log[self._n_read :] if trial.state.name == "COMPLETE"]
        self._n_read = len(log)
        for trial in new:
            self._complete_of.setdefault(known_key(self, trial), []).append(trial)
        for key in {known_key(self, trial) for trial in new}:
            trials = sorted(self._complete_of[key], key=attrgetter("number"))
            self._chain_of |= self._chains(trials)
            if key in self._chain_of and self._repeats(self._chain_of[key]) >= n_repeats:
                self._done.add(key)
                self._unfinished.pop(key, None)
        return self._chain_of

    def _chains(self, ended: Sequence[FrozenTrial]) -> dict[str, list[FrozenTrial]]:
        """The COMPLETE trials of each configuration, the first and those that extend it."""
        complete = {trial.number: trial for trial in ended if trial.state.name == "COMPLETE"}
        links = [
            (known_key(self, trial), number, trial.user_attrs.get(tables.EXTENDS_ATTRIBUTE))
            for number, trial in complete.items()
        ]
        return {key: [complete[n] for n in chain] for key, chain in chains(links).items()}

    def _repeats(self, chain: Sequence[FrozenTrial]) -> int:
        """Repeats that trials of one configuration hold together."""
        first = self.trials.registered.first_repeats
        return int(chain[-1].user_attrs.get(tables.REPEATS_ATTRIBUTE, first))


@dataclass(eq=False)
class NestedSchedule(SlotSchedule):
    """What the inner searches choose by each objective, and the baseline, on the outer folds.

    Attributes:
        trials: The trials of the task.
        inner: The searches, one an outer fold.
        choices: What is scored on each outer fold: names of objectives, and ``baseline``.
        fixed: Parameters of the slots of those outer folds whose search is complete.
        chosen: Number of the inner search's trial that was chosen, by slot; none for the baseline.
    """

    trials: Trials
    inner: Sequence[SearchSchedule]
    choices: tuple[str, ...] = field(init=False)
    fixed: dict[int, Parameters] = field(init=False)
    chosen: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        """Read what the inner searches have chosen."""
        task = self.trials.task
        self.choices = outer_choices(task.study, task.spec.training)
        self.update()

    def n_complete(self) -> int:
        """Trials of what is chosen now."""
        return len(self.done(self.trials.ended()))

    def slots(self) -> int:
        """All of them."""
        return self.total

    def done(self, ended: Sequence[FrozenTrial]) -> set[str]:
        """Keys of slots that have scores of the parameters that are chosen now."""
        chosen = {slot: configuration_key(choice) for slot, choice in self.fixed.items()}
        return {
            slot_key(slot)
            for trial in ended
            if (slot := trial.user_attrs.get(tables.SLOT_ATTRIBUTE)) in chosen
            and trial.state.name != "FAIL"
            and configuration_key(trial.params) == chosen[slot]
        }

    def open(self) -> set[str]:
        """Keys of slots to train, now or once nothing of their inner search is open."""
        undecided = [fold for fold, search in enumerate(self.inner) if search.open()]
        n = len(self.choices)
        slots = {fold * n + position for fold in undecided for position in range(n)}
        return super().open() & {slot_key(slot) for slot in slots | self.fixed.keys()}

    def can_begin(self, key: str) -> bool:
        """Whether the slot's inner search has chosen."""
        return slot_of(key) in self.fixed

    def sampler(self, slot: int) -> BaseSampler:
        """The chosen parameters."""
        return PlannedSampler(self.fixed[slot])

    def blocks(self, key: str) -> Blocks:
        """The one outer fold that a slot belongs to, in all its repeats."""
        return (self.trials.task.blocks[(slot_of(key) or 0) // len(self.choices)],)

    def facts(self, key: str) -> dict[str, Any]:
        """The outer fold, what chose its configuration, and which trial that was."""
        slot = slot_of(key) or 0
        fold, position = divmod(slot, len(self.choices))
        choice, number = self.choices[position], self.chosen.get(slot)
        return {"outer_fold": fold, "chosen_by": choice, "chosen_trial": number}

    def update(self) -> None:
        """Fix the parameters of slots: what each finished inner search chooses."""
        self.fixed, self.chosen = {}, {}
        for fold, search in enumerate(self.inner):
            if not search.has_chosen():
                continue
            for position, choice in enumerate(self.choices):
                slot = fold * len(self.choices) + position
                if choice == "baseline":
                    self.fixed[slot] = dict(search.fixed[0])
                elif trial := search.chosen(position):
                    self.fixed[slot] = dict(trial.params)
                    self.chosen[slot] = trial.number
