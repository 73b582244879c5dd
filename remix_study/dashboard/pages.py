"""Renewing the pages of studies: notes, graphs and artifacts, whenever trials have ended.

The process that serves the dashboard does this, never one that trains, so that no trial waits for
it or can fail by it.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Engine, String, cast, func, select

from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.dashboard.graphs import (
    Graph,
    calibration_graph,
    ranks_graph,
    reliability_diagram,
    sensitivity_graph,
)
from remix_study.dashboard.notes import fold_table, study_note, trial_note
from remix_study.dashboard.study_attributes import StudyAttributes
from remix_study.results.calibration import DRAWN_STRATEGIES, method_reliabilities
from remix_study.results.columns import grouped
from remix_study.results.comparison import Comparison, comparisons
from remix_study.results.frames import StudyFrames, load_frames
from remix_study.results.methods import Method
from remix_study.results.problem_choice import rankable
from remix_study.results.rank_sums import RankTable, all_ranks
from remix_study.results.sensitivity import sensitivity_curves
from remix_study.study import optuna_tables, tables

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

# Seconds between two renewals at least, and how many times as long as the last one took.
_PAUSE_SECONDS = 10.0
_PAUSE_FACTOR = 15

_SEARCH = "search"


class _State(NamedTuple):
    study_id: int
    role: str
    problem: str
    n_ended: int


class Pages:
    """The pages of some studies of a database.

    Args:
        storage: The database as the dashboard reads it.
        engine: The same, for writing; its transactions lock the database from their beginning.
        folder: Folder of artifacts; None for no artifacts.
        studies: Names of studies; all where empty.
    """

    def __init__(
        self,
        storage: RDBStorage,
        engine: Engine,
        folder: Path | None = None,
        studies: Sequence[str] = (),
    ) -> None:
        """Renew nothing yet."""
        self._storage, self._engine, self._folder = storage, engine, folder
        self._studies = studies
        self._renewed_states: dict[str, list[_State]] = {}

    def renew(self, stop: threading.Event | None = None) -> int:
        """Renew the pages of studies that have changed since the last time.

        Args:
            stop: Ends the renewal between two pages.

        Returns:
            Number of database entries that were written.
        """
        n_written = 0
        for study, state in self._states().items():
            if self._renewed_states.get(study) == state:
                continue
            study_ids = {(entry.role, entry.problem): entry.study_id for entry in state}
            frames_by_role = _validation_frames(load_frames(self._storage.engine, [study]))
            # Notes and graphs of all problems first, as drawing artifacts takes long.
            for is_artifact in (False, True):
                for role, frames in frames_by_role.items():
                    problems = comparisons(frames)
                    rank_table = all_ranks(rankable(problems)[0])
                    for comparison in problems:
                        if stop is not None and stop.is_set():
                            return n_written
                        study_id = study_ids[role, comparison.problem]
                        attributes = StudyAttributes(self._storage, study_id)
                        if is_artifact:
                            self._set_artifacts(attributes, comparison, frames)
                        else:
                            self._set_notes(attributes, comparison)
                            for graph in _graphs(comparison, rank_table, frames):
                                attributes.set_graph(graph)
                        n_written += attributes.write(self._engine)
            self._renewed_states[study] = state
        return n_written

    def _states(self) -> dict[str, list[_State]]:
        """Every Optuna study with the number of its ended trials, by the study's name."""
        states: dict[str, list[_State]] = {}
        trials = optuna_tables.trials.c
        # PostgreSQL has a type of its own for states.
        is_ended = cast(trials.state, String).in_(["COMPLETE", "FAIL"])
        ended = select(func.count()).where(is_ended)
        with self._storage.engine.connect() as connection:
            for study_id, entry in optuna_tables.registered_studies(connection):
                if not self._studies or entry.study in self._studies:
                    n_ended = connection.execute(ended.where(trials.study_id == study_id))
                    role = entry.facts.get("role") or ""
                    state = _State(study_id, role, entry.problem, n_ended.scalar_one())
                    states.setdefault(entry.study, []).append(state)
        return states

    def _set_notes(self, attributes: StudyAttributes, comparison: Comparison) -> None:
        attributes.set_note(study_note(comparison))
        for method, trial_id, _ in self._trials(attributes.study_id, comparison):
            attributes.set_note(trial_note(comparison, method), trial_id)

    def _set_artifacts(
        self, attributes: StudyAttributes, comparison: Comparison, frames: StudyFrames
    ) -> None:
        if self._folder is None:
            return
        for method, trial_id, run in self._trials(attributes.study_id, comparison):
            trial = self._folder, trial_id, run
            table = partial(fold_table, comparison, method)
            read = None if method.run in frames.summaries else frames.probabilities
            diagram = partial(reliability_diagram, comparison, method, read)
            attributes.set_artifact(*trial, "folds.csv", table)
            attributes.set_artifact(*trial, "reliability-validation.png", diagram)

    def _trials(self, study_id: int, comparison: Comparison) -> list[tuple[Method, int, str]]:
        """Each method of a study with its trial's id and its run's UUID."""
        attributes, runs = optuna_tables.trial_attributes, tables.runs.c
        of_run = attributes.c.key == tables.RUN_ATTRIBUTE
        is_shown = runs.id.in_([method.run for method in comparison.methods])
        with self._storage.engine.connect() as connection:
            trial_ids = {
                json.loads(row.value_json): int(row.trial_id)
                for row in connection.execute(
                    optuna_tables.rows_of_trials(attributes, study_id).where(of_run)
                )
            }
            rows = connection.execute(select(runs.id, runs.uuid).where(is_shown))
            uuids = {row.id: row.uuid for row in rows}
        return [
            (method, trial_ids[uuids[method.run]], uuids[method.run])
            for method in comparison.methods
            if uuids.get(method.run) in trial_ids
        ]


def _validation_frames(frames: StudyFrames) -> dict[str, StudyFrames]:
    """The frames of a study's problems, and of the searches that follow its grid, by role."""
    by_role = {"": frames, _SEARCH: frames.following}
    return {
        role: replace(
            some, probabilities=frames.probabilities, summaries=frames.summaries
        ).validation_only()
        for role, some in by_role.items()
        if some is not None and len(some.problems)
    }


def _graphs(comparison: Comparison, rank_table: RankTable, frames: StudyFrames) -> Iterator[Graph]:
    """The graphs of a planned problem for which there are methods; none of a search."""
    curves = [curve for curve in sensitivity_curves([comparison]) if curve.has_several_alphas]
    for metric, metric_curves in grouped(curves, lambda curve: curve.metric).items():
        yield sensitivity_graph(metric, metric_curves)
    remix = comparison.method("remix", PUBLISHED_ALPHA) or comparison.first_method("remix")
    reliabilities = [
        reliability
        for reliability in method_reliabilities(
            comparison, frames.probabilities, remix, frames.summaries
        )
        if reliability.method.strategy in DRAWN_STRATEGIES
    ]
    ranks = ranks_graph(rank_table, comparison.kind, comparison.objectives)
    for graph in (ranks, calibration_graph(reliabilities)):
        if graph is not None and comparison.is_grid:
            yield graph


class RenewalThread(threading.Thread):
    """A thread that renews pages again and again; a failure is printed once and tried again."""

    def __init__(self, pages: Pages) -> None:
        """Begin with :meth:`start`, end with :meth:`end`."""
        super().__init__(name="pages", daemon=True)
        self._pages, self._stop_event, self._last_failure = pages, threading.Event(), ""

    def run(self) -> None:
        """Renew, then pause for many times as long as it took."""
        pause = 0.0
        while not self._stop_event.wait(pause):
            before = time.thread_time()
            try:
                self._pages.renew(self._stop_event)
            except Exception as error:
                failure = (str(error).strip() or type(error).__name__).splitlines()[0]
                if failure != self._last_failure:
                    print(f"remix-study: pages were not renewed: {failure}", file=sys.stderr)
                self._last_failure = failure
            pause = max(_PAUSE_SECONDS, _PAUSE_FACTOR * (time.thread_time() - before))

    def end(self) -> None:
        """Stop after the current page."""
        self._stop_event.set()
        self.join(timeout=10)
