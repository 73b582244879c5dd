"""How far one row leads another, for the claims on gains and on single rivals."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from remix_study.metrics import short_name
from remix_study.paper.claims.findings import (
    Contrast,
    Part,
    contrast,
    not_run,
    of_datasets,
    part,
)
from remix_study.paper.claims.score_matrix import ScoreMatrix


def leads(board: ScoreMatrix, metric: str, better: str, worse: str) -> Contrast:
    """The statement that one row is practically better than another."""
    return contrast(f"{better} over {worse}", board.lead(metric, better, worse), board.datasets)


def gains_of(board: ScoreMatrix, metric: str, rows: Sequence[str]) -> pd.DataFrame:
    """(problems, rows) gains over the baseline, positive where the row is better."""
    return pd.DataFrame({row: board.lead(metric, row, "baseline") for row in rows})


def by_dataset(board: ScoreMatrix, metric: str, rows: set[str]) -> pd.DataFrame:
    gains = gains_of(board, metric, sorted(rows))
    own = [board.datasets[str(problem)] for problem in gains.index]
    return gains.groupby(own, sort=False).mean()


def across_kinds(
    boards: Sequence[ScoreMatrix], metric: str, own: str, others: Sequence[str]
) -> list[Contrast]:
    """The gain of a row on binary problems over gains on multi-class ones, by data set."""
    binary, multi = (by_dataset(board, metric, {own, *others}) for board in boards)
    shared = [name for name in binary.index if name in multi.index]
    return [
        of_datasets(
            f"{own} on binary over {row} on multi-class",
            binary.loc[shared, own] - multi.loc[shared, row],
        )
        for row in others
    ]


def lacks(boards: Sequence[ScoreMatrix], rows: Sequence[str], metrics: Sequence[str]) -> str:
    """What keeps these rows from being compared on any of the boards, in words."""
    return "; ".join(filter(None, (board.lacking(rows, metrics) for board in boards)))


def beats(board: ScoreMatrix, metric: str, row: str, others: Sequence[str]) -> Part:
    name = f"{board.name}, {short_name(metric)}"
    lacking = board.lacking((row, *others), [metric])
    if lacking:
        return not_run(name, lacking)
    found = {other: board.lead(metric, row, other) for other in others}
    numbers = {f"{row} over {other}": float(lead.mean()) for other, lead in found.items()}
    contrasts = [leads(board, metric, row, other) for other in others]
    return part(name, min(numbers.values()) > 0, numbers, contrasts, board.basis)
