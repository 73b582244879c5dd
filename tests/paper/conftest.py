"""The made-up studies that these tests read."""

from claim_studies import paper_frames, study
from made_up_studies import frames_of, gaussians_of, problem, ratios_of, undrawn

__all__ = [
    "frames_of",
    "gaussians_of",
    "paper_frames",
    "problem",
    "ratios_of",
    "study",
    "undrawn",
]
