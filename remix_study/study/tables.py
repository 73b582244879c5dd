"""The project's own tables, in the same database as Optuna's.

Rows refer to UUIDs that are also kept in Optuna's user attributes, never to Optuna's trial ids:
SQLite gives those out again after a deletion, and a rename in the dashboard makes new ones.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    Text,
    TypeDecorator,
    case,
    inspect,
    null,
    select,
    type_coerce,
)

from remix_study.study.metric_names import NEW_CONTENT, NEW_METRIC, OLD_METRIC

metadata = MetaData()

SCHEMA = 3
"""Version of these tables; :mod:`remix_study.study.upgrade` brings earlier ones up to it."""

# User attributes of Optuna's studies and trials that reports and later runs read.
STUDY_ATTRIBUTE = "remix_study"
RUN_ATTRIBUTE = "remix_run"
SLOT_ATTRIBUTE = "slot"
# How many repeats a trial's values are means over; of a trial that adds repeats to another one's,
# the number of that trial, which in turn has the number of the one that extends it.
REPEATS_ATTRIBUTE = "repeats"
EXTENDS_ATTRIBUTE = "extends trial"
EXTENDED_ATTRIBUTE = "extended by trial"

MAX_NAME_LENGTH = 256
"""Characters of a problem's name; those of a study and its parts have room beside it."""

# Longer texts stretch the dashboard's pages.
MAX_ATTRIBUTE_LENGTH = 190


def utc_now() -> str:
    """The present time as every table here has it: UTC, ISO 8601 to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def configuration_key(parameters: Mapping[str, Any]) -> str:
    """Identity of a configuration in plans and leases, whatever the order of its parameters."""
    return json.dumps(dict(sorted(parameters.items())))


def short_name(name: str) -> str:
    """A problem's name as databases hold it: a long one without its middle, told by a hash.

    PostgreSQL refuses a text that is longer than its column, and class names may have any length.
    """
    if len(name) <= MAX_NAME_LENGTH:
        return name
    return f"{name[:180]}...{hashlib.sha256(name.encode()).hexdigest()[:12]}...{name[-40:]}"


def pack(array: NDArray[Any]) -> bytes:
    """Compress an array's bytes; its dtype and shape are those of the column."""
    return zlib.compress(np.ascontiguousarray(array).tobytes(), 1)


def unpack(blob: bytes, dtype: type[Any]) -> NDArray[Any]:
    """Decompress the bytes of an array.

    Args:
        blob: As :func:`pack` returns it.
        dtype: The column's dtype.

    Returns:
        A flat, read-only array.

    Raises:
        zlib.error, ValueError: The bytes are damaged.
    """
    return np.frombuffer(zlib.decompress(blob), dtype)


class _NewContent(TypeDecorator[Any]):
    """JSON of an earlier version, with the names that the present one has."""

    impl, cache_ok = JSON, False

    def __init__(self, change: Callable[[Any], Any]) -> None:
        super().__init__()
        self._change = change

    def process_result_value(self, value: Any, _dialect: Any) -> Any:
        return None if value is None else self._change(value)


def stored_version(connection: Connection) -> int:
    """Version of the tables; those without one are of the first."""
    if not inspect(connection).has_table(schema.name):
        return 1
    return max(connection.execute(select(schema.c.version)).scalars(), default=1)


def select_rows(connection: Connection, table: Table) -> Select[Any]:
    """A query for whole rows of a table, those of an earlier version with present names.

    Columns that an earlier version lacks are None.
    """
    stored = {column["name"] for column in inspect(connection).get_columns(table.name)}
    columns: dict[str, ColumnElement[Any]] = {
        c.name: c if c.name in stored else null() for c in table.c
    }
    if stored_version(connection) < 3:
        for name, change in NEW_CONTENT.get(table.name, {}).items():
            columns[name] = type_coerce(columns[name], _NewContent(change))
        if table is scores:
            metric = scores.c.metric
            columns["metric"] = case((metric == OLD_METRIC, NEW_METRIC), else_=metric)
    return select(*(column.label(name) for name, column in columns.items()))


schema = Table(
    "remix_schema", metadata, Column("version", Integer, primary_key=True, autoincrement=False)
)

studies = Table(
    "remix_studies",
    metadata,
    Column("uuid", String(36), primary_key=True),
    Column("name", String(512), nullable=False),  # <study>/<problem>, as Optuna's study
    Column("study", String(256), nullable=False),
    Column("problem", String(MAX_NAME_LENGTH), nullable=False),
    Column("created", String(32), nullable=False),
    Column("definition", JSON, nullable=False),  # sections of the study file, as it has them
    Column("facts", JSON, nullable=False),  # what reports need to know of the problem
    Column("planned", JSON, nullable=False),  # keys of a grid's configurations, [] for a search
    Column("trials", Integer, nullable=False),  # how many COMPLETE trials complete it
    # Fingerprint: the value of every key, defaults included. NULL in version 1.
    Column("settings", JSON),
)

manifests = Table(
    "remix_manifests",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_uuid", ForeignKey("remix_studies.uuid"), nullable=False, index=True),
    Column("manifest", JSON, nullable=False),
)

# Which rows each fold scored, once for all runs of a study.
parts = Table(
    "remix_parts",
    metadata,
    Column("study_uuid", ForeignKey("remix_studies.uuid"), primary_key=True),
    Column("repeat", Integer, primary_key=True),
    Column("fold", Integer, primary_key=True),
    Column("part", String(10), primary_key=True),
    Column("rows", LargeBinary, nullable=False),  # zlib of int32: rows of the data set
    Column("labels", LargeBinary, nullable=False),  # zlib of int32: class codes
)

# Of a study whose rows have weights.
row_weights = Table(
    "remix_row_weights",
    metadata,
    Column("study_uuid", ForeignKey("remix_studies.uuid"), primary_key=True),
    Column("weights", LargeBinary, nullable=False),  # zlib of float64: of each row of the data set
)

runs = Table(
    "remix_runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("study_uuid", ForeignKey("remix_studies.uuid"), nullable=False, index=True),
    Column("label", Text, nullable=False),
    Column("strategy", String(64), nullable=False),
    Column("sampler", String(64), nullable=False),
    Column("mixing", String(64), nullable=False),
    Column("alpha", Float(53)),
    Column("loss", String(64), nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("network_parameters", Integer, nullable=False),
    Column("seconds", Float(53), nullable=False),
    Column("peak_memory_mb", Float(53), nullable=False),
    Column("started", String(32), nullable=False),
    Column("finished", String(32), nullable=False),
    # How it was trained: engine_version, trials_in_program, other_workers; of a trial on an outer
    # fold outer_fold, chosen_by and chosen_trial; of one that adds repeats, extends (UUID of the
    # configuration's first run) and repeats; with fewer rare rows rare_share. NULL in version 1.
    Column("facts", JSON),
)

folds = Table(
    "remix_folds",
    metadata,
    Column("run_id", ForeignKey("remix_runs.id"), primary_key=True),
    Column("repeat", Integer, primary_key=True),
    Column("fold", Integer, primary_key=True),
    Column("counts", JSON, nullable=False),  # part -> rows of each class
    Column("epochs", Integer, nullable=False),
    Column("stopped", String(32), nullable=False),
    Column("failed", Text, nullable=False),
    # A PlanSummary, and why it learned nothing; where rows have weights, also the weighted shares
    # of classes in the training rows.
    Column("trained_on", JSON, nullable=False),
    Column("curves", LargeBinary, nullable=False),  # zlib of float32 (3, epochs)
)

scores = Table(
    "remix_scores",
    metadata,
    Column("run_id", ForeignKey("remix_runs.id"), primary_key=True),
    Column("repeat", Integer, primary_key=True),
    Column("fold", Integer, primary_key=True),
    Column("part", String(10), primary_key=True),
    Column("metric", String(32), primary_key=True),
    Column("value", Float(53), nullable=False),
)

probabilities = Table(
    "remix_probabilities",
    metadata,
    Column("run_id", ForeignKey("remix_runs.id"), primary_key=True),
    Column("repeat", Integer, primary_key=True),
    Column("fold", Integer, primary_key=True),
    Column("part", String(10), primary_key=True),
    Column("probabilities", LargeBinary, nullable=False),  # see kept_probabilities
)

# Of a database without probabilities: what pages compute from a run's. JSON of `results.summary`.
summaries = Table(
    "remix_summaries",
    metadata,
    Column("run_id", ForeignKey("remix_runs.id"), primary_key=True),
    Column("content", JSON, nullable=False),
)

workers = Table(
    "remix_workers",
    metadata,
    Column("uuid", String(36), primary_key=True),
    Column("host", String(256), nullable=False),
    Column("boot", String(64), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started", String(32), nullable=False),
    Column("seen", String(32), nullable=False),
)

# A worker's lease on a configuration, or on a slot of a search. The primary key keeps two workers
# from the same one.
leases = Table(
    "remix_claims",
    metadata,
    Column("study_uuid", ForeignKey("remix_studies.uuid"), primary_key=True),
    Column("point", String(1024), primary_key=True),  # key of the configuration, or of the slot
    Column("worker_uuid", ForeignKey("remix_workers.uuid"), nullable=False),
    Column("trial", Integer),
)

EMPTY_SUMMARY: Mapping[str, Any] = {"corrected": {}, "reliability": {}}
"""Summary of a run that no page corrects or bins."""

OF_RUNS = (probabilities, summaries, scores, folds)
"""Tables whose rows belong to a run."""


def tables_of_runs(connection: Connection) -> list[Table]:
    """Those of `OF_RUNS` that a database has: earlier versions lack a later table."""
    return [table for table in OF_RUNS if inspect(connection).has_table(table.name)]


OF_STUDIES = (parts, row_weights, manifests, leases)
"""Tables whose rows belong to a study, apart from its runs."""


def tables_of_studies(connection: Connection) -> list[Table]:
    """Those of `OF_STUDIES` that a database has."""
    return [table for table in OF_STUDIES if inspect(connection).has_table(table.name)]
