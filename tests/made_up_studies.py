"""Made-up studies with known effects: what every report test reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from remix_study.metrics import score
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
# How far each strategy stands from the baseline; the sign is that of an improvement.
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
class MadeProblem:
    """One problem of a made-up study and the rows that were run on it."""

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
    rows: tuple[tuple[str, float | None], ...] = (
        *((name, None) for name in PARTS if name not in ("mixup", "remix")),
        ("mixup", 0.1),
        *(("remix", alpha) for alpha in ALPHAS),
    )
    planned: int | None = None
    level: float = 0.7


Change = Callable[[dict[str, Any]], None]
Factory = Callable[..., StudyFrames]


def effect(strategy: str, alpha: float | None, metric: str) -> float:
    """The improvement that a row was given, in the direction of the metric."""
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
    return strategy if alpha is None else f"{strategy} ({alpha:g})"


def make_frames(
    *problems: MadeProblem, seed: int = 7, noise: float = 0.01, spread: float = 0.03
) -> StudyFrames:
    """Frames whose scores are level + effect + what the fold does to all + own noise."""
    rng = np.random.default_rng(seed)
    tables: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("problems", "runs", "folds", "scores")
    }
    run = 0
    for at, made in enumerate(problems or (MadeProblem(),)):
        counts = made.counts or {
            name: 60 if name in made.minority else 1200 for name in made.classes
        }
        n = sum(counts.values())
        n_test = n // made.folds
        n_validation = round(0.3 * (n - n_test))
        n_train = n - n_test - n_validation
        rare = min(counts.values())
        tables["problems"].append(
            {
                "study": made.study,
                "problem": made.problem,
                "dataset": made.dataset,
                "kind": made.kind,
                "imbalance": made.imbalance,
                "classes": made.classes,
                "minority": made.minority,
                "counts": counts,
                "notes": made.notes,
                "n_rows": n,
                "n_features": 64,
                "folds": made.folds,
                "repeats": made.repeats,
                "validation": 0.3,
                "grouped": False,
                "redraw": False,
                "early_stopping": made.early_stopping,
                "monitor": "balanced",
                "preset": "quick",
                "objectives": made.objectives,
                "algorithm": made.algorithm,
                "planned": made.planned if made.planned is not None else len(made.rows),
                "complete": len(made.rows),
                "failed": 0,
            }
        )
        fold_effect = rng.normal(0, spread, (made.repeats, made.folds, len(METRICS), 2))
        for trial, (strategy, alpha) in enumerate(made.rows):
            unknown = ("balanced", "none" if alpha is None else "beta", "cross-entropy")
            sampler, mixing, loss = PARTS.get(strategy, unknown)
            validation: dict[str, list[float]] = {metric: [] for metric in METRICS}
            for repeat in range(made.repeats):
                for fold in range(made.folds):
                    tables["folds"].append(
                        {
                            "run": run,
                            "repeat": repeat,
                            "fold": fold,
                            "n_train": n_train,
                            "n_validation": n_validation,
                            "n_test": n_test,
                            "minority_train": round(rare * n_train / n),
                            "minority_validation": round(rare * n_validation / n),
                            "minority_test": rare // made.folds,
                            "epochs": 40 + (run * 7 + repeat * 3 + fold) % 31,
                            "stopped": "patience",
                            "failed": "",
                            "effective_prior": tuple([1 / len(counts)] * len(counts)),
                            "natural_prior": tuple(c / n for c in counts.values()),
                            "distinct_share": 0.55 if sampler == "balanced" else 1.0,
                        }
                    )
                    for place, metric in enumerate(METRICS):
                        level = made.level - 0.05 * at
                        level = level if metric in MAXIMIZED else 1 - level
                        for side, part in enumerate(("validation", "test")):
                            value = level + effect(strategy, alpha, metric)
                            value += fold_effect[repeat, fold, place, side]
                            value = float(np.clip(value + rng.normal(0, noise), 0, 1))
                            if part == "validation":
                                validation[metric].append(value)
                            tables["scores"].append(
                                {
                                    "run": run,
                                    "repeat": repeat,
                                    "fold": fold,
                                    "part": part,
                                    "metric": metric,
                                    "value": value,
                                }
                            )
            tables["runs"].append(
                {
                    "run": run,
                    "study": made.study,
                    "problem": made.problem,
                    "trial": trial,
                    "row": label_of(strategy, alpha),
                    "strategy": strategy,
                    "sampler": sampler,
                    "mixing": mixing,
                    "alpha": math.nan if alpha is None else alpha,
                    "loss": loss,
                    "seconds": 2.5,
                    "values": tuple(float(np.mean(validation[m])) for m in made.objectives),
                    "parameters": {"strategy": strategy, "alpha": alpha},
                }
            )
            run += 1
    return StudyFrames(
        problems=pd.DataFrame(tables["problems"]),
        runs=_frame(tables["runs"], RUN_COLUMNS),
        folds=_frame(tables["folds"], FOLD_COLUMNS),
        scores=_frame(tables["scores"], SCORE_COLUMNS),
        manifests=tuple({"study": made.study} for made in problems),
    )


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


def three_ratios(base: MadeProblem = MadeProblem()) -> tuple[MadeProblem, ...]:
    """The same base problem at three imbalance ratios."""
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


def make_gaussian_frames(
    *,
    rows: Sequence[tuple[str, float | None]],
    share: float = 0.05,
    n: int = 600,
    folds: int = 2,
    repeats: int = 5,
    slopes: Mapping[str, float] | None = None,
    shares: Mapping[str, float] | None = None,
    seed: int = 3,
    distance: float = 2.5,
    objectives: tuple[str, ...] = ("g_mean", "bbs"),
) -> StudyFrames:
    """Frames with probabilities: two Gaussians, so every posterior is known.

    Args:
        rows: strategies and alphas.
        share: of the rare class.
        slopes: strategy -> factor on its logits; 1 is the true posterior.
        shares: strategy -> share of the rare class that it was trained on; 0.5 for those that
            balance batches, the natural one for the others.
        distance: between the two means, in standard deviations.
    """
    rng = np.random.default_rng(seed)
    n_rare = round(share * n)
    y = np.r_[np.zeros(n - n_rare, np.int32), np.ones(n_rare, np.int32)]
    made = MadeProblem(
        problem="gauss",
        dataset="gauss",
        imbalance=math.nan,
        classes=("common", "rare"),
        minority=("rare",),
        counts={"common": n - n_rare, "rare": n_rare},
        folds=folds,
        repeats=repeats,
        rows=tuple(rows),
        objectives=objectives,
    )
    frames = make_frames(made)
    x = rng.normal(distance * (y - 0.5), 1)
    natural = n_rare / n
    stored: dict[tuple[int, int, int, str], tuple[Any, Any, Any]] = {}
    scores: list[tuple[Any, ...]] = []
    parts: dict[tuple[int, int], dict[str, Any]] = {}
    for repeat in range(repeats):
        order = rng.permutation(n)
        fold_of = np.empty(n, int)
        for code in (0, 1):
            own = order[y[order] == code]
            fold_of[own] = np.arange(len(own)) % folds
        for fold in range(folds):
            rest = order[fold_of[order] != fold]
            parts[repeat, fold] = {
                "test": np.flatnonzero(fold_of == fold),
                "validation": np.sort(rest[: round(0.3 * len(rest))]),
            }
    effective = {}
    for run in frames.runs.itertuples():
        sampler, _, loss = PARTS[run.strategy]
        usual = natural if sampler == "natural" else 0.5
        trained = (shares or {}).get(run.strategy, usual)
        effective[run.run] = (1 - trained, trained)
        scored = 0.5 if loss != "cross-entropy" else trained
        for (repeat, fold), rows_of in parts.items():
            wobble = np.random.default_rng([seed, run.run, repeat, fold]).normal(0, 0.05, 2)
            for part, chosen in rows_of.items():
                logit = distance * x[chosen] + math.log(scored / (1 - scored))
                logit = logit * (slopes or {}).get(run.strategy, 1.0) * (1 + wobble[0]) + wobble[1]
                p = 1 / (1 + np.exp(-logit))
                p = np.c_[1 - p, p]
                stored[run.run, repeat, fold, part] = (chosen, y[chosen], p)
                for metric, value in score(y[chosen], p, 2).items():
                    scores.append((run.run, repeat, fold, part, metric, value))
    own = frames.folds.copy()
    own["natural_prior"] = [(1 - natural, natural)] * len(own)
    own["effective_prior"] = [effective[run] for run in own["run"]]
    table = pd.DataFrame(scores, columns=SCORE_COLUMNS.split())
    runs = frames.runs.copy()
    validation = table[table["part"] == "validation"].groupby(["run", "metric"])["value"].mean()
    runs["values"] = [tuple(validation[run, m] for m in objectives) for run in runs["run"]]
    return replace(
        frames,
        runs=runs,
        folds=own,
        scores=table,
        probabilities=lambda run, repeat, fold, part: stored[run, repeat, fold, part],
    )


@pytest.fixture(scope="session")
def gaussians_of() -> Factory:
    return make_gaussian_frames


@pytest.fixture(scope="session")
def problem() -> type[MadeProblem]:
    return MadeProblem


@pytest.fixture(scope="session")
def frames_of() -> Factory:
    return make_frames


@pytest.fixture(scope="session")
def ratios_of() -> Callable[..., Sequence[MadeProblem]]:
    return three_ratios


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but not rendered, for tests that look at everything else."""

    dot = BytesIO()
    Image.new("RGB", (1, 1)).save(dot, format="png")

    def savefig(_: Figure, target: BytesIO, *, format: str, **__: Any) -> None:
        target.write(b"<svg/>" if format == "svg" else dot.getvalue())

    monkeypatch.setattr(Figure, "savefig", savefig)
    monkeypatch.setattr(Figure, "draw_without_rendering", lambda _: None)
