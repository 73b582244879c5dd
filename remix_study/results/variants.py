"""Variants of problems: the same rows drawn or split otherwise.

Variants show whether results on the plain problems are robust. They are not ranked or averaged
together with plain problems, since the same rows would count twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from remix_study.results.comparison import Comparison

PLAIN, REDRAWN, GROUPED, BOTH = "plain", "redrawn", "grouped", "grouped and redrawn"
VARIANTS = (PLAIN, REDRAWN, GROUPED, BOTH)
"""How rows are drawn and split. Redrawn: every repeat draws the rare rows anew. Grouped: rows of
one group are in the same part."""


@dataclass(frozen=True)
class VariantPair:
    """A problem as it is, and the same under a variant."""

    plain: Comparison
    varied: Comparison


def problem_variant(comparison: Comparison) -> str:
    """How the rows of a problem were drawn and split, one of `VARIANTS`."""
    # Studies that were run before there were variants have NaN here.
    redrawn = comparison.info.get("redraw", False) == True  # noqa: E712
    grouped = comparison.info.get("grouped", False) == True  # noqa: E712
    if grouped:
        return BOTH if redrawn else GROUPED
    return REDRAWN if redrawn else PLAIN


def headline_problems(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """Select the problems that are ranked and judged, in their order.

    A variant is left out if its plain problem is among the comparisons; if not, it is kept as the
    problem itself.
    """
    places = [VARIANTS.index(problem_variant(c)) for c in comparisons]
    first: dict[tuple[str, str, str], int] = {}
    for c, place in zip(comparisons, places, strict=True):
        first[_key(c)] = min(place, first.get(_key(c), place))
    return tuple(
        c for c, place in zip(comparisons, places, strict=True) if place == first[_key(c)]
    )


def variant_pairs(comparisons: Sequence[Comparison]) -> dict[str, tuple[VariantPair, ...]]:
    """Pair the problems of each variant with the plain ones.

    Returns:
        Variant -> its pairs; problems without methods or without a plain problem are left out.
    """
    usable = [c for c in comparisons if c.is_grid and c.methods]
    plain: dict[tuple[str, str, str], Comparison] = {}
    for c in usable:
        # Of two studies with the same problem, the one with more methods, as for ranks.
        if problem_variant(c) == PLAIN and (
            _key(c) not in plain or len(c.methods) > len(plain[_key(c)].methods)
        ):
            plain[_key(c)] = c
    pairs = {}
    for variant in VARIANTS[1:]:
        varied: dict[tuple[str, str, str], Comparison] = {}
        for c in usable:
            if problem_variant(c) == variant and _key(c) in plain:
                varied.setdefault(_key(c), c)
        if varied:
            pairs[variant] = tuple(VariantPair(plain[key], c) for key, c in varied.items())
    return pairs


def _key(comparison: Comparison) -> tuple[str, str, str]:
    """Equal for a plain problem and its variants."""
    return comparison.title, comparison.kind, comparison.imbalance_name
