"""Read the rows of a database query into a raw table; no password leaves this module."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remix_study.data.file_contents import check_readable
from remix_study.data.plain_cells import plain_frame
from remix_study.data.raw_table import RawTable
from remix_study.errors import DataError
from remix_study.studyfile.query import expand, is_ordered, variables_of

if TYPE_CHECKING:
    from sqlalchemy import URL

_POSTGRESQL = ("postgresql", "postgres")
# What a driver needs that its name does not say.
_DRIVER_HINTS = {"psycopg": 'pip install "remix-study[postgres]"'}


def read_query(sql: str, query: str, folder: Path) -> RawTable:
    """Run a query and read its rows; nothing that it may change is kept.

    Args:
        sql: The URL of a database as SQLAlchemy has it, in which ``${NAME}`` stands for an
            environment variable.
        query: A query that reads.
        folder: To which the path of an SQLite file is relative.

    Returns:
        Columns of the types that the database gives them.

    Raises:
        DataError: No such database, driver or table, a fault in the query, or no rows.
    """
    import pandas as pd
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    variables = variables_of(sql)
    url = _url(sql, variables)
    if url.get_backend_name() == "sqlite" and url.database:
        # Read-only, as SQLite would make a database that is not there.
        check_readable(folder / url.database)
        file = (folder / url.database).resolve().as_uri()
        url = url.set(database=file).update_query_dict({"mode": "ro", "uri": "true"})
    # Without parameters a percent sign in the query is a percent sign.
    options: dict[str, Any] = {"no_parameters": True}
    if url.get_backend_name() == "postgresql":
        options["postgresql_readonly"] = True
    try:
        engine = create_engine(url, poolclass=NullPool)
        with engine.connect().execution_options(**options) as connection:
            frame = pd.read_sql_query(query, connection)
            # Never committed.
            connection.rollback()
    except ImportError as error:
        hint = _DRIVER_HINTS.get(error.name or "", f"pip install {error.name}")
        raise DataError(f"{sql}: the database's driver is not installed; {hint}") from None
    except (SQLAlchemyError, pd.errors.DatabaseError, ValueError) as error:
        # pandas wraps SQLAlchemy's error, and that the driver's.
        causes = [getattr(fault, "orig", None) for fault in (error, error.__cause__)]
        cause = next(filter(None, causes), error)
        message = next(iter(str(cause).strip().splitlines()), "no answer")
        raise DataError(f"{sql}: {_without(message, variables)}; check sql and query") from None
    if frame.empty:
        raise DataError(f"{sql}: the query gives no rows")
    note = (
        f"{sql}: the query has no order by: its rows may come in another order, in which the "
        "study could not go on"
    )
    return RawTable(
        f"query of {sql}",
        plain_frame(frame, f"query of {sql}"),
        notes=() if is_ordered(query) else (note,),
    )


def query_name(query: str) -> str:
    """The data set's name: the first table that the query reads from, else ``query``."""
    table = re.search(r"""\bfrom\s+["`\[]?([\w.]+)""", query, re.IGNORECASE)
    return table[1].rpartition(".")[2] if table else "query"


def _url(sql: str, variables: Mapping[str, str]) -> URL:
    """Parse a URL; a variable may stand for all of it, or for the text of a part."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        if re.fullmatch(r"\$\{\w+\}", sql):
            url = make_url(variables[sql[2:-1]])
        else:
            url = make_url(sql)
            parts = ("username", "password", "host", "database")
            texts = {part: getattr(url, part) for part in parts if getattr(url, part)}
            values: dict[str, Any] = {k: expand(text, variables) for k, text in texts.items()}
            url = url.set(**values)
    except (ArgumentError, ValueError):
        raise DataError(
            f"{sql}: not a database URL; write for example sqlite:///data.db or "
            "postgresql://me:${PASSWORD}@host/name"
        ) from None
    return url.set(drivername="postgresql+psycopg") if url.drivername in _POSTGRESQL else url


def _without(text: str, variables: Mapping[str, str]) -> str:
    """A driver's message without the values of environment variables."""
    for name, value in variables.items():
        if value:
            text = text.replace(value, f"${{{name}}}")
    return text
