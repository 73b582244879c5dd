"""Checks of the headline: the same problem and splits, trained otherwise.

The folds are the same, so a row is compared with itself fold by fold. Whether the conclusion
changes is decided by two rules: which row has the best mean, and whether ReMix is better than the
baseline, worse, or not told apart from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from remix_study.reports.bounded import score_interval
from remix_study.reports.comparison import Comparison, Row
from remix_study.reports.friedman import holm
from remix_study.reports.paired import t_test
from remix_study.reports.ranks import PUBLISHED, PUBLISHED_ALPHA
from remix_study.reports.roles import Check
from remix_study.reports.statistics import Interval, paired_interval, rank_rows
from remix_study.reports.trust import Relation, relation
from remix_study.reports.words import maximize

BASELINE, REMIX = "baseline", f"remix ({PUBLISHED_ALPHA:g})"


@dataclass(frozen=True)
class Line:
    """One row in one metric, as in the main study and in the check.

    Attributes:
        main: mean test score with its corrected interval.
        other: the same in the check.
        change: check minus main, paired by fold.
        p: two-sided p-value of the paired corrected t test.
        holm_p: the same, adjusted over the rows of this metric.
        main_rank: rank among the rows that both have.
        other_rank: the same in the check.
    """

    row: Row
    metric: str
    main: Interval
    other: Interval
    change: Interval
    p: float
    holm_p: float
    main_rank: float
    other_rank: float


@dataclass(frozen=True)
class Outcome:
    """What one metric says, in the main study and in the check.

    Attributes:
        first: the rows with the best mean.
        relation: how ReMix stands to the baseline; None where one of them is missing.
        gap: ReMix minus baseline.
    """

    first: tuple[str, ...]
    relation: Relation | None
    gap: Interval | None


@dataclass(frozen=True)
class Checked:
    """A check with its numbers.

    Attributes:
        lines: by metric, then by row; only rows that are complete in both.
        outcomes: metric -> (main, check).
        left_out: rows that one side lacks.
    """

    check: Check
    lines: tuple[Line, ...]
    outcomes: dict[str, tuple[Outcome, Outcome]]
    left_out: tuple[str, ...]

    def changed(self, metric: str) -> bool:
        """Whether the conclusion is another one."""
        main, other = self.outcomes[metric]
        return (main.first, main.relation) != (other.first, other.relation)


def compare(check: Check) -> Checked:
    """All numbers of one check."""
    wanted = [row for row in check.main.rows if (row.strategy, row.alpha) in PUBLISHED]
    metrics = check.main.objectives
    rows = [row for row in wanted if all(_complete(check, row.label, m) for m in metrics)]
    left_out = tuple(row.label for row in wanted if row not in rows)
    lines: list[Line] = []
    outcomes = {}
    for metric in metrics if rows else ():
        lines += _lines(check, rows, metric)
        outcomes[metric] = (
            _outcome(check.main, rows, metric),
            _outcome(check.other, rows, metric),
        )
    return Checked(check, tuple(lines), outcomes, left_out)


def table(checked: Sequence[Checked]) -> pd.DataFrame:
    """One line a check, metric and row."""
    return pd.DataFrame(
        [
            {
                "check": made.check.other.study,
                "study": made.check.main.study,
                "problem": made.check.main.problem,
                "metric": line.metric,
                "row": line.row.label,
                "mean": line.main.mean,
                "low": line.main.low,
                "high": line.main.high,
                "rank": line.main_rank,
                "mean_in_check": line.other.mean,
                "low_in_check": line.other.low,
                "high_in_check": line.other.high,
                "rank_in_check": line.other_rank,
                "change": line.change.mean,
                "change_low": line.change.low,
                "change_high": line.change.high,
                "folds": line.change.folds,
                "test_train_ratio": line.change.ratio,
                "degrees_of_freedom": line.change.folds - 1,
                "p": line.p,
                "holm_p": line.holm_p,
            }
            for made in checked
            for line in made.lines
        ]
    )


def _complete(check: Check, label: str, metric: str) -> bool:
    return not any(c.missing_folds(label, metric) for c in (check.main, check.other))


def _lines(check: Check, rows: Sequence[Row], metric: str) -> list[Line]:
    # Where one side stops by validation rows the larger ratio is the careful one.
    ratio = max(check.main.ratio, check.other.ratio)
    labels = [row.label for row in rows]
    ranks = [_ranks(c, labels, metric) for c in (check.main, check.other)]
    changes = [
        paired_interval(check.other.score(name, metric), check.main.score(name, metric), ratio)
        for name in labels
    ]
    tests = [t_test(change)[1] for change in changes]
    adjusted = holm(tests)
    return [
        Line(
            row=row,
            metric=metric,
            main=score_interval(metric, check.main.score(row.label, metric), check.main.ratio),
            other=score_interval(metric, check.other.score(row.label, metric), check.other.ratio),
            change=change,
            p=p,
            holm_p=float(own),
            main_rank=ranks[0][row.label],
            other_rank=ranks[1][row.label],
        )
        for row, change, p, own in zip(rows, changes, tests, adjusted, strict=True)
    ]


def _ranks(comparison: Comparison, labels: Sequence[str], metric: str) -> dict[str, float]:
    means = {name: float(comparison.score(name, metric).mean()) for name in labels}
    ranks = rank_rows(pd.DataFrame([means]), maximize=maximize(metric))
    return {name: float(ranks[name].iloc[0]) for name in labels}


def _outcome(comparison: Comparison, rows: Sequence[Row], metric: str) -> Outcome:
    labels = [row.label for row in rows]
    ranks = _ranks(comparison, labels, metric)
    first = tuple(name for name in labels if ranks[name] == min(ranks.values()))
    if not {BASELINE, REMIX} <= set(labels):
        return Outcome(first, None, None)
    gap = paired_interval(
        comparison.score(REMIX, metric), comparison.score(BASELINE, metric), comparison.ratio
    )
    return Outcome(first, relation(metric, gap), gap)
