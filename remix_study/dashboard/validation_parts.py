"""Frames of a study as the dashboard may show them: validation parts in the place of test parts.

Whoever looks at a running study may act on what it shows: stop it, change it, choose. The curves,
ranks and diagrams of reports are therefore made of validation parts here; test scores and
probabilities are dropped before anything is computed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from remix_study.results.frames import StudyFrames


def validation_only(frames: StudyFrames) -> StudyFrames:
    """Replace test parts by validation parts, scores and probabilities alike.

    Corrected standard errors then count the validation rows as the rows that are scored, and none
    as held out for validation.
    """
    scores = frames.scores[frames.scores["part"] == "validation"].assign(part="test")
    folds = frames.folds.assign(
        n_test=frames.folds["n_validation"],
        minority_test=frames.folds["minority_validation"],
        n_validation=0,
        minority_validation=0,
    )
    read_stored = frames.probabilities
    if read_stored is None:
        return replace(frames, scores=scores, folds=folds)

    def probabilities(
        run: int, repeat: int, fold: int, _part: str
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
        return read_stored(run, repeat, fold, "validation")

    return replace(frames, scores=scores, folds=folds, probabilities=probabilities)
