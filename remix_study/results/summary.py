"""Summary databases: studies without probabilities, and what pages compute from these.

A summary is a database like any other, only smaller: its pages have the same tables. It is a file
compressed by xz, which commands that read databases open as it is.
"""

from __future__ import annotations

import contextlib
import lzma
import sqlite3
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.schema import CreateTable, DropTable

from remix_study.results.calibration import MethodReliability, as_json
from remix_study.results.comparison import Comparison
from remix_study.results.decision import Decision
from remix_study.results.export import to_json
from remix_study.results.form_summary import form_as_json
from remix_study.study import tables
from remix_study.study.database_errors import sqlite_url
from remix_study.study.optuna_tables import select_studies
from remix_study.study.registration import bind_study
from remix_study.study.storage import closing, open_storage
from remix_study.study.transfer_rows import Block, read_study, write_study

_RUNS = select(tables.runs.c.id, tables.runs.c.uuid)
_LEFT_OUT = (tables.probabilities, tables.parts, tables.summaries)
_NO_CURVES = tables.pack(np.zeros(0, np.float32))
_PRESET = 1  # The usual one takes seven times as long, for a file that is a sixth smaller


def write_summary(
    source: Engine,
    names: Collection[str],
    reliabilities: Sequence[tuple[Comparison, Sequence[MethodReliability]]],
    decisions: Sequence[Decision],
    path: Path,
) -> None:
    """Write studies without probabilities and learning curves into a compressed database.

    Args:
        source: the database of the studies, open for reading.
        names: of the studies; all when empty.
        reliabilities: of the problems whose probabilities the page uses.
        decisions: of the problems, whose methods compete in forms made from probabilities.
        path: the file to write, such as `summary.db.xz`.
    """
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "summary.db"
        with (
            closing(open_storage(sqlite_url(database))) as storage,
            source.connect() as reading,
            storage.engine.begin() as writing,
        ):
            _store_scores_once(writing)
            for study_id, row in select_studies(reading, names):
                blocks = _without_curves(read_study(reading, study_id, row, _LEFT_OUT))
                bind_study(writing, write_study(writing, blocks), row.uuid)
            contents = _contents(reliabilities, decisions)
            old_ids = {run.uuid: run.id for run in reading.execute(_RUNS)}
            for run in writing.execute(_RUNS).all():
                # Each run has a row, which tells readers that its probabilities are left out.
                content = to_json(contents.get(old_ids[run.uuid], tables.EMPTY_SUMMARY))
                writing.execute(insert(tables.summaries).values(run_id=run.id, content=content))
        with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
            # A file with a write-ahead log could not be opened without a second one beside it.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("VACUUM")
        path.write_bytes(lzma.compress(database.read_bytes(), preset=_PRESET))


def _store_scores_once(connection: Connection) -> None:
    """Make the empty table of scores anew, without an index that holds all of its keys again."""
    create = CreateTable(tables.scores).compile(dialect=connection.dialect)
    connection.execute(DropTable(tables.scores))
    connection.exec_driver_sql(f"{str(create).rstrip()} WITHOUT ROWID")


def _without_curves(blocks: Iterable[Block]) -> Iterator[Block]:
    for table, rows in blocks:
        if table is tables.folds:
            rows = [row | {"curves": _NO_CURVES} for row in rows]
        yield table, rows


def _contents(
    reliabilities: Sequence[tuple[Comparison, Sequence[MethodReliability]]],
    decisions: Sequence[Decision],
) -> dict[int, dict[str, Any]]:
    """Run -> what pages compute from its probabilities."""
    contents: dict[int, dict[str, Any]] = {}
    for _, methods in reliabilities:
        for reliability in methods:
            views = as_json(reliability)
            contents[reliability.method.run] = {**tables.EMPTY_SUMMARY, "reliability": views}
    for decision in decisions:
        for form in decision.entries:
            # Scores of other decisions than those of the largest probability are not stored.
            if form.name != "as trained" or form.decide:
                run, stored = form.method.run, form_as_json(form, decision.shown_metrics())
                contents[run] = {**contents.get(run, tables.EMPTY_SUMMARY), "form": stored}
    return contents
