"""Writing a trial's folds into the project's tables, in one transaction."""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, delete, func, insert, select

from remix_study.study import tables
from remix_study.study.configurations import label_of
from remix_study.study.evaluation import Evaluation, peak_memory_mb
from remix_study.study.task import Task


def record(connection: Connection, study_uuid: str, task: Task, found: Evaluation) -> None:
    """Write everything a report needs of a trial, once, within the caller's transaction."""
    strategy = found.setting.strategy
    own = select(tables.runs.c.id).where(tables.runs.c.uuid == found.uuid)
    if connection.execute(own).first() is not None:
        return
    run = connection.execute(
        insert(tables.runs).values(
            uuid=found.uuid,
            study_uuid=study_uuid,
            label=label_of(found.parameters),
            strategy=strategy.name,
            sampler=strategy.sampler,
            mixing=strategy.mixing,
            alpha=strategy.alpha if strategy.has_mixing else None,
            loss=strategy.loss,
            parameters=found.parameters,
            network_parameters=found.network_parameters,
            seconds=found.seconds,
            peak_memory_mb=peak_memory_mb(),
            started=found.started,
            finished=found.finished,
        )
    )
    (run_id,) = run.inserted_primary_key or (None,)
    folds, scores, probabilities = _rows(task, found, run_id)
    connection.execute(insert(tables.folds), folds)
    connection.execute(insert(tables.scores), scores)
    if probabilities:
        connection.execute(insert(tables.probabilities), probabilities)


def record_parts(connection: Connection, study_uuid: str, task: Task) -> None:
    """Write which rows each fold scores, once for a study."""
    rows = [
        {
            "study_uuid": study_uuid,
            "repeat": fold.repeat,
            "fold": fold.fold,
            "part": part,
            "rows": pack(task.problem.rows[positions].astype(np.int32)),
            "labels": pack(task.problem.y[positions].astype(np.int32)),
        }
        for fold in task.folds
        for part, positions in (("validation", fold.validation), ("test", fold.test))
    ]
    connection.execute(insert(tables.parts), rows)


def erase(engine: Engine, run_uuid: str) -> None:
    """Take out the rows of a run whose trial was never told."""
    with engine.begin() as connection:
        ids = select(tables.runs.c.id).where(tables.runs.c.uuid == run_uuid)
        for table in (tables.probabilities, tables.scores, tables.folds):
            connection.execute(delete(table).where(table.c.run_id.in_(ids)))
        connection.execute(delete(tables.runs).where(tables.runs.c.uuid == run_uuid))


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


def pack(array: NDArray[Any]) -> bytes:
    """Compress an array's bytes; its type and shape are the column's."""
    return zlib.compress(np.ascontiguousarray(array).tobytes(), 1)


def _rows(
    task: Task, found: Evaluation, run_id: int | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    folds, scores, probabilities = [], [], []
    trained = [task.folds[place] for place in found.places]
    for fold, outcome, scored in zip(trained, found.outcomes, found.scores, strict=True):
        place = {"run_id": run_id, "repeat": fold.repeat, "fold": fold.fold}
        positions = {"train": fold.train, "validation": fold.validation, "test": fold.test}
        counts = {
            part: np.bincount(task.problem.y[rows], minlength=task.problem.K).tolist()
            for part, rows in positions.items()
        }
        monitor = outcome.monitor if len(outcome.monitor) else np.full_like(outcome.loss, np.nan)
        folds.append(
            place
            | {
                "counts": counts,
                "epochs": outcome.epochs,
                "stopped": outcome.stopped,
                "failed": outcome.failed,
                "trained_on": outcome.trained_on.as_dict(),
                "curves": pack(np.stack([outcome.loss, monitor, outcome.rates])),
            }
        )
        for part, values in scored.items():
            scores += [
                place | {"part": part, "metric": metric, "value": value}
                for metric, value in values.items()
                if not math.isnan(value)
            ]
        for part, predicted in (("validation", outcome.validation), ("test", outcome.test)):
            if not outcome.failed:
                probabilities.append(place | {"part": part, "probabilities": pack(predicted)})
    return folds, scores, probabilities
