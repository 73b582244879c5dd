"""Trends over alpha and the regret of a fixed one: a block of the sensitivity section."""

from __future__ import annotations

from collections.abc import Sequence

from remix_study.metrics import PUBLISHED_METRICS, is_maximized, short_name
from remix_study.report.formatting import (
    MISSING,
    counted,
    label_with_direction,
    number,
    plain,
    sentence,
    signed,
)
from remix_study.report.page_model import Block, Cell, Head, Table
from remix_study.results.alpha_grids import LEAST_ALPHAS, alpha_grids
from remix_study.results.alpha_regret import FIXED_ALPHAS, AlphaTrend, alpha_trends, table
from remix_study.results.comparison import Comparison
from remix_study.results.intervals import Interval

TITLE = "Trends over alpha, and what a fixed alpha loses"


def block(comparisons: Sequence[Comparison]) -> tuple[Block | None, tuple[AlphaTrend, ...]]:
    """The block and what it shows; None where no study ran ReMix at enough alphas."""
    found = alpha_trends(alpha_grids(comparisons), PUBLISHED_METRICS)
    if not found:
        return None, ()
    metrics = list(dict.fromkeys(made.metric for made in found))
    by_metric = {metric: [made for made in found if made.metric == metric] for metric in metrics}
    return Block(
        title=TITLE,
        text=(
            f"Over all alphas above zero of the problems with at least {LEAST_ALPHAS}. Slope and "
            "rank correlation are taken in each fold and averaged. Regret is the score of the "
            "alpha that each fold’s validation part would have chosen minus that of the fixed "
            "alpha: above zero the fixed one loses.",
            *(_reading(metric, own) for metric, own in by_metric.items()),
        ),
        tables=tuple(_table(metric, own) for metric, own in by_metric.items()),
    ), found


def _reading(metric: str, own: Sequence[AlphaTrend]) -> str:
    rises = sum(made.correlation.low > 0 for made in own)
    falls = sum(made.correlation.high < 0 for made in own)
    good, bad = (rises, falls) if is_maximized(metric) else (falls, rises)
    parts = [
        f"{short_name(metric)} gets better with alpha on {good} and worse on {bad} of "
        f"{counted(len(own), 'problem')}, by the interval of the rank correlation"
    ]
    for alpha in FIXED_ALPHAS:
        there = [made.regrets[alpha] for made in own if alpha in made.regrets]
        if there:
            mean = sum(interval.mean for interval in there) / len(there)
            loses = sum(interval.low > 0 for interval in there)
            parts.append(
                f"alpha {plain(alpha)} loses {signed(mean)} in the mean, surely on {loses}"
            )
    return sentence("; ".join(parts))


def _table(metric: str, own: Sequence[AlphaTrend]) -> Table:
    head = (
        Head("problem"),
        Head("slope"),
        Head("rank correlation"),
        Head("of the means"),
        *(Head(f"regret of {plain(alpha)}") for alpha in FIXED_ALPHAS),
    )
    better = 1.0 if is_maximized(metric) else -1.0
    rows = tuple(
        (
            Cell(made.grid.comparison.name, kind="name"),
            _cell(made.slope, better),
            _cell(made.correlation, better),
            Cell(number(made.correlation_of_means, 2)),
            *(_cell(made.regrets.get(alpha), -1.0) for alpha in FIXED_ALPHAS),
        )
        for made in own
    )
    caption = (
        f"{label_with_direction(metric)} over alpha, mean over folds and corrected 95 % "
        "interval; ▲ better and ▼ worse where it excludes zero"
    )
    return Table(caption, (head,), rows)


def _cell(interval: Interval | None, better: float) -> Cell:
    if interval is None:
        return Cell(MISSING, kind="")
    kind = "number"
    if interval.excludes_zero:
        kind = "better" if interval.mean * better > 0 else "worse"
    ends = f"{signed(interval.low)} to {signed(interval.high)}"
    return Cell(signed(interval.mean), ends, kind)


__all__ = ["block", "table"]
