"""The paper's own demonstrations, Figures 1 to 4 and 8, made by this package's code."""

from remix_study.paper.demonstration.boundary import BoundaryClaim, boundary_claim
from remix_study.paper.demonstration.samples import CopiesClaim, copies_claim
from remix_study.paper.demonstration.scale import Scale

__all__ = ["BoundaryClaim", "CopiesClaim", "Scale", "boundary_claim", "copies_claim"]
