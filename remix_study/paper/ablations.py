"""Checks of the headline: the same problem and splits, trained otherwise.

The folds are the same, so a row is compared with itself fold by fold. The conclusion changes
where ReMix stands otherwise to another row (better, worse, or not told apart, after Holm over the
other rows); another order of the means alone is no other conclusion. Whether ReMix in particular
gains or loses by the change is read from its lead over each other row, check against main study.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.metrics import is_maximized
from remix_study.report.formatting import better_or_worse
from remix_study.results.comparison import Comparison
from remix_study.results.friedman import LEVEL, holm
from remix_study.results.intervals import Interval, paired_interval, score_interval
from remix_study.results.methods import Method
from remix_study.results.paired import t_test
from remix_study.results.probability_quality import Relation
from remix_study.results.rank_sums import PUBLISHED
from remix_study.results.ranking import rank_means
from remix_study.results.study_roles import Check

REMIX = f"remix ({PUBLISHED_ALPHA:g})"


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
        epochs: median epochs of its networks, in the main study and in the check.
    """

    row: Method
    metric: str
    main: Interval
    other: Interval
    change: Interval
    p: float
    holm_p: float
    main_rank: float
    other_rank: float
    epochs: tuple[float, float]


@dataclass(frozen=True)
class Lead:
    """ReMix against one other row in one metric, in the main study and in the check.

    Attributes:
        rival: label of the other row.
        main: ReMix minus the rival in the main study.
        other: the same in the check.
        change: check minus main, paired by fold.
        relations: how ReMix stands to it, (main, check), after Holm over the rivals of each.
        holm_p: of the change, adjusted over the rivals.
    """

    metric: str
    rival: str
    main: Interval
    other: Interval
    change: Interval
    relations: tuple[Relation, Relation]
    holm_p: float


@dataclass(frozen=True)
class Checked:
    """A check with its numbers.

    Attributes:
        lines: by metric, then by row; only rows that are complete in both.
        leads: by metric, then by rival; none without ReMix.
        left_out: rows that one side lacks.
    """

    check: Check
    lines: tuple[Line, ...]
    leads: tuple[Lead, ...]
    left_out: tuple[str, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(line.metric for line in self.lines))

    def lines_of(self, metric: str) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.metric == metric)

    def leads_of(self, metric: str) -> tuple[Lead, ...]:
        return tuple(lead for lead in self.leads if lead.metric == metric)

    def changed(self, metric: str) -> bool | None:
        """Whether the conclusion is another one; None where nothing is concluded."""
        leads = self.leads_of(metric)
        return any(one.relations[0] != one.relations[1] for one in leads) if leads else None


def compare(check: Check) -> Checked:
    """All numbers of one check."""
    wanted = [row for row in check.main.methods if (row.strategy, row.alpha) in PUBLISHED]
    metrics = check.main.objectives
    rows = [row for row in wanted if all(_complete(check, row.label, m) for m in metrics)]
    left_out = tuple(row.label for row in wanted if row not in rows)
    lines: list[Line] = []
    leads: list[Lead] = []
    for metric in metrics if rows else ():
        lines += _lines(check, rows, metric)
        leads += _leads(check, [row.label for row in rows], metric)
    return Checked(check, tuple(lines), tuple(leads), left_out)


def table(checked: Sequence[Checked]) -> pd.DataFrame:
    """One line a check, metric and row."""
    return pd.DataFrame(
        [
            {
                "check": made.check.varied.study,
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
                "median_epochs": line.epochs[0],
                "median_epochs_in_check": line.epochs[1],
                **_lead_columns(made, line),
            }
            for made in checked
            for line in made.lines
        ]
    )


def _lead_columns(made: Checked, line: Line) -> dict[str, object]:
    """What ReMix's lead over this row is; empty cells in ReMix's own line."""
    lead = next((one for one in made.leads_of(line.metric) if one.rival == line.row.label), None)
    if lead is None:
        return {}
    return {
        "remix_minus_row": lead.main.mean,
        "remix_is": lead.relations[0],
        "remix_minus_row_in_check": lead.other.mean,
        "remix_is_in_check": lead.relations[1],
        "change_of_lead": lead.change.mean,
        "change_of_lead_low": lead.change.low,
        "change_of_lead_high": lead.change.high,
        "change_of_lead_holm_p": lead.holm_p,
    }


def _complete(check: Check, label: str, metric: str) -> bool:
    return not any(c.missing_folds(label, metric) for c in (check.main, check.varied))


def _lines(check: Check, rows: Sequence[Method], metric: str) -> list[Line]:
    ratio = _ratio(check)
    labels = [row.label for row in rows]
    ranks = [_ranks(c, labels, metric) for c in (check.main, check.varied)]
    changes = [
        paired_interval(check.varied.score(name, metric), check.main.score(name, metric), ratio)
        for name in labels
    ]
    tests = [t_test(change)[1] for change in changes]
    adjusted = holm(tests)
    return [
        Line(
            row=row,
            metric=metric,
            main=score_interval(metric, check.main.score(row.label, metric), check.main.ratio),
            other=score_interval(
                metric, check.varied.score(row.label, metric), check.varied.ratio
            ),
            change=change,
            p=p,
            holm_p=float(own),
            main_rank=ranks[0][row.label],
            other_rank=ranks[1][row.label],
            epochs=(_epochs(check.main, row.label), _epochs(check.varied, row.label)),
        )
        for row, change, p, own in zip(rows, changes, tests, adjusted, strict=True)
    ]


def _ranks(comparison: Comparison, labels: Sequence[str], metric: str) -> dict[str, float]:
    means = {name: float(comparison.score(name, metric).mean()) for name in labels}
    ranks = rank_means(pd.DataFrame([means]), maximize=is_maximized(metric))
    return {name: float(ranks[name].iloc[0]) for name in labels}


def _ratio(check: Check) -> float:
    # Where one side stops by validation rows the larger ratio is the careful one.
    return max(check.main.ratio, check.varied.ratio)


def _epochs(comparison: Comparison, label: str) -> float:
    (run,) = (row.run for row in comparison.methods if row.label == label)
    return float(comparison.folds.loc[comparison.folds["run"] == run, "epochs"].median())


def _leads(check: Check, labels: Sequence[str], metric: str) -> list[Lead]:
    rivals = [name for name in labels if name != REMIX]
    if REMIX not in labels or not rivals:
        return []
    sides = (check.main, check.varied)
    ahead = [[c.score(REMIX, metric) - c.score(name, metric) for name in rivals] for c in sides]
    gaps = [
        [
            paired_interval(c.score(REMIX, metric), c.score(name, metric), c.ratio)
            for name in rivals
        ]
        for c in sides
    ]
    relations = [_relations(metric, side) for side in gaps]
    changes = [paired_interval(b, a, _ratio(check)) for a, b in zip(*ahead, strict=True)]
    adjusted = holm([t_test(change)[1] for change in changes])
    return [
        Lead(metric, name, main, other, change, (first, second), float(p))
        for name, main, other, change, first, second, p in zip(
            rivals, *gaps, changes, *relations, adjusted, strict=True
        )
    ]


def _relations(metric: str, gaps: Sequence[Interval]) -> list[Relation]:
    """How ReMix stands to each rival, after Holm over them."""
    adjusted = holm([t_test(gap)[1] for gap in gaps])
    return [
        "unclear"
        if p > LEVEL
        else ("better" if better_or_worse(metric, gap.mean) == "better" else "worse")
        for gap, p in zip(gaps, adjusted, strict=True)
    ]
