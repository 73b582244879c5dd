"""Paired tests of the results section: a table a problem, and counts over problems."""

from __future__ import annotations

from collections.abc import Sequence

from remix_study.metrics import CORE_METRICS, PUBLISHED_METRICS, better_or_worse, short_name
from remix_study.report.figures import strategy_color
from remix_study.report.formatting import (
    MISSING,
    counted,
    digits,
    heading,
    listing,
    p_value,
    plain,
    sentence,
    signed,
)
from remix_study.report.page_model import Block, Cell, Head, Table
from remix_study.results.comparison import Comparison
from remix_study.results.friedman import LEVEL
from remix_study.results.paired import PairedTest

ProblemTests = Sequence[tuple[Comparison, Sequence[PairedTest]]]
TITLE = "Paired tests against the baseline and against ReMix"


def tables(comparison: Comparison, tests: Sequence[PairedTest]) -> tuple[Table, ...]:
    """One table a reference: differences, and below them Holm's p-values."""
    return tuple(
        _table(comparison, reference, [test for test in tests if test.reference == reference])
        for reference in dict.fromkeys(test.reference for test in tests)
    )


def counts(tests_by_problem: ProblemTests) -> tuple[Block, ...]:
    """Count how often each method is clearly better and worse, one block a kind of problem."""
    blocks = []
    for kind in dict.fromkeys(c.kind for c, tests in tests_by_problem if tests):
        kind_problems = [(c, tests) for c, tests in tests_by_problem if c.kind == kind and tests]
        if len(kind_problems) < 2:
            continue
        kind_tests = [test for _, tests in kind_problems for test in tests]
        references = list(dict.fromkeys(test.reference for test in kind_tests))
        blocks.append(
            Block(
                title=f"{TITLE}, {kind} problems",
                text=tuple(_count_line(reference, kind_tests) for reference in references),
                tables=tuple(
                    _count_table(kind, reference, kind_tests) for reference in references
                ),
                folded="How often each row is better and worse",
            )
        )
    return tuple(blocks)


def _table(comparison: Comparison, reference: str, reference_tests: Sequence[PairedTest]) -> Table:
    degrees = sorted({test.degrees_of_freedom for test in reference_tests})
    head = (Head("row"), *(Head(heading(metric)) for metric in CORE_METRICS))
    by_method_and_metric = {(test.method, test.metric): test for test in reference_tests}
    strategies = {method.label: method.strategy for method in comparison.methods}
    rows = []
    for method in dict.fromkeys(test.method for test in reference_tests):
        name = Cell(method, kind="name", color=strategy_color(strategies[method]))
        cells = (_cell(by_method_and_metric.get((method, metric))) for metric in CORE_METRICS)
        rows.append((name, *cells))
    caption = (
        f"Difference to {reference} on {comparison.name}, below it Holm’s p: paired corrected "
        f"resampled t test, n_test/n_train {plain(round(comparison.ratio, 2))}, "
        f"{listing([str(value) for value in degrees])} degrees of freedom; marked where p is at "
        f"most {plain(LEVEL)}"
    )
    return Table(caption, (head,), tuple(rows))


def _cell(test: PairedTest | None) -> Cell:
    if test is None:
        return Cell(MISSING, kind="")
    kind = "number"
    if test.holm_p <= LEVEL:
        kind = better_or_worse(test.metric, test.difference.mean)
    return Cell(signed(test.difference.mean, digits(test.metric)), p_value(test.holm_p), kind)


def _clear_counts(tests: Sequence[PairedTest], method: str, metric: str) -> tuple[int, int, int]:
    """Count problems on which a method is clearly better, clearly worse, and tested."""
    method_tests = [test for test in tests if (test.method, test.metric) == (method, metric)]
    clear = [better_or_worse(metric, t.difference.mean) for t in method_tests if t.holm_p <= LEVEL]
    return clear.count("better"), clear.count("worse"), len(method_tests)


def _count_line(reference: str, tests: Sequence[PairedTest]) -> str:
    reference_tests = [test for test in tests if test.reference == reference]
    parts = []
    for metric in PUBLISHED_METRICS:
        method_counts = []
        for method in dict.fromkeys(test.method for test in reference_tests):
            better, worse, n = _clear_counts(reference_tests, method, metric)
            if better or worse:
                method_counts.append(f"{method} better on {better} and worse on {worse} of {n}")
        parts.append(f"{short_name(metric)}: {listing(method_counts) or 'no row'}")
    return sentence(f"Told from {reference} after Holm within each problem, {'; '.join(parts)}")


def _count_table(kind: str, reference: str, tests: Sequence[PairedTest]) -> Table:
    reference_tests = [test for test in tests if test.reference == reference]
    head = (Head("row"), *(Head(heading(metric)) for metric in CORE_METRICS))
    rows = []
    for method in dict.fromkeys(test.method for test in reference_tests):
        cells = [Cell(method, kind="name")]
        for metric in CORE_METRICS:
            better, worse, n = _clear_counts(reference_tests, method, metric)
            cells.append(Cell(f"▲ {better}  ▼ {worse}", f"of {counted(n, 'problem')}"))
        rows.append(tuple(cells))
    caption = f"{kind} problems on which a row is surely better ▲ or worse ▼ than {reference}"
    return Table(caption, (head,), tuple(rows))
