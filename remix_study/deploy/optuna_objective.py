"""An objective for an Optuna study of the user's own: validation scores under a study's folds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from numpy.typing import ArrayLike

from remix_study.data.arrays import from_arrays
from remix_study.errors import UsageError, did_you_mean
from remix_study.metrics import is_maximized
from remix_study.models.custom import register_builder
from remix_study.study.checks import check_study
from remix_study.study.configurations import Parameters
from remix_study.study.evaluation import evaluate
from remix_study.study.fold_blocks import by_repeat
from remix_study.study.scoring import MembersFailed
from remix_study.study.search_parameters import suggest
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.features import FEATURE_KEYS
from remix_study.studyfile.parsing import parse_study
from remix_study.studyfile.search_space import STRATEGY_PARTS
from remix_study.studyfile.training_keys import TRAINING_KEYS
from remix_study.studyfile.validation import as_toml

Space = Mapping[str, Any] | Callable[[optuna.Trial], Mapping[str, Any]]

_PARAMETERS = ("strategy", "alpha", "ratio", *STRATEGY_PARTS, *FEATURE_KEYS, *TRAINING_KEYS)


class Objective:
    """What :func:`objective` returns: a function of an Optuna trial.

    Attributes:
        directions: For ``optuna.create_study(directions=...)``, one a metric.
    """

    def __init__(self, text: str, data: Any, space: Space, *, prune: bool) -> None:
        study = parse_study(text, "objective")
        check_study(study)
        (self._task,) = prepare_tasks(study, data)
        self.directions = [
            "maximize" if is_maximized(name) else "minimize" for name in study.objectives
        ]
        self._space, self._prune = space, prune
        # Trials of several threads train one after the other: they share a compiled program.
        self._lock = threading.Lock()

    def __call__(self, trial: optuna.Trial) -> float | tuple[float, ...]:
        """Train the trial's configuration on every fold; return its mean validation scores.

        All mean validation scores stand in the trial's user attribute ``validation``. A trial
        whose networks diverge gets NaN, which Optuna counts as failed, and ``failed`` says why.

        Raises:
            optuna.TrialPruned: The study's pruner ended it after a block of folds.
            UsageError: The space gives a parameter that is unknown.
        """
        parameters = self._parameters(trial)
        blocks = by_repeat(self._task.folds) if self._prune else ()
        values: list[float] = []

        def should_prune(scores: dict[int, float]) -> bool:
            values.extend(scores.values())
            trial.report(float(np.mean(values)), len(values))
            return trial.should_prune()

        with self._lock:
            try:
                evaluation = evaluate(
                    self._task,
                    parameters,
                    blocks=blocks,
                    should_prune=should_prune if self._prune else None,
                )
            except MembersFailed as error:
                trial.set_user_attr("failed", str(error))
                return self._value([float("nan")] * len(self.directions))
        means = evaluation.means()
        trial.set_user_attr("validation", {k: v for k, v in means.items() if np.isfinite(v)})
        if evaluation.pruned:
            raise optuna.TrialPruned
        return self._value(evaluation.values)

    def _parameters(self, trial: optuna.Trial) -> Parameters:
        if not callable(self._space):
            return suggest(trial, self._task.study.search)
        parameters = dict(self._space(trial))
        for name in parameters:
            if name not in _PARAMETERS and not name.startswith("model."):
                hint = did_you_mean(name, [*_PARAMETERS, "model.<option>"])
                raise UsageError(f'space: unknown parameter "{name}"{hint}')
        return parameters

    def _value(self, values: Sequence[float]) -> float | tuple[float, ...]:
        return values[0] if len(self.directions) == 1 else tuple(values)


def objective(
    X: Any,
    y: ArrayLike,
    build: Callable[..., Any] | None = None,
    space: Space | None = None,
    *,
    metrics: str | Sequence[str] = "bbs",
    groups: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    seed: int = 2020,
    cv: Mapping[str, Any] | None = None,
    model: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    features: Mapping[str, Any] | None = None,
    prune: bool = False,
) -> Objective:
    """Make an objective for an Optuna study of your own.

    Every trial trains one network a fold, on the folds, seeds and early stopping of this
    project's studies, and returns means of validation scores; no score of a test row gets out.

    Args:
        X: (n, d) numbers or a data frame, or images, as :func:`remix_study.run` takes them.
        y: (n,) classes.
        build: ``build(input_shape, n_classes, **options) -> keras.Model``, not compiled; None for
            the network that ``model`` names, by default ``mlp``.
        space: What may vary, in the words of ``[search.space]``, such as
            ``{"alpha": {"low": 0.01, "high": 1.0, "log": True}, "model.width": [32, 64]}``; or a
            function that takes the trial, suggests what it likes and returns such parameters,
            ``{"strategy": "remix", "alpha": 0.3, "model.width": 64}``. All strategies when None.
        metrics: What is optimised, one metric or several.
        groups: (n,) groups that no split may part, for ``cv={"grouped": True}``.
        sample_weight: (n,) weights by which rows count in losses and scores.
        seed: Of all random draws; Optuna's sampler has its own.
        cv: Keys of ``[cv]``: ``folds``, ``repeats``, ``validation``, ``grouped``.
        model: Keys of ``[model]``; options of ``build``.
        training: Keys of ``[training]``.
        features: Keys of ``[features]``.
        prune: Whether to report to the study's pruner after each block of repeats.

    Raises:
        StudyFileError: A key or value that a study file could not hold either.
        DataError: The data.
        UsageError: Arguments that contradict each other.
    """
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    if prune and len(names) > 1:
        raise UsageError("prune: Optuna prunes by one value; give one metric, or leave prune out")
    network = dict(model or {})
    if build is not None:
        if "name" in network:
            raise UsageError("model: give build or a name, not both")
        network["name"] = register_builder(build)
    tables = {
        "study": {"name": "objective", "seed": seed, "objectives": names},
        "cv": cv or {},
        "model": network,
        "features": features or {},
        "training": training or {},
        # Any algorithm: the user's study suggests.
        "search": {
            "algorithm": "tpe",
            "trials": 1,
            "space": {} if space is None or callable(space) else space,
        },
    }
    text = "".join(f"{name} = {as_toml(table)}\n" for name, table in tables.items())
    data = from_arrays(X, y, groups=groups, sample_weight=sample_weight)
    return Objective(text, data, space or {}, prune=prune)
