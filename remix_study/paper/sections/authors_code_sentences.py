"""Sentences on the authors' repository, made from the comparison with Table 2."""

from __future__ import annotations

import math
from collections.abc import Sequence

from remix_study.metrics import short_name
from remix_study.paper.authors_code import (
    AUTHORS_CODE,
    AUTHORS_SCORE,
    WITHOUT_ERRORS,
    PublishedColumn,
    RankComparison,
    Table2Comparison,
    join_ratios,
)
from remix_study.paper.class_weight_effect import WeightEffect, rank_distances, weight_effects
from remix_study.paper.published import PROBLEMS, STRATEGIES
from remix_study.report.formatting import counted, listing, number, plain, sentence
from remix_study.results.comparison import Comparison

SIDE_NAMES = {AUTHORS_CODE: "as in the repository", WITHOUT_ERRORS: "without the errors"}


def partial_lines(comparison: Table2Comparison, authors: Sequence[Comparison]) -> tuple[str, ...]:
    """Say how many problems are left out; nothing if all are complete."""
    if not comparison.partial:
        return ()
    return (
        f"Of {counted(len(authors), 'problem')} {len(comparison.partial)} lack one of the five "
        "rows or some of its folds and are left out; a column is judged when all its problems are "
        "there.",
    )


def verdict_lines(comparison: Table2Comparison) -> tuple[str, ...]:
    """Say what the errors explain, then the evidence of each column."""
    lines = [
        sentence(_column_line(column, column.kind in comparison.ratios))
        for column in comparison.columns
    ]
    judged = [c for c in comparison.columns if c.verdict != "not judged"]
    if not judged:
        return tuple(lines)
    explained = [column_name(c) for c in judged if c.verdict == "explained"]
    unneeded = [column_name(c) for c in judged if c.verdict == "needs no errors"]
    n = counted(len(judged), "column")
    if explained:
        text = f"the errors explain {listing(explained)}, that is {len(explained)} of {n}"
    else:
        text = f"the errors explain none of the {n} of Table 2 that could be judged"
    if unneeded:
        text += f"; {listing(unneeded)} is as near without them" if len(unneeded) == 1 else (
            f"; {listing(unneeded)} are as near without them"
        )  # fmt: skip
    return (sentence(text), *lines)


def _column_line(column: PublishedColumn, ratios: bool) -> str:
    parts = []
    for candidate in column.candidates:
        parts.append(
            f"{candidate_name(candidate)} {'near' if candidate.is_near else 'not near'} (Spearman "
            f"{number(candidate.spearman, 2)}, largest difference "
            f"{number(candidate.largest_difference, 2)})"
            + ("" if candidate.is_judged else ", shown only")
        )
    return f"{column_name(column)}: {'; '.join(parts)}. {_conclusion(column, ratios)}"


def _conclusion(column: PublishedColumn, ratios: bool) -> str:
    authors, without_errors = column.side_column(AUTHORS_CODE), column.side_column(WITHOUT_ERRORS)
    verdict = column.verdict
    errors = "The errors, its other imbalance ratios among them," if ratios else "The errors"
    if verdict == "explained":
        return f"{errors} explain this column"
    if verdict == "needs no errors":
        return "This column needs no errors to come out"
    if verdict == "not explained":
        text = f"{errors} do not explain this column"
        if authors and without_errors and without_errors.is_complete:
            distances = [side.mean_difference for side in (authors, without_errors)]
            first, second = (number(distance, 2) for distance in distances)
            text += (
                f", though they bring the ranks closer to it: {first} off on average instead of "
                f"{second}"
                if distances[0] < distances[1]
                else f" and bring the ranks no closer to it: {first} off on average, {second} "
                "without them"
            )
        return text
    if authors is not None and authors.is_complete:
        return "Whether it needs the errors cannot be said without the main studies"
    return "Not judged before all its problems are there"


def caveat_lines(comparison: Table2Comparison) -> tuple[str, ...]:
    """Say what limits the comparison: other ratios, printed sums that do not add up."""
    lines = []
    for kind, (ratios, published) in comparison.ratios.items():
        common_ratios = [ratio for ratio in ratios if ratio in published]
        common = (
            f"only {join_ratios(common_ratios)} in common" if common_ratios else "none in common"
        )
        lines.append(
            sentence(
                f"The repository makes its {kind} problems with imbalance ratios "
                f"{join_ratios(ratios)}, Table 1 of the paper names {join_ratios(published)}, "
                f"{common}: on them its rows are ranked on harder problems than the published "
                "ones and those without the errors, and a distance or a likeness can come from "
                "that alone"
            )
        )
    columns = {(c.kind, c.metric): c for c in comparison.columns}
    binary = columns.get(("binary", "bbs"))
    if binary:
        published_total = sum(binary.published) * len(PROBLEMS["binary"])
        k = len(STRATEGIES)
        expected = len(PROBLEMS["binary"]) * k * (k + 1) / 2
        if not math.isclose(published_total, expected):
            lines.append(
                f"The published rank sums of the binary balanced Brier score add up to "
                f"{plain(round(published_total))} instead of {plain(expected)}; the distance is "
                "taken as it is."
            )
    if ("multi-class", "bbs") in columns:
        lines.append(
            "Of more than two classes the repository’s balanced Brier score is the right one but "
            "for a constant factor, so it has no column of its own."
        )
    return tuple(lines)


def weight_lines(
    authors: Sequence[Comparison],
    without_errors: Sequence[Comparison],
    comparison: Table2Comparison,
) -> tuple[str, ...]:
    """Say whether class weights have an effect, fold by fold and in mean ranks."""
    effects = weight_effects(authors, without_errors)
    lines = []
    for side in (AUTHORS_CODE, WITHOUT_ERRORS):
        side_effects = [effect for effect in effects if effect.side == side]
        if side_effects:
            counts = listing([_difference_count(effect) for effect in side_effects])
            text = f"{SIDE_NAMES[side]}, cost adjustment is told from the baseline on {counts}"
            text += ", after Holm over the problems"
            equal = [effect for effect in side_effects if effect.n_equal]
            if equal:
                text += (
                    "; with the very same scores, so that they share their rank, on "
                    + listing(
                        [
                            f"{effect.n_equal} in {effect.kind} {short_name(effect.metric)}"
                            for effect in equal
                        ]
                    )
                )
            lines.append(sentence(text))
    by_column = []
    for column in comparison.columns:
        distances = rank_distances(column)
        sides = [
            f"{number(distances[side], 2)} {SIDE_NAMES[side]}"
            for side in (AUTHORS_CODE, WITHOUT_ERRORS)
            if side in distances
        ]
        by_column.append(
            f"{column_name(column)} {number(distances['published'], 2)}, {', '.join(sides)}"
        )
    if by_column:
        lines.append(
            "Class weights that never act leave cost adjustment beside the baseline. Mean ranks "
            f"between the two, published and found: {'; '.join(by_column)}."
        )
    return tuple(lines)


def _difference_count(effect: WeightEffect) -> str:
    return (
        f"{effect.n_different} of {effect.n_problems} in {effect.kind} {short_name(effect.metric)}"
    )


def column_name(column: PublishedColumn) -> str:
    """Kind and metric of a published column, in words."""
    return f"{column.kind} {short_name(column.metric)}"


def candidate_name(candidate: RankComparison) -> str:
    """Side and score of a column of ranks, in words."""
    score = "its own score" if candidate.metric == AUTHORS_SCORE else short_name(candidate.metric)
    return f"{SIDE_NAMES[candidate.side]}, by {score},"
