"""Studies as the dashboard may show them: with validation parts where test parts were.

Whoever looks at a running study can act on what is seen: stop it, change it, choose. So the
reports' own curves, ranks and diagrams are drawn here from validation parts, and test scores and
probabilities are dropped before anything is computed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from remix_study.results.frames import StudyFrames


def validation_only(frames: StudyFrames) -> StudyFrames:
    """The frames with the validation part in the place of the test part, and no test part.

    The rows that judge are then the validation rows and none is set aside, which is what the
    corrected standard errors are told.
    """
    scores = frames.scores[frames.scores["part"] == "validation"].assign(part="test")
    folds = frames.folds.assign(
        n_test=frames.folds["n_validation"],
        minority_test=frames.folds["minority_validation"],
        n_validation=0,
        minority_validation=0,
    )
    stored = frames.probabilities
    if stored is None:
        return replace(frames, scores=scores, folds=folds)

    def probabilities(
        run: int, repeat: int, fold: int, _part: str
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
        return stored(run, repeat, fold, "validation")

    return replace(frames, scores=scores, folds=folds, probabilities=probabilities)
