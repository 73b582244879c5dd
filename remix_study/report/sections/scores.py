"""The results section: a figure and a table of test scores of each problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from remix_study.metrics import CORE_METRICS, METRICS, better_sign, short_name
from remix_study.report import page_tables
from remix_study.report.formatting import (
    JOINER,
    SPACE,
    counted,
    digits,
    number,
)
from remix_study.report.page_model import Block, Cell, Section, Table, fold, has_many_problems
from remix_study.report.page_tables import Column
from remix_study.report.sections import paired
from remix_study.report.sentences import SENTENCES
from remix_study.results import score_tables
from remix_study.results.comparison import Comparison
from remix_study.results.methods import Method, remix_method

TITLE = "All scores"
# Configurations of a search on the page; the CSV has all.
SHOWN_CONFIGURATIONS = 12


def section(comparisons: Sequence[Comparison], beside: Sequence[Comparison] = ()) -> Section:
    """The section of the page, one block a problem; those beside are in the table files only."""
    shown = [comparison for comparison in comparisons if comparison.methods]
    others = [comparison for comparison in beside if comparison.methods]
    lead = SENTENCES.text("scores.lead")
    if not shown:
        nothing = Block(text=SENTENCES.paragraphs("scores.nothing"))
        return Section("results", TITLE, lead, (nothing,), is_folded=True)
    many_problems = has_many_problems(shown)
    tests_by_problem = [(c, score_tables.paired_tests(c, remix_method(c.methods))) for c in shown]
    blocks = paired.counts([(c, tests) for c, tests in tests_by_problem if tests])
    for comparison, tests in tests_by_problem:
        block = _block(comparison)
        test_tables = paired.tables(comparison, tests)
        if many_problems:
            blocks.append(fold(replace(block, tables=(*block.tables, *test_tables))))
        else:
            blocks.append(block)
            if test_tables:
                blocks.append(Block(tables=test_tables, folded=paired.TITLE))
    other_table = score_tables.table(others)
    if len(other_table):
        other_table = other_table[other_table["metric"].isin(CORE_METRICS)]
        studies = list(dict.fromkeys(c.study for c in others))
        blocks.append(Block(text=SENTENCES.paragraphs("scores.beside", studies)))
    files = {
        "results": wide_table([*shown, *others]),
        "results-long": pd.concat([score_tables.table(shown), other_table], ignore_index=True),
        "training": score_tables.table_of_training([*shown, *others]),
        "paired-tests": score_tables.table_of_tests(tests_by_problem),
    }
    return Section("results", TITLE, lead, tuple(blocks), files, is_folded=True)


def wide_table(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Mean (sd) as text, one line a problem and method."""
    lines = []
    metrics = [name for name in METRICS if any(name in c.metrics() for c in comparisons)]
    for comparison in comparisons:
        for method in comparison.methods:
            line = {"problem": comparison.name, "row": method.label}
            for metric in metrics:
                score, n = comparison.effects.score(method.label, metric), digits(metric)
                line[short_name(metric)] = (
                    f"{score.mean:.{n}f} ({score.standard_deviation:.{n}f})" if score else ""
                )
            lines.append(line)
    return pd.DataFrame(lines)


def _block(comparison: Comparison) -> Block:
    methods, folds = comparison.methods, comparison.folds
    labels = {method.run: method.label for method in methods}
    failures = [
        {"label": labels[int(str(run))], "folds": len(reasons), "reasons": sorted(set(reasons))}
        for run, reasons in folds[folds["failed"] != ""].groupby("run")["failed"]
    ]
    fewest = {name: folds[f"minority_{name}"].min() for name in ("train", "validation", "test")}
    text = SENTENCES.paragraphs("scores.problem", comparison, fewest, failures)
    if not comparison.is_grid:
        text += SENTENCES.paragraphs("scores.search", comparison, SHOWN_CONFIGURATIONS)
        sign = better_sign(comparison.objectives[0])
        best_first = sorted(methods, key=lambda method: -sign * method.values[0])
        methods = tuple(best_first[:SHOWN_CONFIGURATIONS])
    return Block(
        title=comparison.full_title,
        text=text,
        tables=(_page_table(comparison, methods),),
    )


def _page_table(comparison: Comparison, methods: Sequence[Method]) -> Table:
    effects = comparison.effects
    metrics = [metric for metric in METRICS if metric in comparison.metrics()]

    def best(metric: str) -> str:
        means = {m.label: s.mean for m in methods if (s := effects.score(m.label, metric))}
        sign = better_sign(metric)
        return max(means, key=lambda label: sign * means[label], default="")

    best_labels = {metric: best(metric) for metric in metrics}

    def cell(method: Method, metric: str) -> Cell:
        score, best_label = effects.score(method.label, metric), best_labels[metric]
        if score is None:
            return page_tables.ABSENT
        difference = effects.difference(method.label, best_label, metric)
        is_close = difference is not None and difference.relation == "unclear"
        kind = "best" if method.label == best_label else "close" if is_close else "number"
        n = digits(metric)
        return Cell(number(score.mean, n), number(score.standard_deviation, n), kind)

    return page_tables.line_table(
        f"Test scores on {comparison.name}: mean and standard deviation over "
        f"{counted(comparison.planned_folds, 'fold')}",
        methods,
        (
            Column(
                "method",
                lambda method: page_tables.method_cell(method, _epochs_text(comparison, method)),
            ),
            *page_tables.metric_columns(metrics, cell),
        ),
    )


def _epochs_text(comparison: Comparison, method: Method) -> str:
    """'55 epochs, 41–143': median and range over the folds that did not fail; networks alone."""
    epochs = comparison.trained_folds(method)["epochs"]
    if epochs.empty or method.is_estimator:
        return "no fold ended well" if epochs.empty else "an estimator"
    span = f"{epochs.min():g}–{JOINER}{epochs.max():g}"
    state = comparison.untrained(method.label)
    mark = f"; did not train on {state.n_folds} of {state.folds} folds" if state else ""
    if len({m.capacity for m in comparison.methods if m.capacity}) > 1 and method.capacity:
        mark = f"; {method.capacity:,}{SPACE}parameters{mark}"
    return f"{epochs.median():.0f} epochs, {span}".replace(" ", SPACE) + mark
