"""Rows of the database that belong to runs, in an order that is not the database's choice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from remix_study.study import tables

# SQLite takes some thousand values in one statement.
_VALUES_PER_STATEMENT = 500

ScoreRow = tuple[Any, ...]
"""Run, repeat, fold, part, metric and value."""


def rows_of_runs(connection: Connection, source: Any, run_ids: Sequence[int]) -> list[Any]:
    """Rows of a table that belong to these runs, by primary key, with present names.

    Sums of floats depend on their order, which must not be the database's choice.
    """
    rows = _stored_rows(connection, source, run_ids)
    return sorted(rows, key=attrgetter(*(column.name for column in source.primary_key)))


def scores_of_runs(connection: Connection, run_ids: Sequence[int]) -> list[ScoreRow]:
    """Scores of these runs, by primary key, as plain tuples: a study has very many."""
    return sorted(map(tuple, _stored_rows(connection, tables.scores, run_ids)))


def tidy_scores(scores: Sequence[ScoreRow], run_of: Mapping[int, int]) -> pd.DataFrame:
    """Scores as a frame: `run`, `repeat`, `fold`, `part`, `metric`, `value`.

    Args:
        scores: As :func:`scores_of_runs` returns them.
        run_of: Stored run -> the run that it is part of, in whose place the frame has it.
    """
    frame = pd.DataFrame(scores, columns=["run", "repeat", "fold", "part", "metric", "value"])
    is_joined = any(run != whole for run, whole in run_of.items())
    return frame.assign(run=frame["run"].map(run_of)) if is_joined else frame


def _stored_rows(connection: Connection, source: Any, run_ids: Sequence[int]) -> Iterator[Any]:
    query = tables.select_rows(connection, source)
    for start in range(0, len(run_ids), _VALUES_PER_STATEMENT):
        ids = run_ids[start : start + _VALUES_PER_STATEMENT]
        yield from connection.execute(query.where(source.c.run_id.in_(ids))).all()
