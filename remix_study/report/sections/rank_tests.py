"""Tests of the ranks, as blocks of the ranks section, one a kind of problem."""

from __future__ import annotations

from collections.abc import Sequence

from remix_study.metrics import NATURAL_METRICS, PUBLISHED_METRICS, short_name
from remix_study.report.critical_difference import draw_critical_difference, lines_needed
from remix_study.report.figures import figure, render, strategy_color
from remix_study.report.formatting import (
    MISSING,
    counted,
    heading,
    listing,
    number,
    p_value,
    plain,
    sentence,
)
from remix_study.report.page_model import Block, Cell, Head, Picture, Table
from remix_study.results.rank_sums import RankTable
from remix_study.results.rank_tests import SURE, UNITS, Opponent, RankTest
from remix_study.results.significance import (
    LEAST_UNITS,
    LEVEL,
    ROPE,
    cliques,
    has_too_few_units,
    smallest_p,
)

READING = (
    "Friedman’s test asks whether the rows differ at all (Iman and Davenport’s F is less timid); "
    "mean ranks closer than Nemenyi’s critical difference, joined by a bar, are not told apart; "
    "Holm’s p-values compare each row with ReMix alone. The Bayesian signed-rank test looks at "
    "the size of the differences: it gives the probabilities that ReMix is better, worse, or "
    f"within {plain(ROPE)} of a row, which counts as equal."
)


def blocks(
    ranked: RankTable,
    tests: Sequence[RankTest],
    description: str = "one row of each strategy",
    name: str = "",
) -> tuple[Block, ...]:
    """One block a kind of problem: reading, diagrams, and the tables folded away.

    Args:
        ranked: the methods.
        tests: tests of their rankings.
        description: which methods they are, in words.
        name: part of the diagrams' file names; "" for none.
    """
    colors = {method.label: strategy_color(method.strategy) for method in ranked.methods}
    kind_blocks: list[Block] = []
    for kind in dict.fromkeys(test.ranking.kind for test in tests):
        kind_tests = [test for test in tests if test.ranking.kind == kind]
        tested = [test for test in kind_tests if test.overall is not None]
        pictures = [
            _picture("-".join(filter(None, ("ranks", name, kind))), kind, unit, unit_tests, colors)
            for unit in UNITS
            if (unit_tests := [test for test in tested if test.unit == unit])
        ]
        kind_blocks.append(
            Block(
                title=f"Tests on {kind} problems, {description}",
                text=(
                    *([READING] if tested and not kind_blocks else []),
                    *_test_lines(kind_tests),
                ),
                pictures=tuple(pictures),
                tables=tuple(_tables(kind, tested)),
                folded="The tests in numbers",
            )
        )
    return tuple(kind_blocks)


def _test_lines(tests: Sequence[RankTest]) -> list[str]:
    lines = []
    for unit in UNITS:
        unit_tests = [test for test in tests if test.unit == unit]
        if not unit_tests:
            continue
        n = unit_tests[0].n_units
        if n < LEAST_UNITS:
            lines.append(
                f"With {counted(n, unit)} no test is made by {unit}: the smallest p-value that "
                f"an exact two-sided test could give is {plain(smallest_p(n))}."
            )
            continue
        lines += [
            _test_line(test) for test in unit_tests if test.ranking.metric in PUBLISHED_METRICS
        ]
        lines.append(_natural_line(unit_tests))
        n_opponents = len(unit_tests[0].opponents)
        if n_opponents:
            lines.append(_limit_line(unit, n, n_opponents))
    if {test.unit for test in tests} == set(UNITS):
        lines.append(
            "By problem, the imbalance ratios of one data set count as independent, which they "
            "are not: those p-values are too small."
        )
    return [text for text in lines if text]


def _test_line(test: RankTest) -> str:
    assert test.overall is not None
    text = (
        f"{short_name(test.ranking.metric)} by {test.unit} ({test.n_units}): "
        f"{_difference_phrase(test.overall.f_p)}; lowest mean rank {_leaders(test)}"
    )
    if not test.opponents:
        return f"{text}."
    ahead = [r.method for r in test.opponents if r.holm_p <= LEVEL and r.is_behind]
    behind = [r.method for r in test.opponents if r.holm_p <= LEVEL and not r.is_behind]
    parts = [f"after Holm {test.remix} is ahead of {listing(ahead)}"] if ahead else []
    if behind:
        parts.append(f"{'' if ahead else 'after Holm ' + test.remix + ' is '}behind "
                     f"{listing(behind)}")  # fmt: skip
    if not parts:
        parts.append(f"after Holm {test.remix} cannot be told from any row")
    return f"{text}; {' and '.join(parts)}; {_posterior_phrase(test)}."


def _posterior_phrase(test: RankTest) -> str:
    parts = []
    for phrase, name in (
        ("better than", "better"),
        ("worse than", "worse"),
        ("equal to", "equal"),
    ):
        opponents = [r.method for r in test.opponents if getattr(r.posterior, name) > SURE]
        if opponents:
            parts.append(f"practically {phrase} {listing(opponents)}")
    if not parts:
        return f"no posterior probability exceeds {plain(SURE)}"
    return f"with a posterior probability above {plain(SURE)} it is {', '.join(parts)}"


def _natural_line(tests: Sequence[RankTest]) -> str:
    """Say who leads in the metrics at the natural class shares."""
    natural = [test for test in tests if test.ranking.metric in NATURAL_METRICS]
    if not natural:
        return ""
    parts = []
    for test in natural:
        remix_rank = ""
        if test.remix:
            mean_rank = float(test.ranking.sums[test.remix]) / test.n_units
            remix_rank = f" ({test.remix} {number(mean_rank, 2)})"
        parts.append(f"{short_name(test.ranking.metric)} {_leaders(test)}{remix_rank}")
    return sentence(
        f"Lowest mean rank by {tests[0].unit} where a shift of the prior is punished: "
        f"{'; '.join(parts)}"
    )


def _limit_line(unit: str, n: int, rivals: int) -> str:
    p = smallest_p(n)
    text = (
        f"What {counted(n, unit)} can show: the smallest two-sided p-value of an exact Wilcoxon "
        f"test is {p:.2g}, against {counted(rivals, 'row')} after Holm {min(1.0, p * rivals):.2g}"
    )
    if has_too_few_units(n, rivals):
        text += (
            ", so no single comparison could be significant in it, whatever the scores; "
            "p-values from the normal approximation of ranks that are smaller promise too much"
        )
    return sentence(text)


def _difference_phrase(p: float) -> str:
    equals = "= " if p >= 1e-4 else ""
    verb = "differ" if p <= LEVEL else "are not shown to differ"
    return f"the rows {verb} (p {equals}{p_value(p)})"


def _leaders(test: RankTest) -> str:
    least_sum = float(test.ranking.sums.min())
    names = [str(name) for name, value in test.ranking.sums.items() if value == least_sum]
    return f"{listing(names)} ({number(least_sum / test.n_units, 2)})"


def _picture(
    name: str, kind: str, unit: str, tests: Sequence[RankTest], colors: dict[str, str]
) -> Picture:
    heights = []
    for test in tests:
        assert test.overall is not None
        mean = sorted(float(value) / test.n_units for value in test.ranking.sums)
        bars = len(cliques(mean, test.overall.critical_difference))
        heights.append(lines_needed(len(mean), bars))
    with figure(5.2, 0.19 * sum(heights)) as fig:
        grid = fig.subplots(len(tests), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, test in zip(grid, tests, strict=True):
            assert test.overall is not None
            names = [str(name) for name in test.ranking.sums.index]
            draw_critical_difference(
                axes,
                names,
                [float(value) / test.n_units for value in test.ranking.sums],
                [colors[name] for name in names],
                test.overall.critical_difference,
                short_name(test.ranking.metric),
            )
        svg, png = render(fig)
    where = counted(tests[0].n_units, f"{kind} {unit}")
    return Picture(
        f"{name}-{unit.replace(' ', '-')}",
        f"Mean ranks by {unit} ({where}); rank 1 is the best, bars join rows that the critical "
        "difference (CD) does not part.",
        "Critical-difference diagrams of "
        f"{listing([short_name(t.ranking.metric) for t in tests])}, {where}.",
        svg,
        png,
    )


def _tables(kind: str, tests: Sequence[RankTest]) -> list[Table]:
    if not tests:
        return []
    head = tuple(
        Head(text) for text in ("metric", "unit", "N", "Friedman χ²", "p", "F", "p of F", "CD")
    )
    rows = []
    for test in tests:
        overall = test.overall
        assert overall is not None
        cells = (test.unit, str(overall.units), number(overall.chi2, 2), p_value(overall.p))
        f_cells = (
            number(overall.f, 2),
            p_value(overall.f_p),
            number(overall.critical_difference, 2),
        )
        rows.append((_name(test), *map(Cell, (*cells, *f_cells))))
    tables = [Table(f"Whether the rows differ on {kind} problems", (head,), tuple(rows))]
    if any(test.opponents for test in tests):
        names = list(dict.fromkeys(rival.method for test in tests for rival in test.opponents))
        head = (Head("metric"), Head("unit"), *(Head(f"{name}") for name in names))
        rows = []
        for test in tests:
            by_name = {rival.method: rival for rival in test.opponents}
            opponent_cells = tuple(_rival_cell(by_name.get(name)) for name in names)
            rows.append((_name(test), Cell(f"{test.unit} ({test.n_units})"), *opponent_cells))
        caption = (
            f"{tests[0].remix} against each row on {kind} problems: Holm’s p-value, marked where "
            f"it is at most {plain(LEVEL)}, ▲ ReMix ahead, ▼ behind; below it the posterior "
            "probabilities that ReMix is better / equal / worse"
        )
        tables.append(Table(caption, (head,), tuple(rows)))
    return tables


def _name(test: RankTest) -> Cell:
    return Cell(heading(test.ranking.metric), kind="name")


def _rival_cell(rival: Opponent | None) -> Cell:
    if rival is None:
        return Cell(MISSING, kind="")
    p = rival.posterior
    kind = "number"
    if rival.holm_p <= LEVEL:
        kind = "better" if rival.is_behind else "worse"
    chances = " / ".join(number(value, 2) for value in (p.better, p.equal, p.worse))
    return Cell(p_value(rival.holm_p), chances, kind)
