"""Versions of the project's tables: made where missing, and brought up to the present version.

An earlier version is upgraded in one transaction when a command first writes, never by a reader.
What an upgrade fills in follows the rules of the version that wrote the database. They are written
down here once more, since those of the package may have changed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, Connection, Engine, insert, inspect, select, text, update
from sqlalchemy.schema import CreateColumn

from remix_study.errors import StorageError
from remix_study.study import leases, tables
from remix_study.study.database_errors import damaged_rows, url_without_password

# Strategies of the first version that mix, and those of a study that named none.
_MIXING = ("mixup", "remix", "remix-aug", "remix-chou", "balanced-mixup", "remix-repo")
_STRATEGIES = ("baseline", "cost", "smote", "balance", "mixup", "remix", "logit-adjusted")
_ALPHA = 0.1
_ROTATE_SHIFT = {"rotation": 20.0, "shift": 0.2, "fill": "nearest"}


def create_tables(engine: Engine, url: str, *, upgrade: bool) -> None:
    """Make the tables that are missing; bring tables of an earlier version up to the present one.

    Args:
        engine: The open database.
        url: Named in messages.
        upgrade: Whether to upgrade; an earlier version stays as it is otherwise.

    Raises:
        StorageError: A later version has written the tables, or workers use an earlier version's.
    """
    with engine.begin() as connection:
        is_new = not inspect(connection).has_table(tables.studies.name)
        version = tables.SCHEMA if is_new else check_version(connection, url)
        if version < tables.SCHEMA and not upgrade:
            return
        tables.metadata.create_all(connection)
        if version < tables.SCHEMA:
            _upgrade(connection, url)
        elif is_new:
            connection.execute(insert(tables.schema).values(version=version))


def check_version(connection: Connection, url: str) -> int:
    """The version of the tables.

    Raises:
        StorageError: A later version of this package has written them.
    """
    version = _stored_version(connection)
    if version > tables.SCHEMA:
        raise StorageError(
            f"{url_without_password(url)}: its tables are of version {version}, and this "
            f"remix_study knows version {tables.SCHEMA}; install a newer remix_study"
        )
    return version


def _stored_version(connection: Connection) -> int:
    """Version of the tables; those without one are of the first."""
    if not inspect(connection).has_table(tables.schema.name):
        return 1
    versions = connection.execute(select(tables.schema.c.version)).scalars()
    return max(versions, default=1)


def _upgrade(connection: Connection, url: str) -> None:
    """Upgrade in the caller's transaction."""
    if connection.dialect.name == "postgresql":
        # SQLite's transactions lock all of it from their beginning, and wait as long.
        connection.execute(text("SET LOCAL lock_timeout = '60s'"))
        connection.execute(text(f"LOCK TABLE {tables.schema.name} IN ACCESS EXCLUSIVE MODE"))
    version = _stored_version(connection)
    if version == tables.SCHEMA:
        # Another process came first.
        return
    if leases.living_workers(connection):
        raise StorageError(
            f"{url_without_password(url)}: its tables are of version {version} and would be "
            f"upgraded to version {tables.SCHEMA}, but workers use them; let these end, or stop "
            "them, and run again"
        )
    with damaged_rows():
        _upgrade_from_1(connection)
    if not connection.execute(update(tables.schema).values(version=tables.SCHEMA)).rowcount:
        connection.execute(insert(tables.schema).values(version=tables.SCHEMA))


def _upgrade_from_1(connection: Connection) -> None:
    """Version 2 stores how trials were trained, and values of keys that a file leaves out."""
    _add_column(connection, tables.studies.c.settings)
    _add_column(connection, tables.runs.c.facts)
    studies = tables.studies.c
    rows = connection.execute(select(studies.uuid, studies.definition, studies.facts)).all()
    for row in rows:
        settings = settings_of_version_1(row.definition, row.facts)
        connection.execute(
            update(tables.studies).where(studies.uuid == row.uuid).values(settings=settings)
        )
    connection.execute(update(tables.runs).values(facts=FACTS_OF_VERSION_1))


def _add_column(connection: Connection, column: Column[Any]) -> None:
    """Add a column, unless it is there."""
    if column.name in {c["name"] for c in inspect(connection).get_columns(column.table.name)}:
        return
    declaration = CreateColumn(column).compile(dialect=connection.dialect)
    connection.execute(text(f"ALTER TABLE {column.table.name} ADD COLUMN {declaration}"))


FACTS_OF_VERSION_1: Mapping[str, Any] = {"engine_version": 1}
"""What is known of how the trials of the first version were trained."""


def settings_of_version_1(
    definition: Mapping[str, Any], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Value of each key of a study that the first version has begun.

    Args:
        definition: Sections of its study file.
        facts: Of its problem.
    """
    n_features, n_classes = facts["n_features"], len(facts["classes"])
    model, search, space = definition["model"], definition["search"], definition["search"]["space"]
    defaults: dict[str, Any] = {}
    if model["name"] == "mlp":
        width = max(1, int(2 * (n_features + n_classes) / 3))
        defaults = {"hidden": [width] * 3, "dropout": 0.1}
    elif model["name"] == "cnn":
        filters = model.get("filters") or [32, 64]
        padding = _padding(n_features, len(filters))
        defaults = {"filters": [32, 64], "dense": 64, "padding": padding}
    is_grid = search["algorithm"] == "grid"
    varied = space if is_grid else space["settings"]
    model = {k: v for k, v in defaults.items() if f"model.{k}" not in varied} | model
    settings = {**definition, "model": model, "engine_version": 1}
    if definition.get("augmentation", {}).get("name") == "rotate-shift":
        settings["augmentation"] = _ROTATE_SHIFT | definition["augmentation"]
    if not is_grid:
        settings["search"] = search | {"space": space | _strategies(space)}
    return settings


def _strategies(space: Mapping[str, Any]) -> dict[str, Any]:
    """Strategies of a search's space, each with its alpha's domain or default."""
    alpha = space["alpha"]
    if space["parts"]:
        return {"alpha": {"": _ALPHA} | alpha}
    names = space["strategy"] or list(_STRATEGIES)
    fixed = {name: _ALPHA for name in names if name in _MIXING and "" not in alpha}
    return {"strategy": names, "alpha": fixed | alpha}


def _padding(n_features: int, n_convolutions: int) -> str:
    """Padding of convolutions: ``valid`` unless an image is too small for it.

    The sides of an image that is not square are not known; it is taken for large enough.
    """
    for channels in (1, 3):
        side = math.isqrt(n_features // channels)
        if side**2 * channels == n_features:
            for _ in range(n_convolutions):
                side = (side - 2) // 2
            return "valid" if side > 0 else "same"
    return "valid"
