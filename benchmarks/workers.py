"""Throughput of several workers on short trials, and what study and database cost a trial.

A trial here sleeps instead of training, so that cores are no limit, and the rest of its time is
this package's: leases, Optuna, results. Rounds of all variants alternate, each on its own
database.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"
sys.path[:0] = [str(ROOT), str(TESTS), str(TESTS / "faults")]

import postgresql_server  # noqa: E402
from growing import measure_growth  # noqa: E402
from many_workers import measure_many, read_marks, start  # noqa: E402
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
        running = start(Path(folder), url, workers, study_text(trials), seconds)
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
        sizes = [0, *filter(None, options.grow)]
        measure_many(workers, options.trials * workers, options.minutes, sizes)
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
