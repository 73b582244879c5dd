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

from cases import CASES, Size, make_bench, make_setting, make_study

SECOND = "second trial, ms from being asked to its first step"
PROBLEM = "a new problem of other size, s to its first epoch"
GROWTH = "resident size after 100 trials over that after 10, % more"
OVERHEAD = "share of a point outside the compiled program, {}, %"
TOLD = "of it claiming, asking and writing to the database, {}, %"
GOALS = {
    SECOND: 50.0,
    PROBLEM: 3.0,
    GROWTH: 5.0,
    OVERHEAD.format("remix"): 10.0,
    OVERHEAD.format("smote"): 10.0,
}


def measure_reuse() -> dict[str, float]:
    """Measure in a process of its own."""
    context = multiprocessing.get_context("spawn")
    pipe, other = context.Pipe()
    process = context.Process(target=_serve, args=(other,))
    process.start()
    other.close()
    found: dict[str, float] = pipe.recv()
    process.join()
    return found


def _serve(pipe: Connection) -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    found = _trials() | _memory() | _overheads()
    pipe.send({key: float(f"{value:.3g}") for key, value in found.items()})


def _trials() -> dict[str, float]:
    case, size = CASES[0], Size(rows=6400, epochs=3, rounds=1)
    task = make_bench(case, size)
    task.fit(make_setting(task, "remix"))
    program = next(iter(task._engines.values())).program
    times = []
    for name in ("baseline", "smote", "remix"):
        first: list[float] = []
        inner = program.train
        program.train = _noting(inner, first)
        asked = time.perf_counter()
        task.fit(make_setting(task, name))
        times.append((first[0] - asked) * 1e3)
        program.train = inner
    other = make_bench(case, replace(size, rows=5000))
    ends: list[float] = []
    asked = time.perf_counter()
    other.fit(make_setting(other, "remix"), lambda _: ends.append(time.perf_counter()))
    return {SECOND: max(times), PROBLEM: ends[0] - asked}


def _noting(inner: Callable[..., Any], first: list[float]) -> Callable[..., Any]:
    def train(*arguments: Any, **keywords: Any) -> Any:
        first.append(time.perf_counter())
        return inner(*arguments, **keywords)

    return train


def _memory() -> dict[str, float]:
    task = make_bench(CASES[2], Size(rows=2000, epochs=2, rounds=1))
    names = ("baseline", "remix", "smote")
    after_ten = 0.0
    for trial in range(100):
        task.fit(make_setting(task, names[trial % len(names)]))
        if trial == 9:
            after_ten = resident_mb()
    return {GROWTH: (resident_mb() / after_ten - 1) * 100}


def resident_mb() -> float:
    """Resident size of this process now, in MiB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _overheads() -> dict[str, float]:
    """Whole points of a study in a database: what the program did not spend."""
    from sklearn.datasets import make_classification

    import remix_study
    from remix_study.study.reporter import Reporter
    from remix_study.training.evaluation import RowBlocks
    from remix_study.training.program import Program
    from remix_study.training.stacks import stacks_at_a_time

    case, size = CASES[0], Size(rows=6400, epochs=40, rounds=1)
    X, y = make_classification(
        size.rows, case.features, n_informative=10, weights=[0.95], random_state=0
    )
    inside = [0.0]
    for owner, name in (
        (Program, "train"),
        (Program, "start"),
        (Program, "choose"),
        (RowBlocks, "losses"),
        (RowBlocks, "logits"),
    ):
        setattr(owner, name, _adding(getattr(owner, name), inside))
    points: dict[str, tuple[float, float, float]] = {}

    class Watch(Reporter):
        """Splits the time from one point's end to the next one's; the first point compiles."""

        def __init__(self) -> None:
            self.before = 0.0, time.perf_counter()

        def complete(self, label: str, values: Any, seconds: float) -> None:  # noqa: ARG002
            now = inside[0], time.perf_counter()
            program, total = (b - a for a, b in zip(self.before, now, strict=True))
            self.before = now
            points[label.split()[0]] = program, total - seconds, total

    with tempfile.TemporaryDirectory() as folder:
        storage = f"sqlite:///{folder}/study.db"
        remix_study.run(make_study(case, size), X, y, storage=storage, reporter=Watch())
    found: dict[str, float] = {}
    for name in ("remix", "smote"):
        program, database, total = points[name]
        # The stacks train at a time, each in a thread that is in the program or waits for plans.
        found[OVERHEAD.format(name)] = (1 - program / stacks_at_a_time() / total) * 100
        found[TOLD.format(name)] = database / total * 100
    return found


def _adding(inner: Callable[..., Any], total: list[float]) -> Callable[..., Any]:
    def timed(*arguments: Any, **keywords: Any) -> Any:
        began = time.perf_counter()
        try:
            return inner(*arguments, **keywords)
        finally:
            total[0] += time.perf_counter() - began

    return timed
