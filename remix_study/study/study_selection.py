"""Which of the project's studies a database holds, and those that a user names."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, select

from remix_study.errors import StorageError, UsageError, did_you_mean
from remix_study.study import optuna_tables, tables

Registered = tuple[int, Any]
"""Optuna's study id, and the row of :data:`remix_study.study.tables.studies`."""


def registered_studies(connection: Connection) -> list[Registered]:
    """Every study that exists both in Optuna's tables and in the project's, by name."""
    rows = {
        row.uuid: row for row in connection.execute(tables.select_rows(connection, tables.studies))
    }
    studies, attributes = optuna_tables.studies, optuna_tables.study_attributes
    bindings = connection.execute(
        select(studies.c.study_id, studies.c.study_name, attributes.c.value_json)
        .join(attributes, studies.c.study_id == attributes.c.study_id)
        .where(attributes.c.key == tables.STUDY_ATTRIBUTE)
    )
    # Sorted here: databases do not agree on the order of letters.
    return [
        (study_id, rows[uuid])
        for study_id, _, text in sorted(bindings, key=lambda binding: binding.study_name)
        if (uuid := json.loads(text)) in rows
    ]


def check_names(registered: Collection[Registered], names: Collection[str]) -> None:
    """Refuse names of studies that a database does not hold.

    Raises:
        UsageError: Names the first, and similar ones that it holds.
    """
    known_names = sorted({row.study for _, row in registered})
    for name in names:
        if name not in known_names:
            raise UsageError(
                f'the database holds no study "{name}"{did_you_mean(name, known_names)}'
            )


def select_studies(connection: Connection, names: Collection[str] = ()) -> list[Registered]:
    """Registered studies of those that a user names, one a problem, by name.

    Args:
        connection: To the database.
        names: Names of study files' studies; all studies when empty.

    Raises:
        StorageError: The database holds no study.
        UsageError: It holds none of this name.
    """
    registered = registered_studies(connection)
    if not registered:
        raise StorageError("the database holds no study yet; run one first")
    check_names(registered, names)
    return [entry for entry in registered if not names or entry[1].study in names]
