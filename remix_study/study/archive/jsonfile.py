"""Snapshots as one JSON document, one record a line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from remix_study.study.archive.layout import ARRAYS, TABLES, Kind, Record, Snapshot

# JSON cannot write these numbers, and reads -0 as an integer, which has no sign.
_WORDS = {"nan": "null", "inf": '"Infinity"', "-inf": '"-Infinity"', "-0": "-0.0"}


def write(snapshots: Sequence[Snapshot], head: Mapping[str, Any], path: Path) -> None:
    """Write snapshots as a document that begins with the keys of ``head``."""
    with open(path, "w", encoding="utf-8") as file:
        opening = json.dumps({**head}, indent=2).removesuffix("\n}")
        file.write(f'{opening},\n  "content": [')
        for position, snapshot in enumerate(snapshots):
            file.write(",\n{" if position else "\n{")
            for number, (table, fields) in enumerate(TABLES.items()):
                file.write(f'{"," if number else ""}\n"{table}": [')
                _write_records(snapshot.tables[table], fields, file)
                file.write("]")
            file.write("}")
        file.write("]\n}\n")


def _write_records(records: Sequence[Record], fields: Mapping[str, Kind], file: TextIO) -> None:
    for position, record in enumerate(records):
        cells = [f'"{name}": {_to_text(record[name], kind)}' for name, kind in fields.items()]
        file.write(f"{',' if position else ''}\n{{{', '.join(cells)}}}")


def _to_text(value: Any, kind: Kind) -> str:
    if kind == Kind.SHARES:
        return f"[{', '.join(_to_text(row, Kind.REALS) for row in value)}]"
    if kind == Kind.REALS:
        return f"[{', '.join(_WORDS.get(word, word) for word in in_digits(value))}]"
    if kind == Kind.WHOLES:
        return json.dumps(value.tolist())
    if kind == Kind.REAL and value is not None:
        return _WORDS.get(str(value), repr(value))
    return json.dumps(value)


def in_digits(values: NDArray[np.float32]) -> list[str]:
    """Numbers of single precision in nine digits, which give back every bit."""
    return [f"{value:.9g}" for value in values.tolist()]


def read(document: Mapping[str, Any]) -> list[Snapshot]:
    """Read the snapshots in a document.

    Raises:
        ValueError, TypeError, KeyError: It is damaged.
    """
    return [
        Snapshot(
            {
                table: [
                    {name: _to_value(record[name], kind) for name, kind in fields.items()}
                    for record in content[table]
                ]
                for table, fields in TABLES.items()
            }
        )
        for content in document["content"]
    ]


def _to_value(value: Any, kind: Kind) -> Any:
    if kind in (Kind.REALS, Kind.SHARES):
        rows = value if kind == Kind.REALS else [_floats(row) for row in value]
        return np.array(_floats(rows) if kind == Kind.REALS else rows, np.float32)
    if kind == Kind.WHOLES:
        return np.array(value, np.int32)
    if kind == Kind.REAL:
        return None if value is None else float(value)
    if kind == Kind.WHOLE:
        return int(value)
    if kind not in ARRAYS and kind != Kind.JSON and not isinstance(value, str | None):
        raise TypeError(f"{value!r} is no text")
    return value


def _floats(values: Sequence[Any]) -> list[float]:
    return [float("nan") if value is None else float(value) for value in values]
