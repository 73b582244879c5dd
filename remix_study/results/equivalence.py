"""Words for a difference of two methods: better, worse, practically equal, or cannot tell.

The word is what the posterior of the difference makes sure of, never a p-value: with a flat prior
the posterior of the mean difference over folds is Student's t around the observed mean, with the
corrected standard error and J - 1 degrees of freedom (Corani and Benavoli 2015; Benavoli et al.
2017). Of a bootstrapped difference it is a normal distribution with the standard error of the
draws. A difference within the region of practical equivalence is one that nobody would act on.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import pandas as pd
from scipy import special

from remix_study.metrics import METRICS, ROPES, better_sign, find_metric, rope_of
from remix_study.results.intervals import Interval, paired_interval
from remix_study.results.significance import Posterior

Word = Literal["better", "worse", "practically equal", "cannot tell"]
"""How one method compares with another."""

SURE = 0.95
"""Posterior probability from which on a word is said."""

FEWEST_FOLDS = 4
"""With fewer folds their spread says too little: no word but "cannot tell", and no interval."""


def compare(
    first: pd.Series[float],
    second: pd.Series[float],
    metric: str,
    ratio: float,
    difference: Interval | None = None,
    rope: float | None = None,
) -> Posterior | None:
    """The posterior of two methods' mean difference in a metric, first minus second.

    None with too few folds, and where on most of them both have the metric's worst value: two
    methods that never find the rare class differ by nothing that these folds could show.

    Args:
        first: Scores by fold.
        second: The same of the other method; folds that both have are compared.
        metric: What they are scores of.
        ratio: n_test / n_train of the corrected standard error.
        difference: Of their means, where it has been computed.
        rope: As for :func:`posterior_of`.
    """
    if first.index is not second.index:
        first, second = first.align(second, join="inner")
    worst = find_metric(metric).worst
    if ((first.to_numpy() == worst) & (second.to_numpy() == worst)).mean() > 0.5:
        return None
    return posterior_of(difference or paired_interval(first, second, ratio), metric, rope)


def posterior_of(difference: Interval, metric: str, rope: float | None = None) -> Posterior | None:
    """The posterior of a mean difference, first minus second; None with too few folds.

    Args:
        difference: Over folds, with its corrected standard error.
        metric: Says which direction is better.
        rope: Half the width of the region of practical equivalence; that of the metric when None.
    """
    if difference.folds < FEWEST_FOLDS and not difference.draws:
        return None
    reach = rope_of(metric) if rope is None else rope
    is_known = metric in METRICS or metric in ROPES
    mean = better_sign(metric) * difference.mean if is_known else difference.mean
    if difference.standard_error == 0:
        # Every fold, or draw, has the same difference.
        return Posterior(
            better=float(mean > reach), equal=float(abs(mean) <= reach), worse=float(mean < -reach)
        )
    error = difference.standard_error
    # As scipy.stats computes them; its distributions take a thousand times as long.
    above, below = (mean - reach) / error, (-reach - mean) / error
    if difference.draws:
        better, worse = float(special.ndtr(above)), float(special.ndtr(below))
    else:
        degrees = difference.folds - 1
        better, worse = float(special.stdtr(degrees, above)), float(special.stdtr(degrees, below))
    return Posterior(better=better, equal=1 - better - worse, worse=worse)


def if_enough(interval: Interval) -> Interval:
    """The interval without its ends where too few folds give it; draws of rows are enough."""
    if interval.folds >= FEWEST_FOLDS or interval.draws:
        return interval
    return replace(interval, low=math.nan, high=math.nan)


def word_of(posterior: Posterior | None) -> Word:
    """What a posterior makes sure of."""
    if posterior is None:
        return "cannot tell"
    if posterior.better >= SURE:
        return "better"
    if posterior.worse >= SURE:
        return "worse"
    return "practically equal" if posterior.equal >= SURE else "cannot tell"
