"""Problems that differ from plain ones in how rows were drawn or split alone.

They answer whether the headline is robust; ranked or averaged together with plain problems they
would count the same rows twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from remix_study.results.comparison import Comparison

PLAIN, REDRAWN, GROUPED, BOTH = "plain", "redrawn", "grouped", "grouped and redrawn"
VARIANTS = (PLAIN, REDRAWN, GROUPED, BOTH)


@dataclass(frozen=True)
class VariantPair:
    """A problem as it is and under a variant."""

    plain: Comparison
    varied: Comparison


def problem_variant(comparison: Comparison) -> str:
    """How the rows of a problem were drawn and split, one of `VARIANTS`.

    Redrawn: each repeat of the cross-validation draws the rare rows anew. Grouped: no group of
    rows is parted by a split.
    """
    # A study from before there were variants says nothing, which reads as NaN in a frame.
    redrawn = comparison.info.get("redraw", False) == True  # noqa: E712
    grouped = comparison.info.get("grouped", False) == True  # noqa: E712
    if grouped:
        return BOTH if redrawn else GROUPED
    return REDRAWN if redrawn else PLAIN


def headline_problems(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The problems that ranks, gains and verdicts speak of, in their order.

    A variant stands aside where its plain problem is among them; alone it is the problem.
    """
    first: dict[tuple[str, str, str], int] = {}
    for c in comparisons:
        place = VARIANTS.index(problem_variant(c))
        first[_key(c)] = min(place, first.get(_key(c), place))
    return tuple(c for c in comparisons if VARIANTS.index(problem_variant(c)) == first[_key(c)])


def variant_pairs(comparisons: Sequence[Comparison]) -> dict[str, tuple[VariantPair, ...]]:
    """Variant -> its problems beside the plain ones; those without rows or partner left out."""
    usable = [c for c in comparisons if c.is_grid and c.methods]
    plain: dict[tuple[str, str, str], Comparison] = {}
    for c in usable:
        before = plain.get(_key(c))
        # As ranks do where two studies hold a problem.
        if problem_variant(c) == PLAIN and (
            before is None or len(c.methods) > len(before.methods)
        ):
            plain[_key(c)] = c
    found = {}
    for name in VARIANTS[1:]:
        others: dict[tuple[str, str, str], Comparison] = {}
        for c in usable:
            if problem_variant(c) == name and _key(c) in plain:
                others.setdefault(_key(c), c)
        if others:
            found[name] = tuple(VariantPair(plain[key], other) for key, other in others.items())
    return found


def _key(comparison: Comparison) -> tuple[str, str, str]:
    return comparison.title, comparison.kind, comparison.imbalance_name
