"""What a trial costs does not grow with the study: counted, as a clock says too little."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

import pytest
from grown_studies import grid_of, grow
from recorded_runs import RecordingReporter
from small_searches import DATABASE, URL, run, text_of
from sqlalchemy import event
from sqlalchemy.engine import Engine
from tiny_studies import query

from remix_study.study.optuna_tables import read_progress
from remix_study.study.storage import open_reader
from remix_study.study.task import Task
from remix_study.study.trial_loop import WorkerLimits

pytestmark = pytest.mark.usefixtures("simulated", "storage")

SMALL, LARGE = 50, 400
N_TRIALS = 5
# What Optuna asks of its own: to number a trial it counts those before it, in four steps each, and
# before it suggests anything it looks through all for new ones, in fourteen.
OF_OPTUNA = re.compile(
    r"SELECT count\(trials\.trial_id\)|SELECT .* FROM trials .* OR trials\.trial_id >", re.S
)
RANDOM = (
    'strategy = ["baseline", "remix"]\nalpha.remix = [0.0, 0.1]',
    'strategy = ["remix"]\nalpha = {low = 0.0005, high = 9.0}',
)
GRID = grid_of(LARGE + 2 * N_TRIALS)
SEARCH = text_of("random", trials=LARGE + 2 * N_TRIALS, space=RANDOM)


class Cost(NamedTuple):
    """Statements, steps of SQLite's machine, and byte codes of the package's own functions."""

    statements: int
    steps: int
    byte_codes: int


class Counter:
    """Counts what this process does between two marks."""

    def __init__(self) -> None:
        self.statements = self.steps = self.byte_codes = self.counted_elsewhere = 0
        self.costs: list[Cost] = []

    def mark(self) -> None:
        """Note what has been done since the last mark."""
        steps = self.steps - self.counted_elsewhere
        self.costs.append(Cost(self.statements, steps, self.byte_codes))
        self.statements = self.steps = self.byte_codes = self.counted_elsewhere = 0
        sys.settrace(self._trace)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count in the block, byte codes from the first mark on."""
        listeners = {
            "connect": lambda connection, _: connection.set_progress_handler(self._step, 1),
            "before_cursor_execute": self._begin,
            "after_cursor_execute": self._end,
        }
        tracer = sys.gettrace()
        for name, listener in listeners.items():
            event.listen(Engine, name, listener)
        try:
            yield
        finally:
            sys.settrace(tracer)
            for name, listener in listeners.items():
                event.remove(Engine, name, listener)

    def _step(self) -> int:
        self.steps += 1
        return 0

    def _begin(self, _connection, _cursor, _statement, _values, context, _many) -> None:
        self.statements += 1
        context.steps_before = self.steps

    def _end(self, _connection, _cursor, statement, _values, context, _many) -> None:
        if OF_OPTUNA.match(statement):
            self.counted_elsewhere += self.steps - context.steps_before

    def _trace(self, frame, what, _):
        if "remix_study/" not in frame.f_code.co_filename or "/tests/" in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        self.byte_codes += what == "opcode"
        return self._trace


def cost_of_a_trial(text: str) -> Cost:
    """What the last of a few trials costs in a run that goes on with a study."""
    counter = Counter()
    with counter.listening():
        run(
            text,
            reporter=RecordingReporter(complete=counter.mark),
            limits=WorkerLimits(max_trials=N_TRIALS),
        )
    return counter.costs[-1]


@pytest.fixture
def _gives_up_one(simulated, monkeypatch):  # noqa: ARG001, it comes after that one
    """The first configuration of each run is given up, as its networks diverge."""
    fit, calls = Task.fit, []

    def fit_or_fail(*words):
        calls.append(words)
        outcomes = fit(*words)
        is_first = len(calls) % N_TRIALS == 1
        return [replace(each, failed="made up" if is_first else "") for each in outcomes]

    monkeypatch.setattr(Task, "fit", fit_or_fail)


def assert_flat(text: str) -> None:
    run(text, limits=WorkerLimits(max_trials=N_TRIALS))
    grow(URL, SMALL)
    small = cost_of_a_trial(text)
    grow(URL, LARGE)
    large = cost_of_a_trial(text)
    assert small.statements == large.statements
    # A tree of rows has levels, of which a larger one has more.
    assert large.steps <= 1.01 * small.steps, (small, large)
    assert large.byte_codes <= 1.01 * small.byte_codes, (small, large)


def test_a_trial_of_a_grid_costs_the_same_after_hundreds():
    assert_flat(GRID)


@pytest.mark.usefixtures("_gives_up_one")
def test_also_where_a_configuration_is_given_up():
    assert_flat(GRID)
    assert query(DATABASE, "SELECT count(*) FROM trials WHERE state = 'FAIL'") == [(3,)]


def test_a_trial_of_a_search_costs_the_same_beside_what_optuna_does():
    assert_flat(SEARCH)


def test_status_parses_what_most_trials_have_once(monkeypatch):
    run(GRID, limits=WorkerLimits(max_trials=1))
    parsed = []
    read = json.loads
    monkeypatch.setattr(json, "loads", lambda text: parsed.append(text) or read(text))
    counts = []
    for size in (SMALL, 2 * SMALL):
        grow(URL, size)
        parsed.clear()
        (progress,) = read_progress(open_reader(URL))
        assert progress.complete == size
        counts.append(len(parsed))
    assert counts[0] == counts[1] < SMALL
