"""Claims on ranks: C1, C2, C9, C10 (Table 2), with the five published methods ranked alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pandas as pd

from remix_study.metrics import PUBLISHED_METRICS, short_name
from remix_study.paper.claims.evidence import Evidence
from remix_study.paper.claims.leads import lead_contrast
from remix_study.paper.claims.parts import Part, checked_part, not_run
from remix_study.paper.claims.rules import RIVALS
from remix_study.paper.claims.score_matrix import ScoreMatrix
from remix_study.paper.published import STRATEGIES

RankRule = Callable[["pd.Series[float]"], bool]


def remix_first(evidence: Evidence) -> list[Part]:
    """C1: ReMix has the lowest rank sum in g-mean and balanced Brier, binary and multi-class."""
    return [
        _order_part(matrix, metric, lambda sums: is_first(sums, "remix"), ["remix"], RIVALS)
        for matrix in evidence.tabular
        for metric in PUBLISHED_METRICS
    ]


def smote_second(evidence: Evidence) -> list[Part]:
    """C2: SMOTE is second in g-mean, after ReMix and before the other three."""
    return [
        _order_part(
            matrix,
            "g_mean",
            lambda sums: place_of(sums, "smote") == 2,
            ["remix", "smote"],
            [name for name in RIVALS if name != "smote"],
        )
        for matrix in evidence.tabular
    ]


def mixup_last(evidence: Evidence) -> list[Part]:
    """C9: MixUp has the highest rank sum in g-mean."""
    parts = []
    for matrix in evidence.tabular:
        reason = matrix.missing(STRATEGIES, ["g_mean"])
        name = f"{matrix.name}, {short_name('g_mean')}"
        if reason:
            parts.append(not_run(name, reason))
            continue
        sums = matrix.rank_sums("g_mean", STRATEGIES)
        contrasts = [
            lead_contrast(matrix, "g_mean", rival, "mixup")
            for rival in STRATEGIES
            if rival != "mixup"
        ]
        holds = bool((sums.drop("mixup") < sums["mixup"]).all())
        parts.append(checked_part(name, holds, rank_numbers(sums), contrasts, matrix.basis))
    return parts


def mixup_second(evidence: Evidence) -> list[Part]:
    """C10: MixUp is second in multi-class balanced Brier, after ReMix."""
    matrix = evidence.tabular[1]
    return [
        _order_part(
            matrix,
            "bbs",
            lambda sums: place_of(sums, "mixup") == 2,
            ["remix", "mixup"],
            [name for name in RIVALS if name != "mixup"],
        )
    ]


def is_first(sums: pd.Series[float], strategy: str) -> bool:
    """Whether the strategy's rank sum is lower than every other."""
    return bool((sums.drop(strategy) > sums[strategy]).all())


def place_of(sums: pd.Series[float], strategy: str) -> int:
    """Place of the strategy by rank sum, 1 the lowest; 0 if another one has the same sum."""
    others = sums.drop(strategy)
    return 0 if (others == sums[strategy]).any() else 1 + int((others < sums[strategy]).sum())


def rank_numbers(sums: pd.Series[float]) -> dict[str, float]:
    """Rank sums by the name that a part gives them."""
    return {f"rank sum of {strategy}": float(value) for strategy, value in sums.items()}


def _order_part(
    matrix: ScoreMatrix, metric: str, holds: RankRule, chain: Sequence[str], rest: Sequence[str]
) -> Part:
    """The part of a claim that each of a chain is better than the next and than all the rest.

    Args:
        matrix: the problems.
        metric: what is ranked.
        holds: the claim's rule for the rank sums.
        chain: strategies, the best first.
        rest: strategies behind the chain.
    """
    name = f"{matrix.name}, {short_name(metric)}"
    reason = matrix.missing(STRATEGIES, [metric])
    if reason:
        return not_run(name, reason)
    sums = matrix.rank_sums(metric, STRATEGIES)
    contrasts = [lead_contrast(matrix, metric, a, b) for a, b in pairwise(chain)]
    contrasts += [lead_contrast(matrix, metric, chain[-1], rival) for rival in rest]
    return checked_part(name, holds(sums), rank_numbers(sums), contrasts, matrix.basis)
