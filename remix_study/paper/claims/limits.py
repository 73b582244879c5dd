"""Limits of answers on images: fewer images or folds than in the paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from remix_study.paper.claims.parts import Part
from remix_study.paper.claims.rules import IMAGE_FOLDS, IMAGE_SET
from remix_study.paper.claims.score_matrix import is_image
from remix_study.report.formatting import counted, listing
from remix_study.results.comparison import Comparison


def is_reduced(comparison: Comparison) -> bool:
    """Whether a problem on images has fewer of them or fewer folds than the paper's."""
    is_whole_set = str(comparison.info["dataset"]) == IMAGE_SET
    return is_image(comparison) and not (is_whole_set and comparison.planned_folds >= IMAGE_FOLDS)


def describe_reduction(comparisons: Sequence[Comparison]) -> str:
    """Name the data sets and folds of reduced problems in words; "" if there are none."""
    reduced = [comparison for comparison in comparisons if is_reduced(comparison)]
    if not reduced:
        return ""
    folds = sorted({comparison.planned_folds for comparison in reduced})
    datasets = sorted({str(comparison.info["dataset"]) for comparison in reduced})
    counts = " or ".join(counted(count, "fold") for count in folds)
    return f"on {listing(datasets)} only, {counts}"


def with_limits(part: Part, comparisons: Sequence[Comparison]) -> Part:
    """A copy of the part with the limits of its problems."""
    return replace(part, limits=describe_reduction(comparisons))


def reduction_notes(comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """Notes of data sets and studies on reduced problems, each once.

    Notes on a single problem, such as how it was reduced, are left out.
    """
    return tuple(
        dict.fromkeys(
            note
            for comparison in comparisons
            if is_reduced(comparison)
            for note in comparison.info["notes"]
            if not note.startswith(f"{comparison.problem}:")
        )
    )
