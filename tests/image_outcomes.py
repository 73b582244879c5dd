"""Test probabilities on images, by strategy, for a process that repeats them.

python image_outcomes.py FILE
"""

from __future__ import annotations

import sys

import numpy as np
from small_images import SmallImages
from small_problems import short_training

from remix_study.batches.strategies import make_strategy

PLAIN, AUGMENTED = ("baseline", "remix"), ("augment", "remix-aug")


def probabilities():
    """Test probabilities of two members under each strategy, by strategy and member."""
    images = SmallImages()
    members = images.members()
    engine = images.engine(members)
    arrays = {}
    for name in (*PLAIN, *AUGMENTED):
        outcomes = engine.fit(members, make_strategy(name), short_training(epochs=2))
        arrays |= {f"{name} {place}": outcome.test for place, outcome in enumerate(outcomes)}
    return arrays


if __name__ == "__main__":
    np.savez(sys.argv[1], **probabilities())
