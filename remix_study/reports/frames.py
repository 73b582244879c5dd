"""What the reports read of a study: tidy data frames, filled from the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Probabilities = Callable[
    [int, int, int, str], tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]
]


@dataclass(frozen=True, eq=False)
class StudyFrames:
    """One or more studies, as the reports see them.

    Attributes:
        problems: one row a problem (one Optuna study): `study`, `problem`, `dataset`, `kind`,
            `imbalance` (NaN: as it is), `classes` (tuple), `minority` (tuple of class names),
            `counts` (dict class name -> rows), `notes` (tuple), `n_rows`, `n_features`, `folds`,
            `repeats`, `validation` (share), `early_stopping` (bool), `monitor`, `preset`,
            `objectives` (tuple of metric names), `algorithm`, `planned`, `complete`, `failed`.
        runs: one row a complete trial: `run` (int), `study`, `problem`, `trial`, `row` (label),
            `strategy` ("" when composed), `sampler`, `mixing`, `alpha` (NaN where none), `loss`,
            `seconds`, `values` (tuple), `parameters` (dict).
        folds: one row a run, repeat and fold: `run`, `repeat`, `fold`, `n_train`,
            `n_validation`, `n_test`, `minority_train`, `minority_validation`, `minority_test`
            (smallest count over the rare classes), `epochs`, `stopped`, `failed` (reason or ""),
            `effective_prior` and `natural_prior` (tuples of K shares).
        scores: tidy: `run`, `repeat`, `fold`, `part` ("validation" | "test"), `metric`, `value`.
        manifests: how each study was run, one dictionary a study.
        probabilities: (run, repeat, fold, part) -> (row ids, class codes (n,), (n, K)); None
            where a database holds none.
    """

    problems: pd.DataFrame
    runs: pd.DataFrame
    folds: pd.DataFrame
    scores: pd.DataFrame
    manifests: tuple[Mapping[str, Any], ...]
    probabilities: Probabilities | None = None
