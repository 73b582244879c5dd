"""Rows of a study in the project's tables: read from one database, written into another.

Ids that a database gives its rows differ between databases, so rows travel without them, in blocks
``(table, rows)``: the study itself, its manifests and parts, then one run after the other, each
followed by its folds, scores and probabilities. No more than one run is in memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from remix_study.study import tables
from remix_study.study.upgrade import FACTS_OF_VERSION_1, settings_of_version_1

Row = dict[str, Any]
Block = tuple[Table, list[Row]]

_OF_STUDIES = tuple(table for table in tables.OF_STUDIES if table is not tables.leases)
# SQLite takes some thousand values in one statement.
_ROWS_PER_QUERY = 500


def read_rows(
    connection: Connection, study_uuid: str, run_uuids: Collection[str]
) -> Iterator[Block]:
    """Read a study's rows, except those of workers and leases.

    Args:
        connection: To the database that holds the study.
        study_uuid: Identity of the study.
        run_uuids: Identities of the runs to read, which are those of trials with scores.

    Yields:
        Blocks in the order in which they can be written. Rows are in the order of their primary
        keys, which does not depend on the database.

    Raises:
        ValueError, TypeError: A row is damaged.
    """
    query = tables.select_rows(connection, tables.studies)
    rows = connection.execute(query.where(tables.studies.c.uuid == study_uuid)).mappings()
    yield tables.studies, [_upgraded_study(row) for row in rows]
    for table in _OF_STUDIES:
        query = select(table).where(table.c.study_uuid == study_uuid)
        yield table, _without_ids(connection.execute(query).mappings(), table)
    runs = tables.select_rows(connection, tables.runs)
    for run_id in _run_ids(connection, run_uuids):
        rows = connection.execute(runs.where(tables.runs.c.id == run_id)).mappings()
        yield (
            tables.runs,
            [
                {**row, "facts": row["facts"] or FACTS_OF_VERSION_1}
                for row in _without_ids(rows, tables.runs)
            ],
        )
        for table in tables.OF_RUNS:
            query = select(table).where(table.c.run_id == run_id)
            yield table, _without_ids(connection.execute(query).mappings(), table)


def _upgraded_study(row: Any) -> Row:
    settings = row["settings"] or settings_of_version_1(row["definition"], row["facts"])
    return {**row, "settings": settings}


def _run_ids(connection: Connection, run_uuids: Collection[str]) -> list[int]:
    """Ids of runs in ascending order."""
    uuids = list(run_uuids)
    run_ids: list[int] = []
    for start in range(0, len(uuids), _ROWS_PER_QUERY):
        part = uuids[start : start + _ROWS_PER_QUERY]
        run_ids += connection.execute(
            select(tables.runs.c.id).where(tables.runs.c.uuid.in_(part))
        ).scalars()
    return sorted(run_ids)


def _without_ids(rows: Iterable[Any], table: Table) -> list[Row]:
    keys = [column.name for column in table.primary_key]
    # Sorted here: databases do not agree on the order of letters.
    ordered = sorted(rows, key=lambda row: tuple(row[key] for key in keys))
    return [
        {name: value for name, value in row.items() if name not in ("id", "run_id")}
        for row in ordered
    ]


def write_rows(connection: Connection, blocks: Iterable[Block]) -> None:
    """Write rows in the caller's transaction; runs get new ids in their old order.

    Raises:
        IntegrityError: The database holds one of the rows already.
    """
    run_id = None
    for table, rows in blocks:
        if table is tables.runs:
            for row in rows:
                result = connection.execute(insert(table).values(row))
                (run_id,) = result.inserted_primary_key or (None,)
            continue
        if "run_id" in table.c:
            rows = [{"run_id": run_id, **row} for row in rows]
        for start in range(0, len(rows), _ROWS_PER_QUERY):
            connection.execute(insert(table), rows[start : start + _ROWS_PER_QUERY])


class Digest:
    """SHA-256 of blocks of rows, the same for every database that holds the same rows."""

    def __init__(self) -> None:
        """Begin with no rows."""
        self._hash = hashlib.sha256()

    def passing(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Yield blocks as they are and take each into the digest."""
        for table, rows in blocks:
            self._hash.update(f"{table.name} {comparable(rows)}\n".encode())
            yield table, rows

    def hexdigest(self) -> str:
        """The digest of all blocks that have passed."""
        return self._hash.hexdigest()


def rows_digest(blocks: Iterable[Block]) -> str:
    """The digest of blocks, in hexadecimal."""
    digest = Digest()
    for _ in digest.passing(blocks):
        pass
    return digest.hexdigest()


def comparable(value: Any) -> str:
    """Text that is equal for equal values: keys sorted, floats with all their digits."""
    return json.dumps(value, sort_keys=True, default=_text)


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
