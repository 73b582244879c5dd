"""Claims on the time of an epoch and on repeated rows: C22 and C23."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import stats

from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.paper.claims.evidence import NotRun, ScoreMatrix
from remix_study.paper.claims.verdicts import Part, claim, contrasts_of, part_on
from remix_study.results.comparison import Comparison

# "Minimal additional computation": at most a tenth more time per epoch.
MINIMAL_EXTRA = 1.1
# A mixed row within a tenth of the way to its partner is a copy for all that a network sees.
COPY = 0.1
# "Rarely": at most one row in twenty.
RARELY = 0.05


@claim(
    "C22",
    "Introduction",
    "results",
    on=lambda e: {f"{matrix.kind}, seconds per epoch": (matrix,) for matrix in e.tabular},
)
def little_computation(matrix: ScoreMatrix) -> Part:
    """ReMix needs little more computation; the neighbours of SMOTE slow a batch down.

    The median time of an epoch is at most a tenth above the baseline's, and SMOTE's is
    longer. Wall time on whatever machine ran it.
    """
    # Nothing is inferred: wall times of one machine are no sample.
    strategies = ("baseline", "smote", "remix")
    matrix.require(*strategies)
    seconds = pd.DataFrame(
        {s: [_epoch_seconds(c, matrix, s) for c in matrix.problems] for s in strategies}
    )
    if not (seconds > 0).to_numpy().all():
        raise NotRun("training times of trials alone")
    ratios = seconds.div(seconds["baseline"], axis=0).median()
    numbers = {f"{strategy} over baseline": ratios[strategy] for strategy in ("remix", "smote")}
    holds = ratios["remix"] <= MINIMAL_EXTRA and ratios["smote"] > ratios["remix"]
    return part_on(matrix.problems, holds, numbers)


@claim(
    "C23",
    "Introduction, advantage a",
    "results",
    on=lambda e: {f"{matrix.kind}, share of repeats": (matrix,) for matrix in e.tabular},
)
def rarely_repeats(matrix: ScoreMatrix) -> Part:
    """The rows that ReMix resamples rarely repeat.

    At most one row in twenty of an epoch was drawn before and then hardly mixed.
    """
    matrix.require("remix")
    # Mixing leaves a row as it is if lambda, which is Beta(alpha, alpha), lies within `COPY` of 0
    # or 1; that and whether the epoch drew the row before are taken as independent.
    unmixed = 1 - np.diff(stats.beta(PUBLISHED_ALPHA, PUBLISHED_ALPHA).cdf([COPY, 1 - COPY]))[0]
    repeated = pd.Series({c.problem: 1 - _distinct_share(c, matrix) for c in matrix.problems})
    if repeated.isna().any():
        raise NotRun("shares of distinct rows")
    repeats = repeated * unmixed
    numbers = {
        "drawn again": repeated.mean(),
        "hardly mixed": unmixed,
        "share of repeats": repeats.mean(),
    }
    below = contrasts_of(matrix, pd.DataFrame({"below the limit": RARELY - repeats}))
    return part_on(matrix.problems, repeats.mean() <= RARELY, numbers, below)


def _epoch_seconds(comparison: Comparison, matrix: ScoreMatrix, strategy: str) -> float:
    method = matrix.methods[comparison.problem][strategy]
    epochs = comparison.folds.loc[comparison.folds["run"] == method.run, "epochs"].sum()
    return method.seconds / float(epochs) if epochs and not method.has_shared_time else math.nan


def _distinct_share(comparison: Comparison, matrix: ScoreMatrix) -> float:
    method = matrix.methods[comparison.problem]["remix"]
    folds = comparison.folds[comparison.folds["run"] == method.run]
    if "distinct_share" not in folds:
        return math.nan
    return float(folds["distinct_share"].astype(float).mean())
