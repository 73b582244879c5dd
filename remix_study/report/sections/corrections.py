"""The corrections section: corrected methods beside those that were corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from remix_study.metrics import CORE_METRICS
from remix_study.report.formatting import counted, digits, kind_title, number, signed
from remix_study.report.page_model import Block, Cell, Section, fold, has_many_problems
from remix_study.report.page_tables import (
    ABSENT,
    Column,
    difference_cell,
    line_table,
    method_cell,
    metric_columns,
)
from remix_study.report.sentences import SENTENCES
from remix_study.results.columns import grouped
from remix_study.results.comparison import Comparison
from remix_study.results.corrections import CorrectionSummary, correction_summaries, table
from remix_study.results.methods import AnyMethod, Method
from remix_study.results.problem_choice import rankable


def section(comparisons: Sequence[Comparison]) -> Section:
    """The section of the page, one block a problem with corrected methods."""
    shown = [comparison for comparison in comparisons if comparison.corrected]
    blocks = [_block(comparison) for comparison in shown]
    if has_many_problems(shown):
        by_kind = grouped(rankable(shown)[0], lambda comparison: comparison.kind)
        blocks = [*(_kind_block(*kind) for kind in by_kind.items()), *map(fold, blocks)]
    blocks = blocks or [Block(text=SENTENCES.paragraphs("corrections.nothing"))]
    title, lead = "Corrections without training", SENTENCES.text("corrections.lead")
    return Section("corrections", title, lead, tuple(blocks), {"corrections": table(shown)})


def _kind_block(kind: str, comparisons: Sequence[Comparison]) -> Block:
    """Mean effect of each correction on the problems of one kind."""
    summaries = correction_summaries(comparisons)

    def cell(summary: CorrectionSummary, metric: str) -> Cell:
        if not summary.differences[metric]:
            return ABSENT
        mean = signed(summary.mean_change(metric), digits(metric))
        return Cell(mean, f"better on {summary.n_better(metric)}")

    def name(summary: CorrectionSummary) -> Cell:
        return method_cell(summary.method, counted(summary.n_problems, "problem"))

    return Block(
        title=kind_title(kind),
        text=SENTENCES.paragraphs("corrections.improved", summaries),
        tables=(
            line_table(
                f"Difference to the row that was corrected, mean over {kind} problems",
                summaries,
                (Column("row", name), *metric_columns(CORE_METRICS, cell)),
            ),
        ),
    )


def _block(comparison: Comparison) -> Block:
    methods: list[AnyMethod] = []
    for source, corrected in grouped(comparison.corrected, lambda m: m.source).items():
        methods += [source, *corrected]

    def cell(method: AnyMethod, metric: str) -> Cell:
        """The mean of a method, and below it the difference to what it was made from."""
        score = comparison.effects.score(method.label, metric)
        if score is None:
            return ABSENT
        mean = number(score.mean, digits(metric))
        if isinstance(method, Method):
            return Cell(mean)
        change = comparison.effects.difference(method.label, method.source.label, metric)
        change_cell = difference_cell(change, ends=False)
        return replace(change_cell, text=mean, detail=change_cell.text)

    return Block(
        title=comparison.full_title,
        text=SENTENCES.paragraphs("corrections.approximate", comparison.corrected),
        tables=(
            line_table(
                f"Test scores on {comparison.name}, mean over "
                f"{counted(comparison.planned_folds, 'fold')}",
                methods,
                (Column("row", method_cell), *metric_columns(CORE_METRICS, cell)),
            ),
        ),
    )
