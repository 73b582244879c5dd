"""Frames of studies that were never run, whose probabilities are known posteriors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from made_up_studies import PARTS, SCORE_COLUMNS, MadeUpProblem, made_up_frames

from remix_study.metrics import score
from remix_study.results.frames import StudyFrames


def gaussian_frames(
    *,
    methods: Sequence[tuple[str, float | None]],
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
    """Frames of one problem with probabilities: two Gaussians, so every posterior is known.

    Args:
        methods: strategies and alphas.
        share: of the rare class among the rows.
        n: number of rows.
        folds: of each repeat.
        repeats: of the cross-validation.
        slopes: strategy -> factor on its logits; 1 is the true posterior.
        shares: strategy -> share of the rare class that it was trained on; 0.5 for those that
            balance batches, the natural one for the others.
        seed: of all random numbers.
        distance: between the two means, in standard deviations.
        objectives: metrics of the study.
    """
    rng = np.random.default_rng(seed)
    n_rare = round(share * n)
    y = np.r_[np.zeros(n - n_rare, np.int32), np.ones(n_rare, np.int32)]
    problem = MadeUpProblem(
        problem="gauss",
        dataset="gauss",
        imbalance=math.nan,
        classes=("common", "rare"),
        minority=("rare",),
        counts={"common": n - n_rare, "rare": n_rare},
        folds=folds,
        repeats=repeats,
        methods=tuple(methods),
        objectives=objectives,
    )
    frames = made_up_frames(problem)
    x = rng.normal(distance * (y - 0.5), 1)
    natural = n_rare / n
    stored: dict[tuple[int, int, int, str], tuple[Any, Any, Any]] = {}
    scores: list[tuple[Any, ...]] = []
    parts: dict[tuple[int, int], dict[str, Any]] = {}
    for repeat in range(repeats):
        order = rng.permutation(n)
        fold_of = np.empty(n, int)
        for code in (0, 1):
            class_rows = order[y[order] == code]
            fold_of[class_rows] = np.arange(len(class_rows)) % folds
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
                stored[run.run, repeat, fold, part] = (chosen, y[chosen], p, None)
                for metric, value in score(y[chosen], p, 2).items():
                    scores.append((run.run, repeat, fold, part, metric, value))
    all_folds = frames.folds.copy()
    all_folds["natural_prior"] = [(1 - natural, natural)] * len(all_folds)
    all_folds["effective_prior"] = [effective[run] for run in all_folds["run"]]
    table = pd.DataFrame(scores, columns=SCORE_COLUMNS.split())
    runs = frames.runs.copy()
    validation = table[table["part"] == "validation"].groupby(["run", "metric"])["value"].mean()
    runs["values"] = [tuple(validation[run, m] for m in objectives) for run in runs["run"]]
    return replace(
        frames,
        runs=runs,
        folds=all_folds,
        scores=table,
        probabilities=lambda run, repeat, fold, part: stored[run, repeat, fold, part],
    )
