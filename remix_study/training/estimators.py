"""Fitting reference estimators on the folds of a problem, one fold at a time and core."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.losses import chosen_class_weights, class_weights, count_rows
from remix_study.batches.plan_summary import PlanSummary
from remix_study.batches.strategies import STRATEGIES
from remix_study.data.problems import Problem
from remix_study.errors import StudyFileError
from remix_study.seeds import derive_seed
from remix_study.studyfile.estimators import Estimator
from remix_study.training.members import FoldMembers, Member, OnEpoch, Outcome
from remix_study.training.stacks import allowed_cores

# Seconds between two looks at whether a signal has come.
_PAUSE = 0.2
# Names of strategies would be those of two methods.
_NAME = r"[A-Za-z0-9][\w.-]*"
# scikit-learn takes 32-bit seeds.
_N_SEEDS = 2**32


def check_estimator(
    estimator: Estimator, *, allow_plugins: bool, has_row_weights: bool = False
) -> None:
    """Make an estimator once, before anything is trained.

    Args:
        estimator: What a study names.
        allow_plugins: Whether it may run code of its own.
        has_row_weights: Whether rows have weights, which it then must take.

    Raises:
        StudyFileError: Its package is not installed, its class cannot be imported or made or
            lacks what is needed, or it would run code of its own where that is forbidden.
    """
    where = f'search.estimators: "{estimator.name}"'
    if estimator.name in STRATEGIES or not re.fullmatch(_NAME, estimator.name):
        raise StudyFileError(f"{where}: take another name, of letters, digits, dots and dashes")
    if estimator.is_foreign and not allow_plugins:
        raise StudyFileError(
            f"{where} would run code of its own, which --no-plugins forbids; use a built-in one "
            "or one of scikit-learn, or leave --no-plugins out"
        )
    package = estimator.path.partition(".")[0]
    if estimator.package and find_spec(package) is None:
        raise StudyFileError(
            f"{where} needs {estimator.package}, which is not installed; pip install "
            f'"{estimator.package}", or leave it out of search.estimators'
        )
    try:
        model = _make(estimator, 0)
    except StudyFileError:
        raise
    except (Exception, SystemExit) as error:
        # Importing and making it runs code of other packages, which may raise anything.
        reason = f"{type(error).__name__}: {error}"
        raise StudyFileError(f"{where} cannot be made from {estimator.path} ({reason})") from error
    for method in ("fit", "predict_proba"):
        if not callable(getattr(model, method, None)):
            raise StudyFileError(
                f"{where}: {estimator.path} has no {method}; name a classifier that gives "
                "probabilities, or set the parameter that makes it do so"
            )
    if "sample_weight" not in inspect.signature(model.fit).parameters:
        fault = f"{where}: {estimator.path} takes no sample_weight"
        if has_row_weights:
            raise StudyFileError(
                f"{fault}, and the rows of a problem have weights; leave it, or weights, out"
            )
        if estimator.weighted:
            raise StudyFileError(f"{fault}; set weighted = false")


def fit_estimator(
    estimator: Estimator,
    folds: FoldMembers,
    positions: Sequence[int],
    cores: int = 0,
    on_fold: OnEpoch | None = None,
) -> list[Outcome]:
    """Fit an estimator on the inner training rows of folds.

    Each fit uses one thread, so that its numbers do not depend on the machine's cores; folds are
    fitted side by side, one a core. A fit that raises fails its fold, as a diverged network does.

    Args:
        estimator: What to fit.
        folds: The members of the problem.
        positions: Positions of the folds to fit.
        cores: Cores to use; 0 for all that the process may use.
        on_fold: Called with 1 after a fold, and with 0 every now and then; it may raise.

    Returns:
        One outcome a fold, in order.
    """
    pool = ThreadPoolExecutor(allowed_cores(cores), thread_name_prefix="estimator")
    try:
        futures = [pool.submit(_fit_fold, estimator, folds, position) for position in positions]
        pending: set[Future[Outcome]] = set(futures)
        while pending:
            done, pending = wait(pending, _PAUSE, FIRST_COMPLETED)
            if on_fold:
                on_fold(0)
                for _ in done:
                    on_fold(1)
        return [future.result() for future in futures]
    finally:
        # After a signal the fits that have not begun are dropped.
        pool.shutdown(wait=False, cancel_futures=True)


def _make(estimator: Estimator, seed: int) -> Any:
    module, _, name = estimator.path.rpartition(".")
    if not module:
        raise StudyFileError(
            f'search.estimators: "{estimator.name}": write class as "package.module.Class", not '
            f'"{estimator.path}"'
        )
    kind = getattr(importlib.import_module(module), name)
    model = kind(**estimator.parameters)
    has_seed = "random_state" in getattr(model, "get_params", dict)()
    if has_seed and "random_state" not in estimator.parameters:
        model.set_params(random_state=seed)
    return model


def fit_model(
    estimator: Estimator, folds: FoldMembers, position: int
) -> tuple[Any, list[NDArray[np.float32]]]:
    """Fit an estimator on one fold, in this thread and with one thread; errors are its own.

    Returns:
        The fitted estimator, and its probabilities (rows, K) of validation and test rows.
    """
    from threadpoolctl import threadpool_limits

    member, y = folds.members[position], folds.problem.y
    train, validation = member.training.rows, member.validation
    # OpenMP counts threads for each calling thread, so the limit is set in this one.
    with threadpool_limits(1):
        features = _feature_reader(estimator, folds, position)
        model = _make(estimator, derive_seed(member.seed, estimator.name) % _N_SEEDS)
        weights = _weights(estimator, folds.problem, train)
        arguments: dict[str, Any] = {}
        if weights is not None:
            arguments["sample_weight"] = weights[train]
        if estimator.stops_early:
            arguments |= {"X_val": features(validation), "y_val": y[validation]}
            if weights is not None:
                arguments["sample_weight_val"] = weights[validation]
        model.fit(features(train), y[train], **arguments)
        parts = validation, member.test
        return model, [_probabilities(model, features(rows), folds.problem.K) for rows in parts]


def _fit_fold(estimator: Estimator, folds: FoldMembers, position: int) -> Outcome:
    member = folds.members[position]
    try:
        _, probabilities = fit_model(estimator, folds, position)
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return _outcome(member, folds.problem, None, reason)
    return _outcome(member, folds.problem, probabilities)


def _weights(
    estimator: Estimator, problem: Problem, train: NDArray[np.integer]
) -> NDArray[np.float64] | None:
    """The weight of each of the problem's rows: its own times that of its class; None for none."""
    weights = problem.weights
    if not estimator.weighted:
        return weights
    rows = problem.y[train], problem.K, None if weights is None else weights[train]
    chosen = problem.class_weights
    of_classes = class_weights(*rows) if chosen is None else chosen_class_weights(chosen, *rows)
    by_class = of_classes[problem.y]
    return by_class if weights is None else by_class * weights


def _feature_reader(
    estimator: Estimator, folds: FoldMembers, position: int
) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """What gives the features of rows as the estimator takes them."""
    X, preprocessing = folds.problem.X, folds.preprocessing
    if estimator.rows == "raw" or preprocessing is None:
        return lambda rows: X[rows].astype(np.float64, copy=False)
    # Some estimators compute in the precision of their features.
    return lambda rows: preprocessing.apply(position, X[rows]).astype(np.float64)


def _probabilities(model: Any, X: NDArray[Any], n_classes: int) -> NDArray[np.float32]:
    """Predict (n, K) probabilities; ValueError where an estimator gives something else."""
    probabilities = np.asarray(model.predict_proba(X), dtype=np.float64)
    if probabilities.shape != (len(X), n_classes):
        raise ValueError(
            f"predict_proba gave an array {probabilities.shape}, not {(len(X), n_classes)}"
        )
    sums = probabilities.sum(axis=1)
    if not (
        np.isfinite(sums).all() and probabilities.min() >= 0 and np.allclose(sums, 1, 0, 1e-3)
    ):
        raise ValueError("predict_proba gave rows that are no probabilities that add up to 1")
    return probabilities.astype(np.float32)


def _outcome(
    member: Member,
    problem: Problem,
    probabilities: Sequence[NDArray[np.float32]] | None,
    failed: str = "",
) -> Outcome:
    nothing = np.zeros(0, np.float32)
    rows, n_classes, weights = member.training, problem.K, problem.weights
    counts = count_rows(rows.y, n_classes, None if weights is None else weights[rows.rows])
    if probabilities is None:
        sizes = (len(member.validation), len(member.test))
        probabilities = [np.full((size, n_classes), np.nan, np.float32) for size in sizes]
    return Outcome(
        validation=probabilities[0],
        test=probabilities[1],
        epochs=1,
        stopped="failed" if failed else "fitted",
        failed=failed,
        loss=nothing,
        monitor=nothing,
        rates=nothing,
        trained_on=PlanSummary(1, 1, counts / counts.sum(), np.zeros(n_classes, np.int64), 0, 1.0),
    )
