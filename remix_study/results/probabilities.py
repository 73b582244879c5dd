"""Stored probabilities: reading them, and corrections of them as functions of arrays.

The probabilities of a classifier that was trained under other class shares than those of the data
are corrected by Bayes' rule, p'_c ~ p_c target_c / source_c (Saerens et al. 2002). That is exact
if the training rows of a class are those of the data, only more or fewer of them. Mixed or
interpolated rows follow another distribution, for which it is an approximation. In all functions
y is (n,) class codes, probabilities are (n, K), and a prior is (K,) class shares, each above zero.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sqlalchemy import Engine, inspect, select

from remix_study.batches.losses import CLASS_WEIGHTED, LOSSES, RowWeights
from remix_study.errors import join_names
from remix_study.study import tables
from remix_study.study.kept_probabilities import unpack_probabilities
from remix_study.study.tables import unpack

Part = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64], RowWeights]
"""(n,) row ids, (n,) class codes, (n, K) probabilities and (n,) weights of the rows, None where
they have none."""

ProbabilityReader = Callable[[int, int, int, str], Part]
"""Takes run, repeat, fold and part, which is "validation" or "test"."""

SMALLEST = 1e-12  # Probabilities below this are raised to it before logarithms and divisions
TILTS = np.linspace(0, 3, 121)  # Tilts to choose from

SAME_PRIOR = 0.05
"""Class shares within this relative distance of the natural ones are not corrected."""


class NotKept(Exception):
    """Raised on reading probabilities that the database was told not to keep."""


def probability_reader(
    engine: Engine,
    parts_of: Mapping[int, Sequence[int]] | None = None,
    left_out: Collection[int] = (),
) -> ProbabilityReader:
    """Make a reader that keeps the last runs and the parts of one study in memory.

    `parts_of` has the stored runs that a run consists of, where there are several; of runs in
    `left_out` the database has none, and the reader raises `NotKept`.
    """

    @lru_cache(maxsize=2)
    def packed_probabilities(run: int) -> tuple[str, dict[tuple[int, int, str], bytes]]:
        """UUID of the run's study, and (repeat, fold, part) -> packed probabilities."""
        runs = (parts_of or {}).get(run, [run])
        query = select(tables.probabilities).where(tables.probabilities.c.run_id.in_(runs))
        study = select(tables.runs.c.study_uuid).where(tables.runs.c.id == run)
        with engine.connect() as connection:
            stored = connection.execute(query).all()
            study_uuid = connection.execute(study).scalar_one()
        return study_uuid, {(row.repeat, row.fold, row.part): row.probabilities for row in stored}

    @lru_cache(maxsize=1)
    def packed_parts(study_uuid: str) -> dict[tuple[int, int, str], tuple[bytes, bytes]]:
        """(repeat, fold, part) -> packed row ids and packed class codes."""
        query = select(tables.parts).where(tables.parts.c.study_uuid == study_uuid)
        with engine.connect() as connection:
            stored = connection.execute(query).all()
        return {(row.repeat, row.fold, row.part): (row.rows, row.labels) for row in stored}

    @lru_cache(maxsize=1)
    def weights_of_study(study_uuid: str) -> RowWeights:
        table = tables.row_weights
        with engine.connect() as connection:
            if not inspect(connection).has_table(table.name):
                return None
            query = select(table.c.weights).where(table.c.study_uuid == study_uuid)
            packed = connection.execute(query).scalar_one_or_none()
        return None if packed is None else unpack(packed, np.float64)

    def read(run: int, repeat: int, fold: int, part: str) -> Part:
        if run in left_out:
            raise NotKept
        # A driver takes a number of NumPy, as data frames have them, for bytes.
        study_uuid, probabilities = packed_probabilities(int(run))
        packed_rows, packed_codes = packed_parts(study_uuid)[repeat, fold, part]
        rows, codes = unpack(packed_rows, np.int32), unpack(packed_codes, np.int32)
        p = unpack_probabilities(probabilities[repeat, fold, part], len(rows))
        weights = weights_of_study(study_uuid)
        part_weights = None if weights is None else weights[rows]
        return rows.astype(np.int64), codes, p, part_weights

    return read


def read_folds(
    read: ProbabilityReader, run: int, folds: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], dict[str, Part]]:
    """(repeat, fold) -> part -> what the reader returns; nothing where the run's are not kept."""
    try:
        return {
            fold: {part: read(run, *fold, part) for part in ("validation", "test")}
            for fold in folds
        }
    except NotKept:
        return {}


def study_class_weights(problem: Mapping[str, Any]) -> list[float] | None:
    """What the study of a problem gives each class for weighted losses, None where nothing.

    Args:
        problem: A row of `StudyFrames.problems`.
    """
    definition = problem.get("definition")
    sections = definition if isinstance(definition, Mapping) else {}
    weights = sections.get("problem", {}).get("class_weights")
    return [float(weights.get(name, 1)) for name in problem["classes"]] if weights else None


def scored_prior(
    shares: ArrayLike,
    training_prior: ArrayLike,
    loss: str,
    class_weights: Sequence[float] | None = None,
) -> NDArray[np.float64]:
    """The class prior under which a network's probabilities are posteriors.

    Args:
        shares: class shares of what it was trained on, by label mass.
        training_prior: class shares of its training rows.
        loss: a key of `LOSSES`. Class weights N/(K n_c) and the logit-adjusted loss, whose raw
            outputs are scored, divide by the training prior; losses that only lean towards equal
            shares are taken for one of them.
        class_weights: (K,) what the study file gives in place of N/(K n_c).
    """
    prior = np.asarray(shares, dtype=np.float64)
    if loss == CLASS_WEIGHTED and class_weights is not None:
        prior = prior * np.asarray(class_weights, dtype=np.float64)
    elif LOSSES[loss] != "natural":
        prior = prior / np.asarray(training_prior, dtype=np.float64)
    return np.asarray(prior / prior.sum(), dtype=np.float64)


Prior = Literal["natural", "equal", "neither"]
"""Which class shares probabilities are for."""


def fold_priors(
    problem: Mapping[str, Any], loss: str, fold: Mapping[Any, Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The class shares (K,) that probabilities are for, and those of the training rows.

    Args:
        problem: A row of `StudyFrames.problems`.
        loss: A key of `LOSSES`.
        fold: A row of `StudyFrames.folds`.
    """
    natural = np.asarray(fold["natural_prior"], dtype=np.float64)
    weights = study_class_weights(problem)
    return scored_prior(fold["effective_prior"], natural, loss, weights), natural


def prior_name(loss: str, priors: Sequence[tuple[ArrayLike, ArrayLike]]) -> Prior:
    """Which class shares the probabilities of a method are for, by the :func:`fold_priors`."""
    if not priors or LOSSES[loss] == "towards balanced":
        return "neither"
    mean, natural = np.asarray(priors).mean(axis=0)
    if np.abs(mean * len(mean) - 1).max() <= SAME_PRIOR:
        return "equal"
    return "natural" if np.abs(mean / natural - 1).max() <= SAME_PRIOR else "neither"


def to_prior(
    probabilities: ArrayLike, source: ArrayLike, target: ArrayLike
) -> NDArray[np.float64]:
    """Correct posteriors from one class prior to another: p_c target_c / source_c, normalised.

    Raises:
        ValueError: a class has no share in `source`.
    """
    learnt = np.asarray(source, dtype=np.float64)
    if (learnt <= 0).any():
        classes = join_names(map(str, np.flatnonzero(learnt <= 0)))
        raise ValueError(
            f"source has no share of class {classes}: probabilities of a class that was never "
            "trained on cannot be corrected"
        )
    p = np.clip(np.asarray(probabilities, dtype=np.float64), SMALLEST, None)
    return _normalised(p * (np.asarray(target, dtype=np.float64) / learnt))


def tilt(probabilities: ArrayLike, prior: ArrayLike, amount: float) -> NDArray[np.float64]:
    """Divide probabilities by prior^amount and normalise; the decision is the largest one.

    With two classes this is a threshold: class 1 is chosen where p_1 / p_0 exceeds
    (prior_1 / prior_0)^amount. 0 is the usual threshold of one half, 1 divides by the prior.
    """
    powers = np.asarray(prior, dtype=np.float64) ** amount
    return to_prior(probabilities, powers, np.ones_like(powers))


def _normalised(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(p / p.sum(axis=1, keepdims=True), dtype=np.float64)
