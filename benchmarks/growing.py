"""What a trial and ``status`` cost as a study grows, with made-up training."""

from __future__ import annotations

import io
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from grown_studies import grid_of, grow  # noqa: E402
from made_up_data import make_up_data  # noqa: E402
from simulated_training import simulate_training  # noqa: E402

from remix_study.cli.main import main  # noqa: E402
from remix_study.study import runner  # noqa: E402
from remix_study.study.trial_loop import WorkerLimits  # noqa: E402
from remix_study.studyfile.parsing import parse_study  # noqa: E402

MEASURED = 30
"""Trials of one measurement."""


def measure(study: Any, url: str) -> float:
    """CPU milliseconds a trial, of some trials of a run that goes on with a study."""
    times: list[float] = []

    class Clock(runner.Reporter):
        def complete(self, *_: Any) -> None:
            times.append(time.process_time())

    runner.run(study, storage=url, reporter=Clock(), limits=WorkerLimits(max_trials=MEASURED))
    # The first one pays for what is read once.
    return 1000 * (times[-1] - times[0]) / (len(times) - 1)


def measure_growth(sizes: Sequence[int]) -> None:
    """Print a table: CPU milliseconds a trial, CPU seconds of ``status``, size of the database."""
    simulate_training(setattr)
    make_up_data(setattr)
    n_planned = max(sizes) + MEASURED * (len(sizes) + 1)
    study = parse_study(grid_of(n_planned), "tiny.toml")
    print("| trials in the study | ms a trial | status, s | database, MB |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "growing.db")
        url = f"sqlite:///{path}"
        for size in sizes:
            if size:
                grow(url, size)
            cost, start = measure(study, url), time.process_time()
            with redirect_stdout(io.StringIO()):
                main(["status", "--storage", url])
            seconds, megabytes = time.process_time() - start, path.stat().st_size / 1e6
            print(f"| {size:,} | {cost:.1f} | {seconds:.2f} | {megabytes:.0f} |", flush=True)
