"""Reference estimators: classifiers of other libraries that a study fits on the same folds.

They show what a network is worth: a method that gradient boosting beats is no answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from remix_study.errors import StudyFileError, did_you_mean
from remix_study.studyfile.validation import as_toml, convert, key_as_toml

WEIGHTED = "-weighted"
"""End of the name of a built-in estimator whose rows are weighted to equal classes."""

Rows = Literal["raw", "prepared"]


class Estimator(Struct, frozen=True):
    """A classifier with scikit-learn's methods, and how it is fitted.

    Attributes:
        name: Its name in a study file, the database and on pages.
        path: Dotted name of its class.
        parameters: Arguments of its constructor; ``random_state`` is set for each fold where the
            class has it.
        weighted: Whether each row is weighted by N/(K n_c), so that all classes count alike.
        rows: ``raw`` features, with NaN where a value is missing, or ``prepared`` ones, imputed
            and standardised as for networks.
        stops_early: Whether ``fit`` takes the validation part as ``X_val`` and ``y_val`` and stops
            by it.
        package: What to install for it; "" where it comes with scikit-learn.
    """

    name: str
    path: str
    parameters: dict[str, Any] = {}
    weighted: bool = False
    rows: Rows = "prepared"
    stops_early: bool = False
    package: str = ""

    @property
    def loss(self) -> str:
        """The loss of :mod:`remix_study.batches.losses` whose prior its probabilities have."""
        is_balanced = self.weighted or self.path == _BALANCED_FOREST.path
        return "class-weighted" if is_balanced else "cross-entropy"

    @property
    def is_foreign(self) -> bool:
        """Whether the class is neither built in nor scikit-learn's."""
        return self.name not in BUILT_IN and not self.path.startswith("sklearn.")


class EstimatorTable(Struct, frozen=True, forbid_unknown_fields=True, rename={"path": "class"}):
    """The keys of ``[estimators.NAME]``.

    Attributes:
        path: Dotted name of a class with scikit-learn's ``fit`` and ``predict_proba``.
        parameters: Arguments of its constructor.
        weighted: Whether each row is weighted so that all classes count alike.
        rows: ``prepared`` (imputed and standardised) or ``raw``, with NaN where one is missing.
    """

    path: str
    parameters: dict[str, Any] = {}
    weighted: bool = False
    rows: Rows = "prepared"


_PLAIN = (
    Estimator(
        "hist-gradient-boosting",
        "sklearn.ensemble.HistGradientBoostingClassifier",
        # Iterations end by the validation part, as a network's epochs do.
        {"learning_rate": 0.05, "max_iter": 1000, "early_stopping": True, "n_iter_no_change": 30},
        rows="raw",
        stops_early=True,
    ),
    Estimator(
        "random-forest",
        "sklearn.ensemble.RandomForestClassifier",
        {"n_estimators": 300, "n_jobs": 1},
        rows="raw",
    ),
    Estimator(
        "logistic-regression", "sklearn.linear_model.LogisticRegression", {"max_iter": 2000}
    ),
    Estimator(
        "catboost",
        "catboost.CatBoostClassifier",
        {"thread_count": 1, "verbose": 0, "allow_writing_files": False},
        rows="raw",
        package="catboost",
    ),
    Estimator(
        "lightgbm",
        "lightgbm.LGBMClassifier",
        {"n_jobs": 1, "verbose": -1},
        rows="raw",
        package="lightgbm",
    ),
    Estimator("xgboost", "xgboost.XGBClassifier", {"n_jobs": 1}, rows="raw", package="xgboost"),
)
# Each of its trees sees as many rows of every class, so it has no weighted form.
_BALANCED_FOREST = Estimator(
    "balanced-random-forest",
    "imblearn.ensemble.BalancedRandomForestClassifier",
    {"n_estimators": 300, "n_jobs": 1, "sampling_strategy": "all", "replacement": True},
    package="imbalanced-learn",
)

BUILT_IN: Mapping[str, Estimator] = {
    estimator.name: estimator
    for plain in _PLAIN
    for estimator in (
        plain,
        Estimator(
            plain.name + WEIGHTED,
            plain.path,
            plain.parameters,
            weighted=True,
            rows=plain.rows,
            stops_early=plain.stops_early,
            package=plain.package,
        ),
    )
} | {_BALANCED_FOREST.name: _BALANCED_FOREST}
"""Estimators that a study file may name without more."""


def parse_estimators(names: tuple[str, ...], tables: Mapping[str, Any]) -> tuple[Estimator, ...]:
    """The estimators of ``search.estimators``, those of ``[estimators.NAME]`` among them.

    Args:
        names: Built-in names, names of tables, or dotted names of classes.
        tables: ``[estimators]`` by name.

    Raises:
        StudyFileError: A name is unknown or there twice, or a table is wrong or not used.
    """
    if len(set(names)) < len(names):
        raise StudyFileError("search.estimators: lists an estimator twice; leave one out")
    custom = {name: _own_estimator(name, table) for name, table in tables.items()}
    for name in custom:
        if name not in names:
            raise StudyFileError(
                f"estimators.{key_as_toml(name)}: search.estimators does not name it; add it "
                "there, or leave the table out"
            )
    return tuple(_estimator(name, custom) for name in names)


def _own_estimator(name: str, table: Any) -> Estimator:
    where = f"estimators.{key_as_toml(name)}"
    if name in BUILT_IN:
        raise StudyFileError(f"{where}: this name is built in; give yours another one")
    if not isinstance(table, dict):
        raise StudyFileError(f"{where}: write it as a table, [{where}]")
    keys = convert(table, EstimatorTable, where)
    return Estimator(name, keys.path, keys.parameters, keys.weighted, keys.rows)


def _estimator(name: str, custom: Mapping[str, Estimator]) -> Estimator:
    known = {**BUILT_IN, **custom}
    if name in known:
        return known[name]
    if "." in name:
        return Estimator(name, name)
    raise StudyFileError(
        f"search.estimators: no estimator {as_toml(name)}{did_you_mean(name, known)}"
    )
