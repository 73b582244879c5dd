"""What the files of a model's folder say: features, and how probabilities become answers."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from remix_study.data.known_columns import KnownTable
from remix_study.results.probabilities import to_prior
from remix_study.studyfile.schema import ProblemSpec

FEATURES, ANSWERS, MANIFEST = "features.json", "postprocessing.json", "manifest.json"
NETWORK, ESTIMATOR = "model.keras", "model.skops"
EXPORTS = {"savedmodel": "savedmodel", "onnx": "model.onnx"}
"""Further forms of a network, and where in the folder each is."""
CARD, CARD_PAGE = "card.md", "card.html"
MARK = "remix_study fit"
_NEEDED = {"least cost": "costs", "threshold": "threshold", "divided": "decide_by"}
"""Value of ``made_by`` in the manifest of a model's folder."""


class ModelFeature(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A feature as the model takes it: ((value or ``missing``) - ``origin``) / ``scale``.

    Attributes:
        name: Its name among the features of the table.
        missing: What a missing value becomes; None where it stays missing.
        origin: What is subtracted, in double precision: far from 0 single precision is too coarse.
        scale: What it is divided by.
        low: Least value of the rows that the model learned from; None of categories.
        high: Their largest value.
    """

    name: str
    missing: float | None = None
    origin: float = 0.0
    scale: float = 1.0
    low: float | None = None
    high: float | None = None


class FeatureFile(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How rows become what the model takes: ``features.json``.

    Attributes:
        table: What the columns become.
        features: The model's inputs, in its order.
        clip: Bound of what they become; None without one.
        dtype: Their type.
        images: Height, width and channels of images, whose pixels 0 to 255 are the input.
    """

    table: KnownTable = KnownTable(())
    features: tuple[ModelFeature, ...] = ()
    clip: float | None = None
    dtype: Literal["float32", "float64"] = "float32"
    images: tuple[int, ...] = ()

    @property
    def fault(self) -> str:
        """What is wrong with it as a whole; "" for nothing."""
        names = sorted(feature.name for feature in self.features)
        columns = self.table.columns
        places = [(place, len(c.features)) for c in columns for place in c.levels.values()]
        faults = {
            "its columns make other features than the model takes": names
            != sorted(name for column in columns for name in column.features),
            "two features have one name": len(set(names)) < len(names),
            "a category has no feature": any(not 0 <= place < n for place, n in places),
            "a scale is not above 0": any(feature.scale <= 0 for feature in self.features),
            "has neither features nor images, or both": bool(names) == bool(self.images),
        }
        return next((fault for fault, is_so in faults.items() if is_so), "")

    def inputs(self, X: NDArray[np.float64]) -> NDArray[Any]:
        """The model's inputs of features (n, d) in the model's order, NaN where missing."""

        def values(name: str) -> NDArray[np.float64]:
            return np.array([getattr(f, name) for f in self.features], np.float64)

        X = np.where(np.isnan(X), values("missing"), X)
        X = (X - values("origin")) / values("scale")
        return (X if self.clip is None else np.clip(X, -self.clip, self.clip)).astype(self.dtype)


class Answers(Struct, frozen=True, forbid_unknown_fields=True):
    """How probabilities become answers: ``postprocessing.json``.

    Attributes:
        classes: Names of the classes, in the order of the model's outputs.
        rare: Those that are rare.
        prior: The class shares that probabilities are for: ``natural``, ``equal`` or ``neither``.
        divide_by: What the model's outputs are divided by, before they are made to sum to one.
        multiply_by: What they are multiplied by.
        rule: How classes are predicted: by the ``largest`` probability, the ``least cost``, a
            ``threshold``, or the largest ``divided`` probability.
        threshold: Of two classes the probability from which on a row is of the second one.
        decide_by: What probabilities are divided by under the rule ``divided``.
        costs: (K, K) cost of a row of a class (rows) that is taken for another (columns).
    """

    classes: tuple[str, ...]
    rare: tuple[str, ...]
    prior: str
    divide_by: tuple[float, ...] | None
    multiply_by: tuple[float, ...] | None
    rule: Literal["largest", "least cost", "threshold", "divided"]
    threshold: float | None
    decide_by: tuple[float, ...] | None
    costs: tuple[tuple[float, ...], ...] | None

    @property
    def fault(self) -> str:
        """What is wrong with it as a whole; "" for nothing."""
        n_classes, needed = len(self.classes), _NEEDED.get(self.rule, "rule")
        by_class = [w for w in (self.divide_by, self.multiply_by, self.decide_by) if w is not None]
        lengths = {*map(len, by_class), *map(len, self.costs or ())}
        lengths |= set() if self.costs is None else {len(self.costs)}
        faults = {
            "needs two classes or more, of different names": len(set(self.classes)) < n_classes
            or n_classes < 2,
            "a rare class is none of the classes": not {*self.rare} <= {*self.classes},
            f"needs {n_classes} numbers, one for each class": not lengths <= {n_classes},
            "class shares are not above 0": any(min(w, default=0) <= 0 for w in by_class),
            "needs both divide_by and multiply_by, or neither": (self.divide_by is None)
            != (self.multiply_by is None),
            f"the rule {self.rule} needs {needed}": getattr(self, needed) is None,
            "a threshold is for two classes": self.rule == "threshold" and n_classes != 2,
        }
        return next((fault for fault, is_so in faults.items() if is_so), "")

    def probabilities(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """Probabilities (n, K) of what the model gives (n, K)."""
        if self.divide_by is None or self.multiply_by is None:
            return outputs.astype(np.float64)
        return to_prior(outputs, self.divide_by, self.multiply_by)

    def codes(self, probabilities: NDArray[np.float64]) -> NDArray[np.intp]:
        """The predicted class of each row, (n,) positions in ``classes``."""
        if self.rule == "threshold" and self.threshold is not None:
            return (probabilities[:, 1] >= self.threshold).astype(np.intp)
        if self.rule == "least cost" and self.costs is not None:
            return np.asarray((probabilities @ np.array(self.costs)).argmin(axis=1))
        weights = np.ones(len(self.classes)) if self.decide_by is None else self.decide_by
        return np.asarray((probabilities / weights).argmax(axis=1))


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """How a model was trained, so that the same can be done with new rows: in the manifest.

    Attributes:
        problem: Its entry of the study file, without its data, with the one ratio that it is of.
        parameters: Those of its trial, by the names of a study file.
        training: Training keys in place of theirs: ``stop`` and ``epochs``.
        label: The method in its form, as pages have it.
        is_decided: Whether a decision named it, rather than the user.
        n_train: Rows that the models of the folds learned from, on average.
        classes: All classes of the data, before some are merged into a problem's.
        shares: Class shares (K,) of the rows that it learned from.
        tilt: Exponent of the shares that probabilities are divided by under the rule ``divided``.
    """

    problem: ProblemSpec
    parameters: dict[str, Any]
    training: dict[str, Any]
    label: str
    is_decided: bool
    n_train: int
    classes: tuple[str, ...]
    shares: tuple[float, ...]
    tilt: float | None


def as_json(record: Struct | dict[str, Any]) -> bytes:
    """A record as the indented text of a file."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"
