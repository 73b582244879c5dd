"""Paired tests of the results section: a table a problem, and counts over problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from remix_study.metrics import CORE_METRICS, PUBLISHED_METRICS
from remix_study.report.formatting import counted, digits, heading, p_value, signed
from remix_study.report.page_model import Block, Cell, Head, Table
from remix_study.report.page_tables import cross_table, method_cell
from remix_study.report.sentences import SENTENCES
from remix_study.results.comparison import Comparison
from remix_study.results.effects import Difference
from remix_study.results.significance import LEVEL

ProblemTests = Sequence[tuple[Comparison, Sequence[Difference]]]
TITLE = "Paired tests against the baseline and against ReMix"


def tables(comparison: Comparison, tests: Sequence[Difference]) -> tuple[Table, ...]:
    """One table a reference: differences, and below them Holm's p-values."""
    methods = {method.label: method for method in comparison.methods}
    return tuple(
        cross_table(
            SENTENCES.phrase(
                "paired.caption",
                reference,
                comparison,
                sorted({test.degrees_of_freedom for test in reference_tests}),
                LEVEL,
            ),
            reference_tests,
            corner="row",
            row=lambda test: method_cell(methods[test.method]),
            column=lambda test: Head(heading(test.metric)),
            cell=_cell,
        )
        for reference, reference_tests in _by_reference(tests).items()
    )


def counts(tests_by_problem: ProblemTests) -> tuple[Block, ...]:
    """Count how often each method is clearly better and worse, one block a kind of problem."""
    blocks = []
    for kind in dict.fromkeys(c.kind for c, tests in tests_by_problem if tests):
        kind_tests = [tests for c, tests in tests_by_problem if c.kind == kind and tests]
        if len(kind_tests) < 2:
            continue
        by_reference = {
            reference: _counts(tests)
            for reference, tests in _by_reference([t for ts in kind_tests for t in ts]).items()
        }
        blocks.append(
            Block(
                title=f"{TITLE}, {kind} problems",
                text=SENTENCES.paragraphs("paired.counts", by_reference, PUBLISHED_METRICS),
                tables=tuple(
                    cross_table(
                        SENTENCES.phrase("paired.count_caption", kind, reference),
                        clear_counts,
                        corner="row",
                        row=lambda count: Cell(count.method, kind="name"),
                        column=lambda count: Head(heading(count.metric)),
                        cell=lambda count: Cell(
                            f"▲ {count.better}  ▼ {count.worse}",
                            f"of {counted(count.problems, 'problem')}",
                        ),
                    )
                    for reference, clear_counts in by_reference.items()
                ),
                folded="How often each row is better and worse",
            )
        )
    return tuple(blocks)


@dataclass(frozen=True)
class _ClearCount:
    """On how many problems a method is clearly better or worse than the reference."""

    method: str
    metric: str
    better: int
    worse: int
    problems: int


def _by_reference(tests: Sequence[Difference]) -> dict[str, list[Difference]]:
    by_reference: dict[str, list[Difference]] = {}
    for test in tests:
        by_reference.setdefault(test.against, []).append(test)
    return by_reference


def _counts(tests: Sequence[Difference]) -> list[_ClearCount]:
    """Counts for each method in each core metric."""
    counts = []
    for method in dict.fromkeys(test.method for test in tests):
        for metric in CORE_METRICS:
            method_tests = [t for t in tests if (t.method, t.metric) == (method, metric)]
            kinds = [_kind(test) for test in method_tests]
            counts.append(
                _ClearCount(
                    method, metric, kinds.count("better"), kinds.count("worse"), len(method_tests)
                )
            )
    return counts


def _kind(test: Difference) -> str:
    """Style of a test's cell: "better" or "worse" where Holm's p-value is small."""
    return test.direction if test.holm_p <= LEVEL else "number"


def _cell(test: Difference) -> Cell:
    return Cell(signed(test.mean, digits(test.metric)), p_value(test.holm_p), _kind(test))
