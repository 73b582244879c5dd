"""What a trial, ``status`` and ``report`` cost on PostgreSQL: many workers, a growing study."""

from __future__ import annotations

import io
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"
sys.path[:0] = [str(ROOT), str(TESTS), str(TESTS / "faults")]

import postgresql_server  # noqa: E402
import psutil  # noqa: E402
from grown_studies import grid_of, grow  # noqa: E402

from remix_study.cli.main import main  # noqa: E402

PARTS = 5
"""Rows of the table of one run."""


class Mark(NamedTuple):
    """A line of a run's log: ``begin`` or ``end`` of a trial, and its process's CPU seconds."""

    word: str
    pid: int
    at: float
    cpu: float


def start(
    folder: Path, url: str, workers: int, study: str, seconds: float
) -> subprocess.Popen[bytes]:
    """Start a run of a study with trials of some seconds, which logs their times in a folder."""
    (folder / "tiny.toml").write_text(study)
    words = ["run", "tiny.toml", "--storage", url, "--workers", str(workers), "--recycle", "0"]
    paths = [str(TESTS / "faults" / "hook"), *sys.path[:3]]
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


def read_marks(folder: Path) -> list[Mark]:
    """The log of a run; empty before its first trial."""
    path = folder / "times.log"
    lines = path.read_text().splitlines() if path.exists() else []
    fields = [line.split("\t") for line in lines]
    return [Mark(word, int(pid), float(at), float(cpu)) for word, pid, at, cpu in fields]


def measure_many(workers: int, trials: int, minutes: float, sizes: Sequence[int]) -> None:
    """Print what a trial costs as a study grows.

    Args:
        workers: Worker processes.
        trials: Of each run, beside the first ones of its workers.
        minutes: A run is stopped where it takes longer.
        sizes: Trials of the study before each run, of which most are copies of one.
    """
    study = grid_of(max(sizes) + (len(sizes) + 1) * (trials + 3 * workers))
    print("| trials in the study | trials/min | worker CPU, ms a trial | server CPU, ms a trial |")
    print("|---|---|---|---|")
    with postgresql_server.running() as server:
        url, notes = server.create(), []
        for size in sizes:
            if size:
                grow(url, size)
            ends, samples = run_for_a_while(server, url, study, workers, trials, minutes)
            print_costs(size, workers, ends, samples, PARTS if len(sizes) == 1 else 1)
            own, of_server = cpu_of(server, "status", "--storage", url)
            megabytes = (
                int(server.ask(f"SELECT pg_database_size('{url.rpartition('/')[2]}')")) / 1e6
            )
            notes.append(f"{size + len(ends):,} trials: {megabytes:.0f} MB, status {own:.2f} s of "
                         f"CPU time and {of_server:.2f} s of the server's")  # fmt: skip
        print(*notes, sep="\n", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            own, of_server = cpu_of(server, "report", "--storage", url, "--output", folder)
        print(f"report: {own:.0f} s of CPU time and {of_server:.0f} s of the server's")


def run_for_a_while(
    server: postgresql_server.Server,
    url: str,
    study: str,
    workers: int,
    trials: int,
    minutes: float,
) -> tuple[list[Mark], list[tuple[float, float]]]:
    """Run until so many trials have ended: their marks, and the server's CPU seconds by time."""
    samples, end = [], time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        running = start(folder, url, workers, study, 0)
        ends: list[Mark] = []
        while running.poll() is None and time.monotonic() < end and len(ends) < trials + workers:
            samples.append((time.time(), cpu_seconds(server)))
            time.sleep(2)
            ends = [mark for mark in read_marks(folder) if mark.word == "end"]
        samples.append((time.time(), cpu_seconds(server)))
        if running.poll() is None:
            running.send_signal(signal.SIGINT)
        running.wait()
    return ends, samples


def print_costs(
    size: int,
    workers: int,
    ends: Sequence[Mark],
    samples: Sequence[tuple[float, float]],
    parts: int,
) -> None:
    """Print rows of the table; the first trials of workers pay for what is read once."""
    n_trials = max(1, (len(ends) - workers) // parts)
    for first in range(workers, len(ends) - n_trials + 1, n_trials):
        since, until = ends[first].at, ends[first + n_trials - 1].at
        costs = []
        for worker in {mark.pid for mark in ends}:
            cpu = [m.cpu for m in ends if m.pid == worker and since <= m.at <= until]
            costs += [after - before for before, after in pairwise(cpu)]
        (then, cpu_then), (now, cpu_now) = (
            min(samples, key=lambda sample: abs(sample[0] - at)) for at in (since, until)
        )
        inside = sum(then <= mark.at <= now for mark in ends)
        print(
            f"| {size + first:,} to {size + first + n_trials:,} | "
            f"{60 * n_trials / (until - since):.0f} | {1000 * statistics.mean(costs):.1f} | "
            f"{1000 * (cpu_now - cpu_then) / inside:.1f} |",
            flush=True,
        )


def cpu_of(server: postgresql_server.Server, *words: str) -> tuple[float, float]:
    """CPU seconds of a command in this process, and of the server meanwhile."""
    before, start = cpu_seconds(server), time.process_time()
    with redirect_stdout(io.StringIO()):
        assert main(words) in (0, 1)
    return time.process_time() - start, cpu_seconds(server) - before


def cpu_seconds(server: postgresql_server.Server) -> float:
    """CPU seconds of a server's processes, also of those that have ended."""
    times = []
    for process in server.processes():
        with suppress(psutil.NoSuchProcess):
            times.append(process.cpu_times())
    of_ended = times[0].children_user + times[0].children_system
    return of_ended + sum(process.user + process.system for process in times)
