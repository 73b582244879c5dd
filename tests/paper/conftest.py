"""Studies with known scores."""

from claim_studies import paper_frames, study

__all__ = ["paper_frames", "study"]
