"""Claims on methods: their places by rank, what single ones add to others, what ReMix costs.

Ranks (C1, C2, C8 to C10) are those of Table 2, with the five published methods ranked alone. Of
C24 and C25 the paper says nothing: this project asks them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.metrics import CORE_METRICS, PUBLISHED_METRICS, short_name
from remix_study.paper.claims.evidence import NotRun, ScoreMatrix, in_metric, named, order
from remix_study.paper.claims.verdicts import NOT_BETTER, Part, claim, contrasts_of, part_on
from remix_study.paper.table2 import STRATEGIES
from remix_study.results.comparison import Comparison

# Balanced Brier rewards any shift of the prior; these do not, so "calibration" means these.
CALIBRATION = ("brier", "cwece")
# Resampling that existed before: in-batch SMOTE and in-batch random oversampling.
EXISTING_RESAMPLING = ("smote", "balance")
# "Minimal additional computation": at most a tenth more time per epoch.
MINIMAL_EXTRA = 1.1
# A mixed row within a tenth of the way to its partner is a copy for all that a network sees.
COPY = 0.1
# "Rarely": at most one row in twenty.
RARELY = 0.05


@claim("C1", "Table 2", "ranks", "remix", on=lambda e: named(e.tabular, *PUBLISHED_METRICS))
def remix_first(matrix: ScoreMatrix) -> Part:
    """ReMix ranks first in g-mean and balanced Brier, binary and multi-class.

    Its rank sum is the lowest of the five published rows in all four columns.
    """
    return _place_part(matrix, "remix", 1, order(["remix"], STRATEGIES))


@claim("C2", "Table 2, Results", "ranks", "smote", on=lambda e: named(e.tabular, "g_mean"))
def smote_second(matrix: ScoreMatrix) -> Part:
    """SMOTE is the second best in g-mean.

    Its rank sum in g-mean is the second lowest in both kinds; ReMix is better than SMOTE,
    SMOTE better than the rest.
    """
    return _place_part(matrix, "smote", 2, order(["remix", "smote"], STRATEGIES))


@claim(
    "C8", "Table 2, binary", "ranks", "rank", on=lambda e: named(e.tabular[:1], *PUBLISHED_METRICS)
)
def weights_no_better(matrix: ScoreMatrix) -> Part:
    """Class weights do no better than the baseline.

    Their rank sum is no lower than the baseline's in both scores.
    """
    matrix.require(*STRATEGIES)
    sums, leads = matrix.rank_sums(), matrix.leads(("cost", "baseline"))
    numbers = {f"rank sum of {strategy}": sums[strategy] for strategy in ("cost", "baseline")}
    numbers["mean gain of cost"] = leads["cost over baseline"].mean()
    contrasts = contrasts_of(matrix, leads, NOT_BETTER)
    return part_on(matrix.problems, sums["cost"] >= sums["baseline"], numbers, contrasts)


@claim("C9", "Table 2", "ranks", "mixup", on=lambda e: named(e.tabular, "g_mean"))
def mixup_last(matrix: ScoreMatrix) -> Part:
    """MixUp is the last in g-mean.

    Its rank sum in g-mean is the highest of the published rows in both kinds.
    """
    pairs = [(rival, "mixup") for rival in STRATEGIES if rival != "mixup"]
    return _place_part(matrix, "mixup", len(STRATEGIES), pairs)


@claim("C10", "Table 2", "ranks", "mixup", on=lambda e: named(e.tabular[1:], "bbs"))
def mixup_second(matrix: ScoreMatrix) -> Part:
    """MixUp is second in balanced Brier on multi-class problems.

    Its rank sum is the second lowest; ReMix is better than MixUp, MixUp better than the rest.
    """
    return _place_part(matrix, "mixup", 2, order(["remix", "mixup"], STRATEGIES))


@claim(
    "C11",
    "Introduction, related work",
    "gains",
    on=lambda e: {
        f"{kind.kind}, {strategy}, {short_name(metric)}": (*in_metric([kind], metric), strategy)
        for kind in e.tabular
        for strategy in EXISTING_RESAMPLING
        for metric in CALIBRATION
    },
)
def resampling_does_not_calibrate(matrix: ScoreMatrix, strategy: str) -> Part:
    """Resampling as it was does not improve calibration.

    In-batch SMOTE and in-batch oversampling (balance) gain nothing over the baseline in plain
    Brier and class-wise ECE.
    """
    matrix.require("baseline", strategy)
    leads = matrix.leads((strategy, "baseline"))
    mean = leads.mean().item()
    contrasts = contrasts_of(matrix, leads, NOT_BETTER)
    return part_on(matrix.problems, mean <= 0, {"mean gain": mean}, contrasts)


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


@claim("C24", "asked here", "ranks", on=lambda e: named(e.tabular, *CORE_METRICS))
def mixing_adds(matrix: ScoreMatrix) -> Part:
    """Mixing adds to balancing.

    ReMix is better than balance, the same batches without mixing, in all five scores.
    """
    return better_part(matrix, "balance")


@claim("C25", "asked here", "ranks", on=lambda e: named(e.tabular, *CORE_METRICS))
def beats_prior_shift(matrix: ScoreMatrix) -> Part:
    """The gain is more than a shift of the prior.

    ReMix is better than the logit-adjusted baseline in all five scores.
    """
    return better_part(matrix, "logit-adjusted")


def place_of(sums: pd.Series[float], strategy: str) -> int:
    """Place of the strategy by rank sum, 1 the lowest; 0 if another one has the same sum."""
    others = sums.drop(strategy)
    return 0 if (others == sums[strategy]).any() else 1 + int((others < sums[strategy]).sum())


def _place_part(
    matrix: ScoreMatrix, strategy: str, place: int, pairs: Sequence[tuple[str, str]]
) -> Part:
    """A part on a strategy's place by rank sum, with pairs of which the first is better."""
    matrix.require(*STRATEGIES)
    sums = matrix.rank_sums()
    numbers = {f"rank sum of {name}": value for name, value in sums.items()}
    contrasts = contrasts_of(matrix, matrix.leads(*pairs))
    return part_on(matrix.problems, place_of(sums, strategy) == place, numbers, contrasts)


def better_part(matrix: ScoreMatrix, *rivals: str) -> Part:
    """A part that holds where ReMix's mean lead over each rival is above zero."""
    matrix.require("remix", *rivals)
    leads = matrix.leads(*(("remix", rival) for rival in rivals))
    means = {str(name): lead.mean() for name, lead in leads.items()}
    holds = min(means.values()) > 0
    return part_on(matrix.problems, holds, means, contrasts_of(matrix, leads))


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
