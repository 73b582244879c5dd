"""The corrections section: corrected methods beside those that were corrected."""

from __future__ import annotations

from collections.abc import Sequence

from remix_study.metrics import CORE_METRICS, better_or_worse
from remix_study.report.figures import (
    strategy_color,
)
from remix_study.report.folding import fold, has_many_problems
from remix_study.report.formatting import (
    counted,
    digits,
    heading,
    kind_title,
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


def section(corrected: Sequence[tuple[Comparison, Sequence[CorrectedMethod]]]) -> Section:
    """The section of the page, one block a problem with corrected methods."""
    shown = [(comparison, methods) for comparison, methods in corrected if methods]
    blocks = tuple(_block(comparison, methods) for comparison, methods in shown)
    if has_many_problems(shown):
        blocks = (*_kind_summaries(shown), *map(fold, blocks))
    if not shown:
        text = "There are no stored probabilities of planned points to correct."
        return Section("corrections", "Corrections without training", LEAD, (Block(text=(text,)),))
    files = {"corrections": table(shown)}
    return Section("corrections", "Corrections without training", LEAD, blocks, files)


def _kind_summaries(
    corrected: Sequence[tuple[Comparison, Sequence[CorrectedMethod]]],
) -> list[Block]:
    """Mean effect of each correction by kind of problem."""
    blocks = []
    ranked, _ = rankable([comparison for comparison, _ in corrected])
    for kind in dict.fromkeys(comparison.kind for comparison in ranked):
        problems = [(c, methods) for c, methods in corrected if c.kind == kind and c in ranked]
        names = dict.fromkeys(method.name for _, methods in problems for method in methods)
        lines, improved = [], []
        for name in names:
            same_correction = [
                (c, method) for c, methods in problems for method in methods if method.name == name
            ]
            color = strategy_color(same_correction[0][1].source.strategy)
            cells = [Cell(name, counted(len(same_correction), "problem"), "name", color=color)]
            for metric in CORE_METRICS:
                changes = [
                    float(
                        method.score(metric).mean() - c.score(method.source.label, metric).mean()
                    )
                    for c, method in same_correction
                    if len(method.score(metric))
                ]
                if not changes:
                    cells.append(Cell("–", kind=""))
                    continue
                n_better = sum(better_or_worse(metric, change) == "better" for change in changes)
                mean = sum(changes) / len(changes)
                cells.append(Cell(signed(mean, digits(metric)), f"better on {n_better}"))
                if metric == "log_loss" and n_better > len(changes) / 2:
                    improved.append(f"{name} ({n_better} of {len(changes)})")
            lines.append(tuple(cells))
        text = (
            f"Log-loss is lower than before on most problems with {listing(improved)}."
            if improved
            else "No correction lowers the log-loss on most problems."
        )
        caption = f"Difference to the row that was corrected, mean over {kind} problems"
        head = (Head("row"), *(Head(heading(metric)) for metric in CORE_METRICS))
        title = kind_title(kind)
        blocks.append(
            Block(title=title, text=(text,), tables=(Table(caption, (head,), tuple(lines)),))
        )
    return blocks


def _block(comparison: Comparison, methods: Sequence[CorrectedMethod]) -> Block:
    head = (
        Head("row"),
        *(Head(heading(m)) for m in CORE_METRICS),
    )
    lines: list[tuple[Cell, ...]] = []
    for source in dict.fromkeys(method.source for method in methods):
        corrected = [method for method in methods if method.source == source]
        color = strategy_color(source.strategy)
        source_cells = [_source_cell(comparison, source, metric) for metric in CORE_METRICS]
        lines.append((Cell(source.label, kind="name", color=color), *source_cells))
        for method in corrected:
            cells = [_cell(comparison, method, metric) for metric in CORE_METRICS]
            lines.append((Cell(method.name, kind="name", color=color), *cells))
    approximate = [method.name for method in methods if not method.is_exact]
    text = (
        (
            "Approximate, since their rows were mixed or interpolated, or their loss has no prior "
            f"of its own: {listing(approximate)}.",
        )
        if approximate
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


def _cell(comparison: Comparison, method: CorrectedMethod, metric: str) -> Cell:
    scores = method.score(metric)
    if scores.empty:
        return Cell("–", kind="")
    before = comparison.score(method.source.label, metric)
    change = paired_interval(scores, before, comparison.ratio)
    kind = better_or_worse(metric, change.mean) if change.excludes_zero else "number"
    n = digits(metric)
    return Cell(number(float(scores.mean()), n), signed(change.mean, n), kind)
