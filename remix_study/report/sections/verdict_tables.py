"""The tables behind the verdict, for the page and as files."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from remix_study.metrics import CORE_METRICS, short_name
from remix_study.report.figures import strategy_color
from remix_study.report.formatting import MISSING, digits, heading, number, plain, signed, span
from remix_study.report.page_model import Cell, Head, Table
from remix_study.results.intervals import Interval, paired_interval
from remix_study.results.probability_quality import relation
from remix_study.results.selection import Selection
from remix_study.results.verdict import PROBABILITY_METRIC, Verdict, simpler_methods


def table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """One line a problem, rival and metric: ReMix minus the rival."""
    return pd.DataFrame(
        [
            {
                "study": verdict.comparison.study,
                "problem": verdict.comparison.problem,
                "remix": verdict.remix.label,
                "rival": rival.name,
                "metric": metric,
                "difference": interval.mean,
                "low": interval.low,
                "high": interval.high,
                "folds": interval.folds,
                "relation": relation(metric, interval),
            }
            for verdict in verdicts
            if verdict.remix is not None
            for rival in verdict.rivals
            for metric, interval in rival.differences.items()
        ]
    )


def table_of_choices(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """One line a problem and metric: what validation chose and what it scores on test."""
    return pd.DataFrame(
        [
            {
                "study": verdict.comparison.study,
                "problem": verdict.comparison.problem,
                "metric": made.metric,
                "chosen_overall": made.overall.label,
                "chosen_overall_test": made.overall_test.mean,
                "chosen_most_often": made.most_often,
                "times": made.times,
                "folds": made.folds,
                "fold_by_fold_test": made.by_fold_test.mean,
                "fold_by_fold_low": made.by_fold_test.low,
                "fold_by_fold_high": made.by_fold_test.high,
                "best_in_hindsight": made.hindsight.label,
                "best_in_hindsight_test": made.hindsight_test.mean,
                "within_error_of_it": "; ".join(made.within_error),
                "simpler_and_not_worse": "; ".join(simpler_methods(verdict, made)),
            }
            for verdict in verdicts
            for made in verdict.selections
        ]
    )


def difference_table(verdict: Verdict) -> Table:
    """ReMix minus each rival, for the page."""
    metrics = [
        metric
        for metric in dict.fromkeys((*verdict.comparison.objectives, *CORE_METRICS))
        if any(metric in rival.differences for rival in verdict.rivals)
    ]
    rows = tuple(
        (
            Cell(rival.name, kind="name", color=strategy_color(rival.strategy)),
            *(_change_cell(metric, rival.differences.get(metric)) for metric in metrics),
        )
        for rival in verdict.rivals
    )
    head = (Head("against"), *(Head(heading(m)) for m in metrics))
    return Table(
        f"{remix_name(verdict)} minus each rival on the test parts of {verdict.comparison.name}: "
        "▲ better, ▼ worse, no mark: not told apart",
        (head,),
        rows,
    )


def glance_table(verdicts: Sequence[Verdict]) -> Table:
    """One line a problem: the differences that decide."""
    metrics = list(dict.fromkeys(m for v in verdicts for m in v.comparison.objectives))
    arrows = [heading(m) for m in metrics]
    groups = (
        Head(""),
        Head("ReMix − baseline", span=len(metrics)),
        Head("ReMix − balance", "what mixing adds", span=len(metrics)),
        Head("log-loss − baseline", span=2),
        Head("choice of validation", span=len(metrics)),
    )
    head = (
        Head("problem"),
        *map(Head, arrows),
        *map(Head, arrows),
        Head("as trained"),
        Head("corrected"),
        *(Head(short_name(metric), kind="text") for metric in metrics),
    )
    rows = []
    for verdict in verdicts:
        cells = [Cell(verdict.comparison.name, kind="name")]
        for name in ("baseline", "balance"):
            rival = verdict.rival(name)
            differences = rival.differences if rival else {}
            cells += [_short_cell(m, differences.get(m)) for m in metrics]
        trust = verdict.probability_quality
        for found in (trust.as_trained, trust.corrected) if trust else ({}, {}):
            cells.append(_short_cell(PROBABILITY_METRIC, found.get(PROBABILITY_METRIC)))
        chosen = {made.metric: made.overall.label for made in verdict.selections}
        cells += [Cell(chosen.get(metric, MISSING), kind="short") for metric in metrics]
        rows.append(tuple(cells))
    return Table(
        "Every problem at a glance: ▲ better, ▼ worse, no mark: not told apart",
        (groups, head),
        tuple(rows),
    )


def _short_cell(metric: str, interval: Interval | None) -> Cell:
    if interval is None:
        return Cell(MISSING, kind="")
    how = relation(metric, interval)
    return Cell(signed(interval.mean, digits(metric)), kind="number" if how == "unclear" else how)


def choice_table(verdict: Verdict) -> Table:
    """What the validation parts choose and what it scores on the test parts, for the page."""
    head = (
        Head("chosen by"),
        Head("over all folds", kind="text"),
        Head("fold by fold, most often", kind="text"),
        Head(f"fold by fold against {remix_name(verdict)}"),
        Head("best on test, in hindsight", kind="text"),
    )
    rows = tuple(
        (
            Cell(heading(made.metric), kind="name"),
            _chosen_cell(made.overall.label, made.overall_test, digits(made.metric)),
            _chosen_cell(
                f"{made.most_often}, {made.times} of {made.folds}",
                made.by_fold_test,
                digits(made.metric),
            ),
            _change_cell(made.metric, against_fixed(verdict, made)),
            _chosen_cell(made.hindsight.label, made.hindsight_test, digits(made.metric)),
        )
        for made in verdict.selections
    )
    return Table(
        "What the validation parts choose, and what that scores on the test parts. Over all "
        "folds, a validation row of one fold is a test row of another; fold by fold it never is",
        (head,),
        rows,
    )


def remix_name(verdict: Verdict) -> str:
    """'ReMix (0.1)'."""
    alpha = verdict.remix.alpha if verdict.remix else None
    return f"ReMix ({plain(alpha)})" if alpha else "ReMix"


def against_fixed(verdict: Verdict, made: Selection) -> Interval | None:
    """What choosing in every fold gains over ReMix at its fixed alpha."""
    if verdict.remix is None:
        return None
    fixed = verdict.comparison.score(verdict.remix.label, made.metric)
    return paired_interval(made.by_fold, fixed, verdict.comparison.ratio)


def _chosen_cell(name: str, interval: Interval, n: int) -> Cell:
    ends = span(interval.low, interval.high, n)
    return Cell(name, f"{number(interval.mean, n)} ({ends})", kind="short")


def _change_cell(metric: str, interval: Interval | None) -> Cell:
    if interval is None:
        return Cell(MISSING, kind="")
    n, how = digits(metric), relation(metric, interval)
    return Cell(
        signed(interval.mean, n),
        f"{signed(interval.low, n)} to {signed(interval.high, n)}",
        "number" if how == "unclear" else how,
    )
