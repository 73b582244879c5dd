"""The corrections section: corrected methods beside those that were corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from remix_study.metrics import CORE_METRICS
from remix_study.report.figures import strategy_color
from remix_study.report.folding import fold, has_many_problems
from remix_study.report.formatting import counted, digits, heading, kind_title, number, signed
from remix_study.report.page_model import Block, Cell, Section
from remix_study.report.page_tables import (
    ABSENT,
    Column,
    difference_cell,
    line_table,
    method_cell,
)
from remix_study.report.sentences import SENTENCES
from remix_study.results.columns import grouped
from remix_study.results.comparison import Comparison
from remix_study.results.corrections import CorrectionSummary, correction_summaries, table
from remix_study.results.methods import AnyMethod, Method
from remix_study.results.problem_choice import rankable

TITLE = "Corrections without training"


def section(comparisons: Sequence[Comparison]) -> Section:
    """The section of the page, one block a problem with corrected methods."""
    shown = [comparison for comparison in comparisons if comparison.corrected]
    lead = SENTENCES.text("corrections.lead")
    if not shown:
        text = SENTENCES.paragraphs("corrections.nothing")
        return Section("corrections", TITLE, lead, (Block(text=text),))
    blocks = [_block(comparison) for comparison in shown]
    if has_many_problems(shown):
        ranked, _ = rankable(shown)
        kinds = dict.fromkeys(comparison.kind for comparison in ranked)
        summaries = [_kind_block(kind, [c for c in ranked if c.kind == kind]) for kind in kinds]
        blocks = [*summaries, *map(fold, blocks)]
    return Section("corrections", TITLE, lead, tuple(blocks), {"corrections": table(shown)})


def _kind_block(kind: str, comparisons: Sequence[Comparison]) -> Block:
    """Mean effect of each correction on the problems of one kind."""
    summaries = correction_summaries(comparisons)

    def name_cell(summary: CorrectionSummary) -> Cell:
        problems = counted(summary.problems, "problem")
        return Cell(summary.label, problems, "name", strategy_color(summary.strategy))

    def metric_column(metric: str) -> Column[CorrectionSummary]:
        return Column(
            heading(metric),
            lambda s: (
                Cell(
                    signed(s.mean_change(metric), digits(metric)),
                    f"better on {s.n_better(metric)}",
                )
                if s.differences[metric]
                else ABSENT
            ),
        )

    return Block(
        title=kind_title(kind),
        text=SENTENCES.paragraphs("corrections.improved", summaries),
        tables=(
            line_table(
                f"Difference to the row that was corrected, mean over {kind} problems",
                summaries,
                (Column("row", name_cell), *map(metric_column, CORE_METRICS)),
            ),
        ),
    )


def _block(comparison: Comparison) -> Block:
    methods: list[AnyMethod] = []
    for source, corrected in grouped(comparison.corrected, lambda m: m.source).items():
        methods += [source, *corrected]

    def metric_column(metric: str) -> Column[AnyMethod]:
        return Column(heading(metric), lambda method: _score_cell(comparison, method, metric))

    return Block(
        title=f"{comparison.title}, {comparison.imbalance_name}",
        text=SENTENCES.paragraphs("corrections.approximate", comparison.corrected),
        tables=(
            line_table(
                f"Test scores on {comparison.name}, mean over "
                f"{counted(comparison.planned_folds, 'fold')}",
                methods,
                (Column("row", method_cell), *map(metric_column, CORE_METRICS)),
            ),
        ),
    )


def _score_cell(comparison: Comparison, method: AnyMethod, metric: str) -> Cell:
    """The mean of a method, and below it the difference to what it was made from."""
    score = comparison.effects.score(method.label, metric)
    if score is None:
        return ABSENT
    mean = number(score.mean, digits(metric))
    if isinstance(method, Method):
        return Cell(mean)
    change = comparison.effects.difference(method.label, method.source.label, metric)
    cell = difference_cell(change, ends=False)
    return replace(cell, text=mean, detail=cell.text)
