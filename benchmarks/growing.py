"""What a trial and ``status`` cost as a study grows, with made-up training.

A study of thousands of trials is made by copying rows of a few: what is measured then is what a
run would meet that has trained them all.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import sqlalchemy  # noqa: E402
from made_up_data import make_up_data  # noqa: E402
from simulated_training import simulate_training  # noqa: E402
from sqlalchemy import MetaData, func, insert, select  # noqa: E402
from tiny_studies import tiny  # noqa: E402

from remix_study.cli.main import main  # noqa: E402
from remix_study.study import runner  # noqa: E402
from remix_study.study.trial_loop import WorkerLimits  # noqa: E402
from remix_study.studyfile.parsing import parse_study  # noqa: E402

MEASURED = 30
"""Trials of one measurement."""

OF_RUNS = ("remix_folds", "remix_scores", "remix_probabilities")
OF_TRIALS = ("trial_params", "trial_values", "trial_user_attributes")


def study_of(configurations: int) -> Any:
    """The tiny study with so many values of alpha."""
    alphas = ", ".join(repr(_alpha(number)) for number in range(configurations))
    text = tiny(('["baseline", "remix"]', '["remix"]'), ("[0.0, 0.1]", f"[{alphas}]"))
    return parse_study(text, "tiny.toml")


def _alpha(number: int) -> float:
    return round(0.001 * (number + 1), 3)


def measure(study: Any, url: str) -> float:
    """CPU milliseconds a trial, of some trials of a run that goes on with a study."""
    times: list[float] = []

    class Clock(runner.Reporter):
        def complete(self, *_: Any) -> None:
            times.append(time.process_time())

    runner.run(study, storage=url, reporter=Clock(), limits=WorkerLimits(max_trials=MEASURED))
    # The first one pays for what is read once.
    return 1000 * (times[-1] - times[0]) / (len(times) - 1)


def grow(url: str, size: int) -> None:
    """Copy rows of the newest trial until a study has so many."""
    engine = sqlalchemy.create_engine(url)
    metadata = MetaData()
    metadata.reflect(engine)
    table = metadata.tables
    with engine.begin() as connection:
        trials, runs = table["trials"], table["remix_runs"]
        n_trials = connection.execute(select(func.count()).select_from(trials)).scalar_one()
        last = select(trials).order_by(trials.c.number.desc()).limit(1)
        trial = dict(connection.execute(last).mappings().one())
        run = dict(
            connection.execute(select(runs).order_by(runs.c.id.desc()).limit(1)).mappings().one()
        )
        rows: dict[str, list[dict[str, Any]]] = {}

        def copies(name: str, key: str, value: int) -> list[dict[str, Any]]:
            source = table[name]
            query = select(source).where(source.c[key] == value)
            return [dict(row) for row in connection.execute(query).mappings()]

        of_trial = {name: copies(name, "trial_id", trial["trial_id"]) for name in OF_TRIALS}
        of_run = {name: copies(name, "run_id", run["id"]) for name in OF_RUNS}
        for number in range(n_trials, size):
            shift, alpha, identity = number - trial["number"], _alpha(number), str(uuid.uuid4())
            ids = {"trial_id": trial["trial_id"] + shift, "run_id": run["id"] + shift}
            parameters = {"strategy": "remix", "alpha": alpha}
            new_run = {"id": ids["run_id"], "uuid": identity, "parameters": parameters}
            rows.setdefault("remix_runs", []).append(run | new_run)
            new_trial = {"number": number, "trial_id": ids["trial_id"]}
            rows.setdefault("trials", []).append(trial | new_trial)
            for name, originals in (of_trial | of_run).items():
                key = "trial_id" if name in of_trial else "run_id"
                own_key = next(iter(table[name].primary_key)).name
                for original in originals:
                    row = original | {key: ids[key]}
                    if own_key != "run_id":
                        del row[own_key]
                    if row.get("param_name") == "alpha":
                        row["param_value"] = alpha
                    if row.get("key") == "remix_run":
                        row["value_json"] = json.dumps(identity)
                    rows.setdefault(name, []).append(row)
        # Those that others refer to come first.
        for name in ("trials", "remix_runs", *OF_TRIALS, *OF_RUNS):
            if name in rows:
                connection.execute(insert(table[name]), rows[name])
    engine.dispose()


def measure_growth(sizes: Sequence[int]) -> None:
    """Print a table: CPU milliseconds a trial, CPU seconds of ``status``, size of the database."""
    simulate_training(setattr)
    make_up_data(setattr)
    study = study_of(max(sizes) + MEASURED * (len(sizes) + 1))
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
