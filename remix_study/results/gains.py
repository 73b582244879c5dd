"""What each row gains over the baseline, by imbalance ratio and over all (Figure 5 of the paper).

A gain is positive where the row is better, whatever the direction of the metric. Means hide that
one problem can carry them, so medians and that problem stand beside them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from remix_study.metrics import is_maximized
from remix_study.results.comparison import Comparison
from remix_study.results.methods import Method
from remix_study.results.rank_sums import RankTable

ALL = "all"
AS_IT_IS = "as it is"


@dataclass(frozen=True, eq=False)
class Gains:
    """One row's gains on the problems of one kind in one metric.

    Attributes:
        kind: "binary" or "multi-class".
        metric: what was scored.
        method: who gained.
        gains: by problem, in the order of the page.
        groups: imbalance ratio in words -> its problems, the mildest first; `ALL` is the last.
        baseline: the baseline's mean score by problem.
    """

    kind: str
    metric: str
    method: Method
    gains: pd.Series[float]
    groups: dict[str, list[str]]
    baseline: pd.Series[float]

    def in_group(self, group: str) -> pd.Series[float]:
        return self.gains[self.groups[group]]

    def mean(self, group: str = ALL) -> float:
        return float(self.in_group(group).mean())

    def median(self, group: str = ALL) -> float:
        return float(self.in_group(group).median())

    @property
    def most_influential(self) -> str:
        """The problem that moves the mean most when it is left out."""
        return str((self.gains - self.gains.mean()).abs().idxmax())

    @property
    def mean_without_most_influential(self) -> float:
        """The mean gain without that problem; NaN with a single one."""
        rest = self.gains.drop(self.most_influential)
        return float(rest.mean()) if len(rest) else math.nan


def gains(ranked: RankTable, comparisons: Sequence[Comparison]) -> tuple[Gains, ...]:
    """Gains of every ranked row; none for a kind whose baseline is not complete.

    Args:
        ranked: which rows are complete on every problem of a kind, with their means.
        comparisons: the problems that were ranked.
    """
    by_problem = {c.problem: c for c in comparisons}
    rows = {row.label: row for row in ranked.methods}
    found = []
    for ranking in ranked.rankings:
        base = next(
            (name for name in ranking.means if rows[str(name)].strategy == "baseline"), None
        )
        if base is None:
            continue
        sign = 1.0 if is_maximized(ranking.metric) else -1.0
        here = [by_problem[str(problem)] for problem in ranking.means.index]
        groups = _groups(here)
        baseline = ranking.means[base]
        for name in ranking.means:
            if name != base:
                gain = sign * (ranking.means[name] - baseline)
                row = rows[str(name)]
                found.append(Gains(ranking.kind, ranking.metric, row, gain, groups, baseline))
    return tuple(found)


def table(found: Sequence[Gains]) -> pd.DataFrame:
    """One line a kind, metric, row and imbalance ratio, with `ALL` for every problem."""
    return pd.DataFrame(
        [
            {
                "kind": made.kind,
                "metric": made.metric,
                "row": made.method.label,
                "imbalance": group,
                "problems": len(problems),
                "mean_gain": made.mean(group),
                "median_gain": made.median(group),
                "least": float(made.in_group(group).min()),
                "most": float(made.in_group(group).max()),
                "problems_better": int((made.in_group(group) > 0).sum()),
                "mean_of_baseline": float(made.baseline[problems].mean()),
            }
            for made in found
            for group, problems in made.groups.items()
        ]
    )


def table_by_problem(found: Sequence[Gains]) -> pd.DataFrame:
    """One line a kind, metric, row and problem."""
    return pd.DataFrame(
        [
            {
                "kind": made.kind,
                "metric": made.metric,
                "row": made.method.label,
                "problem": problem,
                "gain": gain,
            }
            for made in found
            for problem, gain in made.gains.items()
        ]
    )


def _groups(here: Sequence[Comparison]) -> dict[str, list[str]]:
    ratios = sorted({c.imbalance for c in here if not math.isnan(c.imbalance)}, reverse=True)
    groups = {
        f"IR {ratio:g}": [c.problem for c in here if c.imbalance == ratio] for ratio in ratios
    }
    as_it_is = [c.problem for c in here if np.isnan(c.imbalance)]
    if as_it_is:
        groups = {AS_IT_IS: as_it_is} | groups
    return groups | {ALL: [c.problem for c in here]}
