"""What a second trial, a new problem and a hundred trials cost once a program is compiled."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cases import CASES, Size, make_configuration, make_study, make_task

SECOND = "second trial, ms from being asked to its first step"
PROBLEM = "a new problem of other size, s to its first epoch"
GROWTH = "resident size after 100 trials over that after 10, % more"
OVERHEAD = "share of a point outside the compiled program, {}, %"
DATABASE = "of it claiming, asking and writing to the database, {}, %"
GOALS = {
    SECOND: 50.0,
    PROBLEM: 3.0,
    GROWTH: 5.0,
    OVERHEAD.format("remix"): 10.0,
    OVERHEAD.format("smote"): 10.0,
}


def measure_reuse() -> dict[str, float]:
    """Measure in a process of its own; values by name."""
    context = multiprocessing.get_context("spawn")
    pipe, worker_end = context.Pipe()
    process = context.Process(target=_serve, args=(worker_end,))
    process.start()
    worker_end.close()
    values: dict[str, float] = pipe.recv()
    process.join()
    return values


def _serve(pipe: Connection) -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    values = _trials() | _memory() | _overheads()
    pipe.send({key: float(f"{value:.3g}") for key, value in values.items()})


def _trials() -> dict[str, float]:
    case, size = CASES[0], Size(rows=6400, epochs=3, rounds=1)
    task = make_task(case, size)
    task.fit(make_configuration(task, "remix"))
    program = task.engines[0].program
    times = []
    for name in ("baseline", "smote", "remix"):
        starts: list[float] = []
        train = program.train
        program.train = _noting_start(train, starts)
        began = time.perf_counter()
        task.fit(make_configuration(task, name))
        times.append((starts[0] - began) * 1e3)
        program.train = train
    smaller = make_task(case, replace(size, rows=5000))
    ends: list[float] = []
    began = time.perf_counter()
    smaller.fit(make_configuration(smaller, "remix"), lambda _: ends.append(time.perf_counter()))
    return {SECOND: max(times), PROBLEM: ends[0] - began}


def _noting_start(function: Callable[..., Any], starts: list[float]) -> Callable[..., Any]:
    def noting(*arguments: Any, **keywords: Any) -> Any:
        starts.append(time.perf_counter())
        return function(*arguments, **keywords)

    return noting


def _memory() -> dict[str, float]:
    task = make_task(CASES[2], Size(rows=2000, epochs=2, rounds=1))
    names = ("baseline", "remix", "smote")
    after_ten = 0.0
    for trial in range(100):
        task.fit(make_configuration(task, names[trial % len(names)]))
        if trial == 9:
            after_ten = resident_mb()
    return {GROWTH: (resident_mb() / after_ten - 1) * 100}


def resident_mb() -> float:
    """Resident size of this process now, in MiB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _overheads() -> dict[str, float]:
    """Measure trials of a study with its database: the share of time outside the program."""
    from sklearn.datasets import make_classification

    import remix_study
    from remix_study.study.reporter import Reporter
    from remix_study.training.program import Program, RowBlocks
    from remix_study.training.stacks import stacks_at_a_time

    case, size = CASES[0], Size(rows=6400, epochs=40, rounds=1)
    X, y = make_classification(
        size.rows, case.features, n_informative=10, weights=[0.95], random_state=0
    )
    seconds_inside = [0.0]
    for owner, name in (
        (Program, "train"),
        (Program, "start"),
        (Program, "choose"),
        (RowBlocks, "losses"),
        (RowBlocks, "probabilities"),
    ):
        setattr(owner, name, _adding(getattr(owner, name), seconds_inside))
    times: dict[str, tuple[float, float, float]] = {}

    class TimingReporter(Reporter):
        """Splits the time between the ends of two trials; the first trial compiles."""

        def __init__(self) -> None:
            self.before = 0.0, time.perf_counter()

        def complete(self, label: str, values: Any, seconds: float) -> None:  # noqa: ARG002
            now = seconds_inside[0], time.perf_counter()
            program, total = (b - a for a, b in zip(self.before, now, strict=True))
            self.before = now
            times[label.split()[0]] = program, total - seconds, total

    with tempfile.TemporaryDirectory() as folder:
        storage = f"sqlite:///{folder}/study.db"
        remix_study.run(make_study(case, size), X, y, storage=storage, reporter=TimingReporter())
    shares: dict[str, float] = {}
    for name in ("remix", "smote"):
        program, database, total = times[name]
        # Stacks train in threads, each of which is in the program or waits for plans.
        shares[OVERHEAD.format(name)] = (1 - program / stacks_at_a_time() / total) * 100
        shares[DATABASE.format(name)] = database / total * 100
    return shares


def _adding(function: Callable[..., Any], total: list[float]) -> Callable[..., Any]:
    def timed(*arguments: Any, **keywords: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*arguments, **keywords)
        finally:
            total[0] += time.perf_counter() - began

    return timed
