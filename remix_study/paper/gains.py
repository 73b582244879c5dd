"""What each method gains over the baseline, by imbalance ratio and over all problems.

A gain is positive where the method is better, whatever the direction of the metric. Since one
problem can dominate a mean, medians and the mean without that problem are given as well. Over
imbalance ratios these are the bars of Figure 5 of the paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from remix_study.metrics import better_sign
from remix_study.results.columns import Record, frame_of, grouped
from remix_study.results.comparison import Comparison
from remix_study.results.methods import Method
from remix_study.results.problem_names import ratio_name
from remix_study.results.rank_sums import RankTable

ALL = "all"  # Name of the group of all problems
CARRYING_SHARE = 0.3  # A problem carries a mean gain that changes by this share or more without it
AS_IT_IS = "as it is"  # Name of the group of problems whose data were not made imbalanced


@dataclass(frozen=True, eq=False)
class Gains:
    """One method's gains on the problems of one kind in one metric, in the order of the page.

    Groups go from the imbalance ratio in words to its problems, the mildest first and `ALL` last.
    `baseline` has the baseline's mean scores.
    """

    kind: str
    metric: str
    method: Method
    gains: pd.Series[float]
    groups: dict[str, list[str]]
    baseline: pd.Series[float]

    def in_group(self, group: str) -> pd.Series[float]:
        """Gains on the problems of one group, by problem."""
        return self._by_group[group]

    @cached_property
    def _by_group(self) -> dict[str, pd.Series[float]]:
        return {group: self.gains[problems] for group, problems in self.groups.items()}

    def mean(self, group: str = ALL) -> float:
        return float(self.in_group(group).mean())

    def median(self, group: str = ALL) -> float:
        return float(self.in_group(group).median())

    def baseline_mean(self, group: str) -> float:
        return float(self.baseline[self.groups[group]].mean())

    @property
    def n_better(self) -> int:
        """Number of problems with a gain above zero."""
        return int((self.gains > 0).sum())

    @property
    def has_unequal_groups(self) -> bool:
        """Whether the imbalance ratios differ in their number of problems."""
        return len({len(names) for group, names in self.groups.items() if group != ALL}) > 1

    @property
    def most_influential(self) -> str:
        """The problem without which the mean changes most."""
        return str((self.gains - self.gains.mean()).abs().idxmax())

    @property
    def mean_without_most_influential(self) -> float:
        """The mean gain without that problem; NaN with a single one."""
        rest = self.gains.drop(self.most_influential)
        return float(rest.mean()) if len(rest) else math.nan

    @property
    def is_carried(self) -> bool:
        """Whether the mean of three problems or more rests much on a single one."""
        change = abs(self.mean_without_most_influential - self.mean())
        return len(self.gains) >= 3 and change >= CARRYING_SHARE * abs(self.mean())


def gains(ranked: RankTable, comparisons: Sequence[Comparison]) -> tuple[Gains, ...]:
    """Compute the gains of every ranked method in every ranked metric.

    A kind of problems whose baseline is not complete has none.
    """
    by_problem = {c.problem: c for c in comparisons}
    methods = {method.label: method for method in ranked.methods}
    all_gains = []
    for ranking in ranked.rankings:
        ranked_methods = [methods[str(label)] for label in ranking.means]
        reference = next((m for m in ranked_methods if m.strategy == "baseline"), None)
        if reference is None:
            continue
        sign = better_sign(ranking.metric)
        groups = _groups([by_problem[str(problem)] for problem in ranking.means.index])
        baseline = ranking.means[reference.label]
        all_gains += [
            Gains(
                kind=ranking.kind,
                metric=ranking.metric,
                method=method,
                gains=sign * (ranking.means[method.label] - baseline),
                groups=groups,
                baseline=baseline,
            )
            for method in ranked_methods
            if method is not reference
        ]
    return tuple(all_gains)


def table(all_gains: Sequence[Gains]) -> pd.DataFrame:
    """Table of gains: one line a kind, metric, method and group of problems."""
    return frame_of(
        (
            Record(all=gains, group=group, gains=gains.in_group(group))
            for gains in all_gains
            for group in gains.groups
        ),
        """kind=all.kind metric=all.metric row=all.method.label imbalance=group problems mean_gain
        median_gain least most problems_better mean_of_baseline""",
        problems=lambda line: len(line.gains),
        mean_gain=lambda line: line.all.mean(line.group),
        median_gain=lambda line: line.all.median(line.group),
        least=lambda line: line.gains.min(),
        most=lambda line: line.gains.max(),
        problems_better=lambda line: int((line.gains > 0).sum()),
        mean_of_baseline=lambda line: line.all.baseline_mean(line.group),
    )


def table_by_problem(all_gains: Sequence[Gains]) -> pd.DataFrame:
    """Table of gains: one line a kind, metric, method and problem."""
    return frame_of(
        (
            Record(all=gains, problem=problem, gain=gain)
            for gains in all_gains
            for problem, gain in gains.gains.items()
        ),
        """kind=all.kind metric=all.metric row=all.method.label problem gain""",
    )


def _groups(comparisons: Sequence[Comparison]) -> dict[str, list[str]]:
    """Imbalance ratio in words -> its problems; `AS_IT_IS` first, the mildest next, `ALL` last."""
    by_ratio = grouped(comparisons, lambda c: math.inf if np.isnan(c.imbalance) else c.imbalance)
    groups = {
        ratio_name(ratio) if math.isfinite(ratio) else AS_IT_IS: [c.problem for c in of_ratio]
        for ratio, of_ratio in sorted(by_ratio.items(), reverse=True)
    }
    return groups | {ALL: [c.problem for c in comparisons]}
