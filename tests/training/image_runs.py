"""Runs on images that another process repeats, saved as arrays.

python image_runs.py FILE
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from small_images import Gallery
from small_problems import training

from remix_study.batches.strategies import make_strategy

PLAIN, AUGMENTED = ("baseline", "remix"), ("augment", "remix-aug")


def results():
    """Test probabilities of two members under each strategy."""
    gallery = Gallery()
    members = gallery.members()
    engine = gallery.engine(members)
    found = {}
    for name in (*PLAIN, *AUGMENTED):
        outcomes = engine.fit(members, make_strategy(name), training(epochs=2))
        found |= {f"{name} {place}": outcome.test for place, outcome in enumerate(outcomes)}
    return found


if __name__ == "__main__":
    np.savez(sys.argv[1], **results())
