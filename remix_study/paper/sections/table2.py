"""Table 2 of the paper beside our rank sums, and what its own sums tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from remix_study.metrics import short_name
from remix_study.paper.published import PROBLEMS, RANK_SUMS, same_problems
from remix_study.report.figures import strategy_color
from remix_study.report.formatting import listing, number, plain
from remix_study.report.page_model import Block, Cell, Head, Table
from remix_study.report.registry import ReferenceRanks
from remix_study.results.comparison import Comparison
from remix_study.results.friedman import against_control, friedman_test
from remix_study.results.rank_sums import PUBLISHED, RankTable

NAMES = tuple(name if alpha is None else f"{name} ({plain(alpha)})" for name, alpha in PUBLISHED)


def beside(five: RankTable, usable: Sequence[Comparison]) -> dict[tuple[str, str, str], float]:
    """(kind, metric, row) -> the published rank sum, where it can stand beside ours.

    That is where all five rows were ranked on the paper's own problems of a kind.
    """
    found = {}
    for ranking in five.rankings:
        key = (ranking.kind, ranking.metric)
        if same_problems(ranking.kind, usable) and set(ranking.sums.index) == set(NAMES):
            for name, value in zip(NAMES, RANK_SUMS[key], strict=True):
                found[*key, name] = value
    return found


def block() -> Block:
    """The published table for reference, folded away, with the tests that its sums allow."""
    keys = list(RANK_SUMS)
    head = (
        Head("row"),
        *(
            Head(f"{kind}, {short_name(metric)}", f"{len(PROBLEMS[kind])} problems")
            for kind, metric in keys
        ),
    )
    rows = tuple(
        (
            Cell(name, kind="name", color=strategy_color(PUBLISHED[at][0])),
            *(
                Cell(
                    plain(RANK_SUMS[key][at]),
                    kind="best" if RANK_SUMS[key][at] == min(RANK_SUMS[key]) else "number",
                )
                for key in keys
            ),
        )
        for at, name in enumerate(NAMES)
    )
    lines, refused = [], []
    for kind, metric in keys:
        sums, n = RANK_SUMS[kind, metric], len(PROBLEMS[kind])
        name = Cell(f"{kind}, {short_name(metric)}", kind="name")
        try:
            found = friedman_test(sums, n)
            against = against_control(sums, n, len(sums) - 1)[:-1]
        except ValueError as error:
            refused.append(f"{kind} {short_name(metric)}: {error}")
            lines.append((name, *(Cell("refused", kind="") for _ in range(3 + len(NAMES) - 1))))
            continue
        cells = (number(found.chi2, 2), f"{found.p:.1g}", number(found.critical_difference, 3))
        adjusted = (f"{float(p):.2g}" for p in np.asarray(against))
        lines.append((name, *map(Cell, (*cells, *adjusted))))
    total = (
        Cell("total", kind="name"),
        *(Cell(plain(float(sum(RANK_SUMS[key])))) for key in keys),
    )
    tests = (
        Head("column"),
        *(Head(text) for text in ("Friedman χ²", "p", "CD")),
        *(Head(f"Holm p against {name}") for name in NAMES[:-1]),
    )
    return Block(
        text=(
            "Table 2 as it was printed follows for reference; its problems are not independent, "
            f"so its p-values are too small. No test is made on {listing(refused)}.",
        ),
        tables=(
            Table("Published rank sums (Table 2)", (head,), rows, (total,)),
            Table("What the published sums tell, without a correction for ties", (tests,),
                  tuple(lines)),
        ),
        folded="Table 2 of the paper",
    )  # fmt: skip


TABLE2 = ReferenceRanks("paper", beside, block)
"""Table 2 for the section on ranks."""
