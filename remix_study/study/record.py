"""What a run writes: its manifest, the rows of each trial, and attributes that people see."""

from __future__ import annotations

import math
import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Engine, delete, func, insert, select

from remix_study.batches.losses import count_rows
from remix_study.data.folds import Fold
from remix_study.data.problems import Problem
from remix_study.metrics import METRICS
from remix_study.study import tables
from remix_study.study.configurations import label_of, strategy_of
from remix_study.study.evaluation import Evaluation, peak_memory_mb
from remix_study.study.kept_probabilities import form_of, pack_probabilities
from remix_study.study.tables import MAX_ATTRIBUTE_LENGTH, utc_now
from remix_study.study.task import Task
from remix_study.studyfile.outside_files import outside_file
from remix_study.training.stopping import first_epoch_to_choose
from remix_study.training.untrained import why_untrained
from remix_study.version import ENGINE_VERSION, __version__

_PACKAGES = ("keras", "tensorflow", "jax", "numpy", "optuna", "scikit-learn", "scipy", "pandas")


def manifest(task: Task, command: str) -> dict[str, Any]:
    """Describe a run of one task.

    Args:
        task: The task, with its data and folds.
        command: The command line, or the call in Python.
    """
    study, problem = task.study, task.problem
    return {
        "study": study.name,
        "problem": problem.name,
        "command": command,
        "started": utc_now(),
        "file": {"text": study.text, "sha256": study.sha256},
        "data": {
            "name": problem.dataset.name,
            "source": problem.dataset.source,
            "sha256": problem.dataset.sha256,
            "outside": outside_file(study, task.spec),
        },
        "seed": study.seed,
        "stack": task.stack,
        "remix_study": __version__,
        "python": platform.python_version(),
        "packages": {name: number for name in _PACKAGES if (number := package_version(name))},
        "backend": _backend(),
        "platform": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


def record_manifest(engine: Engine, study_uuid: str, content: dict[str, Any]) -> None:
    """Add a manifest, unless an earlier try has, whose answer was lost."""
    row = tables.manifests.c
    newest = select(row.manifest).where(row.study_uuid == study_uuid).order_by(row.id.desc())
    with engine.begin() as connection:
        if connection.execute(newest.limit(1)).scalar() != content:
            values = {"study_uuid": study_uuid, "manifest": content}
            connection.execute(insert(tables.manifests).values(values))


def _backend() -> str:
    # Keras may also read its backend from a file of its own.
    keras = sys.modules.get("keras")
    return keras.config.backend() if keras else os.environ.get("KERAS_BACKEND", "tensorflow")


def package_version(name: str) -> str:
    """Version of an installed package, "" where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        # TensorFlow, for one, is also published under other names.
        return str(getattr(sys.modules.get(name), "__version__", ""))


def trial_attributes(task: Task, evaluation: Evaluation) -> dict[str, Any]:
    """Label, validation scores and cost of a trial, none of test rows; capitals come first."""
    epochs = [outcome.epochs for outcome in evaluation.outcomes]
    n_failed = sum(bool(outcome.failed) for outcome in evaluation.outcomes)
    model, estimator = evaluation.configuration.model, evaluation.configuration.estimator
    texts = {
        "row": label_of(evaluation.parameters),
        "Strategy": strategy_of(evaluation.parameters).label,
        "Network": "none" if estimator else f"{model.name} {task.network_size(model)}",
    }
    attributes: dict[str, Any] = {
        name: text[:MAX_ATTRIBUTE_LENGTH] for name, text in texts.items()
    }
    for name in task.study.objectives:
        scores = evaluation.validation(name)
        sd = np.std(scores, ddof=1) if len(scores) > 1 else 0.0
        attributes[f"validation {METRICS[name].short}"] = f"{np.mean(scores):.4f} (sd {sd:.4f})"
    fewest = min(
        int(np.bincount(task.problem.y[fold.train], minlength=task.problem.K).min())
        for fold in (task.folds[position] for position in evaluation.positions)
    )
    trained = {task.folds[position].repeat for position in evaluation.positions}
    attributes[tables.REPEATS_ATTRIBUTE] = len(trained)
    if earlier := evaluation.earlier:
        attributes[tables.REPEATS_ATTRIBUTE] += earlier.repeats
        attributes[tables.EXTENDS_ATTRIBUTE] = earlier.number
    if evaluation.pruned:
        attributes["pruned"] = f"after {len(evaluation.positions)} of {len(task.folds)} folds"
    return attributes | {
        "fewest training rows of a class": fewest,
        "epochs": f"median {int(np.median(epochs))}, {min(epochs)} to {max(epochs)}",
        "folds failed": n_failed,
        "seconds": round(evaluation.seconds, 2),
        "peak memory (MiB)": round(peak_memory_mb()),
        "engine_version": ENGINE_VERSION,
    }


def record_trial(
    connection: Connection,
    study_uuid: str,
    task: Task,
    evaluation: Evaluation,
    facts: Mapping[str, Any],
) -> None:
    """Write everything a report needs of a trial, once, within the caller's transaction.

    Args:
        connection: To the database.
        study_uuid: Identity of the study.
        task: The task.
        evaluation: What the trial has given.
        facts: How it was trained; see :data:`remix_study.study.tables.runs`.
    """
    strategy = evaluation.configuration.strategy
    recorded = select(tables.runs.c.id).where(tables.runs.c.uuid == evaluation.uuid)
    if connection.execute(recorded).first() is not None:
        return
    run = connection.execute(
        insert(tables.runs).values(
            uuid=evaluation.uuid,
            study_uuid=study_uuid,
            label=label_of(evaluation.parameters),
            strategy=strategy.name,
            sampler=strategy.sampler,
            mixing=strategy.mixing,
            alpha=strategy.alpha if strategy.has_mixing else None,
            loss=strategy.loss,
            parameters=evaluation.parameters,
            network_parameters=evaluation.network_parameters,
            seconds=evaluation.seconds,
            peak_memory_mb=peak_memory_mb(),
            started=evaluation.started,
            finished=evaluation.finished,
            facts=dict(facts),
        )
    )
    (run_id,) = run.inserted_primary_key or (None,)
    folds, scores, probabilities = _fold_rows(task, evaluation, run_id)
    connection.execute(insert(tables.folds), folds)
    connection.execute(insert(tables.scores), scores)
    if form_of(task) == "none":
        # Tells readers that they are left out.
        row = {"run_id": run_id, "content": tables.EMPTY_SUMMARY}
        connection.execute(insert(tables.summaries).values(row))
    elif probabilities:
        connection.execute(insert(tables.probabilities), probabilities)


def record_parts(connection: Connection, study_uuid: str, task: Task, first: int = 0) -> None:
    """Write which rows each fold scores and their weights, from a repeat on; once for a study."""
    rows = [
        {
            "study_uuid": study_uuid,
            "repeat": fold.repeat,
            "fold": fold.fold,
            "part": part,
            "rows": tables.pack(task.problem.rows[positions].astype(np.int32)),
            "labels": tables.pack(task.problem.y[positions].astype(np.int32)),
        }
        # With fewer rare rows to train on each fold comes several times, and scores the same rows.
        for fold in {(fold.repeat, fold.fold): fold for fold in task.folds}.values()
        if fold.repeat >= first
        for part, positions in (("validation", fold.validation), ("test", fold.test))
    ]
    connection.execute(insert(tables.parts), rows)
    weights = task.problem.dataset.weights
    if weights is not None and task.problem.weights is not None and first == 0:
        row = {"study_uuid": study_uuid, "weights": tables.pack(weights)}
        connection.execute(insert(tables.row_weights), row)


def delete_run(engine: Engine, run_uuid: str) -> None:
    """Delete the rows of a run whose trial has no scores."""
    with engine.begin() as connection:
        delete_runs(connection, tables.runs.c.uuid == run_uuid)


def delete_study_rows(engine: Engine, study_uuid: str) -> None:
    """Delete every row of a study in the project's tables; Optuna's study stays."""
    with engine.begin() as connection:
        delete_runs(connection, tables.runs.c.study_uuid == study_uuid)
        for table in tables.OF_STUDIES:
            connection.execute(delete(table).where(table.c.study_uuid == study_uuid))
        connection.execute(delete(tables.studies).where(tables.studies.c.uuid == study_uuid))


def delete_runs(connection: Connection, condition: ColumnElement[bool]) -> None:
    """Delete all rows of the runs that meet a condition, in the caller's transaction."""
    run_ids = select(tables.runs.c.id).where(condition)
    for table in tables.OF_RUNS:
        connection.execute(delete(table).where(table.c.run_id.in_(run_ids)))
    connection.execute(delete(tables.runs).where(condition))


def validation_means(engine: Engine, run_uuid: str) -> dict[str, float]:
    """Mean over folds of each validation score of a run."""
    scores = tables.scores.c
    query = (
        select(scores.metric, func.avg(scores.value))
        .join(tables.runs, tables.runs.c.id == scores.run_id)
        .where(tables.runs.c.uuid == run_uuid, scores.part == "validation")
        .group_by(scores.metric)
    )
    with engine.connect() as connection:
        return {metric: float(mean) for metric, mean in connection.execute(query)}


def _why_untrained(task: Task, evaluation: Evaluation, fold: Fold, outcome: Any) -> str:
    if outcome.failed:
        return ""
    problem, rows = task.problem, fold.validation
    steps = outcome.trained_on.batches // outcome.trained_on.epochs
    first_epoch = int(first_epoch_to_choose(evaluation.configuration.training, steps))
    weights = None if problem.weights is None else problem.weights[rows]
    shares = _training_shares(problem, fold)
    return why_untrained(outcome, problem.y[rows], shares, first_epoch, weights)


def _training_shares(problem: Problem, fold: Fold) -> NDArray[np.float64]:
    """Shares (K,) of the classes in a fold's training rows, by weight where these have weights."""
    weights = None if problem.weights is None else problem.weights[fold.train]
    totals = count_rows(problem.y[fold.train], problem.K, weights)
    shares: NDArray[np.float64] = totals / totals.sum()
    return shares


def _fold_rows(
    task: Task, evaluation: Evaluation, run_id: int | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of the tables of folds, scores and probabilities."""
    fold_rows, score_rows, probability_rows, form = [], [], [], form_of(task)
    trained = [task.folds[position] for position in evaluation.positions]
    for fold, outcome, parts in zip(trained, evaluation.outcomes, evaluation.scores, strict=True):
        key = {"run_id": run_id, "repeat": fold.repeat, "fold": fold.fold}
        positions = {"train": fold.train, "validation": fold.validation, "test": fold.test}
        counts = {
            part: np.bincount(task.problem.y[rows], minlength=task.problem.K).tolist()
            for part, rows in positions.items()
        }
        trained_on = outcome.trained_on.as_dict()
        if task.problem.weights is not None:
            trained_on["training_shares"] = _training_shares(task.problem, fold).tolist()
        monitor = outcome.monitor if len(outcome.monitor) else np.full_like(outcome.loss, np.nan)
        fold_rows.append(
            key
            | {
                "counts": counts,
                "epochs": outcome.epochs,
                "stopped": outcome.stopped,
                "failed": outcome.failed,
                "trained_on": trained_on
                | {"untrained": _why_untrained(task, evaluation, fold, outcome)},
                "curves": tables.pack(np.stack([outcome.loss, monitor, outcome.rates])),
            }
        )
        for part, values in parts.items():
            score_rows += [
                key | {"part": part, "metric": metric, "value": value}
                for metric, value in values.items()
                if not math.isnan(value)
            ]
        for part, probabilities in (("validation", outcome.validation), ("test", outcome.test)):
            if not outcome.failed:
                row = {"part": part, "probabilities": pack_probabilities(probabilities, form)}
                probability_rows.append(key | row)
    return fold_rows, score_rows, probability_rows
