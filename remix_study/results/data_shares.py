"""Scores of methods that saw fewer rare rows, at the class shares of the data.

Fewer rare rows change two things: how much there is to learn from, and the class shares that
probabilities are for. The second is known and is taken back by Bayes' rule, so that curves over
the number of rare rows show the first alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from remix_study.metrics import CLASS_METRICS, STANDARD_METRICS, score
from remix_study.results.aims import study_costs
from remix_study.results.comparison import Comparison
from remix_study.results.forms import Form
from remix_study.results.probabilities import ProbabilityReader, read_folds, to_prior


def scores_at_data_shares(
    part: Comparison, form: Form, full_folds: pd.DataFrame, read: ProbabilityReader | None
) -> pd.DataFrame:
    """Test scores (folds, metrics) of a form whose training had fewer rare rows.

    Those of forms for natural class shares are computed anew, from probabilities that are brought
    to the shares of the data; others, and without probabilities all, are as they are.

    Args:
        part: The problem with fewer rare rows.
        form: Of one of its methods.
        full_folds: Rows of `StudyFrames.folds` with all rare rows, whose shares are the data's.
        read: Of probabilities.
    """
    stored = form.scores["test"]
    if form.prior != "natural" or read is None:
        return stored
    shares, of_data = map(_shares, (part.trained_folds(form.method), full_folds))
    on_request = [m for m in part.objectives if m not in STANDARD_METRICS and m in stored]
    costs, rows = study_costs(part.info), dict[tuple[int, int], dict[str, float]]()
    for place, parts in read_folds(read, form.method.run, list(stored.index)).items():
        _, y, p, weights = parts["test"]
        p = to_prior(to_prior(p, *form.moves.get(place, _SAME)), shares[place], of_data[place])
        scores = score(y, p, p.shape[1], on_request, sample_weight=weights, costs=costs)
        # A threshold has adapted to the shares already.
        adapted = CLASS_METRICS if form.name == "threshold" else ()
        rows[place] = {
            str(m): stored[m][place] if m in adapted else scores.get(str(m), np.nan)
            for m in stored
        }
    return pd.DataFrame.from_dict(rows, orient="index").set_index(stored.index) if rows else stored


_SAME = (1.0, 1.0)
"""A move to the same class shares."""


def _shares(folds: pd.DataFrame) -> Mapping[tuple[int, int], NDArray[np.float64]]:
    return {
        (int(fold["repeat"]), int(fold["fold"])): np.asarray(fold["natural_prior"], np.float64)
        for fold in folds.to_dict("records")
    }
