"""The section on the authors' repository: whether its errors explain the published Table 2."""

from __future__ import annotations

from collections.abc import Sequence

from remix_study.paper.authors_code import (
    AUTHORS_CODE,
    NEAR_ORDER,
    NEAR_RANKS,
    WITHOUT_ERRORS,
    PublishedColumn,
    compare_with_table2,
    table2_comparison_table,
)
from remix_study.paper.published import PROBLEMS, STRATEGIES
from remix_study.paper.sections.authors_code_sentences import (
    SIDE_NAMES,
    candidate_name,
    caveat_lines,
    column_name,
    partial_lines,
    verdict_lines,
    weight_lines,
)
from remix_study.report.figures import FAINT, INK, figure, render, strategy_color
from remix_study.report.formatting import MISSING, counted, listing, number, plain
from remix_study.report.page_model import Block, Cell, Head, Picture, Section, Table
from remix_study.results.comparison import Comparison

TITLE = "Did the repository’s errors make Table 2?"
LEAD = (
    "The code that the authors made public differs from the paper: its class weights never act, "
    "its SMOTE mostly copies rows, its balanced batches are balanced on the average only, and its "
    "balanced Brier score of two classes rewards telling every row the rare class. Here the five "
    "published rows are trained and scored that way, ranked alone, and their mean ranks are set "
    "beside the published ones and beside those of the five rows without the errors. One column "
    "of ranks stands for each side: the repository’s rows as the repository scores them, the "
    "others by the right score. "
    f"Near means: no mean rank off by more than {plain(NEAR_RANKS)}, and a rank correlation "
    f"(Spearman) of at least {plain(NEAR_ORDER)}."
)
_MARKS = {AUTHORS_CODE: ("s", "#d55e00"), WITHOUT_ERRORS: ("o", "#0072b2")}
_LIMITS = (
    "Five rows have 120 orders, so even a perfect rank correlation happens by chance once in 120 "
    "tries, and the four columns are made from the same networks. A column that is not near can "
    "also have been made by code or settings that were never published, and one that is near is "
    "no proof that it was made this way."
)


def sections(
    authors: Sequence[Comparison], without_errors: Sequence[Comparison]
) -> tuple[Section, ...]:
    """The section of the page; none without a study of the repository's methods.

    Args:
        authors: problems trained as the repository does.
        without_errors: problems of the main studies, each once.
    """
    if not authors:
        return ()
    comparison = compare_with_table2(authors, without_errors)
    text = (
        *partial_lines(comparison, authors),
        *verdict_lines(comparison),
        *caveat_lines(comparison),
        *weight_lines(authors, without_errors, comparison),
    )
    if not comparison.columns:
        text = (
            *partial_lines(comparison, authors),
            "The five rows are complete on no problem yet.",
        )
        return (Section("repository", TITLE, LEAD, (Block(text=text),)),)
    block = Block(
        text=(*text, _LIMITS),
        pictures=(_picture(comparison.columns),),
        tables=(
            *(_rank_table(column) for column in comparison.columns),
            _distance_table(comparison.columns),
        ),
    )
    return (
        Section(
            "repository",
            TITLE,
            LEAD,
            (block,),
            {"repository": table2_comparison_table(comparison)},
        ),
    )


def _rank_table(column: PublishedColumn) -> Table:
    head = (
        Head("row"),
        Head("published", counted(len(PROBLEMS[column.kind]), "problem")),
        *(
            Head(candidate_name(candidate).rstrip(","), counted(candidate.n_problems, "problem"))
            for candidate in column.candidates
        ),
    )
    best = [min(column.published), *(min(candidate.ranks) for candidate in column.candidates)]
    rows = []
    for at, name in enumerate(STRATEGIES):
        values = [column.published[at], *(candidate.ranks[at] for candidate in column.candidates)]
        cells = (
            Cell(number(value, 2), kind="best" if value == least else "number")
            for value, least in zip(values, best, strict=True)
        )
        rows.append((Cell(name, kind="name", color=strategy_color(name)), *cells))
    return Table(f"Mean ranks, {column_name(column)}", (head,), tuple(rows))


def _distance_table(columns: Sequence[PublishedColumn]) -> Table:
    head = (
        Head("published column"),
        Head("set beside", kind="text"),
        *map(Head, ("Spearman", "Kendall", "largest difference", "mean difference")),
        Head("near", kind="verdict"),
    )
    rows = []
    for column in columns:
        for candidate in column.candidates:
            rows.append(
                (
                    Cell(column_name(column), kind="name"),
                    Cell(candidate_name(candidate).rstrip(","), kind="text"),
                    Cell(number(candidate.spearman, 2) or MISSING),
                    Cell(number(candidate.kendall, 2) or MISSING),
                    Cell(number(candidate.largest_difference, 2)),
                    Cell(number(candidate.mean_difference, 2)),
                    Cell(
                        "near" if candidate.is_near else "not near",
                        kind="verdict better" if candidate.is_near else "verdict worse",
                    ),
                )
            )
    return Table("How far mean ranks are from the published ones", (head,), tuple(rows))


def _picture(columns: Sequence[PublishedColumn]) -> Picture:
    """A panel a published column: mean ranks of the five methods, published and computed."""
    places = range(len(STRATEGIES))
    with figure(9.4, 2.6) as fig:
        grid = fig.subplots(1, len(columns), sharey=True, squeeze=False)
        for axes, column in zip(grid[0], columns, strict=True):
            for height in places:
                axes.axhline(height, color=FAINT, lw=0.4, zorder=0)
            for side in (WITHOUT_ERRORS, AUTHORS_CODE):
                candidate = column.side_column(side)
                if candidate is not None:
                    marker, color = _MARKS[side]
                    axes.plot(
                        candidate.ranks, places, ls="", marker=marker, markersize=5,
                        color=color, alpha=0.85, label=SIDE_NAMES[side],
                    )  # fmt: skip
            axes.plot(column.published, places, ls="", marker="|", markersize=13,
                      markeredgewidth=2, color=INK, label="published")  # fmt: skip
            axes.set_title(column_name(column), fontsize=9.5)
            axes.set_xlim(0.8, 5.2)
            axes.set_xticks(range(1, 6))
            axes.set_xlabel("mean rank")
            axes.set_yticks(places, STRATEGIES)
            axes.set_ylim(len(STRATEGIES) - 0.4, -0.6)
            axes.tick_params(axis="y", length=0)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside upper left", ncols=3)
        svg, png = render(fig)
    alt = (
        f"Mean ranks of {listing(STRATEGIES)}: published, as in the repository and without its "
        f"errors, for {listing([column_name(column) for column in columns])}."
    )
    return Picture("repository-ranks", "", alt, svg, png, wide=True)
