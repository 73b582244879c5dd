"""What the claims are checked on, computed once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from remix_study.paper.claims.score_matrix import ScoreMatrix, score_matrices
from remix_study.results.alpha_grids import AlphaGrid, alpha_grids
from remix_study.results.comparison import Comparison


@dataclass(frozen=True, eq=False)
class Evidence:
    """The problems of a report as score matrices and grids of alphas."""

    comparisons: Sequence[Comparison]

    @cached_property
    def tabular(self) -> tuple[ScoreMatrix, ScoreMatrix]:
        """Binary and multi-class problems on tables."""
        return score_matrices(self.comparisons, "tabular")

    @cached_property
    def images(self) -> tuple[ScoreMatrix, ScoreMatrix]:
        """Binary and multi-class problems on images."""
        return score_matrices(self.comparisons, "images")

    @cached_property
    def grids(self) -> tuple[AlphaGrid, ...]:
        """Problems with ReMix at enough alphas."""
        return alpha_grids(self.comparisons)
