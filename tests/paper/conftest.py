"""Studies with known scores, and figures that are not rendered."""

from claim_studies import paper_frames, study
from made_up_studies import unrendered_figures

__all__ = ["paper_frames", "study", "unrendered_figures"]
