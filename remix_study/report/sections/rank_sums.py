"""The ranks section: the published five methods in the paper's layout, then all methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from remix_study.metrics import NATURAL_METRICS, short_name
from remix_study.report.formatting import counted, number, plain
from remix_study.report.page_model import Block, Cell, Head, Section, Table, fold
from remix_study.report.page_tables import ABSENT, Column, line_table, method_cell
from remix_study.report.sections.rank_tests import blocks_of_tests
from remix_study.report.sentences import SENTENCES
from remix_study.results import rank_sums, rank_tests
from remix_study.results.comparison import Comparison
from remix_study.results.methods import PUBLISHED, Method
from remix_study.results.problem_choice import rankable
from remix_study.results.rank_sums import IncompleteMethod, Ranking, RankTable, published_ranks

Details = Mapping[tuple[str, str, str], str]
"""(kind, metric, method) -> the small line below a rank sum."""


@dataclass(frozen=True)
class ReferenceRanks:
    """Rank sums that were published elsewhere, for the section on ranks.

    Attributes:
        name: what a cell calls them, such as "paper".
        beside: (ranks of the published five, their problems) -> (kind, metric, method) -> the
            published rank sum; empty where it cannot stand beside ours.
        block: makes the published table as a block of the section.
    """

    name: str
    beside: Callable[[RankTable, Sequence[Comparison]], Mapping[tuple[str, str, str], float]]
    block: Callable[[], Block]


TITLE = "Rank sums"
FEWEST_PROBLEMS = 4
"""With fewer problems rank sums show little, and their section is folded."""


def sections(
    comparisons: Sequence[Comparison], reference: ReferenceRanks | None = None
) -> tuple[Section, ...]:
    """The section of the page; of a single problem the files alone."""
    usable, _ = rankable(comparisons)
    ranks = section(comparisons, reference)
    return (ranks if len(usable) > 1 else replace(ranks, blocks=()),)


def section(comparisons: Sequence[Comparison], reference: ReferenceRanks | None = None) -> Section:
    """The section with the five published methods first, then all."""
    usable, notes = rankable(comparisons)
    lead = SENTENCES.text("ranks.lead", len(usable), FEWEST_PROBLEMS)
    blocks = [Block(text=SENTENCES.paragraphs("ranks.problem_notes", notes))] if notes else []
    if not usable:
        return Section("ranks", TITLE, lead, tuple(blocks))
    five, natural = published_ranks(usable), published_ranks(usable, NATURAL_METRICS)
    strategies, every_row = rank_sums.strategy_ranks(usable), rank_sums.all_ranks(usable)
    tests = {
        "published five": (
            *rank_tests.rank_tests(five, usable),
            *rank_tests.rank_tests(natural, usable),
        ),
        "one method of each strategy": rank_tests.rank_tests(strategies, usable),
    }
    files = {
        "rank-tests": rank_tests.table(tests),
        "rank-tests-remix": rank_tests.table_of_opponents(tests),
        "ranks": rank_sums.table(every_row),
        "ranks-by-problem": rank_sums.table_by_problem(every_row),
    }
    blocks.append(_published_block(five, natural, usable, reference))
    if five.rankings:
        files["ranks-published"] = rank_sums.published_layout(five)
        files["ranks-published-natural"] = rank_sums.published_layout(natural)
        if reference is not None:
            blocks.append(reference.block())
        if {m.label for m in five.methods} != {m.label for m in strategies.methods}:
            of_five = blocks_of_tests(five, tests["published five"], "the published five", "five")
            blocks += map(fold, of_five)
    blocks += map(fold, blocks_of_tests(strategies, tests["one method of each strategy"]))
    if every_row.rankings:
        blocks.append(fold(_all_methods_block(every_row)))
    is_folded = len(usable) < FEWEST_PROBLEMS
    return Section("ranks", TITLE, lead, tuple(blocks), files, is_folded=is_folded)


def incomplete_methods(methods: Sequence[IncompleteMethod]) -> tuple[str, ...]:
    """Say which methods are left out of a ranking and why, one sentence a method."""
    return SENTENCES.paragraphs("ranks.incomplete", methods)


def _published_block(
    five: RankTable,
    natural: RankTable,
    usable: Sequence[Comparison],
    reference: ReferenceRanks | None,
) -> Block:
    present = {(method.strategy, method.alpha) for c in usable for method in c.methods}
    datasets = {kind: [c.dataset for c in usable if c.kind == kind] for kind in five.by_kind}
    text = SENTENCES.paragraphs(
        "ranks.published",
        five,
        absent=[method for method in PUBLISHED if method not in present],
        sizes=[(kind, len(names), len(set(names))) for kind, names in datasets.items()],
    )
    tables: tuple[Table, ...] = ()
    if five.rankings:
        sums = reference.beside(five, usable) if reference else {}
        details = {key: f"{reference.name} {plain(v)}" for key, v in sums.items() if reference}
        caption = SENTENCES.phrase("ranks.published_caption", bool(details))
        natural_caption = "The same methods where a shift of the prior is punished"
        tables = (
            _sums_table(five, caption, details, with_kinds=True),
            _sums_table(natural, natural_caption, with_kinds=True),
        )
    return Block(title="The published five", text=text, tables=tables)


def _all_methods_block(ranked: RankTable) -> Block:
    tables = []
    for kind, rankings in ranked.by_kind.items():
        n = counted(len(rankings[0].ranks), f"{kind} problem")
        caption = f"Rank sums of all methods on {n}, mean rank below"
        details = {
            (kind, ranking.metric, str(label)): number(rank, 2)
            for ranking in rankings
            for label, rank in ranking.mean_ranks.items()
        }
        methods = tuple(m for m in ranked.methods if m.label in rankings[0].sums)
        kind_ranks = replace(ranked, methods=methods, rankings=tuple(rankings))
        tables.append(_sums_table(kind_ranks, caption, details))
    text = SENTENCES.paragraphs("ranks.all_methods", ranked.incomplete)
    return Block(title="All methods", text=text, tables=tuple(tables))


def _sums_table(
    ranked: RankTable, caption: str, details: Details | None = None, *, with_kinds: bool = False
) -> Table:
    """Rank sums of each method, and the total with its formula; kinds may stand above columns."""

    def column(ranking: Ranking) -> Column[Method]:
        return Column(
            short_name(ranking.metric), lambda method: _sum_cell(ranking, method, details or {})
        )

    totals = [Cell("total", "N k (k + 1) / 2", kind="name")]
    for ranking in ranked.rankings:
        n, k = ranking.ranks.shape
        totals.append(Cell(plain(float(ranking.sums.sum())), f"{n} × {k} × {k + 1} / 2"))
    columns = [Column[Method]("method", method_cell), *map(column, ranked.rankings)]
    kinds = [
        Head(kind, counted(len(rankings[0].ranks), "problem"), len(rankings))
        for kind, rankings in ranked.by_kind.items()
    ]
    groups = (Head(""), *kinds) if with_kinds else ()
    return line_table(caption, ranked.methods, columns, groups=groups, foot=totals)


def _sum_cell(ranking: Ranking, method: Method, details: Details) -> Cell:
    if method.label not in ranking.sums:
        return ABSENT
    value = float(ranking.sums[method.label])
    detail = details.get((ranking.kind, ranking.metric, method.label), "")
    return Cell(plain(value), detail, "best" if value == ranking.sums.min() else "number")
