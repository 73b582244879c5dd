"""The headline on variants of its problems, whose rows are drawn or split differently."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from remix_study.metrics import PUBLISHED_METRICS, is_maximized
from remix_study.paper.published import REMIX
from remix_study.report.page_tables import better_sign
from remix_study.results.columns import Record, frame_of
from remix_study.results.comparison import Comparison
from remix_study.results.effects import Difference
from remix_study.results.methods import Method
from remix_study.results.problem_choice import GROUPED, REDRAWN, VariantPair, variant_pairs
from remix_study.results.rank_sums import IncompleteMethod, Ranking, published_ranks

BASELINE = "baseline"
Columns = Mapping[str, str | Callable[[Any], object]]


@dataclass(frozen=True, eq=False)
class VariantComparison:
    """A variant of problems compared with the plain ones.

    Attributes:
        name: one of `problem_choice.VARIANTS`.
        methods: the published methods that are complete in both.
        incomplete: those that are not.
        ranks: rankings of the same methods on the same problems, (plain, under the variant),
            one pair a kind of problem and metric.
        lines: one line a problem, method and metric: mean test scores, their change (positive is
            better under the variant) and spread (see :func:`repeat_sd`).
        gains: one line a problem and metric: ReMix's gain over the baseline with the ends of its
            corrected interval; positive is better.
    """

    name: str
    methods: tuple[Method, ...]
    incomplete: tuple[IncompleteMethod, ...]
    ranks: tuple[tuple[Ranking, Ranking], ...]
    lines: pd.DataFrame
    gains: pd.DataFrame

    @property
    def is_redrawn(self) -> bool:
        """Whether every repeat draws the rare rows anew."""
        return self.name != GROUPED

    @property
    def is_grouped(self) -> bool:
        """Whether rows of one group are in the same part."""
        return self.name != REDRAWN

    def mean_gains(self) -> list[Record]:
        """ReMix's mean gain by kind and metric, and the problems on which its sign stays."""
        return _summaries(
            self.gains,
            ["kind", "metric"],
            same_sign=lambda gains: ((gains["plain"] > 0) == (gains["other"] > 0)).sum(),
            problems=len,
        )

    def gains_by_dataset(self) -> list[Record]:
        """ReMix's mean gain by data set, kind and metric."""
        return _summaries(self.gains, ["dataset", "kind", "metric"])

    def changes(self) -> list[Record]:
        """Mean change by metric and data set, the scores that fall, and means of two methods."""
        return _summaries(
            self.lines,
            ["metric", "dataset"],
            mean=lambda lines: lines["change"].mean(),
            worse=lambda lines: (lines["change"] < 0).sum(),
            lines=len,
            methods=lambda lines: _summaries(lines[lines["row"].isin((BASELINE, REMIX))], ["row"]),
        )

    def spreads(self) -> list[Record]:
        """Medians of the standard deviation over repeats, and of its ratio, by kind and metric."""
        return _summaries(
            self.lines,
            ["kind", "metric"],
            median_plain=lambda lines: lines["spread_plain"].median(),
            median_other=lambda lines: lines["spread_other"].median(),
            ratio=lambda lines: (
                lines["spread_other"] / lines["spread_plain"].where(lines["spread_plain"] > 0)
            ).median(),
            wider=lambda lines: (lines["spread_other"] > lines["spread_plain"]).sum(),
            lines=len,
        )


def compare_variants(comparisons: Sequence[Comparison]) -> tuple[VariantComparison, ...]:
    """Compare every variant that has problems in common with the plain ones."""
    return tuple(_compare_variant(*item) for item in variant_pairs(comparisons).items())


def repeat_sd(scores: pd.Series[float]) -> float:
    """Standard deviation over repeats of their means, of scores by (repeat, fold); NaN of one."""
    return float(scores.groupby(level="repeat").mean().std(ddof=1)) if len(scores) else math.nan


def _compare_variant(name: str, pairs: Sequence[VariantPair]) -> VariantComparison:
    """Compare with the methods that are complete in both."""
    sides = [[pair.plain for pair in pairs], [pair.varied for pair in pairs]]
    all_ranks = [published_ranks(side) for side in sides]
    shared = set.intersection(
        *(
            {(r.kind, label) for r in ranks.rankings for label in r.sums.index}
            for ranks in all_ranks
        )
    )
    plain, varied = (
        published_ranks(
            [
                replace(c, methods=tuple(m for m in c.methods if (c.kind, m.label) in shared))
                for c in side
            ]
        )
        for side in sides
    )
    labels = {r.kind: [str(label) for label in r.sums.index] for r in plain.rankings}
    remix = {kind: [REMIX] for kind, names in labels.items() if {BASELINE, REMIX} <= set(names)}
    return VariantComparison(
        name,
        plain.methods,
        tuple(dict.fromkeys(method for ranks in all_ranks for method in ranks.incomplete)),
        tuple(zip(plain.rankings, varied.rankings, strict=True)),
        _frame(name, pairs, labels, Comparison.score, _LINE_COLUMNS),
        _frame(name, pairs, remix, _gain, _GAIN_COLUMNS),
    )


def _frame(
    name: str,
    pairs: Sequence[VariantPair],
    labels: Mapping[str, Sequence[str]],
    value: Callable[[Comparison, str, str], object],
    columns: Columns,
) -> pd.DataFrame:
    """One line a problem, metric and label of its kind, from the values on both sides."""
    records = [
        Record(
            problem=pair.plain,
            metric=metric,
            row=label,
            plain=value(pair.plain, label, metric),
            other=value(pair.varied, label, metric),
        )
        for pair in pairs
        for metric in PUBLISHED_METRICS
        for label in labels.get(pair.plain.kind, ())
    ]
    of_problem = {key: f"problem.{key}" for key in ("kind", "dataset", "problem")}
    return frame_of(records, {"variant": lambda _: name, **of_problem, **columns})


def _gain(comparison: Comparison, label: str, metric: str) -> Difference | None:
    """The method minus the baseline, with the sign that makes positive better."""
    labels = (label, BASELINE) if is_maximized(metric) else (BASELINE, label)
    return comparison.effects.difference(*labels, metric)


_LINE_COLUMNS: Columns = {
    "row": "row",
    "metric": "metric",
    "plain": lambda line: line.plain.mean(),
    "other": lambda line: line.other.mean(),
    "change": lambda line: better_sign(line.metric) * (line.other.mean() - line.plain.mean()),
    "spread_plain": lambda line: repeat_sd(line.plain),
    "spread_other": lambda line: repeat_sd(line.other),
}
_GAIN_COLUMNS: Columns = {
    "metric": "metric",
    "plain": "plain.mean",
    "plain_low": "plain.interval.low",
    "plain_high": "plain.interval.high",
    "other": "other.mean",
    "other_low": "other.interval.low",
    "other_high": "other.interval.high",
}


def _summaries(
    frame: pd.DataFrame, keys: list[str], **facts: Callable[[pd.DataFrame], object]
) -> list[Record]:
    """The means of `plain` and `other`, and more facts, of each group that shares the keys."""
    return [
        Record(
            **dict(zip(keys, key, strict=True)),
            plain=group["plain"].mean(),
            other=group["other"].mean(),
            **{name: fact(group) for name, fact in facts.items()},
        )
        for key, group in (frame.groupby(keys, sort=False) if len(frame) else ())
    ]
