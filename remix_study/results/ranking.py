"""Ranks of methods within each problem, and their sums over problems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from remix_study.errors import join_names
from remix_study.metrics import is_maximized

TIE_DECIMALS = 12
"""Means that are equal at this many decimals are the same number summed in another order."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """One metric of one kind of problem, ranked.

    Attributes:
        kind: "binary" or "multi-class".
        metric: what was ranked.
        means: (problems, methods) mean test scores.
        ranks: (problems, methods) ranks within each problem; 1 is the best.
        sums: (methods,) rank sums; their total has been checked.
    """

    kind: str
    metric: str
    means: pd.DataFrame
    ranks: pd.DataFrame
    sums: pd.Series[float]


def rank_means(means: pd.DataFrame, *, maximize: bool) -> pd.DataFrame:
    """Rank methods within each problem; 1 is the best, ties share their average rank.

    Args:
        means: (problems, methods) mean scores, none missing.
        maximize: whether a higher score is better.

    Returns:
        (problems, methods) ranks.

    Raises:
        ValueError: a mean is missing.
    """
    values = means.to_numpy(dtype=np.float64)
    if np.isnan(values).any():
        missing = means.columns[np.isnan(values).any(axis=0)]
        raise ValueError(
            "every method needs a mean score on every problem to be ranked; missing for "
            f"{join_names(map(str, missing))}"
        )
    ordered = np.round(-values if maximize else values, TIE_DECIMALS)
    ranks = stats.rankdata(ordered, method="average", axis=1)
    return pd.DataFrame(ranks, index=means.index, columns=means.columns)


def sum_ranks(ranks: pd.DataFrame) -> pd.Series[float]:
    """Sum each method's ranks over the problems, and check the total.

    Args:
        ranks: (problems, methods).

    Returns:
        (methods,) rank sums.

    Raises:
        ValueError: the sums do not add up to N k (k + 1) / 2.
    """
    sums = ranks.sum(axis=0).astype(float)
    check_rank_total(sums.to_numpy(dtype=np.float64), n_problems=len(ranks))
    return sums


def check_rank_total(sums: ArrayLike, *, n_problems: int) -> None:
    """Refuse rank sums that no ranking with average ties can give.

    Args:
        sums: (k,) rank sums.
        n_problems: number N of problems.

    Raises:
        ValueError: they do not add up to N k (k + 1) / 2.
    """
    array = np.asarray(sums, dtype=np.float64)
    expected = n_problems * len(array) * (len(array) + 1) / 2
    if not np.isclose(array.sum(), expected, rtol=0, atol=1e-6):
        raise ValueError(f"rank sums total {array.sum():g}, not N k (k + 1) / 2 = {expected:g}")


def rank_by_dataset(ranking: Ranking, datasets: Mapping[str, str]) -> Ranking:
    """Rank the same methods on each data set, after averaging the scores of its problems.

    Args:
        ranking: by problem.
        datasets: problem -> its data set.
    """
    names = [datasets[str(problem)] for problem in ranking.means.index]
    means = ranking.means.groupby(names, sort=False).mean()
    ranks = rank_means(means, maximize=is_maximized(ranking.metric))
    return Ranking(ranking.kind, ranking.metric, means, ranks, sum_ranks(ranks))
