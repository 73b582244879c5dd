"""The results section: a figure and a table of test scores of each problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from remix_study.metrics import CORE_METRICS, METRICS, better_sign, short_name
from remix_study.report import figures, page_tables
from remix_study.report.figures import Picture
from remix_study.report.formatting import (
    JOINER,
    SPACE,
    counted,
    digits,
    label_with_direction,
    number,
)
from remix_study.report.page_model import Block, Cell, Section, Table, fold, has_many_problems
from remix_study.report.page_tables import Column
from remix_study.report.sections import paired
from remix_study.report.sentences import SENTENCES
from remix_study.results import score_tables
from remix_study.results.columns import grouped
from remix_study.results.comparison import Comparison
from remix_study.results.methods import Method
from remix_study.results.verdict import remix_method

# Configurations of a search on the page; the CSV has all.
SHOWN_CONFIGURATIONS = 12


def section(comparisons: Sequence[Comparison], beside: Sequence[Comparison] = ()) -> Section:
    """The section of the page, one block a problem; those beside are in the table files only."""
    shown = [comparison for comparison in comparisons if comparison.methods]
    others = [comparison for comparison in beside if comparison.methods]
    lead = SENTENCES.text("scores.lead")
    if not shown:
        nothing = Block(text=SENTENCES.paragraphs("scores.nothing"))
        return Section("results", "Results", lead, (nothing,))
    many_problems = has_many_problems(shown)
    tests_by_problem = [(c, score_tables.paired_tests(c, remix_method(c))) for c in shown]
    blocks = _overview_blocks(shown) if many_problems else []
    blocks += paired.counts([(c, tests) for c, tests in tests_by_problem if tests])
    for place, (comparison, tests) in enumerate(tests_by_problem):
        block = _block(comparison, place, is_drawn=not many_problems)
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
    return Section("results", "Results", lead, tuple(blocks), files)


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


def _block(comparison: Comparison, place: int, *, is_drawn: bool) -> Block:
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
    pictures = [
        picture
        for metric in comparison.objectives
        if is_drawn and (picture := _picture(comparison, methods, metric, place))
    ]
    return Block(
        title=comparison.full_title,
        text=text,
        pictures=tuple(pictures),
        tables=(_page_table(comparison, methods),),
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
    baseline = next((method for method in points if method.strategy == "baseline"), None)
    with figures.figure(4.5, 0.75 + 0.21 * len(points)) as fig:
        axes = fig.add_subplot()
        if baseline is not None:
            axes.axvline(points[baseline].mean, color=figures.FAINT, lw=1.2, zorder=1)
        for height, (method, point) in enumerate(points.items()):
            figures.draw_interval(axes, point, height, figures.strategy_color(method.strategy))
        figures.name_lines(axes, [_short_label(comparison, method) for method in points])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(label_with_direction(metric))
    alt = f"{short_name(metric)} of every row on {comparison.name}, with corrected 95 % intervals."
    return figures.picture_of(fig, f"results-{place + 1}-{metric}", alt)


def _short_label(comparison: Comparison, method: Method) -> str:
    """A method's name in a figure; strategy and trial if Optuna chose the configuration."""
    name, _, trial = method.label.rpartition(" #")
    if comparison.is_grid or not trial:
        return method.label
    return f"{name.partition(', ')[0].partition(' (')[0]} #{trial}"


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
                "row",
                lambda method: page_tables.method_cell(method, _epochs_text(comparison, method)),
            ),
            *page_tables.metric_columns(metrics, cell),
        ),
    )


def _epochs_text(comparison: Comparison, method: Method) -> str:
    """'55 epochs, 41–143': median and range over the folds that did not fail."""
    epochs = comparison.trained_folds(method)["epochs"]
    if epochs.empty:
        return "no fold ended well"
    span = f"{epochs.min():g}–{JOINER}{epochs.max():g}"
    state = comparison.untrained(method.label)
    mark = f"; did not train on {state.n_folds} of {state.folds} folds" if state else ""
    if len({m.capacity for m in comparison.methods if m.capacity}) > 1 and method.capacity:
        mark = f"; {method.capacity:,}{SPACE}parameters{mark}"
    return f"{epochs.median():.0f} epochs, {span}".replace(" ", SPACE) + mark


def _overview_blocks(comparisons: Sequence[Comparison]) -> list[Block]:
    """All problems of a study and kind in one figure a metric, on pages with many problems."""
    blocks = []
    planned = [c for c in comparisons if c.is_grid]
    for (study, kind), problems in grouped(planned, lambda c: (c.study, c.kind)).items():
        labels = dict.fromkeys(method.label for c in problems for method in c.methods)
        scores = {label: [c.effects.score(label, "g_mean") for c in problems] for label in labels}
        zeros = {
            label: sum(score.folds_at_zero for score in label_scores if score)
            for label, label_scores in scores.items()
        }
        blocks.append(
            Block(
                title=f"{study}: {counted(len(problems), f'{kind} problem')}",
                text=SENTENCES.paragraphs("scores.overview", zeros),
                pictures=tuple(_overview_picture(problems, m) for m in problems[0].objectives),
            )
        )
    return blocks


def _overview_picture(problems: Sequence[Comparison], metric: str) -> Picture:
    """Draw a line a problem and a dot a method, at its mean score."""
    methods = {method.label: method for c in problems for method in c.methods}
    # Strategies without a colour of their own share one; the tables tell them apart.
    uncoloured = [
        name for name, method in methods.items() if method.strategy not in figures.COLORS
    ]
    n_named = len(methods) - len(uncoloured) + bool(uncoloured)
    with figures.figure(5.2, 1.0 + 0.2 * len(problems)) as fig:
        axes = fig.add_subplot()
        for height in range(len(problems)):
            axes.axhline(height, color=figures.FAINT, lw=0.6, zorder=1)
        for name, method in methods.items():
            scores = [c.effects.score(name, metric) for c in problems]
            points = [(score.mean, height) for height, score in enumerate(scores) if score]
            if not points:
                continue
            x, y = zip(*points, strict=True)
            is_small = name in uncoloured
            legend_name = name if not is_small else "_" if name != uncoloured[0] else "other rows"
            color = figures.strategy_color(method.strategy)
            axes.plot(x, y, ls="", marker="o", alpha=0.85, label=legend_name, color=color,
                      markersize=3 if is_small else 4.5, markeredgewidth=0,
                      zorder=2 if is_small else 3)  # fmt: skip
        figures.name_lines(axes, [f"{c.dataset}, {c.imbalance_name}" for c in problems])
        axes.set_xlabel(label_with_direction(metric))
        if n_named <= len(figures.COLORS) + 1:
            figures.legend(axes, n_named)
    n_problems = counted(len(problems), f"{problems[0].kind} problem")
    alt = f"Mean {short_name(metric)} of every row on {n_problems}."
    return figures.picture_of(fig, f"results-{problems[0].study}-{problems[0].kind}-{metric}", alt)
