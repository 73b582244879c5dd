"""Studies as one JSON document, a record a line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from remix_study.study.archive.layout import ARRAYS, TABLES, Kind, Record, Snapshot

# JSON has no word for these, and takes -0 for an integer, which has no sign.
_WORDS = {"nan": "null", "inf": '"Infinity"', "-inf": '"-Infinity"', "-0": "-0.0"}


def write(snapshots: Sequence[Snapshot], head: Mapping[str, Any], path: Path) -> None:
    """Write the document."""
    with open(path, "w", encoding="utf-8") as file:
        begin = json.dumps({**head}, indent=2).removesuffix("\n}")
        file.write(f'{begin},\n  "content": [')
        for place, snapshot in enumerate(snapshots):
            file.write(",\n{" if place else "\n{")
            for number, (table, fields) in enumerate(TABLES.items()):
                file.write(f'{"," if number else ""}\n"{table}": [')
                _write_records(snapshot.tables[table], fields, file)
                file.write("]")
            file.write("}")
        file.write("]\n}\n")


def _write_records(records: Sequence[Record], fields: Mapping[str, Kind], file: TextIO) -> None:
    for place, record in enumerate(records):
        cells = [f'"{name}": {_text(record[name], kind)}' for name, kind in fields.items()]
        file.write(f"{',' if place else ''}\n{{{', '.join(cells)}}}")


def _text(value: Any, kind: Kind) -> str:
    if kind == Kind.SHARES:
        return f"[{', '.join(_text(row, Kind.REALS) for row in value)}]"
    if kind == Kind.REALS:
        return f"[{', '.join(_WORDS.get(word, word) for word in in_digits(value))}]"
    if kind == Kind.WHOLES:
        return json.dumps(value.tolist())
    if kind == Kind.REAL and value is not None:
        return _WORDS.get(str(value), repr(value))
    return json.dumps(value)


def in_digits(values: NDArray[np.float32]) -> list[str]:
    """Single precision in nine digits, from which every value comes back bit by bit."""
    return [f"{value:.9g}" for value in values.tolist()]


def snapshots(document: Mapping[str, Any]) -> list[Snapshot]:
    """The studies in a document.

    Raises:
        ValueError, TypeError, KeyError: It is damaged.
    """
    return [
        Snapshot(
            {
                table: [
                    {name: _read(record[name], kind) for name, kind in fields.items()}
                    for record in content[table]
                ]
                for table, fields in TABLES.items()
            }
        )
        for content in document["content"]
    ]


def _read(value: Any, kind: Kind) -> Any:
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
