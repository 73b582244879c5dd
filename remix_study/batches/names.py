"""A name that a user gave, looked up or refused with what could have been meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

from remix_study.errors import UsageError

T = TypeVar("T")


def look_up(what: str, name: str, known: Mapping[str, T]) -> T:
    """What is known under a name.

    Raises:
        UsageError: Nothing is.
    """
    if name in known:
        return known[name]
    close = difflib.get_close_matches(str(name), known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise UsageError(f"unknown {what} {name!r}: choose one of {listed(known)}{hint}")


def listed(names: Iterable[str]) -> str:
    """Names with commas between."""
    return ", ".join(names)
