"""Versions of the project's tables: made where missing, and brought up to the present version.

An earlier version is upgraded in one transaction when a command first writes, never by a reader.
What an upgrade fills in follows the rules of the version that wrote the database. They are written
down here once more, since those of the package may have changed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, Connection, Engine, and_, insert, inspect, select, text, update
from sqlalchemy.schema import CreateColumn

from remix_study.errors import StorageError
from remix_study.study import leases, optuna_tables, tables
from remix_study.study.database_errors import damaged_rows, url_without_password
from remix_study.study.metric_names import NEW_CONTENT, NEW_METRIC, OLD_METRIC, new_attribute

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
    version = tables.stored_version(connection)
    if version > tables.SCHEMA:
        raise StorageError(
            f"{url_without_password(url)}: its tables are of version {version}, and this "
            f"remix_study knows version {tables.SCHEMA}; install a newer remix_study"
        )
    return version


def _upgrade(connection: Connection, url: str) -> None:
    """Upgrade in the caller's transaction."""
    if connection.dialect.name == "postgresql":
        # SQLite's transactions lock all of it from their beginning, and wait as long.
        connection.execute(text("SET LOCAL lock_timeout = '60s'"))
        connection.execute(text(f"LOCK TABLE {tables.schema.name} IN ACCESS EXCLUSIVE MODE"))
    version = tables.stored_version(connection)
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
        if version < 2:
            _upgrade_from_1(connection)
        _upgrade_from_2(connection)
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


def _upgrade_from_2(connection: Connection) -> None:
    """Version 3 names the mean of average precision over classes otherwise."""
    metric = tables.scores.c.metric
    connection.execute(update(tables.scores).where(metric == OLD_METRIC).values(metric=NEW_METRIC))
    for name, changes in NEW_CONTENT.items():
        table = tables.metadata.tables[name]
        (key,) = table.primary_key
        query = select(key, *(table.c[column] for column in changes))
        for identity, *contents in connection.execute(query).all():
            pairs = zip(changes.values(), contents, strict=True)
            new = [content and change(content) for change, content in pairs]
            if new != contents:
                values = dict(zip(changes, new, strict=True))
                connection.execute(update(table).where(key == identity).values(values))
    of_studies = optuna_tables.study_system_attributes
    for study_id, _ in optuna_tables.registered_studies(connection):
        for source, query in (
            (of_studies, select(of_studies).where(of_studies.c.study_id == study_id)),
            *(
                (source, optuna_tables.rows_of_trials(source, study_id))
                for source in (optuna_tables.trial_attributes, optuna_tables.system_attributes)
            ),
        ):
            for attribute in map(dict, connection.execute(query).mappings().all()):
                if attribute != (renamed := new_attribute(attribute)):
                    is_it = and_(*(source.c[name] == value for name, value in attribute.items()))
                    connection.execute(update(source).where(is_it).values(renamed))


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
