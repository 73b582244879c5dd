"""Forms of a method: its probabilities as trained, brought to other class shares, or with a
threshold, scored on validation and test parts.

What is fitted, the threshold, is cross-fitted within the validation parts before it competes: it
is chosen on one half of the rows and scored on the other, so that a form with something to fit has
no advantage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.losses import LOSSES
from remix_study.metrics import BUILT_IN_METRICS
from remix_study.metrics.class_scores import RARE, confusion_of
from remix_study.results.aims import Aim, aim_of
from remix_study.results.bootstrap import Decide, Place
from remix_study.results.comparison import Comparison
from remix_study.results.form_scores import (
    Rows,
    Scores,
    decision_matrix,
    decision_scores,
    frames_of,
    halves,
    moved_scores,
    stored_rows,
)
from remix_study.results.methods import Method
from remix_study.results.probabilities import (
    Part,
    Prior,
    ProbabilityReader,
    fold_priors,
    prior_name,
    read_folds,
    tilt,
    to_prior,
)
from remix_study.results.thresholds import PooledRows, best_tilt

FormName = Literal["as trained", "equal shares", "natural shares", "threshold"]

Move = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Class shares (K,) that probabilities are divided by, and those that they are multiplied by."""


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
        threshold: Of a binary problem the probability of the rare class, as trained, from which
            on it is predicted, chosen on the validation rows of all folds.
        has_floor: Whether that threshold reaches the floor on these rows; True without a floor.
        moves: Place -> class shares that probabilities as trained are divided by, and those that
            they are multiplied by; empty where they stay as trained.
        decide: How classes are predicted, where it is not by the largest probability.
        tilts: Of more than two classes the tilt of each place that validation rows choose.
    """

    method: Method
    name: FormName
    prior: Prior
    scores: Scores
    threshold: float | None = None
    has_floor: bool = True
    moves: Mapping[Place, Move] = field(default_factory=dict)
    decide: Decide | None = None
    tilts: Mapping[Place, float] = field(default_factory=dict)

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
    """All forms of a method that has scores on every fold; without probabilities the first one.

    Where errors have costs, every form decides by least expected cost, and of probabilities for
    other class shares than those of the data the corrected ones compete. With a floor only the
    form with a threshold does.
    """
    aim = aim_of(comparison.info)
    folds = comparison.trained_folds(method).to_dict("records")
    shares = [fold_priors(comparison.info, method.loss, fold) for fold in folds]
    priors, natural = [learnt for learnt, _ in shares], [of_rows for _, of_rows in shares]
    prior = prior_name(method.loss, shares)
    stored = stored_rows(comparison, method)
    as_trained = Form(method, "as trained", prior, frames_of(stored))
    # A metric of the user's own is computed in training alone.
    if probabilities is None or not folds or not {*aim.metrics} <= {*BUILT_IN_METRICS}:
        return [as_trained]
    places = [(int(fold["repeat"]), int(fold["fold"])) for fold in folds]
    if not (read := read_folds(probabilities, method.run, places)):
        return [as_trained]
    scorer = _Scorer(comparison, aim, method, prior, stored, read)
    n_classes = len(comparison.info["classes"])
    forms = []
    if aim.floor is None:
        forms += scorer.without_threshold(priors, natural)
        if aim.costs is None:
            forms.insert(0, as_trained)
    if n_classes == 2 and aim.has_thresholds:
        forms.append(scorer.with_threshold())
    elif aim.criterion:
        forms.append(scorer.with_tilts(natural))
    return forms


Decided = Callable[[Place, str, NDArray[np.float64]], NDArray[np.intp]]
"""Takes a place, a part and its probabilities (n, K) after any move; returns classes (n,)."""


@dataclass(frozen=True, eq=False)
class _Scorer:
    """Makes the forms of one method from its stored scores and probabilities.

    Attributes:
        prior: The class shares that its probabilities are for.
        stored: Scores as trained.
        read: Place -> part -> its rows.
    """

    comparison: Comparison
    aim: Aim
    method: Method
    prior: Prior
    stored: Rows
    read: Mapping[Place, Mapping[str, Part]]

    def without_threshold(
        self, priors: Sequence[NDArray[np.float64]], natural: Sequence[NDArray[np.float64]]
    ) -> list[Form]:
        """Probabilities for other class shares; with costs those for natural ones."""
        can_move = all((shares > 0).all() for shares in priors)
        equal = [np.full(len(shares), 1 / len(shares)) for shares in priors]
        if self.aim.costs is None and self.prior != "equal":
            return [self._moved("equal shares", "equal", priors, equal)] if can_move else []
        is_known = LOSSES[self.method.loss] != "towards balanced"
        if self.prior == "equal" or (self.prior == "neither" and is_known and can_move):
            return [self._moved("natural shares", "natural", priors, natural)]
        rows = self._rows(lambda _, __, p: self.aim.decide(p), {})
        scores, decide = frames_of(rows), lambda _, p: self.aim.decide(p)
        return [Form(self.method, "as trained", self.prior, scores, decide=decide)]

    def with_threshold(self) -> Form:
        """A threshold for two classes, chosen on the validation rows of all folds together."""
        pool = PooledRows([parts["validation"] for parts in self.read.values()])
        first, second = halves(pool.ids, pool.y)
        of_rows = np.where(first, pool.choose(self.aim, second), pool.choose(self.aim, first))
        crossed = pool.p >= of_rows
        # A fold's test rows have no part in the choice of the threshold that they are scored with.
        thresholds = {
            place: pool.choose(self.aim, ~np.isin(pool.ids, parts["test"][0]))
            for place, parts in self.read.items()
        }

        def decide(place: Place, p: NDArray[np.float64]) -> NDArray[np.intp]:
            return (p[:, RARE] >= thresholds[place]).astype(np.intp)

        threshold = pool.choose(self.aim)
        return self._chosen(crossed, pool.p >= threshold, decide, threshold)

    def with_tilts(self, natural: Iterable[NDArray[np.float64]]) -> Form:
        """Tilts for more classes, each chosen on the validation rows of its fold."""
        crossed, whole, tilts = [], [], {}
        for (place, parts), shares in zip(self.read.items(), natural, strict=True):
            ids, y, p, weights = parts["validation"]
            decided = np.empty(len(y), np.intp)
            for half in halves(ids, y):
                of_half = None if weights is None else weights[half]
                amount = best_tilt(y[half], p[half], shares, self.aim, of_half)
                decided[~half] = tilt(p[~half], shares, amount).argmax(axis=1)
            tilts[place] = shares, best_tilt(y, p, shares, self.aim, weights)
            crossed.append(decided)
            whole.append(tilt(p, *tilts[place]).argmax(axis=1))

        def decide(place: Place, p: NDArray[np.float64]) -> NDArray[np.intp]:
            return np.asarray(tilt(p, *tilts[place]).argmax(axis=1), dtype=np.intp)

        form = self._chosen(np.concatenate(crossed), np.concatenate(whole), decide)
        return replace(form, tilts={place: amount for place, (_, amount) in tilts.items()})

    def _chosen(
        self,
        crossed: NDArray[Any],
        whole: NDArray[Any],
        decide: Decide,
        threshold: float | None = None,
    ) -> Form:
        """The form of a rule that validation rows chose.

        Args:
            crossed: Classes (n,) that the validation rows of all folds are decided for, each by
                the choice on the other half of them.
            whole: The same by the choice on all of them.
            decide: The rule for test parts.
            threshold: Chosen on all rows.
        """
        validation = [parts["validation"] for parts in self.read.values()]
        ends = np.cumsum([len(y) for _, y, _, _ in validation])[:-1]
        crossed, whole = crossed.astype(np.intp), whole.astype(np.intp)
        on_validation = dict(zip(self.read, np.split(crossed, ends), strict=True))
        rows = self._rows(
            lambda at, part, p: on_validation[at] if part == "validation" else decide(at, p), {}
        )
        weights = [np.ones(len(y)) if w is None else w for _, y, _, w in validation]
        y = np.concatenate([y for _, y, _, _ in validation]).astype(np.intp)
        n_classes = len(self.comparison.info["classes"])
        matrix = confusion_of(y, whole, n_classes, np.concatenate(weights)).matrix
        return Form(
            method=self.method,
            name="threshold",
            prior=self.prior,
            scores=frames_of(rows),
            threshold=threshold,
            has_floor=self.aim.has_reached_floor(matrix),
            decide=decide,
        )

    def _moved(
        self,
        name: FormName,
        prior: Prior,
        sources: Iterable[NDArray[np.float64]],
        targets: Iterable[NDArray[np.float64]],
    ) -> Form:
        """Probabilities that are brought from one prior to another, fold by fold."""
        moves = dict(zip(self.read, zip(sources, targets, strict=True), strict=True))
        rows = self._rows(lambda _, __, p: self.aim.decide(p), moves)

        def decide(place: Place, p: NDArray[np.float64]) -> NDArray[np.intp]:
            return self.aim.decide(to_prior(p, *moves[place]))

        scores, rule = frames_of(rows), None if self.aim.costs is None else decide
        return Form(self.method, name, prior, scores, moves=moves, decide=rule)

    def _rows(self, decided: Decided, moves: Mapping[Place, Move]) -> Rows:
        """Scores of all parts; those of probabilities as stored where nothing moves them."""
        metrics = {*self.comparison.objectives, *self.aim.metrics}
        rows: Rows = {"validation": {}, "test": {}}
        matrices: dict[str, list[NDArray[np.float64]]] = {"validation": [], "test": []}
        for place, parts in self.read.items():
            for part, (_, y, p, weights) in parts.items():
                scores: Mapping[str, float] = self.stored[part][place]
                if place in moves:
                    p = to_prior(p, *moves[place])
                    scores = moved_scores(y, p, weights, scores, metrics)
                classes = decided(place, part, p)
                matrices[part].append(decision_matrix(y, classes, p.shape[1], weights))
                rows[part][place] = dict(scores)
        for part, of_part in matrices.items():
            of_classes = decision_scores(of_part, self.aim.costs) if of_part else []
            for scores_by_name, more in zip(rows[part].values(), of_classes, strict=True):
                scores_by_name |= more
        return rows
