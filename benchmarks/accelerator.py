"""What an accelerator brings: speed by the number of networks, parity with a CPU, a whole study.

    KERAS_BACKEND=jax python benchmarks/accelerator.py [--out FOLDER] [--rehearse] [--seconds 540]

Made for a machine without network. Every part runs in a process of its own, writes its JSON file
as it ends and is stopped when its time is over, so that what was measured is never lost. The table
is printed last and written to ``table.md``.

- ``machine``: versions and the device.
- ``networks``: milliseconds and rows a second by network and number of members, three dense
  networks and the convolutional one; bounds of the share of time in which the device has nothing
  to do; the device's memory.
- ``parity``: scores of ``studies/quickstart.toml`` on the device and on the CPU, compared.
- ``paper``: ``studies/paper-binary.toml`` for as long as time is left, where its data are at hand
  (REMIX_STUDY_DATA).

``--rehearse`` takes small sizes, to try the script on any machine.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from cases import CASES, MEMBERS, Size, make_configuration, make_task

MEMBER_COUNTS = (1, 20, 100, 400)
PACKAGES = ("keras", "jax", "tensorflow", "optuna", "numpy", "pandas", "scikit-learn")
PARTS = {"machine": 60, "networks": 200, "parity": 150, "paper": 300}
"""The parts in their order, and the most seconds of each."""


class DeviceClock:
    """Bounds of the time in which the device has nothing to do.

    At least that between the host's having what the last queued call returns and the next training
    call. At most all time in which the host neither makes a training call, which may last until
    its last step has begun, nor waits for what a call returns.

    Attributes:
        seconds: The lower bound, since :meth:`begin`.
        busy: Seconds within training calls, and of waiting.
    """

    def __init__(self) -> None:
        """Wrap the calls."""
        from remix_study.training import stack_trainer
        from remix_study.training.program import Program, RowBlocks, losses_of

        self.seconds: float = 0.0
        self.busy: float = 0.0
        self._idle_since: float | None = None
        self.begin()
        train = Program.train

        def timed(function: Callable[..., Any], *arguments: Any, **keys: Any) -> Any:
            self.end()
            began = time.perf_counter()
            result = function(*arguments, **keys)
            self.busy += time.perf_counter() - began
            return result

        def waited(function: Callable[..., Any], *arguments: Any) -> Any:
            result = timed(function, *arguments)
            self._idle_since = time.perf_counter()
            return result

        Program.train = lambda *a, **k: timed(train, *a, **k)  # type: ignore[method-assign]
        # A forward pass is queued behind the training call.
        wait_for = stack_trainer._wait_for
        stack_trainer._wait_for = partial(timed, wait_for)
        stack_trainer.losses_of = partial(waited, losses_of)  # type: ignore[attr-defined]
        probabilities = RowBlocks.probabilities
        RowBlocks.probabilities = lambda *a: waited(probabilities, *a)  # type: ignore[method-assign]

    def begin(self) -> None:
        """Count from now on."""
        self.seconds, self.busy, self._idle_since = 0.0, 0.0, time.perf_counter()

    def end(self) -> None:
        """Count to now."""
        if self._idle_since is not None:
            self.seconds += time.perf_counter() - self._idle_since
        self._idle_since = None


def measure_machine(out: Path, options: argparse.Namespace) -> dict[str, Any]:  # noqa: ARG001
    """Name the machine, its device and the packages."""
    from stacks import device

    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    import keras

    from remix_study.version import ENGINE_VERSION, __version__

    return {
        "device": device(),
        "backend": keras.backend.backend(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "remix_study": __version__,
        "engine_version": ENGINE_VERSION,
        "packages": versions,
    }


def measure_networks(out: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Train stacks of several sizes; each row is written as it ends."""
    rows: list[dict[str, Any]] = []
    clock = DeviceClock()
    rehearse = options.rehearse
    size = Size(600, 2, 1) if rehearse else Size(4000, 30, 3)
    strategies = ("remix",) if rehearse else ("remix", "smote")
    for case in CASES:
        for members in MEMBER_COUNTS[:2] if rehearse else MEMBER_COUNTS:
            task = make_task(case, size, stack=members)
            for strategy in strategies:
                rows.append(_measure(clock, task, case.name, strategy, members, size))
                _write(out / "networks.json", {"rows": rows})
            del task
            gc.collect()
    for members in (1, 2) if rehearse else (1, 20, 100):
        task, size = _image_task(members, rehearse=rehearse)
        rows.append(_measure(clock, task, "CNN, 32 x 32 x 3 images", "remix", members, size))
        _write(out / "networks.json", {"rows": rows})
        del task
        gc.collect()
    return {"rows": rows}


def _image_task(members: int, *, rehearse: bool) -> tuple[Any, Size]:
    import numpy as np

    from remix_study.data.arrays import from_arrays
    from remix_study.study.task_preparation import prepare_tasks
    from remix_study.studyfile.parsing import parse_study

    size = Size(200, 1, 1) if rehearse else Size(2000, 3, 1)
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (size.rows, 32, 32, 3), np.uint8)
    y = (rng.random(size.rows) < 0.1).astype(int)
    study = parse_study(
        f"""
        [study]
        name = "benchmark-images"
        seed = 1
        objectives = ["g_mean"]
        [[problems]]
        kind = "binary"
        minority = [1]
        [cv]
        folds = 2
        repeats = {1 if rehearse else MEMBERS // 2}
        [model]
        name = "cnn"
        [training]
        epochs = {size.epochs}
        batch_size = 64
        stack = {members}
        stop = "early"
        start_from_epoch = 0
        patience = {size.epochs}
        [search.space]
        strategy = ["remix"]
        """
    )
    return prepare_tasks(study, from_arrays(X, y, name="images"))[0], size


def _measure(
    clock: DeviceClock, task: Any, network: str, strategy: str, members: int, size: Size
) -> dict[str, Any]:
    """Median wall time of some trials side by side, after one that compiles."""
    trials = max(1, members // len(task.folds))
    configurations = [make_configuration(task, strategy)] * trials
    # One network: the first fold alone.
    positions = [0] if members == 1 else None

    def train() -> None:
        if positions is None:
            task.fit_together(configurations)
        else:
            task.fit(configurations[0], positions=positions)

    began = time.perf_counter()
    train()
    first = time.perf_counter() - began
    walls, least, most = [], [], []
    for _ in range(size.rounds):
        began = time.perf_counter()
        clock.begin()
        train()
        clock.end()
        walls.append(time.perf_counter() - began)
        least.append(clock.seconds / walls[-1])
        most.append(1 - clock.busy / walls[-1])
    trained = len(positions or task.folds) * len(configurations) * size.epochs
    rows = statistics.mean(len(fold.train) for fold in task.folds)
    wall = statistics.median(walls)
    return {
        "network": network,
        "strategy": strategy,
        "members": members,
        "ms_per_fold_epoch": round(wall / trained * 1e3, 4),
        "rows_per_second": round(trained * rows / wall),
        "idle_least": round(statistics.median(least), 3),
        "idle_most": round(statistics.median(most), 3),
        "first_trial_s": round(first, 2),
        "memory_mb": _device_memory(),
    }


def _device_memory() -> float | None:
    """The most memory of the device that was in use, in megabytes."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        stats = jax.devices()[0].memory_stats() or {}
        peak = stats.get("peak_bytes_in_use")
    else:
        import tensorflow as tf

        devices = tf.config.list_physical_devices("GPU")
        peak = tf.config.experimental.get_memory_info("GPU:0")["peak"] if devices else None
    return None if peak is None else round(peak / 1e6, 1)


def measure_parity(out: Path, options: argparse.Namespace) -> dict[str, Any]:  # noqa: ARG001
    """Run the quick study on the device and on the CPU, and compare every score."""
    seconds, scores = {}, {}
    for device in ("device", "cpu"):
        database = out / f"{device}.db"
        database.unlink(missing_ok=True)
        command = [
            sys.executable,
            "-m",
            "remix_study",
            "run",
            "--storage",
            f"sqlite:///{database}",
        ]
        command += ["--devices", "cpu"] if device == "cpu" else ["--stack", "auto"]
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds[device] = round(time.perf_counter() - began, 1)
        scores[device] = _scores(database)
        database.unlink()
    by_metric: dict[str, list[float]] = {}
    for key in scores["device"].keys() & scores["cpu"].keys():
        pair = scores["device"][key], scores["cpu"][key]
        if None not in pair:
            by_metric.setdefault(key[-1], []).append(abs(pair[0] - pair[1]))
    rows = [
        {
            "metric": metric,
            "scores": len(values),
            "equal": round(sum(v == 0 for v in values) / len(values), 3),
            "mean_difference": statistics.mean(values),
            "largest_difference": max(values),
        }
        for metric, values in sorted(by_metric.items())
        if not metric.startswith(("recall_", "brier_"))
    ]
    return {"seconds": seconds, "rows": rows}


def _scores(database: Path) -> dict[tuple[Any, ...], float | None]:
    query = """
        select r.label, s.problem, c.repeat, c.fold, c.part, c.metric, c.value
        from remix_scores c join remix_runs r on r.id = c.run_id
        join remix_studies s on s.uuid = r.study_uuid
    """
    with sqlite3.connect(database) as connection:
        return {row[:-1]: row[-1] for row in connection.execute(query)}


def measure_paper(out: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run the paper's binary problems for as long as there is time; count the networks."""
    database, log = out / "paper.db", out / "paper.log"
    database.unlink(missing_ok=True)
    command = [sys.executable, "-m", "remix_study", "run", "paper-binary", "--stack", "auto"]
    command += ["--storage", f"sqlite:///{database}"]
    began = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            code = process.wait(20 if options.rehearse else options.limit - 25)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            code = process.wait(20)
    seconds = time.perf_counter() - began
    if not database.exists() or code not in (0, 130):
        raise SystemExit(f"paper-binary ended with exit code {code}; see {log}")
    with sqlite3.connect(database) as connection:
        query = "select count(*) from trials where state = 'COMPLETE'"
        (trials,) = connection.execute(query).fetchone()
    return {
        "seconds": round(seconds, 1),
        "exit_code": code,
        "trials": trials,
        "networks": 20 * trials,
    }


MEASURES = {
    "machine": measure_machine,
    "networks": measure_networks,
    "parity": measure_parity,
    "paper": measure_paper,
}


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")


def render(out: Path) -> str:
    """Put what was measured into tables."""
    results = {
        part: json.loads((out / f"{part}.json").read_text())
        for part in PARTS
        if (out / f"{part}.json").exists()
    }
    lines = []
    if machine := results.get("machine"):
        packages = ", ".join(f"{k} {v}" for k, v in machine["packages"].items() if v)
        lines += [
            f"{machine['device']}, {machine['cores']} cores; {machine['backend']}; Python "
            f"{machine['python']}, remix-study {machine['remix_study']} (engine version "
            f"{machine['engine_version']}), {packages}",
            "",
        ]
    for part in ("networks", "parity"):
        rows = results.get(part, {}).get("rows")
        if rows:
            lines += _table(rows)
    if parity := results.get("parity"):
        lines += [f"quickstart: {json.dumps(parity['seconds'])} seconds", ""]
    if paper := results.get("paper"):
        lines += [
            f"paper-binary: {paper['networks']} networks ({paper['trials']} trials) in "
            f"{paper['seconds']} s",
            "",
        ]
    return "\n".join(lines)


def _table(rows: list[dict[str, Any]]) -> list[str]:
    header = list(rows[0])
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    for row in rows:
        cells = (f"{v:.2g}" if isinstance(v, float) and v < 1e-2 else str(v) for v in row.values())
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def main() -> None:
    """Run every part in a process of its own, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("accelerator"))
    parser.add_argument("--rehearse", action="store_true", help="small sizes, on any machine")
    parser.add_argument("--seconds", type=float, default=540, help="for all parts together")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--limit", type=float, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    options.out.mkdir(parents=True, exist_ok=True)
    if options.part:
        _write(options.out / f"{options.part}.json", MEASURES[options.part](options.out, options))
        return
    end = time.monotonic() + options.seconds
    for part in options.parts:
        left = min(PARTS[part], end - time.monotonic() - 5)
        if left < 30:
            print(f"{part}: no time left")
            continue
        command = [sys.executable, __file__, "--out", str(options.out), "--part", part]
        command += ["--limit", str(left), *(["--rehearse"] if options.rehearse else [])]
        began = time.monotonic()
        process = subprocess.Popen(command, start_new_session=True)
        try:
            code: object = process.wait(left)
        except subprocess.TimeoutExpired:
            # With the runs that it has started.
            os.killpg(process.pid, signal.SIGKILL)
            code = "out of time"
        print(f"{part}: exit code {code} after {time.monotonic() - began:.0f} s", flush=True)
    table = render(options.out)
    (options.out / "table.md").write_text(table)
    print(table)


if __name__ == "__main__":
    main()
