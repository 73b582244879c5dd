"""Throughput of several workers on short trials, and what study and database cost a trial.

A trial here sleeps instead of training, so that cores are no limit, and the rest of its time is
this package's: leases, Optuna, results. Rounds of all variants alternate, each on its own
database.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext, suppress
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"
sys.path[:0] = [str(ROOT), str(TESTS), str(TESTS / "faults")]

import postgresql_server  # noqa: E402
import psutil  # noqa: E402
from growing import measure_growth  # noqa: E402
from run_folder import study_text  # noqa: E402


def measure(url: str, workers: int, trials: int, seconds: float) -> dict[str, float]:
    """Run a study and read the times of its trials from their log.

    Args:
        url: URL of the database.
        workers: Worker processes.
        trials: Trials of the study.
        seconds: Duration of a trial.

    Returns:
        ``per_minute``: trials a minute while all workers are busy. ``between``: milliseconds
        between two trials of one worker; ``cpu``: its CPU time in them. Medians.
    """
    with tempfile.TemporaryDirectory() as folder:
        running = start(Path(folder), url, workers, trials, seconds)
        assert running.wait() == 0
        marks = read_marks(Path(folder))
    ends = [at for word, _, at, _ in marks if word == "end"]
    assert len(ends) == trials
    gaps, cpu_times, spans = [], [], []
    for worker in {pid for _, pid, _, _ in marks}:
        times = [(at, cpu) for _, pid, at, cpu in marks if pid == worker]
        # Begins and ends alternate: the gaps are from an end to the next begin.
        for (end, before), (begin, after) in zip(times[1:-1:2], times[2::2], strict=True):
            gaps.append(begin - end)
            cpu_times.append(after - before)
        spans.append((times[0][0], times[-1][0]))
    # While all workers are busy: from the latest first trial to the earliest last one.
    first, last = max(begin for begin, _ in spans), min(end for _, end in spans)
    inside = sum(first <= at <= last for at in ends)
    return {
        "per_minute": 60 * inside / (last - first),
        "between": 1000 * statistics.median(gaps),
        "cpu": 1000 * statistics.median(cpu_times),
    }


def start(
    folder: Path, url: str, workers: int, trials: int, seconds: float
) -> subprocess.Popen[bytes]:
    """Start a run of so many trials, which logs their times in a folder."""
    (folder / "tiny.toml").write_text(study_text(trials))
    words = ["run", "tiny.toml", "--storage", url, "--workers", str(workers), "--recycle", "0"]
    paths = [str(TESTS / "faults" / "hook"), *sys.path[:2]]
    variables = {
        "PYTHONPATH": os.pathsep.join(paths),
        "SIMULATED_LOG": str(folder / "executions.log"),
        "SIMULATED_TIMES": str(folder / "times.log"),
        "SIMULATED_SECONDS": str(seconds),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "remix_study", *words],
        cwd=folder,
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
    )


def read_marks(folder: Path) -> list[tuple[str, int, float, float]]:
    """The log of a run: ``begin`` or ``end`` of a trial, process, time, CPU seconds till then."""
    lines = [line.split("\t") for line in (folder / "times.log").read_text().splitlines()]
    return [(word, int(pid), float(at), float(cpu)) for word, pid, at, cpu in lines]


def measure_many(workers: int, trials: int, minutes: float) -> None:
    """Print what a trial costs as a study on PostgreSQL grows, trained by many workers at once.

    Args:
        workers: Worker processes.
        trials: Of the study; the run is stopped where it takes longer.
        minutes: How long the run may take.
    """
    with postgresql_server.running() as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        running = start(folder, server.create(), workers, trials, 0)
        end, of_server = time.monotonic() + 60 * minutes, []
        while running.poll() is None and time.monotonic() < end:
            of_server.append((time.time(), _cpu_seconds(server)))
            time.sleep(2)
        if running.poll() is None:
            running.send_signal(signal.SIGINT)
        code, marks = running.wait(), read_marks(folder)
    print(f"{workers} workers, exit code {code}")
    print("| trials in the study | trials/min | worker CPU, ms a trial | server CPU, ms a trial |")
    print("|---|---|---|---|")
    ends = [mark for mark in marks if mark[0] == "end"]
    # The first trial of each worker pays for what is read once.
    size = max(1, (len(ends) - workers) // 5)
    for first in range(workers, len(ends) - size + 1, size):
        _, _, since, _ = ends[first]
        _, _, until, _ = ends[first + size - 1]
        costs = []
        for worker in {pid for _, pid, _, _ in ends}:
            cpu = [cpu for _, pid, at, cpu in ends if pid == worker and since <= at <= until]
            costs += [after - before for before, after in pairwise(cpu)]
        cpu_then, cpu_now = (
            min(of_server, key=lambda sample: abs(sample[0] - at))[1] for at in (since, until)
        )
        print(
            f"| {first:,} to {first + size:,} | {60 * size / (until - since):.0f} | "
            f"{1000 * statistics.mean(costs):.1f} | {1000 * (cpu_now - cpu_then) / size:.1f} |"
        )


def _cpu_seconds(server: postgresql_server.Server) -> float:
    """CPU seconds of a server's processes, also of those that have ended."""
    times = []
    for process in server.processes():
        with suppress(psutil.NoSuchProcess):
            times.append(process.cpu_times())
    of_ended = times[0].children_user + times[0].children_system
    return of_ended + sum(process.user + process.system for process in times)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--seconds", type=float, default=2.0, help="of a trial")
    parser.add_argument("--trials", type=int, default=12, help="for each worker")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--grow", type=int, nargs="*", metavar="TRIALS",
                        help="what a trial costs in studies of these sizes, and stop")  # fmt: skip
    parser.add_argument("--minutes", type=float, metavar="N",
                        help="with --grow: that many workers on PostgreSQL, so long")  # fmt: skip
    options = parser.parse_args()
    if options.grow is not None and options.minutes:
        (workers,) = options.workers
        measure_many(workers, options.trials * workers, options.minutes)
        return
    if options.grow is not None:
        measure_growth(options.grow or [0, 3000, 20000])
        return
    measurements: dict[tuple[str, int], list[dict[str, float]]] = {}
    installed = postgresql_server.programs() is not None
    durable = postgresql_server.running(durable=True) if installed else nullcontext()
    with durable as server, tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            for workers in options.workers:
                urls = {"SQLite": f"sqlite:///{folder}/{number}-{workers}.db"}
                if server is not None:
                    urls["PostgreSQL"] = server.create()
                for name, url in urls.items():
                    values = measure(url, workers, options.trials * workers, options.seconds)
                    measurements.setdefault((name, workers), []).append(values)
                    print(name, workers, values, file=sys.stderr, flush=True)
    print("| database | workers | trials/min | between two, ms | range | % of a trial | CPU ms |")
    print("|---|---|---|---|---|---|---|")
    for (name, workers), rounds in sorted(measurements.items()):
        rate, between, cpu = (
            statistics.median(values[key] for values in rounds)
            for key in ("per_minute", "between", "cpu")
        )
        low, high = (f(values["between"] for values in rounds) for f in (min, max))
        print(
            f"| {name} | {workers} | {rate:.1f} | {between:.0f} | {low:.0f} to {high:.0f} | "
            f"{between / 10 / options.seconds:.1f} | {cpu:.0f} |"
        )
    if options.json:
        rows = [
            {"database": name, "workers": workers, "rounds": rounds}
            for (name, workers), rounds in measurements.items()
        ]
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
