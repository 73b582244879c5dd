"""Effects: mean scores, and differences of two methods, each with its interval.

Whoever shows a score or a difference takes it from here: :class:`Effects` computes each once for
one problem and keeps it. Differences are paired by fold. Holm's adjustment is over all methods
that are compared with one reference on one problem in one metric. Which interval a problem has is
decided in ``Effects._interval`` and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from remix_study.metrics import better_or_worse
from remix_study.results.bootstrap import Bootstrap
from remix_study.results.intervals import (
    Interval,
    bootstrap_interval,
    corrected_interval,
    t_test,
    within_range,
)
from remix_study.results.significance import LEVEL, holm

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Scores (..., folds, methods) -> a number a fold, (..., folds)."""


Relation = Literal["better", "worse", "unclear"]
"""How one method compares with another; "unclear" where the interval holds zero."""


@dataclass(frozen=True)
class Score:
    """A method's mean score in one metric on one problem.

    The interval lies within the metric's range; the standard deviation over the folds is NaN with
    one fold.
    """

    method: str
    metric: str
    interval: Interval
    standard_deviation: float
    folds_at_zero: int

    @property
    def mean(self) -> float:
        return self.interval.mean


@dataclass(frozen=True)
class Difference:
    """One method minus another in one metric on one problem, paired by fold.

    Methods are given by their labels; `against` is subtracted. `holm_p` is the p-value adjusted
    within its family, NaN outside of `Effects.family`.
    """

    method: str
    against: str
    metric: str
    interval: Interval
    holm_p: float = math.nan

    @property
    def mean(self) -> float:
        return self.interval.mean

    @property
    def relation(self) -> Relation:
        """Whether the method is better or worse; "unclear" where the interval holds zero."""
        return self.direction if self.interval.excludes_zero else "unclear"

    @property
    def direction(self) -> Literal["better", "worse"]:
        """Whether the mean difference is for the better, whatever its interval."""
        return better_or_worse(self.metric, self.mean)

    @property
    def relation_after_holm(self) -> Relation:
        """Whether the method is better or worse by Holm's p-value; "unclear" outside a family."""
        return self.direction if self.holm_p <= LEVEL else "unclear"

    @property
    def degrees_of_freedom(self) -> int:
        """Of the t distribution: folds minus one; 0 for the bootstrap, which has none."""
        return 0 if self.interval.draws else self.interval.folds - 1

    @property
    def t(self) -> float:
        """Corrected resampled t statistic; infinite where every fold has the same difference.

        NaN for the bootstrap.
        """
        return t_test(self.interval)[0]

    @property
    def p(self) -> float:
        """Two-sided p-value of `t`."""
        return t_test(self.interval)[1]


def with_holm(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """The differences with p-values adjusted over them."""
    adjusted = holm([difference.p for difference in differences])
    return tuple(
        replace(difference, holm_p=float(p))
        for difference, p in zip(differences, adjusted, strict=True)
    )


_NO_SCORES = pd.DataFrame()


def _only(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return scores[..., 0]


def _first_minus_second(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return scores[..., 0] - scores[..., 1]


class Effects:
    """Scores and differences of the methods of one problem, each computed once.

    Args:
        scores: (part, metric) -> (folds, methods) frame; NaN where a fold failed.
        ratio: n_test / n_train of the corrected standard error.
        part: the scored part, whose rows `ratio` counts as n_test.
        bootstrap: draws of test rows, for problems whose test parts are no repeated draws.
    """

    def __init__(
        self,
        scores: Mapping[tuple[str, str], pd.DataFrame],
        ratio: float,
        part: str = "test",
        bootstrap: Bootstrap | None = None,
    ) -> None:
        self._frames, self._ratio, self._part = scores, ratio, part
        self._bootstrap = bootstrap
        self._by_fold: dict[tuple[str, str], pd.Series[float]] = {}
        self._tables: dict[str, tuple[dict[str, int], NDArray[np.float64]]] = {}
        self._scores: dict[tuple[str, str], Score | None] = {}
        self._differences: dict[tuple[str, str, str], Difference | None] = {}

    def by_fold(self, method: str, metric: str) -> pd.Series[float]:
        """Scores of a method by (repeat, fold), without folds that have none."""
        key = method, metric
        if key not in self._by_fold:
            frame = self._frames.get((self._part, metric), _NO_SCORES)
            has_scores = method in frame
            self._by_fold[key] = frame[method].dropna() if has_scores else pd.Series(dtype=float)
        return self._by_fold[key]

    def n_folds(self, method: str, metric: str) -> int:
        """Number of folds on which a method, by its label, has a score."""
        column = self._column(method, metric)
        return 0 if column is None else int(np.count_nonzero(~np.isnan(column)))

    def mean(self, method: str, metric: str) -> float:
        """Mean over the folds on which a method, by its label, has a score; NaN without any."""
        column = self._column(method, metric)
        return math.nan if column is None else float(np.mean(column[~np.isnan(column)]))

    def _column(self, method: str, metric: str) -> NDArray[np.float64] | None:
        """Scores of a method, (folds,) with NaN where there is none; None if it has no score."""
        if metric not in self._tables:
            # As an array: pandas takes many times as long for each of a page's many columns.
            frame = self._frames.get((self._part, metric), _NO_SCORES)
            places = {str(label): place for place, label in enumerate(frame)}
            self._tables[metric] = places, frame.to_numpy(dtype=np.float64)
        places, table = self._tables[metric]
        if method not in places:
            return None
        scores: NDArray[np.float64] = table[:, places[method]]
        return None if np.isnan(scores).all() else scores

    def interval(
        self, by_fold: pd.Series[Any], labels: Sequence[str], metric: str, statistic: Statistic
    ) -> Interval:
        """The interval of the mean over folds of a statistic of some methods' scores.

        Args:
            by_fold: the statistic by (repeat, fold), NaN where there is none.
            labels: of the methods.
            metric: what they are scored in.
            statistic: how `by_fold` comes from the scores of the methods, in their order.
        """
        return self._interval(
            by_fold.to_numpy(dtype=np.float64), by_fold.index, labels, metric, statistic
        )

    def _interval(
        self,
        values: NDArray[np.float64],
        folds: pd.Index[Any],
        labels: Sequence[str],
        metric: str,
        statistic: Statistic,
    ) -> Interval:
        """Decide which interval a mean over folds has.

        With a bootstrap it is the percentile interval of the statistic on the drawn test rows,
        else the corrected t interval of the folds, which is NaN where the ratio is.
        """
        is_there = np.isfinite(values)
        draws = self._bootstrap
        if draws is None or not is_there.any() or not draws.can_score(metric):
            return corrected_interval(values, self._ratio)
        places = [(int(repeat), int(fold)) for repeat, fold in folds[is_there]]
        drawn = [draws.draws(label, metric, places) for label in labels]
        means = statistic(np.stack(drawn, axis=-1)).mean(axis=1)
        return bootstrap_interval(values[is_there], means)

    def score(self, method: str, metric: str) -> Score | None:
        """The mean score of a method, by its label; None where it has none in this metric."""
        key = method, metric
        if key not in self._scores:
            column = self._column(method, metric)
            if column is None:
                self._scores[key] = None
            else:
                scores = column[~np.isnan(column)]
                deviation = float(np.std(scores, ddof=1)) if len(scores) > 1 else math.nan
                folds = self._frames[self._part, metric].index
                interval = self._interval(column, folds, [method], metric, _only)
                interval = within_range(metric, interval)
                self._scores[key] = Score(*key, interval, deviation, int((scores == 0).sum()))
        return self._scores[key]

    def difference(self, method: str, against: str, metric: str) -> Difference | None:
        """One method minus another, by their labels; None where one has no such score."""
        key = method, against, metric
        if key not in self._differences:
            first, second = self._column(method, metric), self._column(against, metric)
            self._differences[key] = None
            if first is not None and second is not None:
                folds, labels = self._frames[self._part, metric].index, [method, against]
                interval = self._interval(
                    first - second, folds, labels, metric, _first_minus_second
                )
                self._differences[key] = Difference(*key, interval)
        return self._differences[key]

    def differences(
        self, method: str, against: str, metrics: Iterable[str]
    ) -> dict[str, Difference]:
        """Metric -> one method minus another, in those of the metrics that both have."""
        by_metric = {metric: self.difference(method, against, metric) for metric in metrics}
        return {metric: difference for metric, difference in by_metric.items() if difference}

    def family(self, methods: Sequence[str], against: str, metric: str) -> tuple[Difference, ...]:
        """The differences of all methods to one, by their labels, with Holm's p-values over them.

        The reference itself is left out, and methods whose difference has no interval.
        """
        differences = [
            difference
            for method in methods
            if method != against
            and (difference := self.difference(method, against, metric))
            and not math.isnan(difference.interval.low)
        ]
        return with_holm(differences)
