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
    """Differences as a table, ReMix minus rival, one line a problem, rival and metric."""
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


def choice_frame(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Choices of validation as a table, one line a problem and metric, with test scores."""
    return pd.DataFrame(
        [
            {
                "study": verdict.comparison.study,
                "problem": verdict.comparison.problem,
                "metric": selection.metric,
                "chosen_overall": selection.overall.label,
                "chosen_overall_test": selection.overall_test.mean,
                "chosen_most_often": selection.most_often,
                "times": selection.times,
                "folds": selection.folds,
                "fold_by_fold_test": selection.by_fold_test.mean,
                "fold_by_fold_low": selection.by_fold_test.low,
                "fold_by_fold_high": selection.by_fold_test.high,
                "best_in_hindsight": selection.hindsight.label,
                "best_in_hindsight_test": selection.hindsight_test.mean,
                "within_error_of_it": "; ".join(selection.within_error),
                "simpler_and_not_worse": "; ".join(simpler_methods(verdict, selection)),
            }
            for verdict in verdicts
            for selection in verdict.selections
        ]
    )


def difference_table(verdict: Verdict) -> Table:
    """The table of the page with ReMix minus each rival."""
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
    """The table of the page with the main differences, one line a problem."""
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
        for interval_by_metric in (trust.as_trained, trust.corrected) if trust else ({}, {}):
            cells.append(
                _short_cell(PROBABILITY_METRIC, interval_by_metric.get(PROBABILITY_METRIC))
            )
        chosen = {selection.metric: selection.overall.label for selection in verdict.selections}
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
    """The table of the page with the choices of validation and their test scores."""
    head = (
        Head("chosen by"),
        Head("over all folds", kind="text"),
        Head("fold by fold, most often", kind="text"),
        Head(f"fold by fold against {remix_name(verdict)}"),
        Head("best on test, in hindsight", kind="text"),
    )
    rows = tuple(
        (
            Cell(heading(selection.metric), kind="name"),
            _chosen_cell(
                selection.overall.label, selection.overall_test, digits(selection.metric)
            ),
            _chosen_cell(
                f"{selection.most_often}, {selection.times} of {selection.folds}",
                selection.by_fold_test,
                digits(selection.metric),
            ),
            _change_cell(selection.metric, against_fixed(verdict, selection)),
            _chosen_cell(
                selection.hindsight.label, selection.hindsight_test, digits(selection.metric)
            ),
        )
        for selection in verdict.selections
    )
    return Table(
        "What the validation parts choose, and what that scores on the test parts. Over all "
        "folds, a validation row of one fold is a test row of another; fold by fold it never is",
        (head,),
        rows,
    )


def remix_name(verdict: Verdict) -> str:
    """ReMix with its alpha, as in 'ReMix (0.1)'."""
    alpha = verdict.remix.alpha if verdict.remix else None
    return f"ReMix ({plain(alpha)})" if alpha else "ReMix"


def against_fixed(verdict: Verdict, selection: Selection) -> Interval | None:
    """Gain of choosing in every fold over ReMix at its fixed alpha; None without ReMix."""
    if verdict.remix is None:
        return None
    fixed = verdict.comparison.score(verdict.remix.label, selection.metric)
    return paired_interval(selection.by_fold, fixed, verdict.comparison.ratio)


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
