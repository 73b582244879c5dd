"""Keeping the pages of studies: notes, graphs and artifacts, renewed when trials have ended.

The process that serves the dashboard does this, never one that trains: no trial waits for it or
can fail by it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, func, select

from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.dashboard import notes
from remix_study.dashboard.artifacts import fold_table, reliability_diagram
from remix_study.dashboard.graphs import calibration_graph, ranks_graph, sensitivity_graph
from remix_study.dashboard.overlay import Overlay
from remix_study.dashboard.validation_parts import validation_only
from remix_study.results import rank_sums, sensitivity
from remix_study.results.calibration import DRAWN_STRATEGIES, method_reliabilities
from remix_study.results.comparison import Comparison, comparisons
from remix_study.results.frames import StudyFrames, load_frames
from remix_study.results.methods import Method
from remix_study.study import optuna_tables, tables
from remix_study.study.study_selection import registered_studies

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

# Seconds between two looks, and how much longer at least than the last look took.
_PAUSE = 10.0
_REST = 15

_TABLE, _DIAGRAM = "folds.csv", "reliability-validation.png"


class Pages:
    """The pages of some studies of a database.

    Args:
        storage: The database as the dashboard reads it.
        engine: The same, for writing; its transactions lock the database from their beginning.
        folder: Where artifacts are kept; None keeps none.
        studies: Names as in their study files; all when empty.
    """

    def __init__(
        self,
        storage: RDBStorage,
        engine: Engine,
        folder: Path | None = None,
        studies: Sequence[str] = (),
    ) -> None:
        """Nothing is renewed yet."""
        self._storage, self._engine, self._folder = storage, engine, folder
        self._wanted = studies
        self._seen: dict[str, Any] = {}

    def renew(self, stop: threading.Event | None = None) -> int:
        """Renew the pages of studies that have changed since the last time.

        Args:
            stop: Ends it between two pages.

        Returns:
            How many entries of the database were written.
        """
        written = 0
        for study, state in self._states().items():
            if self._seen.get(study) == state:
                continue
            ids = {problem: number for number, problem, _ in state}
            frames = validation_only(load_frames(self._storage.engine, [study]))
            found = comparisons(frames)
            ranked = rank_sums.all_ranks(rank_sums.rankable(found)[0])
            # All notes and graphs first: they are there at once, drawings take their time.
            for draw in (False, True):
                for comparison in found:
                    if stop is not None and stop.is_set():
                        return written
                    overlay = Overlay(self._storage, ids[comparison.problem])
                    if draw:
                        self._papers(overlay, comparison, frames)
                    else:
                        _page(overlay, comparison, frames, ranked)
                        self._notes(overlay, comparison)
                    written += overlay.write(self._engine)
            self._seen[study] = state
        return written

    def _states(self) -> dict[str, list[tuple[int, str, int]]]:
        """(Optuna's id, problem, ended trials) of each study; another answer means a change."""
        found: dict[str, list[tuple[int, str, int]]] = {}
        own, state = optuna_tables.trials.c.study_id, optuna_tables.trials.c.state
        ended = select(func.count()).where(state.in_(["COMPLETE", "FAIL"]))
        with self._storage.engine.connect() as connection:
            for number, row in registered_studies(connection):
                if not self._wanted or row.study in self._wanted:
                    count = connection.execute(ended.where(own == number)).scalar_one()
                    found.setdefault(row.study, []).append((number, row.problem, count))
        return found

    def _trials(self, overlay: Overlay, comparison: Comparison) -> list[tuple[Method, int, str]]:
        """Each row with its trial's id and its run's UUID."""
        stored = {
            trial.user_attrs[tables.RUN_ATTRIBUTE]: trial._trial_id
            for trial in overlay.trials()
            if tables.RUN_ATTRIBUTE in trial.user_attrs
        }
        numbers = [row.run for row in comparison.methods]
        own = select(tables.runs.c.id, tables.runs.c.uuid).where(tables.runs.c.id.in_(numbers))
        with self._storage.engine.connect() as connection:
            uuids = {run.id: run.uuid for run in connection.execute(own)}
        return [
            (row, stored[uuids[row.run]], uuids[row.run])
            for row in comparison.methods
            if uuids.get(row.run) in stored
        ]

    def _notes(self, overlay: Overlay, comparison: Comparison) -> None:
        for row, trial, _ in self._trials(overlay, comparison):
            overlay.note(notes.trial_note(comparison, row), trial)

    def _papers(self, overlay: Overlay, comparison: Comparison, frames: StudyFrames) -> None:
        folder = self._folder
        if folder is None:
            return
        for row, trial, run in self._trials(overlay, comparison):
            if overlay.lacks(folder, trial, run, _TABLE):
                made = fold_table(comparison, row)
                overlay.artifact(folder, trial, run, _TABLE, "text/csv", made)
            if overlay.lacks(folder, trial, run, _DIAGRAM):
                drawn = reliability_diagram(comparison, row, frames.probabilities)
                if drawn is not None:
                    overlay.artifact(folder, trial, run, _DIAGRAM, "image/png", drawn)


def _page(
    overlay: Overlay, comparison: Comparison, frames: StudyFrames, ranked: rank_sums.RankTable
) -> None:
    """The study's own note and graphs."""
    overlay.note(notes.study_note(comparison))
    curves = [
        curve for curve in sensitivity.sensitivity_curves([comparison]) if curve.has_several_alphas
    ]
    for metric in comparison.objectives:
        drawn = [curve for curve in curves if curve.metric == metric]
        if drawn:
            overlay.graph(sensitivity_graph(metric, drawn))
    remix = comparison.method("remix", PUBLISHED_ALPHA)
    remix = remix or next((row for row in comparison.methods if row.strategy == "remix"), None)
    few = [
        row for row in method_reliabilities(comparison, frames.probabilities, remix)
        if row.method.strategy in DRAWN_STRATEGIES
    ]  # fmt: skip
    ranking = ranks_graph(ranked, comparison.kind, comparison.objectives)
    for graph in (ranking, calibration_graph(few)):
        if graph is not None and comparison.is_grid:
            overlay.graph(graph)


class Keeper(threading.Thread):
    """Renews pages in the background; what goes wrong is said once and tried again."""

    def __init__(self, pages: Pages) -> None:
        """Begin with :meth:`start`, end with :meth:`end`."""
        super().__init__(name="pages", daemon=True)
        self._pages, self._halt, self._told = pages, threading.Event(), ""

    def run(self) -> None:
        """Renew, then rest many times as long as it took."""
        pause = 0.0
        while not self._halt.wait(pause):
            before = time.thread_time()
            try:
                self._pages.renew(self._halt)
            except Exception as error:
                said = (str(error).strip() or type(error).__name__).splitlines()[0]
                if said != self._told:
                    print(f"remix-study: pages were not renewed: {said}", file=sys.stderr)
                self._told = said
            pause = max(_PAUSE, _REST * (time.thread_time() - before))

    def end(self) -> None:
        """Stop after the page at hand."""
        self._halt.set()
        self.join(timeout=10)
