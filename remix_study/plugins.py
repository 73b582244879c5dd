"""Whether a study file may name code of its user's own."""

from __future__ import annotations

_allowed = True


def allow(yes: bool) -> None:
    """Say whether dotted names and names of installed plugins may be imported from now on."""
    global _allowed
    _allowed = yes


def allowed() -> bool:
    """Whether they may; they may unless somebody said otherwise."""
    return _allowed
