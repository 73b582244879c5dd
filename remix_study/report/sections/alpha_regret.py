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
from remix_study.results.alpha_regret import FIXED_ALPHAS, AlphaTrend, alpha_trends
from remix_study.results.comparison import Comparison
from remix_study.results.intervals import Interval

TITLE = "Trends over alpha, and what a fixed alpha loses"


def trend_block(comparisons: Sequence[Comparison]) -> tuple[Block | None, tuple[AlphaTrend, ...]]:
    """The block and its trends; None if no study ran ReMix at enough alphas."""
    trends = alpha_trends(alpha_grids(comparisons), PUBLISHED_METRICS)
    if not trends:
        return None, ()
    metrics = list(dict.fromkeys(trend.metric for trend in trends))
    by_metric = {
        metric: [trend for trend in trends if trend.metric == metric] for metric in metrics
    }
    return Block(
        title=TITLE,
        text=(
            f"Over all alphas above zero of the problems with at least {LEAST_ALPHAS}. Slope and "
            "rank correlation are taken in each fold and averaged. Regret is the score of the "
            "alpha that each fold’s validation part would have chosen minus that of the fixed "
            "alpha: above zero the fixed one loses.",
            *(_trend_line(metric, metric_trends) for metric, metric_trends in by_metric.items()),
        ),
        tables=tuple(_table(metric, metric_trends) for metric, metric_trends in by_metric.items()),
    ), trends


def _trend_line(metric: str, trends: Sequence[AlphaTrend]) -> str:
    n_rising = sum(trend.correlation.low > 0 for trend in trends)
    n_falling = sum(trend.correlation.high < 0 for trend in trends)
    better, worse = (n_rising, n_falling) if is_maximized(metric) else (n_falling, n_rising)
    parts = [
        f"{short_name(metric)} gets better with alpha on {better} and worse on {worse} of "
        f"{counted(len(trends), 'problem')}, by the interval of the rank correlation"
    ]
    for alpha in FIXED_ALPHAS:
        regrets = [trend.regrets[alpha] for trend in trends if alpha in trend.regrets]
        if regrets:
            mean = sum(interval.mean for interval in regrets) / len(regrets)
            n_worse = sum(interval.low > 0 for interval in regrets)
            parts.append(
                f"alpha {plain(alpha)} loses {signed(mean)} in the mean, surely on {n_worse}"
            )
    return sentence("; ".join(parts))


def _table(metric: str, trends: Sequence[AlphaTrend]) -> Table:
    head = (
        Head("problem"),
        Head("slope"),
        Head("rank correlation"),
        Head("of the means"),
        *(Head(f"regret of {plain(alpha)}") for alpha in FIXED_ALPHAS),
    )
    sign = 1.0 if is_maximized(metric) else -1.0
    rows = tuple(
        (
            Cell(trend.grid.comparison.name, kind="name"),
            _cell(trend.slope, sign),
            _cell(trend.correlation, sign),
            Cell(number(trend.correlation_of_means, 2)),
            *(_cell(trend.regrets.get(alpha), -1.0) for alpha in FIXED_ALPHAS),
        )
        for trend in trends
    )
    caption = (
        f"{label_with_direction(metric)} over alpha, mean over folds and corrected 95 % "
        "interval; ▲ better and ▼ worse where it excludes zero"
    )
    return Table(caption, (head,), rows)


def _cell(interval: Interval | None, sign: float) -> Cell:
    if interval is None:
        return Cell(MISSING, kind="")
    kind = "number"
    if interval.excludes_zero:
        kind = "better" if interval.mean * sign > 0 else "worse"
    ends = f"{signed(interval.low)} to {signed(interval.high)}"
    return Cell(signed(interval.mean), ends, kind)
