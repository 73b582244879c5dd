"""What methods are worth in rare rows, and how many more rare rows would tell two apart.

The methods that a study trained again with fewer rare rows have a curve each
(`remix_study.results.rare_curves`), in the form in which they compete for the decision. A method
is worth r times the rare rows where the baseline's curve at r reaches the method's score with all
rows. Nothing is said of more than `FURTHEST` times the rare rows, nor of less than the smallest
share.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from remix_study.metrics import better_sign, find_metric
from remix_study.results.comparison import Comparison, comparisons
from remix_study.results.data_shares import scores_at_data_shares
from remix_study.results.decision import Decision
from remix_study.results.equivalence import FEWEST_FOLDS, SURE
from remix_study.results.form_choice import has_scores
from remix_study.results.forms import Form, forms_of
from remix_study.results.frames import StudyFrames
from remix_study.results.intervals import CONFIDENCE, Interval, score_interval
from remix_study.results.probabilities import ProbabilityReader
from remix_study.results.rare_curves import (
    Curves,
    Floats,
    draw_means,
    fit_curves,
    has_slope,
)
from remix_study.results.telling_apart import MoreRows, rows_to_tell_apart
from remix_study.seeds import derive_seed

FURTHEST = 2.0
"""Times the rare rows that there are: beyond that a curve says nothing."""

FEWEST_SHARES = 2
"""Different numbers of rare rows that are too few for a curve."""


@dataclass(frozen=True)
class Worth:
    """How many times its rare rows the baseline needs to reach a method's score.

    Attributes:
        ratio: `inf` for more than `FURTHEST`, 0 for less than the smallest share; NaN where
            nobody can tell.
        low, high: Ends of the 95 % interval, in the same way.
        reason: Why nobody can tell; "" where there is an answer.
    """

    ratio: float = math.nan
    low: float = math.nan
    high: float = math.nan
    reason: str = ""

    @property
    def is_unclear(self) -> bool:
        """Whether the interval holds 1: the baseline may need more rows, or fewer."""
        return self.low <= 1 <= self.high


@dataclass(frozen=True, eq=False)
class RareCurve:
    """A method's score in one metric over the number of rare rows.

    Attributes:
        form: The method in the form in which it competes, with all rare rows.
        metric: What is scored.
        ratios: Shares of the rare training rows, ascending, the last one 1.
        scores: (folds, shares) test scores.
        intervals: Of the mean at each share.
        worth: In rare rows; None of the baseline itself.
        doubled: Change of the score with twice the rare rows, read off the curve; NaN without
            an interval.
        curve: Fitted to the means, better when higher.
    """

    form: Form
    metric: str
    ratios: tuple[float, ...]
    scores: pd.DataFrame
    intervals: tuple[Interval, ...]
    worth: Worth | None
    doubled: tuple[float, float, float]
    curve: Curves

    def at(self, ratio: float) -> float:
        """The fitted score with this many times the rare rows."""
        return float(better_sign(self.metric) * self.curve.at(ratio))


@dataclass(frozen=True, eq=False)
class RareRows:
    """The curves of one problem, by metric; rare rows are counted over all rare classes."""

    comparison: Comparison
    chosen: Form
    n_rare: int
    curves: Mapping[str, tuple[RareCurve, ...]]
    apart: tuple[MoreRows, ...]

    @cached_property
    def worths(self) -> Mapping[str, tuple[RareCurve, ...]]:
        """Metric -> methods but the baseline, those that are worth most first."""
        return {
            metric: tuple(
                sorted(
                    (curve for curve in curves if curve.worth),
                    key=lambda c: -np.nan_to_num(c.worth.ratio if c.worth else 0, posinf=1e9),
                )
            )
            for metric, curves in self.curves.items()
        }

    @property
    def has_chosen(self) -> bool:
        """Whether the method of the decision was trained with fewer rare rows."""
        curves = next(iter(self.curves.values()))
        return any(curve.form.method.run == self.chosen.method.run for curve in curves)

    def sure_ratio(self, metric: str) -> float:
        """Times the rare rows with which the baseline is surely as good as every method here.

        Infinite for more than `FURTHEST`, and where nobody can tell what some method is worth.
        """
        worths = [curve.worth for curve in self.worths[metric] if curve.worth]
        return max(math.inf if worth.reason else worth.high for worth in worths)

    def rows(self, ratio: float) -> int:
        """How many rare rows a ratio is more than there are."""
        return round((ratio - 1) * self.n_rare)


def compare_rare_rows(decision: Decision, frames: StudyFrames) -> RareRows | None:
    """The curves of a problem; None where nothing was trained with fewer rare rows."""
    comparison = decision.comparison
    smaller = {
        share: part
        for share, fewer in frames.fewer_rare_rows.items()
        for part in comparisons(fewer)
        if (part.study, part.problem) == (comparison.study, comparison.problem)
    }
    forms = list(_forms(decision, smaller, frames.probabilities))
    if not forms:
        return None
    curves = {metric: _curves(comparison, metric, forms) for metric in decision.objectives}
    apart = tuple(rows_to_tell_apart(decision))
    return RareRows(comparison, decision.chosen, comparison.n_rare, curves, apart)


Sized = tuple[Form, Mapping[float, pd.DataFrame]]
"""A method's form with all rare rows, and ratio of the rare rows -> (folds, metrics) scores."""


def _forms(
    decision: Decision, smaller: Mapping[float, Comparison], read: ProbabilityReader | None
) -> Iterator[Sized]:
    """The methods that were trained with every share, in the forms in which they compete.

    Without probabilities of some share a method is compared as trained.
    """
    for form in decision.entries:
        at_shares = [
            (part, method)
            for part in smaller.values()
            for method in part.methods
            if method.parameters == form.method.parameters
        ]
        if not smaller or len(at_shares) < len(smaller):
            continue
        by_name = [{f.name: f for f in forms_of(part, m, read)} for part, m in at_shares]
        full = form
        if not all(form.name in forms for forms in by_name):
            (full,) = forms_of(decision.comparison, form.method, None)
        fewer = [forms[full.name] for forms in by_name]
        if not all(has_scores(f, decision.objectives) for f in (full, *fewer)):
            continue
        full_folds = decision.comparison.trained_folds(form.method)
        of_full = full_folds["minority_train"].mean()
        sizes = [part.trained_folds(m)["minority_train"].mean() for part, m in at_shares]
        scores = [
            scores_at_data_shares(part, f, full_folds, read)
            for (part, _), f in zip(at_shares, fewer, strict=True)
        ]
        ratios = [float(size / of_full) for size in sizes]
        yield full, dict(zip(ratios, scores, strict=True)) | {1.0: full.scores["test"]}


def _curves(comparison: Comparison, metric: str, forms: Sequence[Sized]) -> tuple[RareCurve, ...]:
    frames = [
        pd.DataFrame({ratio: scores[metric] for ratio, scores in sorted(by_ratio.items())})
        for _, by_ratio in forms
    ]
    joined = pd.concat(frames, axis=1, keys=range(len(frames)), join="inner").dropna()
    sign, ratios = better_sign(metric), np.array(frames[0].columns, np.float64)
    scores = sign * joined.to_numpy(np.float64).reshape(len(joined), len(forms), len(ratios))
    draws = None
    if len(joined) >= FEWEST_FOLDS and not math.isnan(comparison.ratio):
        study_seed = (comparison.definition or {}).get("study", {}).get("seed", 0)
        seed = derive_seed(int(study_seed), comparison.problem, metric, "rare rows")
        draws = draw_means(scores, comparison.ratio, seed)
    fitted = fit_curves(scores.mean(axis=0), ratios)
    drawn = None if draws is None else fit_curves(draws, ratios)
    places = (at for at, (form, _) in enumerate(forms) if form.method.strategy == "baseline")
    baseline = next(places, None)
    reason = _reason(comparison, metric, forms, baseline, draws, ratios)
    curves = []
    for at, (form, _) in enumerate(forms):
        worth = None if at == baseline else Worth(reason=reason)
        if worth and not reason and drawn is not None and baseline is not None:
            worth = _worth(fitted, drawn, at, baseline, float(ratios[0]))
        frame, curve = frames[at].loc[joined.index], fitted.of_method(at)
        doubled = (math.nan, math.nan, math.nan)
        if drawn is not None:
            gains = drawn.of_method(at).at(FURTHEST) - drawn.of_method(at).level
            gain = float(curve.at(FURTHEST) - curve.level)
            doubled = (sign * gain, *_ends(sign * gains))
        means = tuple(score_interval(metric, frame[r], comparison.ratio) for r in frame)
        curves.append(RareCurve(form, metric, tuple(ratios), frame, means, worth, doubled, curve))
    return tuple(curves)


def _ends(draws: Floats) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], method="nearest")
    return float(low), float(high)


def _reason(
    comparison: Comparison,
    metric: str,
    forms: Sequence[Sized],
    baseline: int | None,
    draws: Floats | None,
    ratios: Floats,
) -> str:
    """Why nobody can tell what methods are worth; "" where one can."""
    if baseline is None:
        return "no baseline was trained with fewer rare rows"
    form, by_ratio = forms[baseline]
    if len(ratios) <= FEWEST_SHARES:
        return "folds have too few rare training rows to leave some out"
    untrained = comparison.untrained(form.method.label)
    if untrained:
        return f"the baseline did not train on {untrained.n_folds} of {untrained.folds} folds"
    if (by_ratio[1.0][metric] == find_metric(metric).worst).mean() > 0.5:
        return "the baseline has the worst score on most folds"
    if draws is None:
        if math.isnan(comparison.ratio):
            return "the test part is given once, so there are no draws of it"
        return f"{len(by_ratio[1.0])} folds are too few for an interval"
    if has_slope(draws, ratios)[baseline] < SURE:
        return "the baseline’s score does not surely get better with more rare rows"
    return ""


def _worth(fitted: Curves, drawn: Curves, at: int, baseline: int, least: float) -> Worth:
    """What a method is worth, between the smallest share and `FURTHEST`."""

    def bounded(ratio: float) -> float:
        return math.inf if ratio > FURTHEST else 0.0 if ratio < least else ratio

    def ratio_needed(curves: Curves) -> Floats:
        return curves.of_method(baseline).reach(curves.of_method(at).level)

    low, high = map(bounded, _ends(ratio_needed(drawn)))
    if (low, high) == (0.0, math.inf):
        return Worth(reason="its interval goes from below the smallest share to more than twice")
    return Worth(bounded(float(ratio_needed(fitted))), low, high)
