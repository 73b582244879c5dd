"""Scores of predicted probabilities on imbalanced data.

In come the true classes of a fold's part, the probabilities that a network gave, and weights of
rows where a study has them; out goes one number a metric. ``catalogue`` describes every metric,
``scoring`` computes them; read these two first. ``class_scores`` scores predicted classes,
``ranking`` the order of probabilities and their calibration, ``costs`` decisions.
docs/metrics.md has the formulas.

Conventions, the same for every metric:

- The rare class of a binary problem is code 1: the class that ``minority`` names, else the smaller
  one. ``average_precision``, ``precision``, ``recall``, ``specificity`` and the F-scores are this
  class's; with more classes they are the mean over classes.
- A class without scored rows is left out of means over classes; its ``recall_<c>`` and
  ``brier_<c>`` are NaN. A metric of one class, without rows of it, is NaN, too.
- The predicted class is the most probable one, the lowest code among equals. A class that is never
  predicted has precision and F-score 0.
- Brier scores are on half scale for every number of classes, so they lie in [0, 1] and are the
  usual Brier score when there are two.
- A row of weight w counts as w equal rows would; rows of weight 0 are not there. Weights act in
  every metric, and only their ratios matter.
- Calibration errors use 15 bins of equal weight (of as many rows without weights). Rows of equal
  confidence share a bin: a row's bin depends on the weight of the rows below it, so that the order
  of the rows does not matter, and bins differ in size only where confidences are equal.

To add a metric, compute it in ``scoring.score`` and describe it in ``catalogue.METRICS``.
"""

from remix_study.metrics.catalogue import (
    BUILT_IN_METRICS,
    CLASS_METRICS,
    CORE_METRICS,
    EXTRA_METRICS,
    METRICS,
    NATURAL_METRICS,
    PUBLISHED_METRICS,
    ROPES,
    SMALLEST,
    STANDARD_METRICS,
    Metric,
    add_metric,
    better_or_worse,
    better_sign,
    find_metric,
    is_maximized,
    rope_of,
    short_name,
)
from remix_study.metrics.other_names import metric_hint
from remix_study.metrics.ranking import BINS
from remix_study.metrics.scoring import score

__all__ = [
    "BINS",
    "BUILT_IN_METRICS",
    "CLASS_METRICS",
    "CORE_METRICS",
    "EXTRA_METRICS",
    "METRICS",
    "NATURAL_METRICS",
    "PUBLISHED_METRICS",
    "ROPES",
    "SMALLEST",
    "STANDARD_METRICS",
    "Metric",
    "add_metric",
    "better_or_worse",
    "better_sign",
    "find_metric",
    "is_maximized",
    "metric_hint",
    "rope_of",
    "score",
    "short_name",
]
