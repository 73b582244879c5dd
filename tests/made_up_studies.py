"""Frames of studies that were never run, whose methods have known effects."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from remix_study.results.frames import StudyFrames

PARTS = {
    "baseline": ("natural", "none", "cross-entropy"),
    "cost": ("natural", "none", "class-weighted"),
    "smote": ("smote", "none", "cross-entropy"),
    "mixup": ("natural", "beta", "cross-entropy"),
    "balance": ("balanced", "none", "cross-entropy"),
    "remix": ("balanced", "beta", "cross-entropy"),
    "logit-adjusted": ("natural", "none", "logit-adjusted"),
}
ALPHAS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0)
# Improvement of each strategy over the baseline.
EFFECTS = {
    "baseline": 0.0,
    "cost": 0.08,
    "smote": 0.10,
    "mixup": -0.03,
    "balance": 0.11,
    "remix": 0.13,
    "logit-adjusted": 0.12,
}
MAXIMIZED = ("g_mean", "balanced_accuracy", "min_recall", "roc_auc", "average_precision")
METRICS = (*MAXIMIZED[:1], "bbs", "brier", "log_loss", *MAXIMIZED[1:], "ece", "cwece")


@dataclass(frozen=True)
class MadeUpProblem:
    """One problem of a made-up study, and the methods (strategy, alpha) that were run on it."""

    problem: str = "digits-3-ir0.05"
    study: str = "made"
    dataset: str = "digits"
    kind: str = "binary"
    imbalance: float = 0.05
    classes: tuple[str, ...] = ("rest", "3")
    minority: tuple[str, ...] = ("3",)
    counts: Mapping[str, int] | None = None
    notes: tuple[str, ...] = ()
    folds: int = 2
    repeats: int = 10
    early_stopping: bool = True
    algorithm: str = "grid"
    objectives: tuple[str, ...] = ("g_mean", "bbs")
    methods: tuple[tuple[str, float | None], ...] = (
        *((name, None) for name in PARTS if name not in ("mixup", "remix")),
        ("mixup", 0.1),
        *(("remix", alpha) for alpha in ALPHAS),
    )
    planned: int | None = None
    level: float = 0.7


def effect(strategy: str, alpha: float | None, metric: str) -> float:
    """Difference of a method's scores to the baseline's in this metric."""
    bend = 0.0
    if strategy == "remix" and alpha is not None:
        # Best at alpha 0.3, in every metric.
        bend = 0.06 * (1 - abs(math.sqrt(alpha) - math.sqrt(0.3)))
    gain = EFFECTS.get(strategy, 0.0) + bend
    if metric in ("brier", "log_loss", "ece", "cwece"):
        # What the balanced measures gain by a shift of the prior, these lose.
        gain = -0.5 * gain
    return gain if metric in MAXIMIZED else -gain


def label_of(strategy: str, alpha: float | None) -> str:
    """Label of a method, as databases have it."""
    return strategy if alpha is None else f"{strategy} ({alpha:g})"


def made_up_frames(
    *problems: MadeUpProblem, seed: int = 7, noise: float = 0.01, spread: float = 0.03
) -> StudyFrames:
    """Frames whose scores are level + effect + a fold's effect on all methods + noise.

    Args:
        problems: the problems; each further one has a level that is 0.05 lower. One of default
            values where none is given.
        seed: of all random numbers.
        noise: standard deviation of the noise of each score.
        spread: standard deviation of the folds' effects.
    """
    rng = np.random.default_rng(seed)
    tables: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("problems", "runs", "folds", "scores")
    }
    for place, problem in enumerate(problems or (MadeUpProblem(),)):
        counts = problem.counts or {
            name: 60 if name in problem.minority else 1200 for name in problem.classes
        }
        tables["problems"].append(_problem_record(problem, counts))
        fold_effects = rng.normal(0, spread, (problem.repeats, problem.folds, len(METRICS), 2))
        level = problem.level - 0.05 * place
        for trial, (strategy, alpha) in enumerate(problem.methods):
            run = len(tables["runs"])
            validation: dict[str, list[float]] = {metric: [] for metric in METRICS}
            for repeat in range(problem.repeats):
                for fold in range(problem.folds):
                    key = {"run": run, "repeat": repeat, "fold": fold}
                    tables["folds"].append(key | _fold_record(problem, counts, strategy, key))
                    for metric_place, metric in enumerate(METRICS):
                        mean = level if metric in MAXIMIZED else 1 - level
                        for side, part in enumerate(("validation", "test")):
                            value = mean + effect(strategy, alpha, metric)
                            value += fold_effects[repeat, fold, metric_place, side]
                            value = min(max(float(value + rng.normal(0, noise)), 0.0), 1.0)
                            if part == "validation":
                                validation[metric].append(value)
                            tables["scores"].append(
                                key | {"part": part, "metric": metric, "value": value}
                            )
            means = tuple(float(np.mean(validation[metric])) for metric in problem.objectives)
            record = _run_record(problem, run, trial, strategy, alpha)
            tables["runs"].append(record | {"values": means})
    return StudyFrames(
        problems=pd.DataFrame(tables["problems"]),
        runs=_frame(tables["runs"], RUN_COLUMNS),
        folds=_frame(tables["folds"], FOLD_COLUMNS),
        scores=_frame(tables["scores"], SCORE_COLUMNS),
        manifests=tuple({"study": problem.study} for problem in problems),
    )


def frames_with_search(
    grid: MadeUpProblem, search: MadeUpProblem, **columns: object
) -> StudyFrames:
    """Frames of a grid and of the search that followed it, whose problem has these columns."""
    following = made_up_frames(search, seed=8)
    # Runs of one database have numbers of their own.
    moved = {
        name: getattr(following, name).assign(run=lambda frame: frame["run"] + 1000)
        for name in ("runs", "folds", "scores")
    }
    problems = following.problems.assign(**columns)
    return replace(made_up_frames(grid), following=replace(following, problems=problems, **moved))


def _problem_record(problem: MadeUpProblem, counts: Mapping[str, int]) -> dict[str, Any]:
    planned = len(problem.methods) if problem.planned is None else problem.planned
    return {
        "study": problem.study,
        "problem": problem.problem,
        "dataset": problem.dataset,
        "kind": problem.kind,
        "imbalance": problem.imbalance,
        "classes": problem.classes,
        "minority": problem.minority,
        "counts": counts,
        "notes": problem.notes,
        "n_rows": sum(counts.values()),
        "n_features": 64,
        "folds": problem.folds,
        "repeats": problem.repeats,
        "validation": 0.3,
        "grouped": False,
        "redraw": False,
        "early_stopping": problem.early_stopping,
        "monitor": "balanced",
        "preset": "quick",
        "objectives": problem.objectives,
        "algorithm": problem.algorithm,
        "planned": planned,
        "complete": len(problem.methods),
        "failed": 0,
    }


def _fold_record(
    problem: MadeUpProblem, counts: Mapping[str, int], strategy: str, key: Mapping[str, int]
) -> dict[str, Any]:
    n, rare = sum(counts.values()), min(counts.values())
    n_test = n // problem.folds
    n_validation = round(0.3 * (n - n_test))
    n_train = n - n_test - n_validation
    sampler = _parts(strategy, None)[0]
    return {
        "n_train": n_train,
        "n_validation": n_validation,
        "n_test": n_test,
        "minority_train": round(rare * n_train / n),
        "minority_validation": round(rare * n_validation / n),
        "minority_test": rare // problem.folds,
        "epochs": 40 + (key["run"] * 7 + key["repeat"] * 3 + key["fold"]) % 31,
        "stopped": "patience",
        "failed": "",
        "effective_prior": tuple([1 / len(counts)] * len(counts)),
        "natural_prior": tuple(count / n for count in counts.values()),
        "distinct_share": 0.55 if sampler == "balanced" else 1.0,
    }


def _run_record(
    problem: MadeUpProblem, run: int, trial: int, strategy: str, alpha: float | None
) -> dict[str, Any]:
    sampler, mixing, loss = _parts(strategy, alpha)
    return {
        "run": run,
        "study": problem.study,
        "problem": problem.problem,
        "trial": trial,
        "row": label_of(strategy, alpha),
        "strategy": strategy,
        "sampler": sampler,
        "mixing": mixing,
        "alpha": math.nan if alpha is None else alpha,
        "loss": loss,
        "seconds": 2.5,
        "parameters": {"strategy": strategy, "alpha": alpha},
    }


def _parts(strategy: str, alpha: float | None) -> tuple[str, str, str]:
    """Sampler, mixing and loss; unknown strategies balance batches, and mix if alpha is given."""
    mixing = "none" if alpha is None else "beta"
    return PARTS.get(strategy, ("balanced", mixing, "cross-entropy"))


def _frame(lines: list[dict[str, Any]], columns: str) -> pd.DataFrame:
    return pd.DataFrame(lines, columns=columns.split())


RUN_COLUMNS = (
    "run study problem trial row strategy sampler mixing alpha loss seconds values parameters"
)
FOLD_COLUMNS = (
    "run repeat fold n_train n_validation n_test minority_train minority_validation "
    "minority_test epochs stopped failed effective_prior natural_prior distinct_share"
)
SCORE_COLUMNS = "run repeat fold part metric value"


def at_three_ratios(base: MadeUpProblem = MadeUpProblem()) -> tuple[MadeUpProblem, ...]:
    """The problem at three imbalance ratios, the mildest first."""
    return tuple(
        replace(
            base,
            problem=f"{base.dataset}-{'_'.join(base.minority)}-ir{ratio}",
            imbalance=ratio,
            counts={
                name: round(1200 * ratio) if name in base.minority else 1200
                for name in base.classes
            },
        )
        for ratio in (0.05, 0.025, 0.01)
    )


def leave_figures_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save figures as a dot, until the patch ends: drawing takes most of a report's time.

    So does laying out, which measures every text.
    """
    dot = BytesIO()
    Image.new("RGB", (1, 1)).save(dot, format="png")

    def savefig(_: Figure, target: BytesIO, *, format: str, **__: Any) -> None:
        target.write(b"<svg/>" if format == "svg" else dot.getvalue())

    monkeypatch.setattr(Figure, "savefig", savefig)
    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", lambda *_: None)
