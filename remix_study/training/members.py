"""What is trained, members, one a fold of a problem; and what comes of it, their outcomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.nominal import NominalFeatures, nominal_features
from remix_study.batches.plan_summary import PlanSummary
from remix_study.batches.training_rows import FeatureRows, TrainingRows
from remix_study.data.aligned import aligned_empty
from remix_study.data.folds import Fold
from remix_study.data.images import ImageRows
from remix_study.data.preprocessing import PreparedRows, Preprocessing, fit_preprocessing
from remix_study.data.problems import Problem
from remix_study.seeds import derive_seed
from remix_study.studyfile.features import Features
from remix_study.training.encoding import Encoder, fit_encoder

OnEpoch = Callable[[int], None]
"""Called after an epoch of a stack with the number of members that ran it."""


@dataclass(frozen=True, eq=False)
class Member:
    """One network to train: one fold of one trial.

    Attributes:
        seed: Weights, batch plans and dropout masks derive from it.
        training: The rows it may learn from.
        validation: (v,) positions of the rows that early stopping and Optuna see.
        test: (t,) positions of the rows that reports see.
    """

    seed: int
    training: TrainingRows
    validation: NDArray[np.integer]
    test: NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Outcome:
    """Probabilities, curves and epochs of one trained member.

    Attributes:
        validation: Probabilities of its validation rows, float32 (v, K).
        test: Probabilities of its test rows, float32 (t, K).
        epochs: Epochs trained.
        stopped: Why training ended: "epochs", "patience", "lowest rate" or "failed".
        failed: Why the member cannot be used, such as a loss that is not finite; "" if it can.
        loss: Mean training loss of each epoch.
        monitor: Validation loss of each epoch; empty where training does not watch it.
        rates: Learning rate of each epoch.
        trained_on: Counts of the rows and classes in the batches of its epochs.
    """

    validation: NDArray[np.float32]
    test: NDArray[np.float32]
    epochs: int
    stopped: str
    failed: str
    loss: NDArray[np.float32]
    monitor: NDArray[np.float32]
    rates: NDArray[np.float32]
    trained_on: PlanSummary


def mean_outcome(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome of an ensemble: mean probabilities; epochs and curves of its first network.

    It fails where one of its networks does.
    """
    if len(outcomes) == 1:
        return outcomes[0]
    failed = next((outcome for outcome in outcomes if outcome.failed), None)

    def mean(part: str) -> NDArray[np.float32]:
        probabilities = np.stack([getattr(outcome, part) for outcome in outcomes])
        return np.asarray(probabilities.mean(axis=0, dtype=np.float64), np.float32)

    return replace(failed or outcomes[0], validation=mean("validation"), test=mean("test"))


# A feature this many times its range away from zero would lose digits in float32.
_FAR = 1e3
_ROWS_AT_A_TIME = 1 << 14
# Cells of a member up to which SMOTE has them prepared; of more it prepares those it reads.
_MOST_PREPARED_CELLS = 1 << 20


@dataclass(frozen=True, eq=False)
class FoldMembers:
    """The members of a problem, and how their rows are preprocessed.

    Attributes:
        problem: The problem.
        preprocessing: Fitted on each fold's training rows; None for images.
        nominal: The rows' nominal features; None where all are numeric.
        members: One a fold.
    """

    problem: Problem
    preprocessing: Preprocessing | None
    nominal: NominalFeatures | None
    members: list[Member]

    def features(self) -> tuple[NDArray[Any], ...]:
        """The problem's rows as a program takes them, with fill, centre and scale of each member.

        Returns:
            Rows, float32 (n, d) or images, and three arrays (folds, d), of no columns for images.
            The same arrays every time, so that all programs read one copy of the rows.
        """
        return self._features

    @cached_property
    def _features(self) -> tuple[NDArray[Any], ...]:
        prepared = self.preprocessing
        if prepared is None:
            empty = np.zeros((len(self.members), 0))
            return self.problem.dataset.X[self.problem.rows], empty, empty, empty
        # Rows that are only tested, of a test file, decide nothing.
        is_seen = np.zeros(len(self.problem.y), dtype=bool)
        for member in self.members:
            is_seen[member.training.rows] = is_seen[member.validation] = True
        if self.problem.draws:
            # The same rows however many repeats there are.
            is_seen = np.isin(np.arange(len(is_seen)), self.problem.draws[0])
        origin = far_origin(self.problem.X if is_seen.all() else self.problem.X[is_seen])
        X = self.problem.X
        if X.dtype != np.float32 or origin.any():
            moved = aligned_empty(X.shape, np.float32)
            for start in range(0, len(X), _ROWS_AT_A_TIME):
                part = slice(start, start + _ROWS_AT_A_TIME)
                moved[part] = X[part] - origin
            X = moved
        return X, prepared.fill - origin, prepared.centre - origin, prepared.scale

    def encoder(self, features: Features) -> Encoder | None:
        """Fit what encodes numeric features; None where there are none, or nothing is encoded."""
        if self.preprocessing is None:
            return None
        rows = [member.training.rows for member in self.members]
        return fit_encoder(features, self.problem.X, self.preprocessing, rows)


def make_members(problem: Problem, folds: Sequence[Fold], seed: int) -> FoldMembers:
    """Fit the preprocessing of every fold and make its member, seeded by the study's seed."""
    preprocessing = nominal = None
    if not problem.dataset.has_images:
        preprocessing = fit_preprocessing(problem.X, [fold.train for fold in folds])
        nominal = nominal_features(problem.X, problem.dataset.nominal)
    members = [
        _make_member(problem, position, fold, preprocessing, nominal, seed)
        for position, fold in enumerate(folds)
    ]
    return FoldMembers(problem, preprocessing, nominal, members)


def _make_member(
    problem: Problem,
    position: int,
    fold: Fold,
    preprocessing: Preprocessing | None,
    nominal: NominalFeatures | None,
    seed: int,
) -> Member:
    @lru_cache(1)
    def features() -> FeatureRows:
        if preprocessing is None:
            return ImageRows(problem.dataset.X, problem.rows[fold.train])
        rows = PreparedRows(preprocessing, position, problem.X, fold.train)
        return (
            rows if np.prod(rows.shape) > _MOST_PREPARED_CELLS else rows[np.arange(len(rows.rows))]
        )

    member_seed = derive_seed(seed, problem.name, fold.repeat, fold.fold, "member")
    rows = TrainingRows(
        fold.train,
        problem.y[fold.train],
        problem.K,
        features,
        nominal=nominal and replace(nominal, codes=nominal.codes[fold.train]),
        rare=problem.minority,
    )
    return Member(member_seed, rows, fold.validation, fold.test)


def far_origin(X: NDArray[np.floating]) -> NDArray[np.float64]:
    """What to subtract from each feature (n, d) before it becomes float32, 0 for nearly all.

    Standardising undoes any shift, so this changes no result; it only keeps the digits of a
    feature such as a time stamp, whose values lie far from zero and close to each other.
    """
    with np.errstate(invalid="ignore"):
        low = np.nanmin(X, axis=0, initial=np.inf).astype(np.float64)
        high = np.nanmax(X, axis=0, initial=-np.inf).astype(np.float64)
        is_far = np.maximum(np.abs(low), np.abs(high)) > _FAR * (high - low)
        middle = (low + high) / 2
    return np.where(is_far & np.isfinite(middle), middle, 0.0)
