"""How many more rare rows, or repeats, would tell the chosen method from others.

To tell two methods apart takes a narrower posterior. The standard error of their difference is
s sqrt(1/J + n_test/n_train): more repeats make J larger and leave the second term, which comes
with the test rows that there are. The variance s^2 of a fold's difference is that of its rare test
rows, which are fewest, and falls as one over their number: k times the rare rows have
1 / sqrt(k) times the standard error. The difference itself is taken to stay as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from remix_study.results.decision import Decision
from remix_study.results.equivalence import compare, word_of
from remix_study.results.forms import Form
from remix_study.results.intervals import Interval
from remix_study.results.significance import Posterior

MOST_TIMES = 10.0
"""Times the rare rows that are named as enough to tell two methods apart."""

MOST_REPEATS = 100
"""Repeats of the cross-validation that are named as enough."""


@dataclass(frozen=True)
class MoreRows:
    """What it takes to tell the chosen method from one that it cannot be told from.

    Attributes:
        label: The other method.
        chosen: The chosen one.
        metric: In which they cannot be told apart.
        times: Times the rare rows that would do; `inf` for more than `MOST_TIMES`.
        repeats: Repeats that would do; None where `MOST_REPEATS` would not.
    """

    label: str
    chosen: str
    metric: str
    times: float
    repeats: int | None


def rows_to_tell_apart(decision: Decision) -> Iterator[MoreRows]:
    """For each objective the best method that cannot be told from the chosen one in it."""
    ratio, n_folds = decision.comparison.ratio, int(decision.comparison.info["folds"])
    for metric in decision.objectives:
        form = next(
            (
                form
                for form in decision.entries
                if decision.words.get(form.label, {}).get(metric) == "cannot tell"
            ),
            None,
        )
        if form is None or math.isnan(ratio):
            continue
        difference = decision.difference(form, decision.chosen, metric)
        times = _times_needed(decision, form, metric, difference)
        if times is None:
            continue
        # The variance with J folds is proportional to 1/J + ratio.
        share = (1 / difference.folds + ratio) / times - ratio
        repeats = math.ceil(1 / share / n_folds) if share * n_folds * MOST_REPEATS > 1 else None
        yield MoreRows(form.label, decision.chosen.label, metric, times, repeats)


def _times_needed(
    decision: Decision, form: Form, metric: str, difference: Interval
) -> float | None:
    """Times the rare rows with which a word could be said; None where no width is the matter."""
    scores, of_chosen = (f.scores["test"][metric] for f in (form, decision.chosen))

    def posterior(times: float) -> Posterior | None:
        narrower = replace(difference, standard_error=difference.standard_error / math.sqrt(times))
        ratio, region = decision.comparison.ratio, decision.regions[metric]
        return compare(scores, of_chosen, metric, ratio, narrower, region)

    def has_word(times: float) -> bool:
        return word_of(posterior(times)) != "cannot tell"

    if posterior(1.0) is None or has_word(1.0):
        return None
    if not has_word(MOST_TIMES):
        return math.inf
    low, high = 1.0, MOST_TIMES
    while high - low > 0.01:
        middle = (low + high) / 2
        low, high = (low, middle) if has_word(middle) else (middle, high)
    return high
