"""Leads of one strategy over another, for claims on gains and on single methods."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from remix_study.metrics import short_name
from remix_study.paper.claims.parts import (
    Contrast,
    Part,
    checked_part,
    dataset_contrast,
    not_run,
    problem_contrast,
)
from remix_study.paper.claims.score_matrix import ScoreMatrix


def lead_contrast(matrix: ScoreMatrix, metric: str, better: str, worse: str) -> Contrast:
    """The contrast of a claim that one strategy is better than another."""
    return problem_contrast(
        f"{better} over {worse}", matrix.lead(metric, better, worse), matrix.datasets
    )


def gains_over_baseline(
    matrix: ScoreMatrix, metric: str, strategies: Sequence[str]
) -> pd.DataFrame:
    """Gains (problems, strategies) over the baseline, positive where the strategy is better."""
    return pd.DataFrame(
        {strategy: matrix.lead(metric, strategy, "baseline") for strategy in strategies}
    )


def gains_by_dataset(matrix: ScoreMatrix, metric: str, strategies: set[str]) -> pd.DataFrame:
    """Gains (data sets, strategies) over the baseline, the mean over the problems of each."""
    gains = gains_over_baseline(matrix, metric, sorted(strategies))
    datasets = [matrix.datasets[str(problem)] for problem in gains.index]
    return gains.groupby(datasets, sort=False).mean()


def kind_contrasts(
    matrices: Sequence[ScoreMatrix], metric: str, strategy: str, rivals: Sequence[str]
) -> list[Contrast]:
    """Contrast a strategy's gain on binary problems with gains on multi-class ones, by data set.

    Args:
        matrices: of binary and of multi-class problems.
        metric: what is gained.
        strategy: on binary problems.
        rivals: strategies on multi-class problems, each with a contrast.
    """
    binary, multi = (gains_by_dataset(matrix, metric, {strategy, *rivals}) for matrix in matrices)
    shared = [name for name in binary.index if name in multi.index]
    return [
        dataset_contrast(
            f"{strategy} on binary over {rival} on multi-class",
            binary.loc[shared, strategy] - multi.loc[shared, rival],
        )
        for rival in rivals
    ]


def missing_on_any(
    matrices: Sequence[ScoreMatrix], strategies: Sequence[str], metrics: Sequence[str]
) -> str:
    """What keeps strategies from being compared on any matrix, in words; "" if nothing does."""
    return "; ".join(filter(None, (matrix.missing(strategies, metrics) for matrix in matrices)))


def better_than_part(
    matrix: ScoreMatrix, metric: str, strategy: str, rivals: Sequence[str]
) -> Part:
    """The part of a claim that a strategy's mean lead over each rival is above zero."""
    name = f"{matrix.name}, {short_name(metric)}"
    reason = matrix.missing((strategy, *rivals), [metric])
    if reason:
        return not_run(name, reason)
    leads = {rival: matrix.lead(metric, strategy, rival) for rival in rivals}
    numbers = {f"{strategy} over {rival}": float(lead.mean()) for rival, lead in leads.items()}
    contrasts = [lead_contrast(matrix, metric, strategy, rival) for rival in rivals]
    return checked_part(name, min(numbers.values()) > 0, numbers, contrasts, matrix.basis)
