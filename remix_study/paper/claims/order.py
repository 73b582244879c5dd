"""Claims on ranks: C1, C2, C9, C10 (Table 2). The five published rows are ranked alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pandas as pd

from remix_study.metrics import PUBLISHED_METRICS, short_name
from remix_study.paper.claims.evidence import Evidence
from remix_study.paper.claims.findings import Part, not_run, part
from remix_study.paper.claims.leads import leads
from remix_study.paper.claims.rules import PUBLISHED_ROWS, RIVALS
from remix_study.paper.claims.score_matrix import ScoreMatrix

Place = Callable[["pd.Series[float]"], bool]


def remix_first(evidence: Evidence) -> list[Part]:
    """C1: ReMix has the lowest rank sum in g-mean and balanced Brier, binary and multi-class."""
    return [
        _placed(board, metric, lambda sums: first(sums, "remix"), ["remix"], RIVALS)
        for board in evidence.tabular
        for metric in PUBLISHED_METRICS
    ]


def smote_second(evidence: Evidence) -> list[Part]:
    """C2: SMOTE is second in g-mean, after ReMix and before the other three."""
    return [
        _placed(
            board,
            "g_mean",
            lambda sums: place(sums, "smote") == 2,
            ["remix", "smote"],
            [name for name in RIVALS if name != "smote"],
        )
        for board in evidence.tabular
    ]


def mixup_last(evidence: Evidence) -> list[Part]:
    """C9: MixUp has the highest rank sum in g-mean."""
    found = []
    for board in evidence.tabular:
        lacking = board.lacking(PUBLISHED_ROWS, ["g_mean"])
        name = f"{board.name}, {short_name('g_mean')}"
        if lacking:
            found.append(not_run(name, lacking))
            continue
        sums = board.rank_sums("g_mean", PUBLISHED_ROWS)
        contrasts = [
            leads(board, "g_mean", other, "mixup") for other in PUBLISHED_ROWS if other != "mixup"
        ]
        holds = bool((sums.drop("mixup") < sums["mixup"]).all())
        found.append(part(name, holds, rank_numbers(sums), contrasts, board.basis))
    return found


def mixup_second(evidence: Evidence) -> list[Part]:
    """C10: MixUp is second in multi-class balanced Brier, after ReMix."""
    board = evidence.tabular[1]
    return [
        _placed(
            board,
            "bbs",
            lambda sums: place(sums, "mixup") == 2,
            ["remix", "mixup"],
            [name for name in RIVALS if name != "mixup"],
        )
    ]


def first(sums: pd.Series[float], row: str) -> bool:
    """Whether a row's rank sum is lower than every other."""
    return bool((sums.drop(row) > sums[row]).all())


def place(sums: pd.Series[float], row: str) -> int:
    """A row's place by rank sum, 1 the lowest; 0 where another row has the same sum."""
    others = sums.drop(row)
    return 0 if (others == sums[row]).any() else 1 + int((others < sums[row]).sum())


def rank_numbers(sums: pd.Series[float]) -> dict[str, float]:
    return {f"rank sum of {row}": float(value) for row, value in sums.items()}


def _placed(
    board: ScoreMatrix, metric: str, placed: Place, chain: Sequence[str], rest: Sequence[str]
) -> Part:
    """A part that says: each of the chain is better than the next, the last than all the rest."""
    name = f"{board.name}, {short_name(metric)}"
    lacking = board.lacking(PUBLISHED_ROWS, [metric])
    if lacking:
        return not_run(name, lacking)
    sums = board.rank_sums(metric, PUBLISHED_ROWS)
    contrasts = [leads(board, metric, a, b) for a, b in pairwise(chain)]
    contrasts += [leads(board, metric, chain[-1], other) for other in rest]
    return part(name, placed(sums), rank_numbers(sums), contrasts, board.basis)
