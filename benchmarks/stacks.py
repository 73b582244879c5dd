"""Throughput by the number of networks in one program: one trial in it, or several.

``python benchmarks/stacks.py --members 20 100 400`` on an accelerator; on a CPU 10, 20, 40. The
sizes take turns within each round, so whatever else the machine does hits all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from operator import truediv
from pathlib import Path
from typing import Any

from cases import CASES, MEMBERS, Case, Size, make_configuration, make_task


class FullStacks:
    """Trials that fill stacks of one size, compiled and warmed up."""

    def __init__(self, case: Case, size: Size, stack: int) -> None:
        """Compile, and train once."""
        self.stack = stack
        self._task = make_task(case, size, stack=stack)
        self.trials = self._task.trials_per_program
        self._configurations = [make_configuration(self._task, "remix")] * self.trials
        self._epochs = size.epochs
        self.times: list[float] = []
        self._task.fit_together(self._configurations)

    def round(self) -> None:
        """Train once and add the wall time of a fold's epoch to ``times``, in milliseconds."""
        began = time.perf_counter()
        self._task.fit_together(self._configurations)
        seconds = time.perf_counter() - began
        self.times.append(seconds / (self.trials * MEMBERS * self._epochs) * 1e3)


def compare(case: Case, size: Size, stacks: list[int]) -> list[dict[str, Any]]:
    """Measure stacks of several sizes in turn; return one row a size."""
    sides = [FullStacks(case, size, stack) for stack in stacks]
    for _ in range(size.rounds):
        for side in sides:
            side.round()
    first = sides[0].times
    return [
        {
            "config": case.name,
            "members": side.stack,
            "trials": side.trials,
            "ms_per_fold_epoch": round(statistics.median(side.times), 3),
            "ratio": round(statistics.median(map(truediv, first, side.times)), 2),
            "lowest": round(min(map(truediv, first, side.times)), 2),
            "highest": round(max(map(truediv, first, side.times)), 2),
        }
        for side in sides
    ]


def device() -> str:
    """Name the device that Keras runs on."""
    import keras

    from remix_study.training.stacks import has_accelerator

    if has_accelerator():
        if keras.backend.backend() == "jax":
            import jax

            return str(jax.devices()[0].device_kind)
        import tensorflow as tf

        (first, *_) = tf.config.list_physical_devices("GPU")
        return str(tf.config.experimental.get_device_details(first).get("device_name", first.name))
    return f"{platform.machine()}, {os.cpu_count()} cores"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, nargs="+", default=[10, 20, 40])
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows")
    options = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    size = Size(options.rows, options.epochs, options.rounds)
    rows: list[dict[str, Any]] = []
    for case in CASES:
        rows += compare(case, size, options.members)
    print(f"{device()}; {size.rows} rows, {size.epochs} epochs, {size.rounds} rounds\n")
    print("| config | members | trials | ms | x the first | range |\n|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['config']} | {row['members']} | {row['trials']} | {row['ms_per_fold_epoch']} "
            f"| {row['ratio']} | {row['lowest']} to {row['highest']} |"
        )
    if options.json:
        options.json.write_text(json.dumps({"device": device(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
