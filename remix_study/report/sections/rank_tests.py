"""Tests of the ranks, as blocks of the ranks section, one a kind of problem."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from matplotlib.axes import Axes

from remix_study.metrics import short_name
from remix_study.report.figures import INK, Picture, figure, picture_of, strategy_color
from remix_study.report.formatting import counted, heading, listing, number, p_value
from remix_study.report.page_model import Block, Cell, Table
from remix_study.report.page_tables import ABSENT, Column, line_table
from remix_study.report.sentences import SENTENCES
from remix_study.results.columns import grouped
from remix_study.results.rank_sums import RankTable
from remix_study.results.rank_tests import SURE, RankTest
from remix_study.results.significance import LEVEL, ROPE, cliques

Tests = Sequence[RankTest]

MOST_IN_DIAGRAM = 15
"""With more methods than this a diagram cannot be read; the tables have all."""

# Heights of a diagram in lines of text, downwards from the axis.
_FIRST_BAR = 0.55
_BAR_STEP = 0.34
_LINE = 0.8


def blocks_of_tests(
    ranked: RankTable,
    tests: Tests,
    description: str = "one method of each strategy",
    name: str = "",
) -> list[Block]:
    """One block a kind of problem: reading, diagrams, and the tables folded away.

    The description says which methods are tested, the name is part of the diagrams' file names.
    """
    colors = {method.label: strategy_color(method.strategy) for method in ranked.methods}
    blocks: list[Block] = []
    for kind, kind_tests in grouped(tests, lambda test: test.ranking.kind).items():
        tested = [test for test in kind_tests if test.overall is not None]
        reading = SENTENCES.paragraphs("ranks.reading", ROPE) if tested and not blocks else ()
        lines = SENTENCES.paragraphs("ranks.tests", _by_unit(kind_tests), SURE)
        file_name = "-".join(filter(None, ("ranks", name, kind)))
        blocks.append(
            Block(
                title=f"Tests on {kind} problems, {description}",
                text=(*reading, *lines),
                pictures=tuple(
                    _picture(file_name, unit_tests, colors)
                    for unit_tests in _by_unit(tested).values()
                    if len(unit_tests[0].ranking.mean_ranks) <= MOST_IN_DIAGRAM
                ),
                tables=tuple(_tables(kind, tested)),
                folded="The tests in numbers",
            )
        )
    return blocks


def _by_unit(tests: Tests) -> dict[str, list[RankTest]]:
    return grouped(tests, lambda test: test.unit)


def _tables(kind: str, tests: Tests) -> list[Table]:
    if not tests:
        return []
    metric = Column[RankTest]("metric", lambda test: heading(test.ranking.metric))
    two_digits = partial(number, digits=2)

    def column(head: str, field: str, text: Callable[[Any], str]) -> Column[RankTest]:
        return Column(head, lambda test: text(getattr(test.overall, field)))

    columns = [
        column("N", "units", str),
        column("Friedman χ²", "chi2", two_digits),
        column("p", "p", p_value),
        column("F", "f", two_digits),
        column("p of F", "f_p", p_value),
        column("CD", "critical_difference", two_digits),
    ]
    unit = Column[RankTest]("unit", lambda test: test.unit)
    tables = [
        line_table(
            f"Whether the methods differ on {kind} problems", tests, (metric, unit, *columns)
        )
    ]
    rivals = list(dict.fromkeys(rival.method for test in tests for rival in test.opponents))
    if rivals:
        caption = SENTENCES.phrase("ranks.opponents_caption", tests[0].remix, kind, LEVEL)
        unit = Column("unit", lambda test: f"{test.unit} ({test.n_units})")
        columns = [Column(rival, partial(_rival_cell, rival)) for rival in rivals]
        tables.append(line_table(caption, tests, (metric, unit, *columns)))
    return tables


def _rival_cell(method: str, test: RankTest) -> Cell:
    rival = next((rival for rival in test.opponents if rival.method == method), None)
    if rival is None:
        return ABSENT
    p = rival.posterior
    chances = " / ".join(number(value, 2) for value in (p.better, p.equal, p.worse))
    kind = "number" if rival.relation == "unclear" else rival.relation
    return Cell(p_value(rival.holm_p), chances, kind)


def _picture(name: str, tests: Tests, colors: Mapping[str, str]) -> Picture:
    """Critical-difference diagrams of the tests with one unit, one a metric."""
    first = tests[0]
    heights = [_diagram_height(test) for test in tests]
    # Long names stand on both sides of a diagram.
    longest = max(len(str(label)) for test in tests for label in test.ranking.mean_ranks.index)
    with figure(max(5.2, 2.5 + 0.14 * longest), 0.19 * sum(heights)) as fig:
        grid = fig.subplots(len(tests), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, test in zip(grid, tests, strict=True):
            draw_critical_difference(axes, test, colors)
    units = counted(first.n_units, f"{first.ranking.kind} {first.unit}")
    metrics = listing([short_name(test.ranking.metric) for test in tests])
    return picture_of(
        fig,
        f"{name}-{first.unit.replace(' ', '-')}",
        f"Critical-difference diagrams of {metrics}, {units}.",
        caption=SENTENCES.phrase("ranks.diagram_caption", first.unit, units),
    )


def _critical_difference(test: RankTest) -> float:
    assert test.overall is not None
    return test.overall.critical_difference


def _diagram_height(test: RankTest) -> float:
    """In lines of text."""
    mean_ranks = sorted(test.ranking.mean_ranks)
    bars = cliques(mean_ranks, _critical_difference(test))
    return 2.6 + _first_label(len(bars)) + _LINE * ((len(mean_ranks) + 1) // 2)


def _first_label(bars: int) -> float:
    return _FIRST_BAR + _BAR_STEP * bars + 0.45


def draw_critical_difference(axes: Axes, test: RankTest, colors: Mapping[str, str]) -> None:
    """Draw the methods on an axis of mean ranks, rank 1 on the left, and bars over equals.

    The critical difference is drawn to scale above the axis.
    """
    by_label = {str(label): float(rank) for label, rank in test.ranking.mean_ranks.items()}
    labels = sorted(by_label, key=lambda label: (by_label[label], label))
    ranks = [by_label[label] for label in labels]
    k, distance = len(labels), _critical_difference(test)
    bars = cliques(ranks, distance)
    axes.plot([1, k], [0, 0], color=INK, lw=0.9)
    for tick in range(1, k + 1):
        axes.plot([tick, tick], [0, -0.22], color=INK, lw=0.9)
        # Numbers of two digits would run into each other.
        if k < 10 or tick % 2:
            axes.text(tick, -0.32, str(tick), ha="center", va="bottom", fontsize=8)
    reach = min(distance, k - 1.0)
    axes.plot([1, 1 + reach], [-1.45, -1.45], color=INK, lw=0.9)
    for end in (1.0, 1 + reach):
        axes.plot([end, end], [-1.57, -1.33], color=INK, lw=0.9)
    note = " (longer than the axis)" if distance > reach else ""
    title = f"{short_name(test.ranking.metric)}, CD {number(distance, 2)}{note}"
    axes.text(1, -1.7, title, ha="left", va="bottom")
    for level, (first_member, last_member) in enumerate(bars):
        height = _FIRST_BAR + _BAR_STEP * level
        ends = [ranks[first_member] - 0.05, ranks[last_member] + 0.05]
        axes.plot(ends, [height, height], color=INK, lw=2.4, solid_capstyle="round")
    left, margin = (k + 1) // 2, 0.12 * (k - 1)
    for place, (label, rank) in enumerate(zip(labels, ranks, strict=True)):
        is_left = place < left
        height = _first_label(len(bars)) + _LINE * (place if is_left else k - 1 - place)
        end = 1 - margin if is_left else k + margin
        axes.plot([rank, rank, end], [0, height, height], color=colors[label], lw=1.1)
        axes.plot(rank, 0, marker="o", markersize=4, color=colors[label], zorder=3)
        axes.text(
            end + (-0.04 if is_left else 0.04) * (k - 1),
            height,
            f"{label} {number(rank, 2)}",
            ha="right" if is_left else "left",
            va="center",
            fontsize=8.5,
        )
    axes.set_xlim(1 - 0.75 * (k - 1), k + 0.75 * (k - 1))
    axes.set_ylim(_first_label(len(bars)) + _LINE * left, -2.6)
    axes.set_axis_off()
