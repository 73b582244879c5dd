"""Table 2 of the paper beside the rank sums of a study, and the tests that its sums allow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from remix_study.metrics import short_name
from remix_study.paper.published import METHODS, PROBLEMS, RANK_SUMS, STRATEGIES, has_same_problems
from remix_study.report.figures import strategy_color
from remix_study.report.formatting import listing, number, plain
from remix_study.report.page_model import Block, Cell, Head, Table
from remix_study.report.sections.rank_sums import ReferenceRanks
from remix_study.results.comparison import Comparison
from remix_study.results.rank_sums import RankTable
from remix_study.results.significance import against_control, friedman_test


def beside(five: RankTable, usable: Sequence[Comparison]) -> dict[tuple[str, str, str], float]:
    """(kind, metric, method) -> the published rank sum, if it can be compared.

    It can if all five methods were ranked on exactly the paper's problems of the kind.
    """
    sums = {}
    for ranking in five.rankings:
        key = (ranking.kind, ranking.metric)
        if has_same_problems(ranking.kind, usable) and set(ranking.sums.index) == set(METHODS):
            for name, value in zip(METHODS, RANK_SUMS[key], strict=True):
                sums[*key, name] = value
    return sums


def block() -> Block:
    """The published table as a folded block, with the tests that its sums allow."""
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
            Cell(name, kind="name", color=strategy_color(STRATEGIES[place])),
            *(
                Cell(
                    plain(RANK_SUMS[key][place]),
                    kind="best" if RANK_SUMS[key][place] == min(RANK_SUMS[key]) else "number",
                )
                for key in keys
            ),
        )
        for place, name in enumerate(METHODS)
    )
    test_rows, refusals = [], []
    for kind, metric in keys:
        sums, n = RANK_SUMS[kind, metric], len(PROBLEMS[kind])
        name = Cell(f"{kind}, {short_name(metric)}", kind="name")
        try:
            test = friedman_test(sums, n)
            p_values = against_control(sums, n, len(sums) - 1)[:-1]
        except ValueError as error:
            refusals.append(f"{kind} {short_name(metric)}: {error}")
            test_rows.append(
                (name, *(Cell("refused", kind="") for _ in range(3 + len(METHODS) - 1)))
            )
            continue
        cells = (number(test.chi2, 2), f"{test.p:.1g}", number(test.critical_difference, 3))
        adjusted = (f"{float(p):.2g}" for p in np.asarray(p_values))
        test_rows.append((name, *map(Cell, (*cells, *adjusted))))
    total = (
        Cell("total", kind="name"),
        *(Cell(plain(float(sum(RANK_SUMS[key])))) for key in keys),
    )
    tests = (
        Head("column"),
        *(Head(text) for text in ("Friedman χ²", "p", "CD")),
        *(Head(f"Holm p against {name}") for name in METHODS[:-1]),
    )
    return Block(
        text=(
            "Table 2 as it was printed follows for reference; its problems are not independent, "
            f"so its p-values are too small. No test is made on {listing(refusals)}.",
        ),
        tables=(
            Table("Published rank sums (Table 2)", (head,), rows, (total,)),
            Table("What the published sums tell, without a correction for ties", (tests,),
                  tuple(test_rows)),
        ),
        folded="Table 2 of the paper",
    )  # fmt: skip


TABLE2 = ReferenceRanks("paper", beside, block)
"""Table 2 for the section on ranks."""
