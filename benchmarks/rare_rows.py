"""Do curves over the number of rare rows foretell the score with twice as many?

    python benchmarks/rare_rows.py [--tables NAME ...] [--json FILE] [--markdown FILE]

On ten real tables ReMix and the baseline are trained with 12.5, 25, 37.5, 50 and 100 % of the rare
rows of each fold. A curve is fitted to the first four, as a page fits one to 25, 50, 75 and 100 %,
and read off at twice the rows that it has seen. Two intervals are judged by the score that is
observed there:

- `page`: the change from half of the rows to all of them with the corrected covariance, as the
  page has it for twice the rare rows;
- `same folds`: the score on these very folds, with no correction, plus the noise of training. It
  is narrower, and what the observed score should lie in if the form of the curve is right.

Tables, methods, shares and intervals were fixed before the first run, a pilot of two tables that
changed nothing. The score to judge by is ReMix's balanced Brier score; the others are shown beside
it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from remix_study.data.rare_rows import with_fewer_rare_rows
from remix_study.metrics import better_sign, score
from remix_study.results.intervals import CONFIDENCE, influence_ratio, score_range
from remix_study.results.probabilities import to_prior
from remix_study.results.rare_curves import DRAWS, draw_means, fit_curves
from remix_study.study.task import Task
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import parse_study
from remix_study.training.backend import load_networks

TABLES = {
    "satimage": 'dataset = "satimage"\nminority = ["4"]\nkind = "binary"',
    "coil2000": 'dataset = "coil2000"',
    "optdigits": 'dataset = "optdigits"\nminority = ["8"]\nkind = "binary"',
    "ozone": 'dataset = "ozone"',
    **{
        name: f'file = "{{folder}}/keel/{name}.dat.gz"\nlabel = -1'
        for name in (
            "vehicle1", "vehicle3", "abalone9-18", "abalone-17_vs_7-8-9-10", "phoneme",
            "winequality-red-4",
        )
    },
}  # fmt: skip
"""Large tables, and small ones of KEEL: two of one family each of vehicles and of abalones."""

STUDY = """
[study]
name = "rare"
[[problems]]
{data}
[cv]
folds = 3
repeats = 3
[model]
hidden = [32]
[training]
epochs = 40
batch_size = 64
learning_rate = 0.003
start_from_epoch = 10
patience = 10
"""
SHARES = (0.125, 0.25, 0.375, 0.5, 1.0)
METRICS = ("bbs", "g_mean")
SEED = 2026


def main() -> None:
    """Run all tables and write how often the score lay in the interval."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="*", default=list(TABLES))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    load_networks()
    lines: list[dict[str, Any]] = []
    for name in options.tables:
        lines += lines_of_table(name)
        print(markdown(lines), flush=True)
        if options.json:
            options.json.write_text(json.dumps(lines, indent=1) + "\n")
    if options.markdown:
        options.markdown.write_text(markdown(lines))


def lines_of_table(name: str) -> list[dict[str, Any]]:
    """What was foretold and observed on one table, one line a method and metric."""
    started = time.perf_counter()
    folder = os.environ["REMIX_STUDY_DATA"]
    study = parse_study(STUDY.format(data=TABLES[name].format(folder=folder)))
    (task,) = prepare_tasks(study)
    scores = score_shares(task)
    seconds = time.perf_counter() - started
    n_train, n_validation, n_test = (
        [len(getattr(fold, part)) for fold in task.folds]
        for part in ("train", "validation", "test")
    )
    ratio = influence_ratio(n_train, n_validation, n_test, early_stopping=True)
    rare = int(task.problem.counts[list(task.problem.minority)].sum())
    return [
        {"table": name, "rare_rows": rare, "method": method, "metric": metric}
        | foretell(by_share, metric, ratio)
        | {"seconds": round(seconds)}
        for (method, metric), by_share in scores.items()
    ]


def score_shares(task: Task) -> dict[tuple[str, str], Any]:
    """(method, metric) -> test scores (folds, shares)."""
    values: dict[tuple[str, str], list[list[float]]] = {}
    for share in SHARES:
        folds = with_fewer_rare_rows(task.problem, task.folds, share, task.study.seed)
        smaller = replace(task.fresh(), folds=folds)
        for strategy in ("remix", "baseline"):
            outcomes = smaller.fit(smaller.configuration({"strategy": strategy}))
            by_fold: dict[str, list[float]] = {metric: [] for metric in METRICS}
            for fold, outcome in zip(folds, outcomes, strict=True):
                p = outcome.test.astype(np.float64)
                if strategy == "baseline":
                    counts = np.bincount(task.problem.y[fold.train], minlength=task.problem.K)
                    p = to_prior(p, counts / counts.sum(), np.full(len(counts), 1 / len(counts)))
                scored = score(task.problem.y[fold.test], p, task.problem.K)
                for metric in METRICS:
                    by_fold[metric].append(scored[metric])
            label = "remix (0.1)" if strategy == "remix" else "baseline / prior"
            for metric in METRICS:
                values.setdefault((label, metric), []).append(by_fold[metric])
        smaller.free()
    return {key: np.array(by_share).T for key, by_share in values.items()}


def foretell(scores: Any, metric: str, ratio: float) -> dict[str, Any]:
    """What the first four shares foretell of the last, and what is observed there."""
    sign, ratios = better_sign(metric), np.array(SHARES[:4]) / SHARES[3]
    fitted_scores, observed = sign * scores[:, :4], sign * scores[:, 4].mean()
    fit = fit_curves(fitted_scores.mean(axis=0), ratios)
    foretold = float(fit.at(2.0))

    drawn = fit_curves(draw_means(fitted_scores, ratio, SEED), ratios)
    changes = drawn.at(2.0) - drawn.level
    change = observed - fitted_scores[:, 3].mean()
    page = _interval(changes)

    of_folds = fit_curves(draw_means(fitted_scores, 0.0, SEED), ratios)
    residuals = fitted_scores - fitted_scores.mean(axis=1, keepdims=True)
    residuals -= residuals.mean(axis=0)
    noise = residuals.std() * np.sqrt(4 / 3) / np.sqrt(len(fitted_scores))
    rng = np.random.default_rng(SEED)
    ends = _interval(of_folds.at(2.0) + noise * rng.standard_normal(DRAWS))
    low, high = np.clip(sorted((sign * ends[0], sign * ends[1])), *score_range(metric))
    return {
        "half": float(sign * fitted_scores[:, 3].mean()),
        "foretold": sign * foretold,
        "low": float(low),
        "high": float(high),
        "observed": float(sign * observed),
        "power": float(fit.power),
        "in_same_folds": bool(ends[0] <= observed <= ends[1]),
        "change": float(sign * change),
        "page_low": min(sign * page[0], sign * page[1]),
        "page_high": max(sign * page[0], sign * page[1]),
        "in_page": bool(page[0] <= change <= page[1]),
    }


def _interval(draws: Any) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def markdown(lines: list[Mapping[str, Any]]) -> str:
    """A table of all lines, and how often each interval held the observed score."""
    heads = (
        "table", "rare rows", "method", "score", "at half", "foretold", "same folds", "observed",
        "in it", "change", "page", "in it",
    )  # fmt: skip
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for line in lines:
        cells = (
            line["table"], line["rare_rows"], line["method"], line["metric"],
            f"{line['half']:.3f}", f"{line['foretold']:.3f}",
            f"{line['low']:.3f} to {line['high']:.3f}", f"{line['observed']:.3f}",
            "yes" if line["in_same_folds"] else "no", f"{line['change']:+.3f}",
            f"{line['page_low']:+.3f} to {line['page_high']:+.3f}",
            "yes" if line["in_page"] else "no",
        )  # fmt: skip
        rows.append(f"| {' | '.join(map(str, cells))} |")
    frame = pd.DataFrame(lines)
    counts = frame.groupby(["method", "metric"])[["in_same_folds", "in_page"]].agg(["sum", "size"])
    for (method, metric), count in counts.iterrows():
        same_folds, page = (
            f"{count[name, 'sum']} of {count[name, 'size']}"
            for name in ("in_same_folds", "in_page")
        )
        rows.append(f"| all | | {method} | {metric} | | | | | {same_folds} | | | {page} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
