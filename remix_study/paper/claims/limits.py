"""What keeps an answer on images from being one on the paper's: fewer images, fewer folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from remix_study.paper.claims.findings import Part
from remix_study.paper.claims.rules import IMAGE_FOLDS, IMAGE_SET
from remix_study.paper.claims.score_matrix import is_image
from remix_study.report.formatting import counted, listing
from remix_study.results.comparison import Comparison


def limited(comparison: Comparison) -> bool:
    """Whether a problem on images has fewer of them or fewer folds than the paper's."""
    whole = str(comparison.info["dataset"]) == IMAGE_SET
    return is_image(comparison) and not (whole and comparison.planned_folds >= IMAGE_FOLDS)


def limits(comparisons: Sequence[Comparison]) -> str:
    """Which images and how many folds a part rests on, briefly; "" if they are the paper's."""
    own = [comparison for comparison in comparisons if limited(comparison)]
    if not own:
        return ""
    folds = sorted({comparison.planned_folds for comparison in own})
    sets = sorted({str(comparison.info["dataset"]) for comparison in own})
    counts = " or ".join(counted(count, "fold") for count in folds)
    return f"on {listing(sets)} only, {counts}"


def within(made: Part, comparisons: Sequence[Comparison]) -> Part:
    """The part with the limits of the problems that it rests on."""
    return replace(made, limits=limits(comparisons))


def reasons(comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """What data sets and studies themselves say of those problems, each thing once.

    What is said of one problem alone, such as how it was reduced, stands beside the problem.
    """
    return tuple(
        dict.fromkeys(
            note
            for comparison in comparisons
            if limited(comparison)
            for note in comparison.info["notes"]
            if not note.startswith(f"{comparison.problem}:")
        )
    )
