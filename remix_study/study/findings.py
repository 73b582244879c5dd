"""What the doctor finds in a database: each finding with what repairs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Delete, Engine, Table, func, select

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

_REPAIR = "run `repair` to put it right"


@dataclass(frozen=True)
class Finding:
    """One thing that is, or was, wrong.

    Attributes:
        kind: A word for programs.
        text: What it is, for a person.
        repaired: Whether it is repaired now.
        advice: What to do where it is not.
    """

    kind: str
    text: str
    repaired: bool = False
    advice: str = _REPAIR

    def line(self) -> str:
        """The finding in a line."""
        return f"repaired: {self.text}" if self.repaired else f"left: {self.text}; {self.advice}"


Repair = Callable[["RDBStorage"], None]
Defect = tuple[Finding, Repair | None]
"""A finding, and what repairs it; None where nothing does without a loss."""


def count_rows(connection: Connection, table: Table, condition: Any) -> int:
    """Number of rows of a table that meet a condition."""
    query = select(func.count()).select_from(table).where(condition)
    return connection.execute(query).scalar_one()


def executing(*statements: Delete) -> Repair:
    """A repair by statements in one transaction."""

    def repair(storage: RDBStorage) -> None:
        with storage.engine.begin() as connection:
            for statement in statements:
                connection.execute(statement)

    return repair


def with_engine(function: Callable[[Engine, str], None], uuid: str) -> Repair:
    """A repair by a function of the database and of a UUID."""
    return lambda storage: function(storage.engine, uuid)


def counted(count: int, noun: str) -> str:
    """A number with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
