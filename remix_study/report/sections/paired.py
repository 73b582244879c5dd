"""Paired tests of the results section: a table a problem, and a count over problems."""

from __future__ import annotations

from collections.abc import Sequence

from remix_study.metrics import CORE_METRICS, PUBLISHED_METRICS, short_name
from remix_study.report.figures import strategy_color
from remix_study.report.formatting import (
    MISSING,
    better_or_worse,
    counted,
    digits,
    heading,
    listing,
    plain,
    sentence,
    signed,
)
from remix_study.report.page_model import Block, Cell, Head, Table
from remix_study.results.comparison import Comparison
from remix_study.results.friedman import LEVEL
from remix_study.results.paired import PairedTest

Found = Sequence[tuple[Comparison, Sequence[PairedTest]]]
TITLE = "Paired tests against the baseline and against ReMix"


def tables(comparison: Comparison, tests: Sequence[PairedTest]) -> tuple[Table, ...]:
    """One table a reference: differences, and below them Holm's p-values."""
    return tuple(
        _table(comparison, reference, [test for test in tests if test.reference == reference])
        for reference in dict.fromkeys(test.reference for test in tests)
    )


def counts(found: Found) -> tuple[Block, ...]:
    """How often each row is surely better and worse, one block a kind of problem."""
    blocks = []
    for kind in dict.fromkeys(c.kind for c, tests in found if tests):
        here = [(c, tests) for c, tests in found if c.kind == kind and tests]
        if len(here) < 2:
            continue
        own = [test for _, tests in here for test in tests]
        references = list(dict.fromkeys(test.reference for test in own))
        blocks.append(
            Block(
                title=f"{TITLE}, {kind} problems",
                text=tuple(_reading(reference, own) for reference in references),
                tables=tuple(_counts(kind, reference, own) for reference in references),
                folded="How often each row is better and worse",
            )
        )
    return tuple(blocks)


def _table(comparison: Comparison, reference: str, own: Sequence[PairedTest]) -> Table:
    freedom = sorted({test.degrees_of_freedom for test in own})
    head = (Head("row"), *(Head(heading(metric)) for metric in CORE_METRICS))
    by_place = {(test.method, test.metric): test for test in own}
    strategies = {row.label: row.strategy for row in comparison.methods}
    lines = []
    for row in dict.fromkeys(test.method for test in own):
        name = Cell(row, kind="name", color=strategy_color(strategies[row]))
        cells = (_cell(by_place.get((row, metric))) for metric in CORE_METRICS)
        lines.append((name, *cells))
    caption = (
        f"Difference to {reference} on {comparison.name}, below it Holm’s p: paired corrected "
        f"resampled t test, n_test/n_train {plain(round(comparison.ratio, 2))}, "
        f"{listing([str(value) for value in freedom])} degrees of freedom; marked where p is at "
        f"most {plain(LEVEL)}"
    )
    return Table(caption, (head,), tuple(lines))


def _cell(test: PairedTest | None) -> Cell:
    if test is None:
        return Cell(MISSING, kind="")
    kind = "number"
    if test.holm_p <= LEVEL:
        kind = better_or_worse(test.metric, test.difference.mean)
    p = f"{test.holm_p:.2g}" if test.holm_p >= 1e-4 else "< 0.0001"
    return Cell(signed(test.difference.mean, digits(test.metric)), p, kind)


def _sides(own: Sequence[PairedTest], row: str, metric: str) -> tuple[int, int, int]:
    """Problems on which a row is better, worse, and all that have the test."""
    tests = [test for test in own if (test.method, test.metric) == (row, metric)]
    sure = [better_or_worse(metric, t.difference.mean) for t in tests if t.holm_p <= LEVEL]
    return sure.count("better"), sure.count("worse"), len(tests)


def _reading(reference: str, tests: Sequence[PairedTest]) -> str:
    own = [test for test in tests if test.reference == reference]
    parts = []
    for metric in PUBLISHED_METRICS:
        found = []
        for row in dict.fromkeys(test.method for test in own):
            better, worse, n = _sides(own, row, metric)
            if better or worse:
                found.append(f"{row} better on {better} and worse on {worse} of {n}")
        parts.append(f"{short_name(metric)}: {listing(found) or 'no row'}")
    return sentence(f"Told from {reference} after Holm within each problem, {'; '.join(parts)}")


def _counts(kind: str, reference: str, tests: Sequence[PairedTest]) -> Table:
    own = [test for test in tests if test.reference == reference]
    head = (Head("row"), *(Head(heading(metric)) for metric in CORE_METRICS))
    lines = []
    for row in dict.fromkeys(test.method for test in own):
        cells = [Cell(row, kind="name")]
        for metric in CORE_METRICS:
            better, worse, n = _sides(own, row, metric)
            cells.append(Cell(f"▲ {better}  ▼ {worse}", f"of {counted(n, 'problem')}"))
        lines.append(tuple(cells))
    caption = f"{kind} problems on which a row is surely better ▲ or worse ▼ than {reference}"
    return Table(caption, (head,), tuple(lines))
