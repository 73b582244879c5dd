"""The corrections section: corrected rows beside those that they were made from."""

from __future__ import annotations

from collections.abc import Sequence

from remix_study.metrics import CORE_METRICS
from remix_study.report.figures import (
    strategy_color,
)
from remix_study.report.folding import crowded, fold
from remix_study.report.formatting import (
    better_or_worse,
    counted,
    digits,
    heading,
    listing,
    number,
    signed,
)
from remix_study.report.page_model import Block, Cell, Head, Section, Table
from remix_study.results.comparison import Comparison
from remix_study.results.corrections import CorrectedMethod, table
from remix_study.results.intervals import (
    paired_interval,
)
from remix_study.results.methods import Method
from remix_study.results.rank_sums import rankable

LEAD = (
    "These rows train nothing. They take the stored probabilities of a row, correct them and "
    "score the test parts again. “/ prior” turns the probabilities of the baseline into those of "
    "equally frequent classes. “+ threshold” decides at the g-mean threshold that the validation "
    "part prefers (with several classes, along the same division by the prior). “+ temperature” "
    "fits one number on the validation part. “corrected” carries a row back to the natural class "
    "shares, from the shares that it was really trained on: exact where rows were only repeated "
    "or weighted, an approximation where they were mixed or interpolated. Below each score stands "
    "its difference to the row that it was made from; ▲ and ▼ mark those whose 95 % interval "
    "excludes zero."
)


def section(found: Sequence[tuple[Comparison, Sequence[CorrectedMethod]]]) -> Section:
    """The section of the page, one block a problem that has corrected rows."""
    shown = [(comparison, rows) for comparison, rows in found if rows]
    blocks = tuple(_block(comparison, rows) for comparison, rows in shown)
    if crowded(shown):
        blocks = (*_summaries(shown), *map(fold, blocks))
    if not shown:
        text = "There are no stored probabilities of planned points to correct."
        return Section("corrections", "Corrections without training", LEAD, (Block(text=(text,)),))
    files = {"corrections": table(shown)}
    return Section("corrections", "Corrections without training", LEAD, blocks, files)


def _summaries(found: Sequence[tuple[Comparison, Sequence[CorrectedMethod]]]) -> list[Block]:
    """What each correction does on the average of a kind of problem."""
    blocks = []
    once, _ = rankable([comparison for comparison, _ in found])
    for kind in dict.fromkeys(comparison.kind for comparison in once):
        here = [(c, rows) for c, rows in found if c.kind == kind and c in once]
        names = dict.fromkeys(row.name for _, rows in here for row in rows)
        lines, better = [], []
        for name in names:
            own = [(c, row) for c, rows in here for row in rows if row.name == name]
            color = strategy_color(own[0][1].source.strategy)
            cells = [Cell(name, counted(len(own), "problem"), "name", color=color)]
            for metric in CORE_METRICS:
                changes = [
                    float(row.score(metric).mean() - c.score(row.source.label, metric).mean())
                    for c, row in own
                    if len(row.score(metric))
                ]
                if not changes:
                    cells.append(Cell("–", kind=""))
                    continue
                good = sum(better_or_worse(metric, change) == "better" for change in changes)
                mean = sum(changes) / len(changes)
                cells.append(Cell(signed(mean, digits(metric)), f"better on {good}"))
                if metric == "log_loss" and good > len(changes) / 2:
                    better.append(f"{name} ({good} of {len(changes)})")
            lines.append(tuple(cells))
        text = (
            f"Log-loss is lower than before on most problems with {listing(better)}."
            if better
            else "No correction lowers the log-loss on most problems."
        )
        caption = f"Difference to the row that was corrected, mean over {kind} problems"
        head = (Head("row"), *(Head(heading(metric)) for metric in CORE_METRICS))
        title = f"{kind[0].upper()}{kind[1:]} problems"
        blocks.append(
            Block(title=title, text=(text,), tables=(Table(caption, (head,), tuple(lines)),))
        )
    return blocks


def _block(comparison: Comparison, rows: Sequence[CorrectedMethod]) -> Block:
    head = (
        Head("row"),
        *(Head(heading(m)) for m in CORE_METRICS),
    )
    lines: list[tuple[Cell, ...]] = []
    for source in dict.fromkeys(row.source for row in rows):
        own = [row for row in rows if row.source == source]
        color = strategy_color(source.strategy)
        plain = [_source_cell(comparison, source, metric) for metric in CORE_METRICS]
        lines.append((Cell(source.label, kind="name", color=color), *plain))
        for row in own:
            cells = [_cell(comparison, row, metric) for metric in CORE_METRICS]
            lines.append((Cell(row.name, kind="name", color=color), *cells))
    inexact = [row.name for row in rows if not row.is_exact]
    text = (
        (
            "Approximate, since their rows were mixed or interpolated, or their loss has no prior "
            f"of its own: {listing(inexact)}.",
        )
        if inexact
        else ()
    )
    return Block(
        title=f"{comparison.title}, {comparison.imbalance_name}",
        text=text,
        tables=(
            Table(
                f"Test scores on {comparison.name}, mean over "
                f"{counted(comparison.planned_folds, 'fold')}",
                (head,),
                tuple(lines),
            ),
        ),
    )


def _source_cell(comparison: Comparison, source: Method, metric: str) -> Cell:
    scores = comparison.score(source.label, metric)
    return Cell(number(float(scores.mean()), digits(metric)) if len(scores) else "–")


def _cell(comparison: Comparison, row: CorrectedMethod, metric: str) -> Cell:
    scores = row.score(metric)
    if scores.empty:
        return Cell("–", kind="")
    before = comparison.score(row.source.label, metric)
    change = paired_interval(scores, before, comparison.ratio)
    kind = better_or_worse(metric, change.mean) if change.excludes_zero else "number"
    n = digits(metric)
    return Cell(number(float(scores.mean()), n), signed(change.mean, n), kind)
