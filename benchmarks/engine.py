"""The engine against the loop a careful user writes today, interleaved and repeated.

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

from cases import CASES, FULL, MEMBERS, QUICK, Case, Size, make_bench, operations_per_fold_epoch
from reuse import measure_reuse
from tables import reuse_table, table
from variants import serve

# Epochs of the trial in which the cost of starting is spread.
TRIAL_EPOCHS = 30


@dataclass(frozen=True)
class Contestant:
    """One way of doing one case."""

    case: Case
    label: str
    kind: str
    strategy: str
    against: str


def contestants(case: Case, size: Size) -> list[Contestant]:
    """All ways of doing a case; ratios are to the loop under the same strategy."""
    remix, smote = "loop, remix", "loop, smote by imbalanced-learn"
    found = [
        Contestant(case, remix, "loop", "remix", remix),
        Contestant(case, "scikit-learn MLPClassifier, no strategy", "sklearn", "baseline", remix),
        Contestant(case, "engine (TensorFlow), remix", "engine", "remix", remix),
    ]
    if size is FULL or case is CASES[0]:
        found += [
            Contestant(case, "engine (JAX), remix", "engine-jax", "remix", remix),
            Contestant(case, smote, "loop", "smote", smote),
            Contestant(case, "engine (TensorFlow), smote", "engine", "smote", smote),
        ]
    return found


class Worker:
    """A process that does rounds of one contestant's work when asked."""

    def __init__(self, kind: str, case: Case, size: Size, strategy: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=serve, args=(other, kind, case, size, strategy))
        self._process.start()
        # Closed on this side, so that a worker that dies is an end of file and no endless wait.
        other.close()

    def ready(self) -> None:
        """Wait until it has imported and loaded what it needs."""
        self._pipe.recv()

    def round(self, number: int) -> dict[str, list[float]]:
        self._pipe.send(number)
        return self._pipe.recv()  # type: ignore[no-any-return]

    def close(self) -> float:
        """End the process; its peak resident size in MiB."""
        self._pipe.send(None)
        peak: float = self._pipe.recv()
        self._process.join()
        return peak


def compare(case: Case, size: Size, skip: set[str]) -> list[dict[str, Any]]:
    """Run all contestants of a case in turn, ``size.rounds`` times, and make rows."""
    asked = [c for c in contestants(case, size) if c.kind not in skip]
    workers = [Worker(c.kind, c.case, size, c.strategy) for c in asked]
    matmul = Worker("matmul", case, size, "")
    for worker in (*workers, matmul):
        worker.ready()
    found: list[dict[str, list[list[float]]]] = [
        {"wall": [], "cpu": [], "first": []} for _ in asked
    ]
    rates: list[float] = []
    for number in range(size.rounds):
        rates.append(max(matmul.round(number)["rate"]))
        for own, worker in zip(found, workers, strict=True):
            for key, values in worker.round(number).items():
                own[key].append(values)
    matmul.close()
    rate = statistics.median(rates)
    floor = operations_per_fold_epoch(case, make_bench(case, size)) / rate * 1e3
    rows = []
    measured = {c.label: own for c, own in zip(asked, found, strict=True)}
    for contestant, own, worker in zip(asked, found, workers, strict=True):
        loop = measured[contestant.against]
        rows.append(_row(contestant, own, loop, floor) | {"peak_rss_mb": round(worker.close())})
    rows.append(
        {
            "config": case.name,
            "variant": f"floor: products at {rate / 1e9:.0f} GFLOP/s",
            "ms_per_fold_epoch": round(floor, 3),
            "cpu_ms_per_fold_epoch": None,
            "ratio_to_loop": _rounded(_middle(measured[asked[0].label], "wall") / floor),
            "ratio_to_floor": 1.0,
            "peak_rss_mb": None,
            "matmul_gflops": [round(r / 1e9, 1) for r in rates],
        }
    )
    return rows


def _row(
    contestant: Contestant,
    own: dict[str, list[list[float]]],
    loop: dict[str, list[list[float]]],
    floor: float,
) -> dict[str, Any]:
    wall, cpu = _middle(own, "wall"), _middle(own, "cpu")
    # Each round of the one beside the same round of the other: what else ran hits both.
    by_round = [
        statistics.median(theirs) / statistics.median(mine)
        for mine, theirs in zip(own["wall"], loop["wall"], strict=True)
    ]
    first = own["first"][0][0] * (MEMBERS if contestant.kind.startswith("engine") else 1)
    return {
        "config": contestant.case.name,
        "variant": contestant.label,
        "ms_per_fold_epoch": round(wall, 3),
        "cpu_ms_per_fold_epoch": round(cpu, 3),
        "ratio_to_loop": _rounded(_middle(loop, "wall") / wall),
        "ratio_to_loop_range": [_rounded(min(by_round)), _rounded(max(by_round))],
        "cpu_ratio_to_loop": _rounded(_middle(loop, "cpu") / cpu),
        "ratio_to_loop_trial": _rounded(_trial(loop) / _trial(own)),
        "ratio_to_floor": _rounded(wall / floor),
        "seconds_to_first_epoch": round(first, 2),
        "ms_range": [round(f(map(statistics.median, own["wall"])), 3) for f in (min, max)],
    }


def _middle(found: dict[str, list[list[float]]], key: str) -> float:
    return statistics.median(value for values in found[key] for value in values)


def _trial(found: dict[str, list[list[float]]]) -> float:
    """Milliseconds per fold and epoch of a trial of 30 epochs, with what each trial pays anew."""
    # The engine compiles in its first trial; a loop builds and traces in every fold.
    first = statistics.median(value for values in found["first"] for value in values) * 1e3
    return (first + (TRIAL_EPOCHS - 1) * _middle(found, "wall")) / TRIAL_EPOCHS


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def main() -> None:
    """Run, print, and write what was asked for."""
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
    skip = set(options.skip) | (set() if _has_jax() else {"engine-jax"})
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


def _has_jax() -> bool:
    from importlib.util import find_spec

    return find_spec("jax") is not None


def _versions() -> str:
    from importlib.metadata import PackageNotFoundError, version

    words = ""
    for name in ("tensorflow", "keras", "jax", "scikit-learn"):
        try:
            words += f", {name} {version(name)}"
        except PackageNotFoundError:
            continue
    return words


if __name__ == "__main__":
    main()
