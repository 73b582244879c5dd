"""The section on cost: time and memory of the studies, and whether longer training is better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from remix_study.metrics import short_name
from remix_study.report.formatting import (
    MISSING,
    counted,
    duration,
    listing,
    number,
    plain,
    signed,
    thousands,
)
from remix_study.report.page_model import Block, Cell, Head, Section, Table
from remix_study.report.page_tables import ABSENT, Column, line_table, method_cell, text_column
from remix_study.report.sentences import SENTENCES
from remix_study.results import cost
from remix_study.results.comparison import Comparison
from remix_study.results.cost import TrainingLength

TITLE = "Cost and epochs"


def section(
    compared: Sequence[Comparison],
    main: Sequence[Comparison],
    runs: pd.DataFrame,
) -> Section:
    """The section of the page: costs of all studies, lengths of the main problems."""
    lead = SENTENCES.text("cost.lead")
    costs = cost.study_costs(compared, runs)
    if costs.empty:
        nothing = Block(text=SENTENCES.paragraphs("cost.nothing"))
        return Section("cost", TITLE, lead, (nothing,), is_folded=True)
    networks, seconds = int(costs["networks"].sum()), float(costs["training_seconds"].sum())
    memory = _memory(costs["peak_memory_mb"].max())
    total = SENTENCES.paragraphs("cost.total", networks, seconds, memory)
    blocks, files = [Block(text=total, tables=(_cost_table(costs),))], {"cost": costs}
    if lengths := cost.training_lengths(main):
        text = SENTENCES.paragraphs(
            "cost.lengths",
            lengths,
            next((length for length in lengths if length.method.strategy == "remix"), None),
            cost.NOTABLE_CORRELATION,
        )
        title = "Epochs at which networks ended"
        blocks.append(Block(title=title, text=text, tables=(_length_table(lengths),)))
        files["epochs"] = cost.table(lengths)
    return Section("cost", TITLE, lead, tuple(blocks), files, is_folded=True)


def _memory(megabytes: float) -> str:
    return "" if math.isnan(megabytes) else f"{thousands(round(megabytes))} MB"


def _cost_table(costs: pd.DataFrame) -> Table:
    def count(name: str) -> Column[dict[str, Any]]:
        title = {"points": "configurations", "networks": "fits"}.get(name, name)
        return Column(
            title, lambda line: MISSING if math.isnan(line[name]) else thousands(int(line[name]))
        )

    return line_table(
        "What each study took",
        [{str(name): value for name, value in line.items()} for line in costs.to_dict("records")],
        (
            Column("study", lambda line: str(line["study"])),
            *map(count, ("problems", "points", "networks", "epochs", "steps")),
            Column("training", lambda line: duration(line["training_seconds"])),
            Column("wall time", lambda line: duration(line["wall_seconds"])),
            Column("peak", lambda line: _memory(line["peak_memory_mb"]) or MISSING),
        ),
    )


def _length_table(lengths: Sequence[TrainingLength]) -> Table:
    def correlation(metric: str) -> Column[TrainingLength]:
        def cell(length: TrainingLength) -> Cell:
            if metric not in length.correlations:
                return ABSENT
            problems = counted(length.problems[metric], "problem")
            return Cell(signed(length.correlations[metric], 2), problems)

        return Column(Head(f"longer is better: {short_name(metric)}", "mean correlation"), cell)

    def ends(length: TrainingLength) -> str:
        return listing([f"{reason} {thousands(n)}" for reason, n in length.stopped.items()])

    return line_table(
        "Epochs, and whether they matter",
        lengths,
        (
            Column("method", lambda length: method_cell(length.method)),
            Column("networks", lambda length: thousands(length.networks)),
            Column(
                Head("epochs", "median, range"),
                lambda n: Cell(plain(n.median_epochs), f"{n.fewest_epochs} to {n.most_epochs}"),
            ),
            Column(
                Head("over the baseline’s", "median ratio"), lambda n: number(n.baseline_ratio, 2)
            ),
            text_column("ended by", ends),
            *map(correlation, cost.metrics_of(lengths)),
        ),
    )
