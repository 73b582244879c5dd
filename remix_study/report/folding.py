"""Folding of blocks on pages with many problems, which show overviews first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from remix_study.report.page_model import Block
from remix_study.results.comparison import Comparison

MANY = 12
"""With more problems than this, blocks of single problems are folded."""


def has_many_problems(problems: Sequence[object]) -> bool:
    """Whether blocks of single problems are folded."""
    return len(problems) > MANY


def fold(block: Block) -> Block:
    """The block folded behind its title."""
    return replace(block, title="", collapsed=block.title)


def hardest_problems(comparisons: Sequence[Comparison]) -> set[str]:
    """Names of the problems with the most extreme imbalance of each data set and kind."""
    hardest: dict[tuple[str, str], Comparison] = {}
    for comparison in comparisons:
        key = (comparison.kind, comparison.title)
        current = hardest.get(key)
        if current is None or comparison.imbalance < current.imbalance:
            hardest[key] = comparison
    return {comparison.name for comparison in hardest.values()}
