"""The constants of the rules, each with its reason; none was chosen by looking at a result.

A claim has parts, such as one metric on one kind of problem. Each part has two verdicts.

Descriptive: the order or sign of the point estimates. A part holds or does not hold; ties hold
no strict order. A claim holds where all its parts do, and fails where one does.

Inferential: by data set. Scores are averaged over the problems of a data set first, and a part
turns its statement into differences, each above zero where the statement is right. The Bayesian
signed-rank test gives the probabilities that a difference is practically better, equal or worse.
A statement names those of the three that agree with it; it is supported where they add up to more
than `SURE`, contradicted where the others do, undecided in between. A part with several
differences is supported where each is and contradicted where one is; so is a claim of its parts.

What was not run, or has failed folds, is named and yields no verdict.
"""

from __future__ import annotations

from remix_study.paper.published import STRATEGIES
from remix_study.results.significance import LEAST_UNITS, ROPE

# Two data sets that agree already give a posterior of 0.96, which says more of the prior than of
# them; three is what the paper has in its multi-class half.
LEAST_DATASETS = LEAST_UNITS

RIVALS = tuple(name for name in STRATEGIES if name != "remix")
# Figure 5 has no bar of its own for the baseline: its gain over itself is zero.
GAINING_RIVALS = tuple(name for name in RIVALS if name != "baseline")

# Balanced Brier rewards any shift of the prior; these do not, so "calibration" means these.
CALIBRATION = ("brier", "cwece")
# Resampling that existed before: in-batch SMOTE and in-batch random oversampling.
EXISTING_RESAMPLING = ("smote", "balance")

# "Much larger": half as much again is the least that the words can mean.
MUCH_LARGER = 1.5

# The range the paper speaks of, both ends included.
ALPHA_RANGE = (0.01, 0.4)
# Above it, says the paper, performance can degrade.
MOST_ALPHA = 0.5
GOOD_ALPHA = 0.3
# A score lost by less than the region of practical equivalence is no loss.
SMALL_LOSS = ROPE

# "Minimal additional computation": at most a tenth more time per epoch.
MINIMAL_EXTRA = 1.1
# A mixed row within a tenth of the way to its partner is a copy for all that a network sees.
COPY = 0.1
# "Rarely": at most one row in twenty.
RARELY = 0.05

IMAGES = "cifar"
# What the paper ran on images; on fewer or in fewer folds an answer is a look.
IMAGE_SET, IMAGE_FOLDS = "cifar10", 20
