"""URLs of databases as SQLAlchemy and Optuna take them, and options of their connections."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import URL
from sqlalchemy.exc import NoSuchModuleError

from remix_study.errors import StorageError
from remix_study.study.database_errors import parse_url

# Names of PostgreSQL's dialect for which SQLAlchemy would choose another driver than psycopg.
_POSTGRESQL = ("postgresql", "postgres")
_INSTALL_HINTS = {"psycopg": 'install it with pip install "remix-study[postgres]"'}


def usable_url(url: str) -> URL:
    """Parse a URL and check that its driver is installed."""
    parsed = parse_url(url)
    if parsed.drivername in _POSTGRESQL:
        parsed = parsed.set(drivername="postgresql+psycopg")
    try:
        parsed.get_dialect().import_dbapi()
    except (NoSuchModuleError, ImportError) as error:
        hint = _INSTALL_HINTS.get(getattr(error, "name", None) or "", str(error))
        raise StorageError(
            f"{parsed.drivername}: no driver for such a database is installed ({hint})"
        ) from error
    return parsed


def optuna_url(url: URL) -> str:
    """A URL as Optuna's storage takes it: it fills {placeholders}, a brace in a path is none."""
    return url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")


def server_options(url: URL) -> dict[str, Any]:
    """Options of an engine: connections that a server or a network has lost are noticed."""
    options: dict[str, Any] = {"pool_pre_ping": True}
    if url.get_backend_name() == "postgresql":
        # Else a machine that has gone without a word is waited for, for hours.
        arguments = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10,
                     "keepalives_count": 3}  # fmt: skip
        options["connect_args"] = {k: v for k, v in arguments.items() if k not in url.query}
    return options
