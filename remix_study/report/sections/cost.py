"""The section on cost: what the studies took, and whether the epochs of their ends matter."""

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
        main: problems whose rows are compared, each once.
        checks: where one of them trains to another end, the text leads there.
        runs: `StudyFrames.runs`.
    """
    found = study_costs(compared, runs)
    ended = training_lengths(main)
    if found.empty:
        return Section("cost", TITLE, LEAD, (Block(text=("No network was trained.",)),), {})
    blocks = [Block(text=(_total(found),), tables=(_cost_table(found),))]
    files = {"cost": found}
    if ended:
        text = (*_reading(ended), *_checked(checks))
        blocks.append(
            Block(title="Epochs at which networks ended", text=text, tables=(_ended_table(ended),))
        )
        files["epochs"] = table(ended)
    return Section("cost", TITLE, LEAD, tuple(blocks), files)


def _total(found: pd.DataFrame) -> str:
    text = (
        f"{counted(int(found['networks'].sum()), 'network')} in "
        f"{duration(float(found['training_seconds'].sum()))} of training"
    )
    peak = float(found["peak_memory_mb"].max())
    if not math.isnan(peak):
        text += f", at most {thousands(round(peak))} MB of memory"
    return sentence(text)


def _cost_table(found: pd.DataFrame) -> Table:
    names = ("problems", "points", "networks", "epochs", "steps", "training", "wall time", "peak")
    rows = []
    for line in found.to_dict("records"):
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


def _reading(ended: Sequence[TrainingLength]) -> list[str]:
    lines = []
    remix = next((made for made in ended if made.method.strategy == "remix"), None)
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
            f"{short_name(metric)} {signed(r, 2)} over "
            f"{counted(remix.problems[metric], 'problem')}"
            for metric, r in remix.correlations.items()
        ]
        if parts:
            lines.append(
                sentence(
                    f"Within a problem, its networks that trained longer are better by a mean "
                    f"rank correlation of {listing(parts)}"
                )
            )
    sure = [
        f"{made.method.label} in "
        f"{listing([short_name(metric) for metric in made.correlated_metrics])}"
        for made in ended
        if made.correlated_metrics
    ]
    tested = [made for made in ended if made.correlations]
    if tested:
        rule = f"a mean correlation of {plain(NOTABLE_CORRELATION)} or more, either way"
        lines.append(
            sentence(f"When a network ended matters, by {rule}, for {listing(sure)}")
            if sure
            else f"When a network ended matters for no row, by {rule}."
        )
    return lines


def _checked(checks: Sequence[Check]) -> list[str]:
    longer = [
        made.varied.study
        for made in checks
        if {"training.stop", "training.epochs"} & set(made.changes)
    ]
    if not longer:
        return []
    return [
        sentence(
            f"{listing(longer)} trains one problem to another end, which tells more than these "
            "correlations: see Checks"
        )
    ]


def _ended_table(ended: Sequence[TrainingLength]) -> Table:
    metrics = list(dict.fromkeys(metric for made in ended for metric in made.correlations))
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
    for made in ended:
        cells = (
            Cell(signed(made.correlations[metric], 2), counted(made.problems[metric], "problem"))
            if metric in made.correlations
            else Cell(MISSING, kind="")
            for metric in metrics
        )
        rows.append(
            (
                Cell(made.method.label, kind="name", color=strategy_color(made.method.strategy)),
                Cell(thousands(made.networks)),
                Cell(plain(made.median_epochs), f"{made.fewest_epochs} to {made.most_epochs}"),
                Cell(number(made.baseline_ratio, 2)),
                Cell(
                    listing([f"{why} {thousands(n)}" for why, n in made.stopped.items()]),
                    kind="text",
                ),
                *cells,
            )
        )
    return Table("Epochs, and whether they matter", (head,), tuple(rows))
