"""The section on cost: time and memory of the studies, and whether longer training is better."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from remix_study.metrics import short_name
from remix_study.report.figures import strategy_color
from remix_study.report.formatting import (
    MISSING,
    counted,
    duration,
    listing,
    number,
    plain,
    sentence,
    signed,
    thousands,
)
from remix_study.report.page_model import Block, Cell, Head, Section, Table
from remix_study.results.comparison import Comparison
from remix_study.results.cost import (
    NOTABLE_CORRELATION,
    TrainingLength,
    study_costs,
    table,
    training_lengths,
)
from remix_study.results.study_roles import Check

TITLE = "Cost and epochs"
LEAD = (
    "Training time adds up the trials; wall time is that in which at least one trial of a study "
    "ran, on whatever else the machine did. Peak memory is that of the process. Networks end by "
    "their own training loss or validation part, so strategies end at different epochs: the "
    "second table shows when, and whether networks of one row and problem that trained longer "
    "scored better."
)


def section(
    compared: Sequence[Comparison],
    main: Sequence[Comparison],
    checks: Sequence[Check],
    runs: pd.DataFrame,
) -> Section:
    """The section of the page.

    Args:
        compared: every problem of every study.
        main: problems whose methods are compared, each once.
        checks: the text refers to those that train to another end.
        runs: `StudyFrames.runs`.
    """
    costs = study_costs(compared, runs)
    lengths = training_lengths(main)
    if costs.empty:
        return Section("cost", TITLE, LEAD, (Block(text=("No network was trained.",)),), {})
    blocks = [Block(text=(_total_line(costs),), tables=(_cost_table(costs),))]
    files = {"cost": costs}
    if lengths:
        text = (*_length_lines(lengths), *_check_lines(checks))
        blocks.append(
            Block(
                title="Epochs at which networks ended", text=text, tables=(_length_table(lengths),)
            )
        )
        files["epochs"] = table(lengths)
    return Section("cost", TITLE, LEAD, tuple(blocks), files)


def _total_line(costs: pd.DataFrame) -> str:
    text = (
        f"{counted(int(costs['networks'].sum()), 'network')} in "
        f"{duration(float(costs['training_seconds'].sum()))} of training"
    )
    peak = float(costs["peak_memory_mb"].max())
    if not math.isnan(peak):
        text += f", at most {thousands(round(peak))} MB of memory"
    return sentence(text)


def _cost_table(costs: pd.DataFrame) -> Table:
    names = ("problems", "points", "networks", "epochs", "steps", "training", "wall time", "peak")
    rows = []
    for line in costs.to_dict("records"):
        counts = (
            Cell(thousands(int(line[name])) if not math.isnan(line[name]) else MISSING)
            for name in ("problems", "points", "networks", "epochs", "steps")
        )
        peak = float(line["peak_memory_mb"])
        rows.append(
            (
                Cell(str(line["study"]), kind="name"),
                *counts,
                Cell(duration(float(line["training_seconds"]))),
                Cell(duration(float(line["wall_seconds"]))),
                Cell(MISSING if math.isnan(peak) else f"{thousands(round(peak))} MB"),
            )
        )
    return Table("What each study took", (tuple(map(Head, ("study", *names))),), tuple(rows))


def _length_lines(lengths: Sequence[TrainingLength]) -> list[str]:
    lines = []
    remix = next((length for length in lengths if length.method.strategy == "remix"), None)
    if remix is not None and not math.isnan(remix.baseline_ratio):
        side = "earlier than" if remix.baseline_ratio < 1 else "later than"
        if remix.baseline_ratio == 1:
            side = "when"
        lines.append(
            sentence(
                f"{remix.method.label} ends {side} the baseline: after "
                f"{number(remix.baseline_ratio, 2)} times its epochs, median over problems"
            )
        )
    if remix is not None:
        parts = [
            f"{short_name(metric)} {signed(correlation, 2)} over "
            f"{counted(remix.problems[metric], 'problem')}"
            for metric, correlation in remix.correlations.items()
        ]
        if parts:
            lines.append(
                sentence(
                    f"Within a problem, its networks that trained longer are better by a mean "
                    f"rank correlation of {listing(parts)}"
                )
            )
    notable = [
        f"{length.method.label} in "
        f"{listing([short_name(metric) for metric in length.correlated_metrics])}"
        for length in lengths
        if length.correlated_metrics
    ]
    tested = [length for length in lengths if length.correlations]
    if tested:
        rule = f"a mean correlation of {plain(NOTABLE_CORRELATION)} or more, either way"
        lines.append(
            sentence(f"When a network ended matters, by {rule}, for {listing(notable)}")
            if notable
            else f"When a network ended matters for no row, by {rule}."
        )
    return lines


def _check_lines(checks: Sequence[Check]) -> list[str]:
    studies = [
        check.varied.study
        for check in checks
        if {"training.stop", "training.epochs"} & set(check.changes)
    ]
    if not studies:
        return []
    return [
        sentence(
            f"{listing(studies)} trains one problem to another end, which tells more than these "
            "correlations: see Checks"
        )
    ]


def _length_table(lengths: Sequence[TrainingLength]) -> Table:
    metrics = list(dict.fromkeys(metric for length in lengths for metric in length.correlations))
    head = (
        Head("row"),
        Head("networks"),
        Head("epochs", "median, range"),
        Head("over the baseline’s", "median ratio"),
        Head("ended by", kind="text"),
        *(
            Head(f"longer is better: {short_name(metric)}", "mean correlation")
            for metric in metrics
        ),
    )
    rows = []
    for length in lengths:
        cells = (
            Cell(
                signed(length.correlations[metric], 2), counted(length.problems[metric], "problem")
            )
            if metric in length.correlations
            else Cell(MISSING, kind="")
            for metric in metrics
        )
        rows.append(
            (
                Cell(
                    length.method.label, kind="name", color=strategy_color(length.method.strategy)
                ),
                Cell(thousands(length.networks)),
                Cell(
                    plain(length.median_epochs), f"{length.fewest_epochs} to {length.most_epochs}"
                ),
                Cell(number(length.baseline_ratio, 2)),
                Cell(
                    listing([f"{reason} {thousands(n)}" for reason, n in length.stopped.items()]),
                    kind="text",
                ),
                *cells,
            )
        )
    return Table("Epochs, and whether they matter", (head,), tuple(rows))
