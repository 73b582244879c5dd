"""The section on the authors' repository: did its errors make the published Table 2?"""

from __future__ import annotations

import math
from collections.abc import Sequence

from remix_study.metrics import short_name
from remix_study.paper.authors_code import (
    MENDED,
    NAMES,
    NEAR_ORDER,
    NEAR_RANKS,
    REPO,
    REPO_SCORE,
    Column,
    Likeness,
    Reenacted,
    ratios_in_words,
    reenact,
    table,
)
from remix_study.paper.class_weight_effect import Acting, acting, rank_distances
from remix_study.paper.published import PROBLEMS
from remix_study.report.figures import FAINT, INK, figure, render, strategy_color
from remix_study.report.formatting import MISSING, counted, listing, number, plain, sentence
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
_WHOSE = {REPO: "as in the repository", MENDED: "without the errors"}
_MARKS = {REPO: ("s", "#d55e00"), MENDED: ("o", "#0072b2")}
_LIMITS = (
    "Five rows have 120 orders, so even a perfect rank correlation happens by chance once in 120 "
    "tries, and the four columns are made from the same networks. A column that is not near can "
    "also have been made by code or settings that were never published, and one that is near is "
    "no proof that it was made this way."
)


def sections(repo: Sequence[Comparison], mended: Sequence[Comparison]) -> tuple[Section, ...]:
    """The section of the page; none without a study of the repository's rows.

    Args:
        repo: problems trained as the repository does.
        mended: problems of the main studies, each once.
    """
    if not repo:
        return ()
    made = reenact(repo, mended)
    text = (*_missing(made, repo), *_reading(made), *_about(made), *_weights(repo, mended, made))
    if not made.columns:
        text = (*_missing(made, repo), "The five rows are complete on no problem yet.")
        return (Section("repository", TITLE, LEAD, (Block(text=text),)),)
    block = Block(
        text=(*text, _LIMITS),
        pictures=(_picture(made.columns),),
        tables=(*(_ranks_table(column) for column in made.columns), _distances(made.columns)),
    )
    return (Section("repository", TITLE, LEAD, (block,), {"repository": table(made)}),)


def _missing(made: Reenacted, repo: Sequence[Comparison]) -> tuple[str, ...]:
    if not made.partial:
        return ()
    return (
        f"Of {counted(len(repo), 'problem')} {len(made.partial)} lack one of the five rows or "
        "some of its folds and are left out; a column is judged when all its problems are there.",
    )


def _reading(made: Reenacted) -> tuple[str, ...]:
    """One sentence a column, then what they say together."""
    lines = [sentence(_column(column, column.kind in made.ratios)) for column in made.columns]
    judged = [c for c in made.columns if c.verdict != "not judged"]
    if not judged:
        return tuple(lines)
    explained = [_name(c) for c in judged if c.verdict == "explained"]
    needless = [_name(c) for c in judged if c.verdict == "needs no errors"]
    n = counted(len(judged), "column")
    if explained:
        text = f"the errors explain {listing(explained)}, that is {len(explained)} of {n}"
    else:
        text = f"the errors explain none of the {n} of Table 2 that could be judged"
    if needless:
        text += f"; {listing(needless)} is as near without them" if len(needless) == 1 else (
            f"; {listing(needless)} are as near without them"
        )  # fmt: skip
    return (sentence(text), *lines)


def _column(column: Column, ratios: bool) -> str:
    parts = []
    for one in column.found:
        parts.append(
            f"{_candidate(one)} {'near' if one.near else 'not near'} (Spearman "
            f"{number(one.spearman, 2)}, largest difference {number(one.largest, 2)})"
            + ("" if one.judged else ", shown only")
        )
    return f"{_name(column)}: {'; '.join(parts)}. {_conclusion(column, ratios)}"


def _conclusion(column: Column, ratios: bool) -> str:
    repo, mended = column.of(REPO), column.of(MENDED)
    verdict = column.verdict
    errors = "The errors, its other imbalance ratios among them," if ratios else "The errors"
    if verdict == "explained":
        return f"{errors} explain this column"
    if verdict == "needs no errors":
        return "This column needs no errors to come out"
    if verdict == "not explained":
        text = f"{errors} do not explain this column"
        if repo and mended and mended.complete:
            closer = repo.mean < mended.mean
            text += (
                f", though they bring the ranks closer to it: {number(repo.mean, 2)} off on "
                f"average instead of {number(mended.mean, 2)}"
                if closer
                else f" and bring the ranks no closer to it: {number(repo.mean, 2)} off on "
                f"average, {number(mended.mean, 2)} without them"
            )
        return text
    if repo is not None and repo.complete:
        return "Whether it needs the errors cannot be said without the main studies"
    return "Not judged before all its problems are there"


def _about(made: Reenacted) -> tuple[str, ...]:
    found = []
    for kind, (own, paper) in made.ratios.items():
        shared = [ratio for ratio in own if ratio in paper]
        common = f"only {ratios_in_words(shared)} in common" if shared else "none in common"
        found.append(
            sentence(
                f"The repository makes its {kind} problems with imbalance ratios "
                f"{ratios_in_words(own)}, Table 1 of the paper names {ratios_in_words(paper)}, "
                f"{common}: on them its rows are ranked on harder problems than the published "
                "ones and those without the errors, and a distance or a likeness can come from "
                "that alone"
            )
        )
    columns = {(c.kind, c.metric): c for c in made.columns}
    binary = columns.get(("binary", "bbs"))
    if binary:
        total = sum(binary.published) * len(PROBLEMS["binary"])
        k = len(NAMES)
        expected = len(PROBLEMS["binary"]) * k * (k + 1) / 2
        if not math.isclose(total, expected):
            found.append(
                f"The published rank sums of the binary balanced Brier score add up to "
                f"{plain(round(total))} instead of {plain(expected)}; the distance is taken as "
                "it is."
            )
    if ("multi-class", "bbs") in columns:
        found.append(
            "Of more than two classes the repository’s balanced Brier score is the right one but "
            "for a constant factor, so it has no column of its own."
        )
    return tuple(found)


def _weights(
    repo: Sequence[Comparison], mended: Sequence[Comparison], made: Reenacted
) -> tuple[str, ...]:
    """Whether class weights act: fold by fold, and in the distance of mean ranks."""
    found = acting(repo, mended)
    lines = []
    for whose in (REPO, MENDED):
        own = [one for one in found if one.whose == whose]
        if own:
            counts = listing([_told_apart(one) for one in own])
            text = f"{_WHOSE[whose]}, cost adjustment is told from the baseline on {counts}"
            text += ", after Holm over the problems"
            shared = [one for one in own if one.same]
            if shared:
                text += (
                    "; with the very same scores, so that they share their rank, on "
                    + listing(
                        [f"{one.same} in {one.kind} {short_name(one.metric)}" for one in shared]
                    )
                )
            lines.append(sentence(text))
    apart = []
    for column in made.columns:
        distances = rank_distances(column)
        sides = [
            f"{number(distances[w], 2)} {_WHOSE[w]}" for w in (REPO, MENDED) if w in distances
        ]
        apart.append(f"{_name(column)} {number(distances['published'], 2)}, {', '.join(sides)}")
    if apart:
        lines.append(
            "Class weights that never act leave cost adjustment beside the baseline. Mean ranks "
            f"between the two, published and found: {'; '.join(apart)}."
        )
    return tuple(lines)


def _told_apart(one: Acting) -> str:
    return f"{one.apart} of {one.problems} in {one.kind} {short_name(one.metric)}"


def _name(column: Column) -> str:
    return f"{column.kind} {short_name(column.metric)}"


def _candidate(one: Likeness) -> str:
    score = "its own score" if one.metric == REPO_SCORE else short_name(one.metric)
    return f"{_WHOSE[one.whose]}, by {score},"


def _ranks_table(column: Column) -> Table:
    head = (
        Head("row"),
        Head("published", counted(len(PROBLEMS[column.kind]), "problem")),
        *(
            Head(_candidate(one).rstrip(","), counted(one.problems, "problem"))
            for one in column.found
        ),
    )
    best = [min(column.published), *(min(one.ranks) for one in column.found)]
    rows = []
    for at, name in enumerate(NAMES):
        values = [column.published[at], *(one.ranks[at] for one in column.found)]
        cells = (
            Cell(number(value, 2), kind="best" if value == least else "number")
            for value, least in zip(values, best, strict=True)
        )
        rows.append((Cell(name, kind="name", color=strategy_color(name)), *cells))
    return Table(f"Mean ranks, {_name(column)}", (head,), tuple(rows))


def _distances(columns: Sequence[Column]) -> Table:
    head = (
        Head("published column"),
        Head("set beside", kind="text"),
        *map(Head, ("Spearman", "Kendall", "largest difference", "mean difference")),
        Head("near", kind="verdict"),
    )
    rows = []
    for column in columns:
        for one in column.found:
            rows.append(
                (
                    Cell(_name(column), kind="name"),
                    Cell(_candidate(one).rstrip(","), kind="text"),
                    Cell(number(one.spearman, 2) or MISSING),
                    Cell(number(one.kendall, 2) or MISSING),
                    Cell(number(one.largest, 2)),
                    Cell(number(one.mean, 2)),
                    Cell(
                        "near" if one.near else "not near",
                        kind="verdict better" if one.near else "verdict worse",
                    ),
                )
            )
    return Table("How far mean ranks are from the published ones", (head,), tuple(rows))


def _picture(columns: Sequence[Column]) -> Picture:
    """A panel a published column: mean ranks of the five rows, published and found."""
    with figure(9.4, 2.6) as made:
        grid = made.subplots(1, len(columns), sharey=True, squeeze=False)
        for axes, column in zip(grid[0], columns, strict=True):
            for height in range(len(NAMES)):
                axes.axhline(height, color=FAINT, lw=0.4, zorder=0)
            for whose in (MENDED, REPO):
                one = column.of(whose)
                if one is not None:
                    marker, color = _MARKS[whose]
                    axes.plot(one.ranks, range(len(NAMES)), ls="", marker=marker, markersize=5,
                              color=color, alpha=0.85, label=_WHOSE[whose])  # fmt: skip
            axes.plot(column.published, range(len(NAMES)), ls="", marker="|", markersize=13,
                      markeredgewidth=2, color=INK, label="published")  # fmt: skip
            axes.set_title(_name(column), fontsize=9.5)
            axes.set_xlim(0.8, 5.2)
            axes.set_xticks(range(1, 6))
            axes.set_xlabel("mean rank")
            axes.set_yticks(range(len(NAMES)), NAMES)
            axes.set_ylim(len(NAMES) - 0.4, -0.6)
            axes.tick_params(axis="y", length=0)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        made.legend(handles, labels, loc="outside upper left", ncols=3)
        svg, png = render(made)
    alt = (
        f"Mean ranks of {listing(NAMES)}: published, as in the repository and without its "
        f"errors, for {listing([_name(column) for column in columns])}."
    )
    return Picture("repository-ranks", "", alt, svg, png, wide=True)
