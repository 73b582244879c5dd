"""The section on the authors' repository: whether its errors explain the published Table 2."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from remix_study.paper import SENTENCES, authors_code
from remix_study.paper.authors_code import PublishedColumn, RankColumn
from remix_study.paper.table2 import PROBLEMS, STRATEGIES
from remix_study.report import figures
from remix_study.report.figures import INK, Picture, figure, strategy_color
from remix_study.report.formatting import counted, listing, number
from remix_study.report.page_model import Block, Cell, Head, Section, Table
from remix_study.report.page_tables import Column, line_table, text_column
from remix_study.results.columns import Record, frame_of
from remix_study.results.comparison import Comparison

TITLE = "Did the repository’s errors make Table 2?"
_MARKS = {
    authors_code.AUTHORS_CODE: ("s", "#d55e00"),
    authors_code.WITHOUT_ERRORS: ("o", "#0072b2"),
}


def sections(
    authors: Sequence[Comparison], without_errors: Sequence[Comparison]
) -> tuple[Section, ...]:
    """The section of the page; none without a study of the repository's methods."""
    if not authors:
        return ()
    comparison = authors_code.compare_with_table2(authors, without_errors)
    columns = comparison.columns
    candidates = [
        Record(column=c, candidate=candidate) for c in columns for candidate in c.candidates
    ]
    block = Block(
        text=SENTENCES.paragraphs("repository.block", comparison),
        pictures=(_picture(columns),) if columns else (),
        tables=(*map(_rank_table, columns), _distance_table(candidates)) if columns else (),
    )
    lead = SENTENCES.text("repository.lead", authors_code.NEAR_RANKS, authors_code.NEAR_ORDER)
    files = {"repository": _table(candidates)}
    return (Section("repository", TITLE, lead, (block,), files, is_folded=True),)


def _table(candidates: Sequence[Record]) -> pd.DataFrame:
    """One line a published column and candidate."""

    def rank_of(strategy: str) -> Callable[[Record], float]:
        return lambda line: line.candidate.ranks[strategy]

    ranks = {f"mean_rank_{strategy}": rank_of(strategy) for strategy in STRATEGIES}
    return frame_of(
        candidates,
        f"""kind=column.kind published_metric=column.metric rows=candidate.side
        ranked_by=candidate.metric problems=candidate.n_problems {" ".join(ranks)}
        spearman=candidate.spearman kendall=candidate.kendall
        largest_difference=candidate.largest_difference mean_difference=candidate.mean_difference
        stands_for_its_side near errors=column.verdict""",
        stands_for_its_side=lambda line: "yes" if line.candidate.is_judged else "no",
        near=lambda line: "yes" if line.candidate.is_near else "no",
        **ranks,
    )


def _rank_table(column: PublishedColumn) -> Table:
    def ranks_of(name: str, n_problems: int, ranks: Mapping[str, float]) -> Column[str]:
        def cell(strategy: str) -> Cell:
            is_best = ranks[strategy] == min(ranks.values())
            return Cell(number(ranks[strategy], 2), kind="best" if is_best else "number")

        return Column(Head(name, counted(n_problems, "problem")), cell)

    columns = (
        Column[str]("row", lambda name: Cell(name, kind="name", color=strategy_color(name))),
        ranks_of("published", len(PROBLEMS[column.kind]), column.ranks),
        *(ranks_of(_name(c), c.n_problems, c.ranks) for c in column.candidates),
    )
    return line_table(f"Mean ranks, {column.title}", STRATEGIES, columns)


def _distance_table(candidates: Sequence[Record]) -> Table:
    def near(line: Record) -> Cell:
        if line.candidate.is_near:
            return Cell("near", kind="verdict better")
        return Cell("not near", kind="verdict worse")

    columns: tuple[Column[Record], ...] = (
        Column("published column", lambda line: line.column.title),
        text_column("set beside", lambda line: _name(line.candidate)),
        Column("Spearman", lambda line: number(line.candidate.spearman, 2)),
        Column("Kendall", lambda line: number(line.candidate.kendall, 2)),
        Column("largest difference", lambda line: number(line.candidate.largest_difference, 2)),
        Column("mean difference", lambda line: number(line.candidate.mean_difference, 2)),
        Column(Head("near", kind="verdict"), near),
    )
    return line_table("How far mean ranks are from the published ones", candidates, columns)


def _name(candidate: RankColumn) -> str:
    return SENTENCES.phrase("repository.candidate", candidate)


def _picture(columns: Sequence[PublishedColumn]) -> Picture:
    """A panel a published column: mean ranks of the five methods, published and computed."""
    places = range(len(STRATEGIES))
    with figure(9.4, 2.6) as fig:
        grid = fig.subplots(1, len(columns), sharey=True, squeeze=False)
        for axes, column in zip(grid[0], columns, strict=True):
            figures.rule_lines(axes, len(places))
            for side in (authors_code.WITHOUT_ERRORS, authors_code.AUTHORS_CODE):
                if side in column.sides:
                    marker, color = _MARKS[side]
                    axes.plot(
                        list(column.sides[side].ranks.values()), places, ls="", marker=marker,
                        markersize=5, color=color, alpha=0.85,
                        label=SENTENCES.phrase("repository.side", side),
                    )  # fmt: skip
            axes.plot(list(column.ranks.values()), places, ls="", marker="|", markersize=13,
                      markeredgewidth=2, color=INK, label="published")  # fmt: skip
            axes.set_title(column.title, fontsize=9.5)
            axes.set_xlim(0.8, 5.2)
            axes.set_xticks(range(1, 6))
            axes.set_xlabel("mean rank")
            figures.name_lines(axes, STRATEGIES)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside upper left", ncols=3)
    alt = (
        f"Mean ranks of {listing(STRATEGIES)}: published, as in the repository and without its "
        f"errors, for {listing([column.title for column in columns])}."
    )
    return figures.picture_of(fig, "repository-ranks", alt, wide=True)
