"""Extensions: trials that add repeats to a configuration which has a finished trial.

A finished trial does not change. Where a grid's study file asks for more repeats, a new trial of
each configuration trains the folds of the added ones alone, and its values are means over all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from remix_study.errors import StorageError
from remix_study.study import optuna_tables, tables

if TYPE_CHECKING:
    from remix_study.data.folds import Fold


@dataclass(frozen=True)
class Earlier:
    """What a configuration has before a trial that extends it.

    Attributes:
        run: UUID of the run of its first trial.
        number: Number of its newest trial.
        trial_id: Optuna's id of that trial.
        repeats: Repeats that its trials hold.
        scores: Validation scores of each objective, by repeat and fold.
    """

    run: str
    number: int
    trial_id: int
    repeats: int
    scores: Mapping[str, Sequence[float]]

    def added(self, folds: Sequence[Fold]) -> tuple[int, ...]:
        """Positions of the folds that it lacks."""
        return tuple(at for at, fold in enumerate(folds) if fold.repeat >= self.repeats)


def read_scores(
    engine: Engine, runs: Sequence[str], objectives: Sequence[str], n_folds: int
) -> dict[str, list[float]]:
    """Validation scores of some runs together, by repeat and fold.

    Args:
        engine: The database.
        runs: UUIDs.
        objectives: Metrics.
        n_folds: How many folds the runs hold.

    Raises:
        StorageError: Some are not there.
    """
    scores: dict[str, list[float]] = {name: [] for name in objectives}
    columns = tables.scores.c
    query = (
        select(columns.metric, columns.value)
        .join(tables.runs, tables.runs.c.id == columns.run_id)
        .where(tables.runs.c.uuid.in_(runs), columns.part == "validation")
        .where(columns.metric.in_(objectives))
        .order_by(columns.repeat, columns.fold)
    )
    with engine.connect() as connection:
        for metric, value in connection.execute(query):
            scores[metric].append(value)
    if any(len(values) != n_folds for values in scores.values()):
        raise StorageError(
            f"scores of {n_folds} folds that are to be extended are not all there; `repair` says "
            "what is wrong with the database"
        )
    return scores


def mark_extended(engine: Engine, trial_id: int, by: int) -> None:
    """Note with a finished trial, by Optuna's id, the number of the one that extends it.

    Readers go by the later trial: this tells a person which of two to read.
    """
    key = tables.EXTENDED_ATTRIBUTE
    row = {"trial_id": trial_id, "key": key, "value_json": json.dumps(by)}
    # Optuna refuses it of a finished trial; another process may have been first.
    with suppress(IntegrityError), engine.begin() as connection:
        connection.execute(insert(optuna_tables.trial_attributes), row)
