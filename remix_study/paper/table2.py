"""Table 2 of Bellinger, Corizzo and Japkowicz as it was printed, beside the rank sums of a study.

The column of the binary balanced Brier score adds up to 268, which no ranking of 18 problems and
five methods with average ties can give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from remix_study.metrics import short_name
from remix_study.paper import SENTENCES
from remix_study.report.figures import strategy_color
from remix_study.report.formatting import number, plain
from remix_study.report.page_model import Block, Cell, Head, Table
from remix_study.report.page_tables import Column, line_table
from remix_study.report.sections.rank_sums import ReferenceRanks
from remix_study.results.comparison import Comparison
from remix_study.results.methods import PUBLISHED
from remix_study.results.rank_sums import RankTable
from remix_study.results.significance import against_control, friedman_test

STRATEGIES = tuple(strategy for strategy, _ in PUBLISHED)
"""Strategies of the five published methods, in the order of Table 2."""

METHODS = tuple(name if alpha is None else f"{name} ({alpha:g})" for name, alpha in PUBLISHED)
"""Labels of the five published methods, in the order of Table 2."""

REMIX = METHODS[-1]  # Label of ReMix at the published alpha

RANK_SUMS: Mapping[tuple[str, str], tuple[float, ...]] = {
    ("binary", "g_mean"): (65, 70, 36, 77, 22),
    ("binary", "bbs"): (63, 66, 54, 63, 22),
    ("multi-class", "g_mean"): (31, 28, 24, 40, 12),
    ("multi-class", "bbs"): (38, 36, 30, 22, 9),
}
"""(kind, metric) -> the printed rank sums, in the order of `STRATEGIES`."""

PROBLEMS: Mapping[str, frozenset[tuple[str, float]]] = {
    "binary": frozenset(
        (dataset, ratio)
        for dataset, ratios in {
            "musk": (0.05, 0.025, 0.01),
            "segment": (0.05, 0.025, 0.01),
            "satimage": (0.05, 0.025, 0.01),
            "seizure": (0.05, 0.025, 0.01),
            "coil2000": (0.05, 0.025, 0.01),
            "ozone": (0.025, 0.01),
            "aps": (0.01,),
        }.items()
        for ratio in ratios
    ),
    "multi-class": frozenset(product(("seizure", "optdigits", "satimage"), (0.25, 0.1, 0.05))),
}
"""Kind -> its problems in Table 1, as (data set, imbalance ratio)."""


def problem_key(comparison: Comparison) -> tuple[str, float]:
    """The (data set, imbalance ratio) of a problem, as `PROBLEMS` has it."""
    return str(comparison.info["dataset"]), comparison.imbalance


def is_published(comparison: Comparison) -> bool:
    """Whether the problem is one of the paper's Table 1."""
    return problem_key(comparison) in PROBLEMS.get(comparison.kind, ())


def has_same_problems(kind: str, comparisons: Sequence[Comparison]) -> bool:
    """Whether the problems of a kind are exactly those of the paper."""
    keys = [problem_key(comparison) for comparison in comparisons if comparison.kind == kind]
    return len(keys) == len(PROBLEMS[kind]) and set(keys) == PROBLEMS[kind]


TEST_HEADS = ("column", "Friedman χ²", "p", "CD", *(f"Holm p against {m}" for m in METHODS[:-1]))


def beside(five: RankTable, usable: Sequence[Comparison]) -> dict[tuple[str, str, str], float]:
    """(kind, metric, method) -> the published rank sum, if it can be compared.

    It can if all five methods were ranked on exactly the paper's problems of the kind.
    """
    return {
        (ranking.kind, ranking.metric, name): value
        for ranking in five.rankings
        if has_same_problems(ranking.kind, usable) and set(ranking.sums.index) == set(METHODS)
        for name, value in zip(METHODS, RANK_SUMS[ranking.kind, ranking.metric], strict=True)
    }


def block() -> Block:
    """The published table as a folded block, with the tests that its sums allow."""
    lines, refusals = [], []
    for kind, metric in RANK_SUMS:
        try:
            lines.append(_test_cells(kind, metric))
        except ValueError as error:
            refused = [Cell("refused", kind="")] * (len(TEST_HEADS) - 1)
            lines.append((_name(kind, metric), *refused))
            refusals.append(f"{kind} {short_name(metric)}: {error}")
    caption = "What the published sums tell, without a correction for ties"
    tests = Table(caption, (tuple(map(Head, TEST_HEADS)),), tuple(lines))
    text = SENTENCES.paragraphs("table2.block", refusals)
    return Block(text=text, tables=(_rank_sums(), tests), folded="Table 2 of the paper")


def _rank_sums() -> Table:
    def column(kind: str, metric: str) -> Column[int]:
        sums = RANK_SUMS[kind, metric]
        return Column(
            Head(f"{kind}, {short_name(metric)}", f"{len(PROBLEMS[kind])} problems"),
            lambda place: Cell(
                plain(sums[place]), kind="best" if sums[place] == min(sums) else "number"
            ),
        )

    def name(place: int) -> Cell:
        return Cell(METHODS[place], kind="name", color=strategy_color(STRATEGIES[place]))

    columns = (Column("method", name), *(column(*key) for key in RANK_SUMS))
    totals = [Cell(plain(sum(sums))) for sums in RANK_SUMS.values()]
    foot = (Cell("total", kind="name"), *totals)
    return line_table("Published rank sums (Table 2)", range(len(METHODS)), columns, foot=foot)


def _name(kind: str, metric: str) -> Cell:
    return Cell(f"{kind}, {short_name(metric)}", kind="name")


def _test_cells(kind: str, metric: str) -> tuple[Cell, ...]:
    sums, n = RANK_SUMS[kind, metric], len(PROBLEMS[kind])
    test, p_values = friedman_test(sums, n), against_control(sums, n, len(sums) - 1)[:-1]
    numbers = (number(test.chi2, 2), f"{test.p:.1g}", number(test.critical_difference, 3))
    return (_name(kind, metric), *map(Cell, (*numbers, *(f"{float(p):.2g}" for p in p_values))))


TABLE2 = ReferenceRanks("paper", beside, block)  # Table 2 for the section on ranks
