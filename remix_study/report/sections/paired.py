"""Paired tests of the results section: a table a problem, and counts over problems."""

from __future__ import annotations

from collections.abc import Sequence

from remix_study.metrics import PUBLISHED_METRICS
from remix_study.report.formatting import counted, digits, heading, p_value, signed
from remix_study.report.page_model import Block, Cell, Head, Table
from remix_study.report.page_tables import cross_table, method_cell, relation_kind
from remix_study.report.sentences import SENTENCES
from remix_study.results.columns import grouped
from remix_study.results.comparison import Comparison
from remix_study.results.effects import Difference
from remix_study.results.score_tables import count_clear
from remix_study.results.significance import LEVEL

ProblemTests = Sequence[tuple[Comparison, Sequence[Difference]]]
TITLE = "Paired tests against the baseline and against ReMix"


def tables(comparison: Comparison, tests: Sequence[Difference]) -> tuple[Table, ...]:
    """One table a reference: differences, and below them Holm's p-values."""
    methods = {method.label: method for method in comparison.methods}
    return tuple(
        cross_table(
            SENTENCES.phrase(
                "scores.test_caption",
                reference,
                comparison,
                sorted({test.degrees_of_freedom for test in reference_tests}),
                LEVEL,
            ),
            reference_tests,
            corner="method",
            row=lambda test: method_cell(methods[test.method]),
            column=lambda test: Head(heading(test.metric)),
            cell=lambda test: Cell(
                signed(test.mean, digits(test.metric)),
                p_value(test.holm_p),
                relation_kind(test.relation_after_holm),
            ),
        )
        for reference, reference_tests in grouped(tests, lambda test: test.against).items()
    )


def counts(tests_by_problem: ProblemTests) -> list[Block]:
    """Count how often each method is clearly better and worse, one block a kind of problem."""
    blocks = []
    for kind, problems in grouped(tests_by_problem, lambda pair: pair[0].kind).items():
        if len(problems) < 2:
            continue
        by_reference = {
            reference: count_clear(tests)
            for reference, tests in grouped(
                (test for _, tests in problems for test in tests), lambda test: test.against
            ).items()
        }
        blocks.append(
            Block(
                title=f"{TITLE}, {kind} problems",
                text=SENTENCES.paragraphs("scores.counts", by_reference, PUBLISHED_METRICS),
                tables=tuple(
                    cross_table(
                        SENTENCES.phrase("scores.count_caption", kind, reference),
                        clear_counts,
                        corner="method",
                        row=lambda count: Cell(count.method, kind="name"),
                        column=lambda count: Head(heading(count.metric)),
                        cell=lambda count: Cell(
                            f"▲ {count.better}  ▼ {count.worse}",
                            f"of {counted(count.problems, 'problem')}",
                        ),
                    )
                    for reference, clear_counts in by_reference.items()
                ),
                folded="How often each method is better and worse",
            )
        )
    return blocks
