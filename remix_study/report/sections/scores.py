"""The results section: a figure and a table of test scores of each problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from remix_study.metrics import CORE_METRICS, METRICS, is_maximized, short_name
from remix_study.report.figures import (
    draw_dots,
    figure,
    render,
    strategy_color,
)
from remix_study.report.folding import fold, has_many_problems
from remix_study.report.formatting import (
    JOINER,
    SPACE,
    counted,
    digits,
    heading,
    label_with_direction,
    listing,
    number,
    plain,
    sentence,
    thousands,
)
from remix_study.report.page_model import Block, Cell, Head, Picture, Section, Table
from remix_study.report.page_tables import ABSENT, method_cell
from remix_study.report.sections import paired
from remix_study.report.sections import scores_overview as scores_overview
from remix_study.results.comparison import Comparison
from remix_study.results.methods import Method
from remix_study.results.paired import paired_tests
from remix_study.results.paired import table as table_of_tests
from remix_study.results.score_tables import table, table_of_training
from remix_study.results.verdict import remix_method

# Configurations of a search on the page; the CSV has all.
SHOWN_CONFIGURATIONS = 12
LEAD = (
    "The figures show mean test scores with corrected 95 % intervals; the grey line is the mean "
    "of the baseline. The tables have the mean over the folds and below it the standard deviation "
    "over the folds. Bold is the best mean of a column (↑ higher is better, ↓ lower is better). A "
    "dotted line marks rows whose paired difference to that best row cannot be told from zero. "
    "Below each row stand the epochs after which its networks ended, median and range."
)


def section(comparisons: Sequence[Comparison], beside: Sequence[Comparison] = ()) -> Section:
    """The section of the page, one block a problem.

    Args:
        comparisons: the problems that the page shows.
        beside: problems with sections of their own, for the table files only.
    """
    shown = [comparison for comparison in comparisons if comparison.methods]
    tests_by_problem = [(c, paired_tests(c, remix_method(c))) for c in shown]
    others = [comparison for comparison in beside if comparison.methods]
    many_problems = has_many_problems(shown)
    blocks: list[Block] = []
    for place, (comparison, tests) in enumerate(tests_by_problem):
        block = _block(comparison, place, is_drawn=not many_problems)
        test_tables = paired.tables(comparison, tests)
        if many_problems:
            blocks.append(fold(replace(block, tables=(*block.tables, *test_tables))))
        else:
            blocks.append(block)
            if test_tables:
                blocks.append(Block(tables=test_tables, folded=paired.TITLE))
    blocks = [
        *(scores_overview.blocks(shown) if many_problems else ()),
        *paired.counts(tests_by_problem),
        *blocks,
    ]
    files = {}
    if shown:
        files = {
            "results": wide_table([*shown, *others]),
            "results-long": _long_table(shown, others),
            "training": table_of_training([*shown, *others]),
        }
        tests_table = table_of_tests(tests_by_problem)
        if len(tests_table):
            files["paired-tests"] = tests_table
        if others:
            names = listing(list(dict.fromkeys(c.study for c in others)))
            text = f"The rows of {names} have no tables here; they are in the files results, "
            blocks.append(Block(text=(text + "results-long and training.",)))
    else:
        blocks = [Block(text=("No point is complete yet.",))]
    return Section("results", "Results", LEAD, tuple(blocks), files)


def _long_table(shown: Sequence[Comparison], others: Sequence[Comparison]) -> pd.DataFrame:
    """All results of the problems shown, and those of the others in the core metrics."""
    other_table = table(others)
    if len(other_table):
        other_table = other_table[other_table["metric"].isin(CORE_METRICS)]
    return pd.concat([table(shown), other_table], ignore_index=True)


def wide_table(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Mean (sd) as text, one line a problem and method."""
    lines = []
    for comparison in comparisons:
        for method in comparison.methods:
            line = {"problem": comparison.name, "row": method.label}
            for metric in METRICS:
                score, n = comparison.effects.score(method.label, metric), digits(metric)
                line[short_name(metric)] = (
                    f"{score.mean:.{n}f} ({score.standard_deviation:.{n}f})" if score else ""
                )
            lines.append(line)
    return pd.DataFrame(lines)


def _block(comparison: Comparison, place: int, *, is_drawn: bool) -> Block:
    methods = comparison.methods
    text = [*_fact_lines(comparison)]
    if not comparison.is_grid:
        text.append(_search_line(comparison))
        methods = _best_by_validation(comparison)
    pictures = [
        picture
        for metric in comparison.objectives
        if is_drawn and (picture := _picture(comparison, methods, metric, place))
    ]
    return Block(
        title=f"{comparison.title}, {comparison.imbalance_name}",
        text=tuple(text),
        pictures=tuple(pictures),
        tables=(_page_table(comparison, methods),),
    )


def _fact_lines(comparison: Comparison) -> list[str]:
    folds = comparison.folds
    info = comparison.info
    fewest = [int(folds[f"minority_{part}"].min()) for part in ("train", "validation", "test")]
    sentences = [
        sentence(
            f"Problem {comparison.name}, {counted(int(info['repeats']), 'repeat')} of "
            f"{counted(int(info['folds']), 'fold')}. The smallest fold has "
            f"{thousands(fewest[0])} rows of the rarest class in its training part, "
            f"{thousands(fewest[1])} in its validation part and {thousands(fewest[2])} in its "
            "test part. n_test/n_train of the corrected error is "
            f"{plain(round(comparison.ratio, 2))}"
        )
    ]
    zeros = [
        f"{method.label} in {count} of {len(scores)}"
        for method in comparison.methods
        if len(scores := comparison.score(method.label, "g_mean"))
        and (count := int((scores == 0).sum()))
    ]
    if zeros:
        sentences.append(
            sentence(f"Folds whose g-mean is 0, a class never found: {listing(zeros)}")
        )
    labels = {method.run: method.label for method in comparison.methods}
    failed = folds[folds["failed"] != ""]
    for run, reasons in failed.groupby("run")["failed"]:
        sentences.append(
            f"{labels[int(str(run))]} failed in {counted(len(reasons), 'fold')} "
            f"({'; '.join(sorted(set(reasons)))}) and is averaged over the others."
        )
    return sentences


def _search_line(comparison: Comparison) -> str:
    metric = comparison.objectives[0]
    n = len(comparison.methods)
    text = (
        f"Optuna ({comparison.info['algorithm']}) chose the {counted(n, 'different point')} by "
        "their validation scores"
    )
    if n > SHOWN_CONFIGURATIONS:
        text += (
            f"; shown are the {SHOWN_CONFIGURATIONS} with the best validation {short_name(metric)}"
        )
    return sentence(text + ". The best of many test scores is an optimistic number")


def _best_by_validation(comparison: Comparison) -> tuple[Method, ...]:
    sign = -1.0 if is_maximized(comparison.objectives[0]) else 1.0
    return tuple(
        sorted(comparison.methods, key=lambda method: sign * method.values[0])[
            :SHOWN_CONFIGURATIONS
        ]
    )


def _picture(
    comparison: Comparison, methods: Sequence[Method], metric: str, place: int
) -> Picture | None:
    points = {
        method: score.interval
        for method in methods
        if (score := comparison.effects.score(method.label, metric))
    }
    if not points:
        return None
    shown = list(points)
    baseline = next((method for method in shown if method.strategy == "baseline"), None)
    with figure(4.5, 0.75 + 0.21 * len(shown)) as fig:
        axes = fig.add_subplot()
        draw_dots(
            axes,
            [_short_label(comparison, method) for method in shown],
            [strategy_color(method.strategy) for method in shown],
            list(points.values()),
            points[baseline].mean if baseline else None,
        )
        axes.set_xlabel(label_with_direction(metric))
        svg, png = render(fig)
    return Picture(
        f"results-{place + 1}-{metric}",
        "",
        f"{short_name(metric)} of every row on {comparison.name}, with corrected 95 % intervals.",
        svg,
        png,
    )


def _short_label(comparison: Comparison, method: Method) -> str:
    """A method's name in a figure; strategy and trial if Optuna chose the configuration."""
    name, _, trial = method.label.rpartition(" #")
    name = name.partition(", ")[0]
    if comparison.is_grid or not trial:
        return method.label
    return f"{name.partition(' (')[0]} #{trial}"


def _page_table(comparison: Comparison, methods: Sequence[Method]) -> Table:
    metrics = [metric for metric in METRICS if metric in comparison.metrics()]
    best = {metric: _best_label(comparison, methods, metric) for metric in metrics}
    head = (
        Head("row"),
        *(Head(heading(m)) for m in metrics),
    )
    body = []
    for method in methods:
        name = method_cell(method, _epochs_text(comparison, method))
        scores = (_score_cell(comparison, method, metric, best[metric]) for metric in metrics)
        body.append((name, *scores))
    return Table(
        f"Test scores on {comparison.name}: mean and standard deviation over "
        f"{counted(comparison.planned_folds, 'fold')}",
        (head,),
        tuple(body),
    )


def _epochs_text(comparison: Comparison, method: Method) -> str:
    """'55 epochs, 41–143': median and range over the folds that did not fail."""
    folds = comparison.folds[comparison.folds["run"] == method.run]
    epochs = folds.loc[folds["failed"] == "", "epochs"]
    if epochs.empty:
        return "no fold ended well"
    span = f"{epochs.min():g}–{JOINER}{epochs.max():g}"
    return f"{epochs.median():.0f} epochs, {span}".replace(" ", SPACE)


def _best_label(comparison: Comparison, methods: Sequence[Method], metric: str) -> str:
    sign = 1.0 if is_maximized(metric) else -1.0
    means = {
        method.label: sign * score.mean
        for method in methods
        if (score := comparison.effects.score(method.label, metric))
    }
    return max(means, key=lambda name: means[name]) if means else ""


def _score_cell(comparison: Comparison, method: Method, metric: str, best: str) -> Cell:
    score = comparison.effects.score(method.label, metric)
    if score is None:
        return ABSENT
    kind = "number"
    if method.label == best:
        kind = "best"
    else:
        difference = comparison.effects.difference(method.label, best, metric)
        if difference is not None and difference.relation == "unclear":
            kind = "close"
    n = digits(metric)
    return Cell(number(score.mean, n), number(score.standard_deviation, n), kind)
