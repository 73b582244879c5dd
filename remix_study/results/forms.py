"""Forms of a method: its probabilities as trained, brought to other class shares, or with a
threshold, scored on validation and test parts.

What is fitted, the threshold, is cross-fitted within the validation part before it competes: it is
chosen on one half and scored on the other, so that a form with something to fit has no advantage.
On the test part it is chosen with the whole validation part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from remix_study.batches.losses import LOSSES, RowWeights
from remix_study.metrics import (
    BUILT_IN_METRICS,
    CLASS_METRICS,
    METRICS,
    STANDARD_METRICS,
    score,
)
from remix_study.metrics import SMALLEST as LEAST_PROBABILITY
from remix_study.metrics.class_scores import class_scores, confusion_of
from remix_study.results.bootstrap import study_costs
from remix_study.results.comparison import Comparison
from remix_study.results.corrections import SAME_PRIOR
from remix_study.results.methods import Method
from remix_study.results.probabilities import (
    ProbabilityReader,
    read_folds,
    scored_prior,
    study_class_weights,
    tilt,
    to_prior,
)
from remix_study.results.tilts import OF_RECALLS, best_tilt

FormName = Literal["as trained", "equal shares", "natural shares", "threshold"]
Prior = Literal["natural", "equal", "neither"]
Scores = Mapping[str, pd.DataFrame]
"""Part ("validation" or "test") -> (folds, metrics) frame."""

Rows = dict[str, dict[tuple[int, int], dict[str, float]]]
"""Part -> (repeat, fold) -> metric -> score."""

Part = tuple[NDArray[Any], NDArray[np.int32], NDArray[np.float64], RowWeights]
"""(n,) row ids, (n,) class codes, (n, K) probabilities, (n,) weights or None."""

Move = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Class shares (K,) that probabilities are divided by, and those that they are multiplied by."""

Read = Mapping[tuple[int, int], Mapping[str, Part]]


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
        moves: Place -> class shares that probabilities as trained are divided by, and those that
            they are multiplied by; empty as trained.
    """

    method: Method
    name: FormName
    prior: Prior
    scores: Scores
    thresholds: tuple[float, ...] = ()
    moves: Mapping[tuple[int, int], Move] = field(default_factory=dict)

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
    folds = comparison.trained_folds(method).to_dict("records")
    priors = [_prior(comparison, method, fold) for fold in folds]
    prior = _name_of(method, priors, folds)
    stored = _stored_rows(comparison, method)
    forms = [Form(method, "as trained", prior, _frames(stored))]
    # A metric of the user's own is computed in training alone.
    if probabilities is None or not folds or not {*comparison.objectives} <= {*BUILT_IN_METRICS}:
        return forms
    places = [(int(fold["repeat"]), int(fold["fold"])) for fold in folds]
    if not (read := read_folds(probabilities, method.run, places)):
        return forms
    if prior != "equal" and all((learnt > 0).all() for learnt in priors):
        equal = [np.full(len(learnt), 1 / len(learnt)) for learnt in priors]
        rows = _moved_rows(comparison, stored, read, priors, equal)
        moves = dict(zip(read, zip(priors, equal, strict=True), strict=True))
        forms.append(Form(method, "equal shares", "equal", _frames(rows), (), moves))
    if prior == "equal":
        natural = [_shares(fold) for fold in folds]
        rows = _moved_rows(comparison, stored, read, priors, natural)
        moves = dict(zip(read, zip(priors, natural, strict=True), strict=True))
        forms.append(Form(method, "natural shares", "natural", _frames(rows), (), moves))
    if criterion := next((m for m in comparison.objectives if m in CLASS_METRICS), None):
        rows, thresholds, moves = _threshold_rows(stored, read, folds, criterion)
        forms.append(Form(method, "threshold", prior, _frames(rows), thresholds, moves))
    return forms


def _stored_rows(comparison: Comparison, method: Method) -> Rows:
    rows: Rows = {"validation": {}, "test": {}}
    for (part, metric), frame in comparison.scores.items():
        if metric in METRICS and method.label in frame:
            for place, value in zip(frame.index, frame[method.label].to_numpy(), strict=True):
                rows[part].setdefault(place, {})[metric] = float(value)
    return rows


def _shares(fold: Mapping[Any, Any]) -> NDArray[np.float64]:
    return np.asarray(fold["natural_prior"], dtype=np.float64)


def _prior(comparison: Comparison, method: Method, fold: Mapping[Any, Any]) -> NDArray[np.float64]:
    """The class shares that probabilities of a fold are for."""
    effective, weights = fold["effective_prior"], study_class_weights(comparison.info)
    return scored_prior(effective, _shares(fold), method.loss, weights)


def _name_of(
    method: Method, priors: Sequence[NDArray[np.float64]], folds: Sequence[Mapping[Any, Any]]
) -> Prior:
    if not folds or LOSSES[method.loss] == "towards balanced":
        return "neither"
    mean = np.stack(priors).mean(axis=0)
    natural = np.stack([_shares(fold) for fold in folds]).mean(axis=0)
    if np.abs(mean * len(mean) - 1).max() <= SAME_PRIOR:
        return "equal"
    return "natural" if np.abs(mean / natural - 1).max() <= SAME_PRIOR else "neither"


def _moved_rows(
    comparison: Comparison,
    stored: Rows,
    read: Read,
    sources: Iterable[NDArray[np.float64]],
    targets: Iterable[NDArray[np.float64]],
) -> Rows:
    """Scores of probabilities that are brought from one prior to another, fold by fold."""
    rows: Rows = {"validation": {}, "test": {}}
    for (place, parts), source, target in zip(read.items(), sources, targets, strict=True):
        for part, (_, y, p, weights) in parts.items():
            moved = to_prior(p, source, target)
            rows[part][place] = _scored(comparison, y, moved, weights, stored[part][place])
    return rows


def _threshold_rows(
    stored: Rows, read: Read, folds: Sequence[Mapping[Any, Any]], criterion: str
) -> tuple[Rows, tuple[float, ...], dict[tuple[int, int], Move]]:
    """Scores, thresholds and moves of the tilts with the best value of a metric on validation."""
    rows: Rows = {"validation": {}, "test": {}}
    thresholds, moves = [], {}
    for (place, parts), fold in zip(read.items(), folds, strict=True):
        shares = _shares(fold)
        ids, y, p, stored_weights = parts["validation"]
        weights = np.ones(len(y)) if stored_weights is None else stored_weights
        halves = _halves(ids, y)
        decided = np.empty_like(p)
        for chosen_on, scored in (halves, halves[::-1]):
            amount = best_tilt(y[chosen_on], p[chosen_on], shares, criterion, weights[chosen_on])
            decided[scored] = tilt(p[scored], shares, amount)
        amount = best_tilt(y, p, shares, criterion, weights)
        moves[place] = shares**amount, np.ones_like(shares)
        _, y_test, p_test, of_test = parts["test"]
        on_validation = _class_scores(y, decided, weights)
        on_test = _class_scores(y_test, tilt(p_test, shares, amount), of_test)
        for part, scores in (("validation", on_validation), ("test", on_test)):
            rows[part][place] = stored[part][place] | scores
        if len(shares) == 2:
            odds = (shares[1] / shares[0]) ** amount
            thresholds.append(float(odds / (1 + odds)))
    return rows, tuple(thresholds), moves


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


def _scored(
    comparison: Comparison,
    y: NDArray[np.int32],
    p: NDArray[np.float64],
    weights: RowWeights,
    stored: Mapping[str, float],
) -> dict[str, float]:
    """Scores of probabilities that were brought to another prior.

    With two classes that changes no order of rows, so ranking scores are those as trained. Of the
    others only objectives are computed: they take longest.
    """
    n_classes = p.shape[1]
    is_asked = not {*_CALIBRATION, "cost"}.isdisjoint(comparison.objectives)
    if is_asked or n_classes > 2 or weights is not None:
        on_request = [m for m in comparison.objectives if m not in STANDARD_METRICS]
        costs = study_costs(comparison.info)
        return score(y, p, n_classes, on_request, sample_weight=weights, costs=costs)
    half_squared = ((p - (y[:, None] == np.arange(n_classes))) ** 2).sum(axis=1) / 2
    counts = np.bincount(y, minlength=n_classes)
    briers = np.bincount(y, half_squared, n_classes)[counts > 0] / counts[counts > 0]
    p_true = np.clip(p[np.arange(len(y)), y], LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return {
        **{name: stored[name] for name in _RANKING if name in stored},
        "bbs": float(briers.mean()),
        "brier": float(half_squared.mean()),
        "log_loss": float(-np.log(p_true).mean()),
        **_class_scores(y, p, None),
    }


_RANKING = ("roc_auc", "average_precision", "average_precision_macro")
_CALIBRATION = ("ece", "cwece")


def _class_scores(
    y: NDArray[np.int32], p: NDArray[np.float64], weights: RowWeights
) -> dict[str, float]:
    """Metrics of the predicted classes alone."""
    weights = np.ones(len(y)) if weights is None else weights
    confusion = confusion_of(y.astype(np.intp), p.argmax(axis=1), p.shape[1], weights)
    recalls = confusion.recall()
    present = recalls[np.isfinite(recalls)]
    scores = {name: float(metric(present)) for name, metric in OF_RECALLS.items()}
    return {name: float(value) for name, value in class_scores(confusion).items()} | scores


def _frames(rows: Rows) -> Scores:
    """Part -> (folds, metrics) frame of scores by (repeat, fold)."""
    frames = {}
    for part, by_fold in rows.items():
        index = pd.MultiIndex.from_tuples(by_fold, names=["repeat", "fold"])
        names = [name for name in next(iter(by_fold.values())) if name in METRICS]
        values = [[scores.get(name, np.nan) for name in names] for scores in by_fold.values()]
        frames[part] = pd.DataFrame(values, index, names, dtype=np.float64)
    return frames
