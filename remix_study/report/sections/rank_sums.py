"""The ranks section: the published five methods in the paper's layout, then all methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from remix_study.metrics import NATURAL_METRICS, short_name
from remix_study.report.figures import (
    strategy_color,
)
from remix_study.report.formatting import (
    MISSING,
    counted,
    first_names,
    listing,
    number,
    plain,
    sentence,
)
from remix_study.report.page_model import Block, Cell, Head, Section, Table
from remix_study.report.sections import rank_tests as rank_test_blocks
from remix_study.results.comparison import Comparison
from remix_study.results.methods import PUBLISHED, Method
from remix_study.results.problem_choice import (
    NO_TRIALS,
    SEARCHED,
    SEVERAL_STUDIES,
    VARIANT,
    ProblemNote,
    rankable,
)
from remix_study.results.rank_sums import (
    KINDS,
    IncompleteMethod,
    Ranking,
    RankTable,
    all_ranks,
    published_layout,
    published_ranks,
    strategy_ranks,
    table,
    table_by_problem,
)
from remix_study.results.rank_tests import rank_tests, table_of_opponents
from remix_study.results.rank_tests import table as table_of_tests

MOST_NAMES = 4
"""A sentence on problems names this many of them."""

Details = Mapping[tuple[str, str, str], str]
"""(kind, metric, method) -> the small line below a rank sum."""

LEAD = (
    "Each row is ranked on each problem by its mean test score over the folds: rank 1 is the "
    "best, ties share the average rank. A low rank sum is good. A row is a strategy at one fixed "
    "alpha, never the best of its grid."
)


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


def section(comparisons: Sequence[Comparison], reference: ReferenceRanks | None = None) -> Section:
    """The section of the page with the five published methods first, then all.

    Args:
        comparisons: problems of the main studies.
        reference: published rank sums, shown beside those of the five and as a block.
    """
    usable, notes = rankable(comparisons)
    blocks: list[Block] = []
    if notes:
        blocks.append(Block(text=problem_notes(notes)))
    if not usable:
        return Section("ranks", "Ranks", LEAD, tuple(blocks))
    published_five, one_a_strategy, all_methods = (
        published_ranks(usable),
        strategy_ranks(usable),
        all_ranks(usable),
    )
    natural = published_ranks(usable, NATURAL_METRICS)
    tests = {
        "published five": (*rank_tests(published_five, usable), *rank_tests(natural, usable)),
        "one row of each strategy": rank_tests(one_a_strategy, usable),
    }
    files: dict[str, pd.DataFrame] = {}
    blocks.append(_published_block(published_five, natural, usable, reference))
    if published_five.rankings:
        files |= {
            "ranks-published": published_layout(published_five),
            "ranks-published-natural": published_layout(natural),
        }
        if reference is not None:
            blocks.append(reference.block())
        if {method.label for method in published_five.methods} != {
            method.label for method in one_a_strategy.methods
        }:
            blocks += rank_test_blocks.blocks(
                published_five,
                tests["published five"],
                description="the published five",
                name="five",
            )
    blocks += rank_test_blocks.blocks(one_a_strategy, tests["one row of each strategy"])
    for name, frame in (
        ("rank-tests", table_of_tests(tests)),
        ("rank-tests-remix", table_of_opponents(tests)),
    ):
        if len(frame):
            files[name] = frame
    if all_methods.rankings:
        kinds = [
            (
                replace(all_methods, rankings=rankings),
                f"Rank sums of all rows on {counted(len(rankings[0].ranks), f'{kind} problem')}, "
                "mean rank below",
            )
            for kind in KINDS
            if (rankings := tuple(r for r in all_methods.rankings if r.kind == kind))
        ]
        blocks.append(
            Block(
                title="All rows",
                text=(
                    *incomplete_methods(all_methods.incomplete),
                    "A rank sum depends on which rows compete: many alphas of one strategy push "
                    "each other and the rest apart. Read it beside the table of the published "
                    "five.",
                ),
                tables=tuple(
                    _page_table(table_ranks, caption, mean=True, grouped=False)
                    for table_ranks, caption in kinds
                ),
            )
        )
        files |= {"ranks": table(all_methods), "ranks-by-problem": table_by_problem(all_methods)}
    return Section("ranks", "Ranks", LEAD, tuple(blocks), files)


def problem_notes(notes: Sequence[ProblemNote]) -> tuple[str, ...]:
    """Say which problems are not ranked and why, one sentence a note."""
    return tuple(_problem_note(note) for note in notes)


def _problem_note(note: ProblemNote) -> str:
    if note.reason == SEVERAL_STUDIES:
        verb = "is" if len(note.problems) == 1 else "are"
        names = listing(first_names(note.problems, MOST_NAMES))
        return f"{names} {verb} in more than one study; ranked from {note.study}."
    reasons = {
        SEARCHED: "Optuna chose the points, so no row stands at one fixed alpha on every problem",
        VARIANT: "rows drawn or split otherwise, compared under robustness",
        NO_TRIALS: "no point is complete yet",
    }
    return f"{listing(note.problems)}: {reasons[note.reason]}; not ranked."


def incomplete_methods(methods: Sequence[IncompleteMethod]) -> tuple[str, ...]:
    """Say which methods are left out of a ranking and why, one sentence a method."""
    return tuple(_incomplete_method(method) for method in methods)


def _incomplete_method(method: IncompleteMethod) -> str:
    if method.absent:
        why = f"it was not run on {listing(first_names(method.absent, MOST_NAMES))}"
    else:
        partial = [
            f"{p.missing} of {counted(p.planned, 'fold')} of {p.problem}" for p in method.partial
        ]
        why = f"it has no score in {listing(partial)}"
    return f"{method.kind} problems: {method.method} is left out, {why}."


def _published_block(
    published_five: RankTable,
    natural: RankTable,
    usable: Sequence[Comparison],
    reference: ReferenceRanks | None,
) -> Block:
    text = list(incomplete_methods(published_five.incomplete))
    present = {(method.strategy, method.alpha) for c in usable for method in c.methods}
    absent = [_published_name(*method) for method in PUBLISHED if method not in present]
    if absent:
        text.insert(
            0,
            f"Of the five published rows this study has no {listing(absent)}; "
            "the others are ranked alone.",
        )
    if not published_five.rankings:
        text.append("Fewer than two of the five published rows are complete: nothing to rank.")
        return Block(title="The published five", text=tuple(text))
    text += _size_lines(published_five, usable)
    caption = "Rank sums, the layout of Table 2 of the paper"
    details = _reference_details(reference, published_five, usable) if reference else {}
    if details:
        caption += ", below each the published one"
    return Block(
        title="The published five",
        text=tuple(text),
        tables=(
            _page_table(published_five, caption, mean=False, details=details),
            _page_table(
                natural, "The same rows where a shift of the prior is punished", mean=False
            ),
        ),
    )


def _reference_details(
    reference: ReferenceRanks, published_five: RankTable, usable: Sequence[Comparison]
) -> Details:
    sums = reference.beside(published_five, usable)
    return {key: f"{reference.name} {plain(value)}" for key, value in sums.items()}


def _published_name(strategy: str, alpha: float | None) -> str:
    return strategy if alpha is None else f"{strategy} ({plain(alpha)})"


def _size_lines(ranked: RankTable, usable: Sequence[Comparison]) -> tuple[str, ...]:
    sentences = []
    for kind in dict.fromkeys(ranking.kind for ranking in ranked.rankings):
        problems = [c for c in usable if c.kind == kind]
        datasets = {str(c.info["dataset"]) for c in problems}
        text = (
            f"{kind}: {counted(len(problems), 'problem')} from "
            f"{counted(len(datasets), 'data set')}"
        )
        if len(problems) == 1:
            text += ", so a rank sum is no more than one order"
        elif len(datasets) < len(problems):
            text += "; problems made from one data set are not independent of each other"
        sentences.append(sentence(text))
    return tuple(sentences)


def _page_table(
    ranked: RankTable,
    caption: str,
    *,
    mean: bool,
    grouped: bool = True,
    details: Details | None = None,
) -> Table:
    kinds = list(dict.fromkeys(ranking.kind for ranking in ranked.rankings))
    by_kind = {kind: [r for r in ranked.rankings if r.kind == kind] for kind in kinds}
    groups = [
        Head(kind, counted(len(by_kind[kind][0].ranks), "problem"), len(by_kind[kind]))
        for kind in kinds
    ]
    metrics = [Head(short_name(r.metric)) for kind in kinds for r in by_kind[kind]]
    rows = []
    for method in ranked.methods:
        if all(method.label not in ranking.sums for ranking in ranked.rankings):
            continue
        cells = [Cell(method.label, kind="name", color=strategy_color(method.strategy))]
        for kind in kinds:
            cells += [
                _sum_cell(r, method, mean=mean, details=details or {}) for r in by_kind[kind]
            ]
        rows.append(tuple(cells))
    total = [Cell("total", "N k (k + 1) / 2", kind="name")]
    for kind in kinds:
        for ranking in by_kind[kind]:
            n, k = ranking.ranks.shape
            total.append(Cell(plain(float(ranking.sums.sum())), f"{n} × {k} × {k + 1} / 2"))
    return Table(
        caption,
        (*([(Head(""), *groups)] if grouped else []), (Head("row"), *metrics)),
        tuple(rows),
        (tuple(total),),
    )


def _sum_cell(ranking: Ranking, method: Method, *, mean: bool, details: Details) -> Cell:
    if method.label not in ranking.sums:
        return Cell(MISSING, kind="")
    value = float(ranking.sums[method.label])
    is_best = value == ranking.sums.min()
    mean_rank = number(value / len(ranking.ranks), 2) if mean else ""
    detail = details.get((ranking.kind, ranking.metric, method.label), mean_rank)
    return Cell(plain(value), detail, "best" if is_best else "number")
