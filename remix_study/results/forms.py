"""Forms of a method: its probabilities as trained, brought to other class shares, or with a
threshold, scored on validation and test parts.

What is fitted, the threshold, is cross-fitted within the validation part before it competes: it is
chosen on one half and scored on the other, so that a form with something to fit has no advantage.
On the test part it is chosen with the whole validation part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from remix_study.metrics import CLASS_METRICS, METRICS, STANDARD_METRICS, better_sign, score
from remix_study.metrics.class_scores import class_scores, confusion_of
from remix_study.results.comparison import Comparison
from remix_study.results.corrections import SAME_PRIOR
from remix_study.results.methods import Method
from remix_study.results.probabilities import (
    TILTS,
    ProbabilityReader,
    scored_prior,
    tilt,
    to_prior,
)

FormName = Literal["as trained", "equal shares", "natural shares", "threshold"]
Prior = Literal["natural", "equal", "neither"]
Scores = Mapping[str, pd.DataFrame]
"""Part ("validation" or "test") -> (folds, metrics) frame."""

Part = tuple[NDArray[Any], NDArray[np.int32], NDArray[np.float64]]
"""(n,) row ids, (n,) class codes, (n, K) probabilities."""


@dataclass(frozen=True, eq=False)
class Form:
    """One form of a method with its scores.

    Attributes:
        method: What was trained.
        name: ``as trained``; ``equal shares`` or ``natural shares``, the probabilities divided by
            the class shares that they are for and multiplied by those; or ``threshold``: the
            probabilities as trained, the class by a threshold that validation rows choose.
        prior: The class shares that its probabilities are for; those of losses that only lean
            towards equal shares are for ``neither``.
        scores: By part, fold and metric.
        thresholds: Of a binary problem the probability of the rare class, as trained, from which
            on it is predicted; one a fold.
    """

    method: Method
    name: FormName
    prior: Prior
    scores: Scores
    thresholds: tuple[float, ...] = ()

    @property
    def label(self) -> str:
        """The method's label, and the form unless it is as trained."""
        ends = {
            "as trained": "",
            "equal shares": " / prior",
            "natural shares": " corrected",
            "threshold": " + threshold",
        }
        return self.method.label + ends[self.name]


def forms_of(
    comparison: Comparison, method: Method, probabilities: ProbabilityReader | None
) -> list[Form]:
    """All forms of a method that has scores on every fold; without probabilities the first one."""
    stored = _stored_scores(comparison, method)
    folds = comparison.trained_folds(method).to_dict("records")
    priors = [_prior(method, fold) for fold in folds]
    prior = _name_of(priors, folds)
    forms = [Form(method, "as trained", prior, stored)]
    if probabilities is None or not folds:
        return forms
    read = {
        (int(fold["repeat"]), int(fold["fold"])): {
            part: probabilities(method.run, int(fold["repeat"]), int(fold["fold"]), part)
            for part in ("validation", "test")
        }
        for fold in folds
    }
    if prior != "equal" and all((learnt > 0).all() for learnt in priors):
        equal = [np.full(len(learnt), 1 / len(learnt)) for learnt in priors]
        forms.append(_moved(comparison, method, "equal shares", read, priors, equal))
    if prior == "equal":
        natural = [_shares(fold) for fold in folds]
        forms.append(_moved(comparison, method, "natural shares", read, priors, natural))
    if criterion := next((m for m in comparison.objectives if m in CLASS_METRICS), None):
        forms.append(_with_threshold(method, prior, read, folds, stored, criterion))
    return forms


def _stored_scores(comparison: Comparison, method: Method) -> Scores:
    return {
        part: pd.DataFrame(
            {metric: comparison.score(method.label, metric, part) for metric in METRICS}
        ).dropna(axis="columns", how="all")
        for part in ("validation", "test")
    }


def _shares(fold: Mapping[Any, Any]) -> NDArray[np.float64]:
    return np.asarray(fold["natural_prior"], dtype=np.float64)


def _prior(method: Method, fold: Mapping[Any, Any]) -> NDArray[np.float64]:
    """The class shares that probabilities of a fold are for."""
    return scored_prior(fold["effective_prior"], _shares(fold), method.loss)


def _name_of(priors: Sequence[NDArray[np.float64]], folds: Sequence[Mapping[Any, Any]]) -> Prior:
    if not folds:
        return "neither"
    mean = np.stack(priors).mean(axis=0)
    natural = np.stack([_shares(fold) for fold in folds]).mean(axis=0)
    if np.abs(mean * len(mean) - 1).max() <= SAME_PRIOR:
        return "equal"
    return "natural" if np.abs(mean / natural - 1).max() <= SAME_PRIOR else "neither"


Read = Mapping[tuple[int, int], Mapping[str, Part]]


def _moved(
    comparison: Comparison,
    method: Method,
    name: Literal["equal shares", "natural shares"],
    read: Read,
    sources: Iterable[NDArray[np.float64]],
    targets: Iterable[NDArray[np.float64]],
) -> Form:
    """The form whose probabilities are brought from one prior to another, fold by fold."""
    scores: dict[str, dict[tuple[int, int], dict[str, float]]] = {"validation": {}, "test": {}}
    for (place, parts), source, target in zip(read.items(), sources, targets, strict=True):
        for part, (_, y, p) in parts.items():
            scores[part][place] = _scored(comparison, y, to_prior(p, source, target))
    prior: Prior = "equal" if name == "equal shares" else "natural"
    return Form(method, name, prior, {part: _frame(rows) for part, rows in scores.items()})


def _with_threshold(
    method: Method,
    prior: Prior,
    read: Read,
    folds: Sequence[Mapping[Any, Any]],
    stored: Scores,
    criterion: str,
) -> Form:
    """The form that decides by the tilt with the best value of a metric on validation rows."""
    rows: dict[str, dict[tuple[int, int], dict[str, float]]] = {"validation": {}, "test": {}}
    thresholds = []
    for (place, parts), fold in zip(read.items(), folds, strict=True):
        shares = _shares(fold)
        ids, y, p = parts["validation"]
        halves = _halves(ids, y)
        decided = np.empty_like(p)
        for chosen_on, scored in (halves, halves[::-1]):
            amount = _best_tilt(y[chosen_on], p[chosen_on], shares, criterion)
            decided[scored] = tilt(p[scored], shares, amount)
        rows["validation"][place] = _class_scores(y, decided)
        amount = _best_tilt(y, p, shares, criterion)
        _, y_test, p_test = parts["test"]
        rows["test"][place] = _class_scores(y_test, tilt(p_test, shares, amount))
        if len(shares) == 2:
            odds = (shares[1] / shares[0]) ** amount
            thresholds.append(float(odds / (1 + odds)))
    scores = {part: stored[part].assign(**_frame(by_fold)) for part, by_fold in rows.items()}
    return Form(method, "threshold", prior, scores, tuple(thresholds))


def _halves(
    ids: NDArray[Any], y: NDArray[np.int32]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Two halves of the rows, each with half of the rows of every class, the same for all methods.

    A class with one row is in the first half alone.
    """
    first = np.zeros(len(y), bool)
    for code in np.unique(y):
        of_class = np.flatnonzero(y == code)
        first[of_class[np.argsort(ids[of_class], kind="stable")][::2]] = True
    return first, ~first


def _best_tilt(
    y: NDArray[np.int32],
    p: NDArray[np.float64],
    shares: NDArray[np.float64],
    criterion: str,
) -> float:
    """The tilt with the best value of a metric; among equals the nearest to 1."""
    if not len(y):
        return 1.0
    sign = better_sign(criterion)
    values = np.array(
        [sign * _class_scores(y, tilt(p, shares, amount))[criterion] for amount in _TILTS]
    )
    best = _TILTS[values >= values.max() - 1e-12]
    return float(best[np.abs(best - 1).argmin()])


# A quarter of those of the corrections: a metric is computed at each of them.
_TILTS = TILTS[::4]


def _scored(
    comparison: Comparison, y: NDArray[np.int32], p: NDArray[np.float64]
) -> dict[str, float]:
    on_request = [m for m in comparison.objectives if m not in STANDARD_METRICS]
    return score(y, p, p.shape[1], on_request)


def _class_scores(y: NDArray[np.int32], p: NDArray[np.float64]) -> dict[str, float]:
    """Metrics of the predicted classes alone."""
    confusion = confusion_of(y.astype(np.intp), p.argmax(axis=1), p.shape[1], np.ones(len(y)))
    recalls = confusion.recall()
    present = recalls[np.isfinite(recalls)]
    return class_scores(confusion) | {
        "g_mean": float(present.prod() ** (1 / len(present))),
        "balanced_accuracy": float(present.mean()),
        "min_recall": float(present.min()),
    }


def _frame(rows: Mapping[tuple[int, int], Mapping[str, float]]) -> pd.DataFrame:
    """A (folds, metrics) frame of scores by (repeat, fold)."""
    index = pd.MultiIndex.from_tuples(rows, names=["repeat", "fold"])
    frame = pd.DataFrame(list(rows.values()), index, dtype=np.float64)
    return frame[[name for name in frame if name in METRICS]]
