"""Findings of the doctor: the words of each kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_REPAIR = "run `repair` to put it right"

# Kind -> (text, advice where it is not repaired). Programs read the kinds.
_TEXTS: Mapping[str, tuple[str, str]] = {
    "claim": ("{count} of workers that are gone", _REPAIR),
    "worker": ("worker {pid} on {host}, last heard of {seen}, is gone", _REPAIR),
    "running": ("{trial} is RUNNING and nobody works on it", _REPAIR),
    "half": ("{trial} failed and has rows of results", _REPAIR),
    "orphans": ("{table}: {count} of runs that are not there", _REPAIR),
    "strays": ("{table}: {count} of studies that are not there", _REPAIR),
    "stray runs": (
        "{table}: {count} of studies that are not there",
        "their study is unknown; no command reads them",
    ),
    "begun": ("{study}: a study that was deleted before it ran", _REPAIR),
    "deleted": (
        "{study}: {count} of a study that was deleted in Optuna",
        "`repair --prune` takes them out",
    ),
    "lost": ("{study}: {count} that no trial knows", "reports leave them out"),
    "bare": (
        "{trial} is COMPLETE and rows of its results are not there",
        "bring the study back from an export, or delete it and run it again",
    ),
    "doubled": (
        "{trial} is COMPLETE, and so is another of the same configuration",
        "reports count the first",
    ),
    "shared": (
        "{study}: two of Optuna's studies share its rows",
        "delete one of them in Optuna's dashboard",
    ),
    "references": (
        "{table}: {count} that refer to rows which are not there",
        "export what you need and import it elsewhere",
    ),
}


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
    repaired: bool
    advice: str = ""

    def line(self) -> str:
        """The finding in a line."""
        if self.repaired:
            return f"repaired: {self.text}"
        return f"left: {self.text}" + (f"; {self.advice}" if self.advice else "")


def make_finding(kind: str, **values: object) -> Finding:
    """A finding that is not repaired yet.

    Args:
        kind: A key of the texts above; "stray runs" are "strays" to programs.
        values: For the placeholders of its text.
    """
    text, advice = _TEXTS[kind]
    return Finding(
        "strays" if kind == "stray runs" else kind, text.format(**values), False, advice
    )


def counted(count: int, noun: str) -> str:
    """A number with its noun, such as ``1 row`` or ``2,000 rows``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
