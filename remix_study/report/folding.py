"""How a page of many problems stays readable: overviews first, the problems folded away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from remix_study.report.page_model import Block
from remix_study.results.comparison import Comparison

# With more problems than this a reader wants the whole first and looks single problems up.
MANY = 12


def crowded(problems: Sequence[object]) -> bool:
    """Whether there are too many problems to show each at once."""
    return len(problems) > MANY


def fold(block: Block) -> Block:
    """The block behind its own title."""
    return replace(block, title="", collapsed=block.title)


def hardest(comparisons: Sequence[Comparison]) -> set[str]:
    """Of each data set and kind the name of the problem with the most extreme imbalance."""
    chosen: dict[tuple[str, str], Comparison] = {}
    for comparison in comparisons:
        key = (comparison.kind, comparison.title)
        before = chosen.get(key)
        if before is None or comparison.imbalance < before.imbalance:
            chosen[key] = comparison
    return {comparison.name for comparison in chosen.values()}
