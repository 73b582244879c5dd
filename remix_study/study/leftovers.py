"""Rows that belong to nothing, and studies that were deleted in Optuna's dashboard."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, delete, select

from remix_study.study import tables
from remix_study.study.findings import (
    Defect,
    Finding,
    count_rows,
    counted,
    executing,
    with_engine,
)
from remix_study.study.record import delete_study_rows


def check_leftovers(connection: Connection, bound: set[str], prune: bool) -> Iterator[Defect]:
    """Rows that belong to nothing, and studies that Optuna does not know any more."""
    run_id, of_runs = tables.runs.c.id, tables.tables_of_runs(connection)
    checks = [(table, table.c.run_id, run_id, "orphans") for table in of_runs]
    uuid, of_studies = tables.studies.c.uuid, (*tables.tables_of_studies(connection), tables.runs)
    checks += [(table, table.c.study_uuid, uuid, "strays") for table in of_studies]
    for table, key, owner, kind in checks:
        is_stray = key.not_in(select(owner))
        if count := count_rows(connection, table, is_stray):
            owners = owner.table.name.removeprefix("remix_")
            text = f"{table.name}: {counted(count, 'row')} of {owners} that are not there"
            if table is tables.runs:
                advice = "their study is unknown; no command reads them"
                yield Finding(kind, text, advice=advice), None
            else:
                yield Finding(kind, text), executing(delete(table).where(is_stray))
    for row in connection.execute(select(uuid, tables.studies.c.name)).all():
        if row.uuid in bound:
            continue
        repair = with_engine(delete_study_rows, row.uuid)
        n_runs = count_rows(connection, tables.runs, tables.runs.c.study_uuid == row.uuid)
        if n_runs:
            text = f"{row.name}: {counted(n_runs, 'run')} of a study that was deleted in Optuna"
            finding = Finding("deleted", text, advice="`repair --prune` takes them out")
            yield finding, repair if prune else None
        else:
            yield Finding("begun", f"{row.name}: a study that was deleted before it ran"), repair
