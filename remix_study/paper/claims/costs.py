"""Claims on the time of an epoch and on repeated rows: C22 and C23."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.paper.claims.evidence import Evidence
from remix_study.paper.claims.parts import Part, checked_part, not_run, problem_contrast
from remix_study.paper.claims.rules import COPY, MINIMAL_EXTRA, RARELY
from remix_study.paper.claims.score_matrix import ScoreMatrix
from remix_study.results.comparison import Comparison


def little_computation(evidence: Evidence) -> list[Part]:
    """C22: an epoch of ReMix takes at most `MINIMAL_EXTRA` times the baseline's, SMOTE's longer.

    The ratio is the median over problems of seconds per epoch over the baseline's. Nothing is
    inferred: wall times of one machine are no sample.
    """
    parts = []
    for matrix in evidence.tabular:
        strategies = ("baseline", "smote", "remix")
        name = f"{matrix.name}, seconds per epoch"
        reason = matrix.missing(strategies, ["g_mean"])
        if reason:
            parts.append(not_run(name, reason))
            continue
        seconds = pd.DataFrame(
            [
                [_epoch_seconds(c, matrix, strategy) for strategy in strategies]
                for c in matrix.problems
            ],
            columns=strategies,
        )
        if not (seconds > 0).to_numpy().all():
            parts.append(not_run(name, "training times of trials alone"))
            continue
        ratios = seconds.div(seconds["baseline"], axis=0).median()
        numbers = {
            "remix over baseline": float(ratios["remix"]),
            "smote over baseline": float(ratios["smote"]),
        }
        holds = ratios["remix"] <= MINIMAL_EXTRA and ratios["smote"] > ratios["remix"]
        parts.append(checked_part(name, bool(holds), numbers, (), matrix.basis))
    return parts


def rarely_repeats(evidence: Evidence) -> list[Part]:
    """C23: at most `RARELY` of the rows of an epoch are repeats that mixing leaves as they are.

    A row is a repeat if the epoch drew it before. Mixing leaves it as it is if lambda, which is
    Beta(alpha, alpha), lies within `COPY` of 0 or 1; the two are taken as independent.
    """
    unmixed = 1 - float(
        np.diff(stats.beta(PUBLISHED_ALPHA, PUBLISHED_ALPHA).cdf([COPY, 1 - COPY]))[0]
    )
    parts = []
    for matrix in evidence.tabular:
        name = f"{matrix.name}, share of repeats"
        reason = matrix.missing(["remix"], ["g_mean"])
        shares = [] if reason else [_distinct_share(c, matrix) for c in matrix.problems]
        if reason or np.isnan(shares).any():
            parts.append(not_run(name, reason or "shares of distinct rows"))
            continue
        repeated = 1 - pd.Series(shares, index=[c.problem for c in matrix.problems])
        repeats = repeated * unmixed
        numbers = {
            "drawn again": float(repeated.mean()),
            "hardly mixed": unmixed,
            "share of repeats": float(repeats.mean()),
        }
        contrasts = [problem_contrast("below the limit", RARELY - repeats, matrix.datasets)]
        holds = float(repeats.mean()) <= RARELY
        parts.append(checked_part(name, holds, numbers, contrasts, matrix.basis))
    return parts


def _epoch_seconds(comparison: Comparison, matrix: ScoreMatrix, strategy: str) -> float:
    method = matrix.methods[strategy][comparison.problem]
    if method.has_shared_time:
        return float("nan")
    epochs = comparison.folds.loc[comparison.folds["run"] == method.run, "epochs"].sum()
    return method.seconds / float(epochs) if epochs else float("nan")


def _distinct_share(comparison: Comparison, matrix: ScoreMatrix) -> float:
    method = matrix.methods["remix"][comparison.problem]
    folds = comparison.folds[comparison.folds["run"] == method.run]
    if "distinct_share" not in folds:
        return float("nan")
    return float(folds["distinct_share"].astype(float).mean())
