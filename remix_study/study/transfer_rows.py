"""Rows of a study without the ids of its database: read from one, written into another.

Rows come in blocks ``(table, rows)``: Optuna's part of a study, then the project's. In place of a
trial's id they have its number. No more than one run's probabilities are in memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from optuna.storages._rdb.models import BaseModel
from optuna.trial import TrialState
from sqlalchemy import Connection, Select, Table, insert, inspect, select

from remix_study.study import tables
from remix_study.study.metric_names import new_attribute
from remix_study.study.optuna_tables import FAILED, SCORED_STATES
from remix_study.study.times import parse_time, utc_without_zone
from remix_study.study.upgrade import FACTS_OF_VERSION_1, settings_of_version_1

Row = dict[str, Any]
Block = tuple[Table, list[Row]]

_OPTUNA = BaseModel.metadata.tables
_STUDIES, _TRIALS = _OPTUNA["studies"], _OPTUNA["trials"]
_OF_TRIALS = tuple(
    _OPTUNA[f"trial_{name}"]
    for name in ("params", "values", "intermediate_values", "user_attributes", "system_attributes")
)
_OF_STUDIES = tuple(
    _OPTUNA[f"study_{name}"] for name in ("directions", "user_attributes", "system_attributes")
)
# A trial that ends gets these first; one that was brought while it ran must not seem to have.
_ATTRIBUTES_OF_ENDED = (tables.RUN_ATTRIBUTE, tables.SLOT_ATTRIBUTE, FAILED)
# Keys of a study's attributes that hold a trial's id, or its number after #: notes and files of
# optuna-dashboard, and the digest of a note of ours.
_KEY_OF_TRIAL = re.compile(r"(dashboard:|dashboard:artifacts:|remix_study:note:)(#?)(\d+)(:.*)?")
_RUNS_AT_ONCE = 100  # Whose rows are read, without probabilities


def read_study(
    connection: Connection, study_id: int, row: Any, without: Collection[Table] = ()
) -> Iterator[Block]:
    """Read a study in the order in which it can be written.

    Trials that run or wait are read as failed, and rows of the first schema as upgraded ones. The
    order of rows does not depend on the database.

    Args:
        connection: To the database that holds the study.
        study_id: Optuna's id.
        row: Its row in the project's table of studies.
        without: Tables of the project that are not read.

    Raises:
        ValueError, TypeError: A row is damaged.
    """
    read = _RowReader(connection)
    yield _STUDIES, read.rows(_STUDIES, _STUDIES.c.study_id == study_id)
    of_study = _TRIALS.c.study_id == study_id
    trials = connection.execute(select(_TRIALS).where(of_study).order_by(_TRIALS.c.number)).all()
    numbers = {trial.trial_id: trial.number for trial in trials}
    open_trials = {trial.number for trial in trials if not trial.state.is_finished()}
    yield _TRIALS, [_closed(trial, row.created) for trial in trials]
    run_uuids = set()
    for table in _OF_TRIALS:
        rows = read.rows(table, table.c.trial_id.in_(select(_TRIALS.c.trial_id).where(of_study)))
        for trial_row in rows:
            # A trial that began after the look at the trials has no number.
            trial_row["trial_id"] = numbers.get(trial_row["trial_id"])
        rows = [
            trial_row
            for trial_row in rows
            if trial_row["trial_id"] is not None
            and not (trial_row["trial_id"] in open_trials and _is_of_ended(table, trial_row))
        ]
        if table.name == "trial_user_attributes":
            rows += [_why_closed(number) for number in open_trials]
            run_uuids = _scored_runs(trials, rows)
        yield table, sorted(rows, key=comparable)
    for table in _OF_STUDIES:
        rows = [
            study_row
            | ({"key": _key(study_row["key"], numbers, "#")} if "key" in study_row else {})
            for study_row in read.rows(table, table.c.study_id == study_id)
            if study_row.get("key") != tables.STUDY_ATTRIBUTE
        ]
        yield table, sorted(rows, key=comparable)
    yield from _project_rows(read, row.uuid, run_uuids, without)


def _closed(trial: Any, created: str) -> Row:
    """A row of Optuna's trials; a trial that is open becomes FAIL."""
    row = dict(trial._mapping)
    if not trial.state.is_finished():
        ended = trial.datetime_start or utc_without_zone(parse_time(created))
        row |= {"state": TrialState.FAIL, "datetime_start": ended, "datetime_complete": ended}
    return {name: value for name, value in row.items() if name not in ("trial_id", "study_id")}


def _is_of_ended(table: Table, row: Row) -> bool:
    """Whether only a trial that has ended may have a row."""
    return table.name == "trial_values" or row.get("key") in _ATTRIBUTES_OF_ENDED


def _why_closed(number: int) -> Row:
    reason = json.dumps("was not finished when the study was imported")
    return {"trial_id": number, "key": FAILED, "value_json": reason}


def _scored_runs(trials: Sequence[Any], attributes: Sequence[Row]) -> set[str]:
    """UUIDs of the runs whose rows count: those of trials with scores."""
    scored = {trial.number for trial in trials if trial.state.name in SCORED_STATES}
    return {
        json.loads(row["value_json"])
        for row in attributes
        if row["key"] == tables.RUN_ATTRIBUTE and row["trial_id"] in scored
    }


def _key(key: str, ids: Mapping[int, int], mark: str) -> str:
    """Key of a study's attribute with a number (after #) for a trial's id, or the reverse."""
    match = _KEY_OF_TRIAL.fullmatch(key)
    if match is None or match[2] == mark or int(match[3]) not in ids:
        return key
    return f"{match[1]}{mark}{ids[int(match[3])]}{match[4] or ''}"


def _project_rows(
    read: _RowReader, study_uuid: str, run_uuids: set[str], without: Collection[Table]
) -> Iterator[Block]:
    """Rows of a study in the project's tables, except those of workers and leases."""
    studies = read.rows(tables.studies, tables.studies.c.uuid == study_uuid)
    for study in studies:
        study["settings"] = study["settings"] or settings_of_version_1(
            study["definition"], study["facts"]
        )
    yield tables.studies, studies
    for table in (tables.manifests, tables.parts, tables.row_weights):
        # A database of an earlier version may lack the last.
        if table not in without and inspect(read.connection).has_table(table.name):
            yield table, read.rows(table, table.c.study_uuid == study_uuid)
    of_study = tables.runs.c.study_uuid == study_uuid
    query = read.query(tables.runs).where(of_study).order_by(tables.runs.c.id)
    stored = read.connection.execute(query).mappings().all()
    runs = [run for run in stored if run["uuid"] in run_uuids]
    of_runs = [t for t in tables.tables_of_runs(read.connection) if t not in without]
    for start in range(0, len(runs), _RUNS_AT_ONCE):
        some = runs[start : start + _RUNS_AT_ONCE]
        ids = [run["id"] for run in some]
        small = {t: read.rows_by_run(t, ids) for t in of_runs if t is not tables.probabilities}
        for run in some:
            row = {name: value for name, value in run.items() if name != "id"}
            yield tables.runs, [row | {"facts": run["facts"] or FACTS_OF_VERSION_1}]
            for table in of_runs:
                by_run = small[table] if table in small else read.rows_by_run(table, [run["id"]])
                yield table, by_run.get(run["id"], [])


class _RowReader:
    """Reads rows of a database; what its tables look like is asked once, not for each run."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._version = tables.stored_version(connection)
        self._queries: dict[str, Select[Any]] = {}

    def query(self, table: Table) -> Select[Any]:
        """A query for whole rows, those of our tables with present names."""
        if table.name not in self._queries:
            is_ours = table.name in tables.metadata.tables
            self._queries[table.name] = (
                tables.select_rows(self.connection, table) if is_ours else select(table)
            )
        return self._queries[table.name]

    def rows(self, table: Table, condition: Any) -> list[Row]:
        """Rows by their primary key; without the study's id, and a key that the database chose."""
        return self._without_ids(table, *self._stored(table, condition))

    def rows_by_run(self, table: Table, runs: Sequence[int]) -> dict[int, list[Row]]:
        """Run -> its rows as `rows` gives them; of each run that has some."""
        names, stored = self._stored(table, table.c.run_id.in_(runs))
        by_run = groupby(stored, itemgetter(names.index("run_id")))
        return {run: self._without_ids(table, names, [*rows]) for run, rows in by_run}

    def _stored(self, table: Table, condition: Any) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Names of columns, and rows by the primary key, which begins with a run's id."""
        result = self.connection.execute(self.query(table).where(condition))
        names = list(result.keys())
        # Sorted here: databases do not agree on the order of letters. Plain tuples sort faster.
        places = itemgetter(*(names.index(key.name) for key in table.primary_key))
        stored = sorted(map(tuple, result.all()), key=places)
        if "value_json" in names:
            for row in stored:
                # Optuna's text is checked as well.
                json.loads(row[names.index("value_json")] or "null")
        return names, stored

    def _without_ids(
        self, table: Table, names: Sequence[str], stored: Iterable[tuple[Any, ...]]
    ) -> list[Row]:
        keys = [key.name for key in table.primary_key]
        is_chosen = len(keys) == 1 and keys[0] not in ("uuid", "study_uuid")
        left_out = {"run_id", "study_id", *(keys if is_chosen else ())}
        kept = [(place, name) for place, name in enumerate(names) if name not in left_out]
        rows = [{name: row[place] for place, name in kept} for row in stored]
        if self._version < 3 and table.name not in tables.metadata.tables:
            rows = [new_attribute(row) for row in rows]
        return rows


def write_study(connection: Connection, blocks: Iterable[Block]) -> int:
    """Write a study in the caller's transaction, with ids that the database gives.

    Returns:
        Optuna's id of the study.

    Raises:
        IntegrityError: The database holds one of the rows already.
    """
    study_id = run_id = 0
    trial_ids: dict[int, int] = {}
    scores = insert(tables.scores).compile(dialect=connection.dialect)
    # Some drivers take rows by place, others by name.
    values_of: Any = itemgetter(*scores.positiontup) if scores.positiontup else dict
    for table, rows in blocks:
        if table is _STUDIES:
            (study_id,) = connection.execute(insert(table), rows[0]).inserted_primary_key or (0,)
            continue
        if table is tables.runs:
            (run_id,) = connection.execute(insert(table), rows[0]).inserted_primary_key or (0,)
            continue
        if table in _OF_TRIALS:
            rows = [row | {"trial_id": trial_ids[row["trial_id"]]} for row in rows]
        elif "study_id" in table.c:
            rows = [row | {"study_id": study_id} for row in rows]
            rows = [
                row | ({"key": _key(row["key"], trial_ids, "")} if "key" in row else {})
                for row in rows
            ]
        elif "run_id" in table.c:
            rows = [row | {"run_id": run_id} for row in rows]
        if table is tables.scores and rows:
            # By far the most rows, of numbers and text alone: the driver takes them as they are.
            connection.exec_driver_sql(str(scores), [*map(values_of, rows)])
        elif rows:
            connection.execute(insert(table), rows)
        if table is _TRIALS:
            ids = select(_TRIALS.c.number, _TRIALS.c.trial_id)
            of_study = _TRIALS.c.study_id == study_id
            trial_ids = {
                row.number: row.trial_id for row in connection.execute(ids.where(of_study))
            }
    return study_id


def comparable(value: Any) -> str:
    """Text that is equal for equal values: keys sorted, floats with all their digits.

    SQLite stores no sign of a zero.
    """
    text = json.dumps(value, sort_keys=True, default=_text)
    return re.sub(r"-0\.0(?=[,\]}])", "0.0", text)


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
