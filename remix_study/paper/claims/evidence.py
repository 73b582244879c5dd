"""What the claims are checked on, made once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from remix_study.paper.claims.score_matrix import ScoreMatrix, both_kinds
from remix_study.results.alpha_grids import Grid, find_grids
from remix_study.results.comparison import Comparison


@dataclass(frozen=True, eq=False)
class Evidence:
    """The problems of a report, in the shapes that the rules need."""

    comparisons: Sequence[Comparison]

    @cached_property
    def tabular(self) -> tuple[ScoreMatrix, ScoreMatrix]:
        """Binary and multi-class problems on tables."""
        return both_kinds(self.comparisons, "tabular")

    @cached_property
    def images(self) -> tuple[ScoreMatrix, ScoreMatrix]:
        """Binary and multi-class problems on images."""
        return both_kinds(self.comparisons, "images")

    @cached_property
    def grids(self) -> tuple[Grid, ...]:
        """Problems with ReMix at enough alphas."""
        return find_grids(self.comparisons)
