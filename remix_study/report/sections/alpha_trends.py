"""Trends of scores over alpha, as a block of the section on sensitivity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from remix_study.metrics import better_sign
from remix_study.report.formatting import number, plain
from remix_study.report.page_model import Block, Table
from remix_study.report.page_tables import Column, interval_cell, line_table
from remix_study.report.sentences import SENTENCES
from remix_study.results import alpha_grids
from remix_study.results.alpha_grids import FIXED_ALPHAS, AlphaTrend
from remix_study.results.columns import grouped
from remix_study.results.intervals import Interval


def trends_block(trends: Sequence[AlphaTrend]) -> Block:
    """Slopes and rank correlations over alpha, and what a fixed alpha loses; folded."""
    by_metric = grouped(trends, lambda trend: trend.metric)
    facts = [
        (metric, group, {a: [t.regrets[a] for t in group if a in t.regrets] for a in FIXED_ALPHAS})
        for metric, group in by_metric.items()
    ]
    return Block(
        collapsed="Trends over alpha, and what a fixed alpha loses",
        text=SENTENCES.paragraphs("sensitivity.trends", facts, alpha_grids.LEAST_ALPHAS),
        tables=tuple(_trend_table(metric, group) for metric, group in by_metric.items()),
    )


def _clipped(correlation: Interval | None) -> Interval | None:
    """The interval of a correlation within -1 and 1."""
    if correlation is None:
        return None
    return replace(correlation, low=max(correlation.low, -1), high=min(correlation.high, 1))


def _trend_table(metric: str, trends: Sequence[AlphaTrend]) -> Table:
    sign = better_sign(metric)

    def regret_column(alpha: float) -> Column[AlphaTrend]:
        return Column(
            f"regret of {plain(alpha)}",
            lambda trend: interval_cell(trend.regrets.get(alpha), -1.0),
        )

    return line_table(
        SENTENCES.phrase("sensitivity.trend_caption", metric),
        trends,
        (
            Column("problem", lambda trend: trend.grid.comparison.name),
            Column("slope", lambda trend: interval_cell(trend.slope, sign)),
            Column("rank correlation", lambda t: interval_cell(_clipped(t.correlation), sign)),
            Column("of the means", lambda trend: number(trend.correlation_of_means, 2)),
            *map(regret_column, FIXED_ALPHAS),
        ),
    )
