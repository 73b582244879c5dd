"""The schedule of a search, whose trials an algorithm of Optuna chooses one by one."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from optuna.exceptions import UpdateFinishedTrialError

from remix_study.metrics import METRICS
from remix_study.study import tables
from remix_study.study.algorithms import FirstSampler, PlannedSampler, make_pruner, make_sampler
from remix_study.study.configurations import Parameters
from remix_study.study.constraints import Candidate, Constraint, Margin, choose, parse_constraint
from remix_study.study.distinct import DistinctDraws
from remix_study.study.evaluation import Evaluation
from remix_study.study.record import validation_means
from remix_study.study.schedule import PruningRule, Schedule, finished, slot_key, slot_of
from remix_study.study.scoring import MembersFailed
from remix_study.study.search_configurations import n_trials
from remix_study.study.search_parameters import initial_configurations
from remix_study.study.slot_schedule import SlotSchedule, is_enqueued
from remix_study.study.tables import configuration_key
from remix_study.study.trials import SCORED, TakenOver, Trials

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial


@dataclass(eq=False)
class SearchSchedule(SlotSchedule):
    """The trials of a search, one a slot; the first slots hold the references of its space.

    Attributes:
        trials: The trials of the task.
        references: The references that the search space lacks, trained before the search.
        fixed: Parameters of the slots that the algorithm does not choose.
        has_baseline: Whether the baseline is the first of them.
        constraints: What the trials must fulfil.
    """

    trials: Trials
    references: Schedule | None = None
    fixed: dict[int, Parameters] = field(init=False)
    has_baseline: bool = field(init=False)
    constraints: tuple[Constraint, ...] = field(init=False)
    _total: int = field(init=False)
    _draws: DistinctDraws = field(init=False)
    _baseline_means: dict[str, float] | None = None
    _n_read: int = field(init=False, default=0)
    _done: set[str] = field(init=False, default_factory=set)
    _scored: set[str] = field(init=False, default_factory=set)
    _unfinished: dict[str, None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Plan the initial trials, once."""
        task = self.trials.task
        # What follows a grid begins where the grid ends.
        follows = task.role == "search"
        initial = {} if follows else initial_configurations(task.study, task.spec.training)
        self.fixed, self.has_baseline = dict(enumerate(initial.values())), "baseline" in initial
        self.constraints = tuple(map(parse_constraint, task.study.search.constraints))
        self._total = n_trials(task.study.search)
        self._draws = DistinctDraws(self.trials, self.fixed, self._algorithm)

    @property
    def total(self) -> int:
        """Trials that complete the search: fewer than asked for where its space holds fewer."""
        return self._total

    def n_complete(self) -> int:
        """COMPLETE and PRUNED trials, equal ones once where the space holds fewer than asked."""
        scored = self.trials.in_state(*SCORED)
        n_complete = len(self._draws.configurations(scored)) if self._is_small() else len(scored)
        return min(n_complete, self._total)

    def has_chosen(self) -> bool:
        """Whether the search is complete, or its space holds nothing that has not failed."""
        with self.trials.one_look():
            ended = self.trials.in_state(*SCORED) + self._draws.failed()
            n_tried = len(self._draws.configurations(ended)) if self._is_small() else 0
            return self._total in (self.n_complete(), n_tried)

    def remark(self) -> str:
        """That the space holds fewer configurations than trials are asked for."""
        if not self._is_small():
            return ""
        are_trained = "all are" if self.n_complete() == self._total else "not all are yet"
        return (
            f"{self.trials.task.name}: the search space has {self._total} configurations, "
            f"{are_trained} trained (search.trials asks for {super().total})"
        )

    def _is_small(self) -> bool:
        return self._total < super().total

    def slots(self) -> int:
        """Slots that a run which begins now may use.

        A slot seeds what Optuna draws there. A trial that failed by itself has used its slot up:
        the same seed would suggest the same parameters. The first runs use ``total`` slots; one
        more run of a search that then lacks trials replaces those that failed.
        """
        with self.trials.one_look():
            n_used, n_complete = len(self.done(self.trials.ended())), self.n_complete()
        return self.total if n_used < self.total else n_used + self.total - n_complete

    def done(self, ended: Sequence[FrozenTrial]) -> set[str]:
        """Keys of slots whose trial ended by itself; those of initial trials need scores."""
        return {
            slot_key(slot)
            for trial in ended
            if (slot := trial.user_attrs.get(tables.SLOT_ATTRIBUTE)) is not None
            and not (slot in self.fixed and trial.state.name == "FAIL")
        }

    def done_now(self) -> Set[str]:
        """The same of all trials, from those that are new."""
        log = self.trials.log()
        new, self._n_read = log[self._n_read :], len(log)
        self._done |= self.done(new)
        self._scored |= self.done([trial for trial in new if trial.state.name in SCORED])
        return self._done

    def scored_now(self) -> Set[str]:
        """Keys of slots whose trial has scores."""
        self.done_now()
        return self._scored

    def unfinished(self) -> list[str]:
        """Keys of slots without one that ended by itself, in order."""
        # Which slots there are is not known before the run begins.
        self._unfinished = self._unfinished or dict.fromkeys(self.configurations())
        for key in self.done_now() & self._unfinished.keys():
            del self._unfinished[key]
        return list(self._unfinished)

    def open(self) -> set[str]:
        """Keys of slots that any worker may still use in this run."""
        return set() if self.baseline_state() == "failed" else super().open()

    def can_begin(self, key: str) -> bool:
        """Whether the baseline is there where constraints are relative to it, or this is it."""
        return self._is_baseline(key) or not self._is_baseline_missing()

    def baseline_state(self) -> Literal["ready", "missing", "failed"]:
        """Whether constraints that are relative to the baseline have what they need."""
        if not self._is_baseline_missing():
            return "ready"
        owner, key = self._baseline()
        # It may have become complete just before that look.
        if (owner is None or key in finished(owner)) and self._is_baseline_missing():
            return "failed"
        return "missing"

    def sampler(self, slot: int) -> BaseSampler:
        """The study's algorithm, seeded for a slot."""
        algorithm = self._algorithm(slot)
        return FirstSampler(self.fixed[slot], algorithm) if slot in self.fixed else algorithm

    def _algorithm(self, slot: int, draw: int = 0) -> BaseSampler:
        task = self.trials.task
        return make_sampler(
            task.study.search.algorithm,
            task.study.seed,
            task.whole_name,
            slot,
            follows_grid=task.role == "search",
            draw=draw,
        )

    def parameters(self, trial: Trial, key: str) -> Parameters:
        """What the algorithm chooses for an open trial; what a person enqueued is taken as is."""
        if (slot := self._drawn_slot(trial, key)) is not None:
            trial.study.sampler = PlannedSampler(self._draws.draw(trial, slot))
        return super().parameters(trial, key)

    def must_wait(self, trial: Trial, key: str) -> bool:
        """Whether slots before that of an open trial have no parameters yet."""
        slot = self._drawn_slot(trial, key)
        return slot is not None and self._draws.must_wait(trial, slot)

    def _drawn_slot(self, trial: Trial, key: str) -> int | None:
        """The slot whose parameters the algorithm draws; None where they are given."""
        slot = slot_of(key)
        return None if slot in self.fixed or is_enqueued(trial) else slot

    def pruning_rule(self, trial: Trial, key: str) -> PruningRule | None:
        """Build the rule that decides whether a trial is pruned; None where the study never does.

        The rule reports the scores to Optuna; it raises TakenOver where the trial was closed
        meanwhile. Initial trials report, and are never pruned.
        """
        if not self.trials.task.study.search.prune:
            return None
        self.trials.registered.optuna.pruner = make_pruner()
        is_initial, reported = slot_of(key) in self.fixed, set[int]()

        def should_prune(scores: dict[int, float]) -> bool:
            try:
                for position, score in scores.items():
                    if np.isfinite(score) and position not in reported:
                        trial.report(score, position)
                        reported.add(position)
            except UpdateFinishedTrialError as error:
                raise TakenOver from error
            return not is_initial and trial.should_prune()

        return should_prune

    def margins(self, evaluation: Evaluation, key: str) -> dict[Constraint, Margin]:
        """How far a trial lies beyond each constraint.

        Raises:
            MembersFailed: A constraint cannot be computed.
        """
        if not self.constraints:
            return {}
        means = evaluation.means()
        baseline = means if self._is_baseline(key) else self.baseline_means() or {}
        margins = {bound: bound.margin(means, baseline) for bound in self.constraints}
        for constraint, margin in margins.items():
            if not np.isfinite(margin.beyond):
                raise MembersFailed(f'constraint "{constraint.text}" cannot be computed')
        return margins

    def chosen(self, objective: int) -> FrozenTrial | None:
        """The trial that validation means choose by one objective, None without trials."""
        trials = {trial.number: trial for trial in self.trials.in_state("COMPLETE")}
        candidates = [
            Candidate(trial.number, tuple(trial.values), trial.constraints)
            for trial in trials.values()
        ]
        metric = METRICS[self.trials.task.study.objectives[objective]]
        candidate = choose(candidates, objective, maximize=metric.is_maximized)
        return None if candidate is None else trials[candidate.number]

    def baseline_means(self) -> dict[str, float] | None:
        """Validation mean of each metric of the baseline, None while it has not been trained."""
        owner, key = self._baseline()
        if self._baseline_means is None and owner is not None:
            for trial in owner.trials.in_state("COMPLETE"):
                if key in owner.done([trial]):
                    run = trial.user_attrs[tables.RUN_ATTRIBUTE]
                    self._baseline_means = validation_means(self.trials.storage.engine, run)
        return self._baseline_means

    def _baseline(self) -> tuple[Schedule | None, str]:
        """Whose trial the baseline is, and its key."""
        if self.has_baseline:
            return self, slot_key(0)
        return self.references, configuration_key({"strategy": "baseline"})

    def _is_baseline(self, key: str) -> bool:
        return self.has_baseline and slot_of(key) == 0

    def _is_baseline_missing(self) -> bool:
        is_relative = any(constraint.relative for constraint in self.constraints)
        return is_relative and self.baseline_means() is None
