"""The engine against the loop that a careful user writes, in rounds that take turns.

python benchmarks/engine.py [--quick] [--json FILE] [--markdown FILE]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cases import CASES, FULL, MEMBERS, QUICK, Case, Size, make_task, operations_per_fold_epoch
from reuse import measure_reuse
from tables import reuse_table, table
from variants import serve

# Epochs of the trial over which the cost of starting is spread.
TRIAL_EPOCHS = 30
ENGINE = "engine (TensorFlow), remix"


@dataclass(frozen=True)
class Contestant:
    """One way to train the networks of a case.

    Attributes:
        case: What is trained.
        label: Its name in the table.
        kind: Key of ``variants``.
        strategy: How batches are drawn and mixed.
        against: Label of the contestant that its ratios divide.
    """

    case: Case
    label: str
    kind: str
    strategy: str
    against: str


def contestants(case: Case, size: Size) -> list[Contestant]:
    """List the contestants of a case; ratios are to the loop under the same strategy."""
    remix, smote = "loop, remix", "loop, smote by imbalanced-learn"
    entries = [
        Contestant(case, remix, "loop", "remix", remix),
        Contestant(case, "scikit-learn MLPClassifier, no strategy", "sklearn", "baseline", remix),
        Contestant(case, ENGINE, "engine", "remix", remix),
    ]
    if _is_installed("torch"):
        entries += [
            Contestant(case, "PyTorch loop, remix", "torch-loop", "remix", remix),
            Contestant(case, "PyTorch stacked, remix", "torch-stacked", "remix", remix),
        ]
    if _is_installed("pytabkit"):
        name = "pytabkit RealMLP, splits vectorised, no strategy"
        entries.append(Contestant(case, name, "realmlp", "baseline", remix))
    if size is FULL or case is CASES[0]:
        entries += [
            Contestant(case, "engine (JAX), remix", "engine-jax", "remix", remix),
            Contestant(case, smote, "loop", "smote", smote),
            Contestant(case, "engine (TensorFlow), smote", "engine", "smote", smote),
        ]
    return entries


class Worker:
    """A process that trains one contestant's rounds on request."""

    def __init__(self, kind: str, case: Case, size: Size, strategy: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, worker_end = context.Pipe()
        self._process = context.Process(
            target=serve, args=(worker_end, kind, case, size, strategy)
        )
        self._process.start()
        # Closed on this side, so that the death of the worker is an end of file, not a long wait.
        worker_end.close()

    def ready(self) -> None:
        """Wait until it has imported and loaded what it needs."""
        self._pipe.recv()

    def round(self, number: int) -> dict[str, list[float]]:
        """Train a round; return its times."""
        self._pipe.send(number)
        return self._pipe.recv()  # type: ignore[no-any-return]

    def close(self) -> float:
        """End the process; return its peak resident size in MiB."""
        self._pipe.send(None)
        peak: float = self._pipe.recv()
        self._process.join()
        return peak


def compare(case: Case, size: Size, skip: set[str]) -> list[dict[str, Any]]:
    """Run all contestants of a case in turn, ``size.rounds`` times; return the table's rows."""
    entries = [c for c in contestants(case, size) if c.kind not in skip]
    workers = [Worker(c.kind, c.case, size, c.strategy) for c in entries]
    matmul = Worker("matmul", case, size, "")
    for worker in (*workers, matmul):
        worker.ready()
    times: list[dict[str, list[list[float]]]] = [
        {"wall": [], "cpu": [], "first": []} for _ in entries
    ]
    rates: list[float] = []
    for number in range(size.rounds):
        rates.append(max(matmul.round(number)["rate"]))
        for worker_times, worker in zip(times, workers, strict=True):
            for key, values in worker.round(number).items():
                worker_times[key].append(values)
    matmul.close()
    rate = statistics.median(rates)
    floor = operations_per_fold_epoch(case, make_task(case, size)) / rate * 1e3
    rows = []
    by_label = {c.label: t for c, t in zip(entries, times, strict=True)}
    for contestant, worker in zip(entries, workers, strict=True):
        contestant_times = by_label[contestant.label]
        loop = by_label.get(contestant.against, by_label[entries[0].label])
        row = _row(contestant, contestant_times, loop, floor)
        if ENGINE in by_label:
            row |= _against_engine(contestant_times["wall"], by_label[ENGINE]["wall"])
        rows.append(row | {"peak_rss_mb": round(worker.close())})
    rows.append(
        {
            "config": case.name,
            "variant": f"floor: products at {rate / 1e9:.0f} GFLOP/s",
            "ms_per_fold_epoch": round(floor, 3),
            "cpu_ms_per_fold_epoch": None,
            "ratio_to_loop": _rounded(_median(by_label[entries[0].label], "wall") / floor),
            "ratio_to_floor": 1.0,
            "peak_rss_mb": None,
            "matmul_gflops": [round(r / 1e9, 1) for r in rates],
        }
    )
    return rows


def _row(
    contestant: Contestant,
    times: dict[str, list[list[float]]],
    loop: dict[str, list[list[float]]],
    floor: float,
) -> dict[str, Any]:
    wall, cpu = _median(times, "wall"), _median(times, "cpu")
    # Round by round: whatever else the machine did slowed both.
    by_round = [
        statistics.median(theirs) / statistics.median(mine)
        for mine, theirs in zip(times["wall"], loop["wall"], strict=True)
    ]
    first = times["first"][0][0] * (MEMBERS if contestant.kind.startswith("engine") else 1)
    return {
        "config": contestant.case.name,
        "variant": contestant.label,
        "ms_per_fold_epoch": round(wall, 3),
        "cpu_ms_per_fold_epoch": round(cpu, 3),
        "ratio_to_loop": _rounded(_median(loop, "wall") / wall),
        "ratio_to_loop_range": [_rounded(min(by_round)), _rounded(max(by_round))],
        "cpu_ratio_to_loop": _rounded(_median(loop, "cpu") / cpu),
        "ratio_to_loop_trial": _rounded(_trial(loop) / _trial(times)),
        "ratio_to_floor": _rounded(wall / floor),
        "seconds_to_first_epoch": round(first, 2),
        "ms_range": [round(f(map(statistics.median, times["wall"])), 3) for f in (min, max)],
    }


def _against_engine(times: list[list[float]], engine: list[list[float]]) -> dict[str, Any]:
    """How many times as long as the engine a contestant takes, round by round."""
    ratios = [
        statistics.median(theirs) / statistics.median(ours)
        for theirs, ours in zip(times, engine, strict=True)
    ]
    return {
        "ratio_to_engine": _rounded(statistics.median(ratios)),
        "ratio_to_engine_range": [_rounded(min(ratios)), _rounded(max(ratios))],
    }


def _median(times: dict[str, list[list[float]]], key: str) -> float:
    return statistics.median(value for values in times[key] for value in values)


def _trial(times: dict[str, list[list[float]]]) -> float:
    """Milliseconds per fold and epoch of a trial of 30 epochs, with its cost of starting."""
    # The engine compiles in its first trial; a loop builds and traces in every fold.
    first = _median(times, "first") * 1e3
    return (first + (TRIAL_EPOCHS - 1) * _median(times, "wall")) / TRIAL_EPOCHS


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def main() -> None:
    """Measure, print the tables and write the files that the options name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="fewer rows and epochs: about five minutes"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables")
    parser.add_argument("--case", type=int, action="append", help="only this one, from 0")
    parser.add_argument("--skip", action="append", default=[], help="leave out a kind")
    parser.add_argument("--no-reuse", action="store_true", help="leave out the reuse section")
    options = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    size = QUICK if options.quick else FULL
    began = time.perf_counter()
    skip = set(options.skip) | (set() if _is_installed("jax") else {"engine-jax"})
    rows: list[dict[str, Any]] = []
    for number, case in enumerate(CASES):
        if options.case is None or number in options.case:
            rows += compare(case, size, skip)
    text = (
        f"{MEMBERS} folds, {size.rows} rows, {size.epochs} epochs, {size.rounds} rounds; "
        f"{platform.machine()}, {multiprocessing.cpu_count()} cores, "
        f"Python {platform.python_version()}{_versions()}\n\n{table(rows)}"
    )
    print(text, flush=True)
    if not options.no_reuse:
        reuse = measure_reuse()
        rows.append({"config": CASES[0].name, "variant": "reuse", **reuse})
        print(f"\n{reuse_table(reuse)}")
        text += f"\n\n{reuse_table(reuse)}"
    print(f"\ntook {time.perf_counter() - began:.0f} s")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    if options.markdown:
        options.markdown.write_text(text + "\n")


def _is_installed(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


def _versions() -> str:
    from importlib.metadata import PackageNotFoundError, version

    words = ""
    for name in ("tensorflow", "keras", "jax", "scikit-learn", "torch", "pytabkit"):
        try:
            words += f", {name} {version(name)}"
        except PackageNotFoundError:
            continue
    return words


if __name__ == "__main__":
    main()
