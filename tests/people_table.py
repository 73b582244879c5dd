"""One small table, and its bytes in every format that is read."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

NAN = np.nan
COLUMNS: dict[str, list[Any]] = {
    "age": [31.5, 42.0, None, 55.0, 60.0, 18.25],
    "city": ["Oslo", None, "Bergen", "Oslo", "New York", "Oslo"],
    "smokes": [True, False, True, None, False, True],
    "target": ["yes", "no", "yes", "no", "no", "NA"],
}
FRAME = pd.DataFrame(COLUMNS).astype({"smokes": "boolean"})


def text(separator: str, missing: str = "", header: str | None = None) -> bytes:
    rows = [
        separator.join(missing if cell is None else str(cell) for cell in row)
        for row in zip(*COLUMNS.values(), strict=True)
    ]
    return "\n".join([separator.join(COLUMNS) if header is None else header, *rows, ""]).encode()


KEEL = """@relation people
@attribute age real [18.25, 60.0]
@attribute city{Bergen, New York, Oslo}
@attribute smokes {True,False}
@attribute target {yes, no, NA}
@inputs age, city, smokes
@outputs target
@data"""
ARFF = """% Comments may stand
@RELATION 'some people'

@ATTRIBUTE age\tNUMERIC
@attribute 'city' string
@attribute "smokes" {True,False}
@attribute target {yes, 'no', "NA"}
@DATA"""


def quoted_arff() -> bytes:
    return text(",", "?", ARFF).replace(b"New York", b"'New York'").replace(b"True,", b"'True' , ")


def sparse_arff() -> bytes:
    # What is left out is 0, or the first of the names.
    names = ("{Bergen,'New York',Oslo}", "{True,False}", "{yes,no,NA}")
    kinds = dict(zip(("city", "smokes", "target"), names, strict=True))
    lines = ["@relation r", "@attribute age numeric"]
    lines += [f"@attribute {name} {kind}" for name, kind in kinds.items()] + ["@data"]
    for row in zip(*COLUMNS.values(), strict=True):
        cells = ["?" if cell is None else f"'{cell}'" for cell in row]
        firsts = (None, "'Bergen'", "'True'", "'yes'")
        entries = [f"{i} {c}" for i, c in enumerate(cells) if c != firsts[i]]
        lines.append("{" + ", ".join(entries) + "}")
    return "\n".join(lines).encode()


def buffer_of(write: Callable[[io.BytesIO], object]) -> bytes:
    write(buffer := io.BytesIO())
    return buffer.getvalue()


def zipped(name: str, content: bytes) -> bytes:
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        archive.writestr("__MACOSX/._x", b"")
        archive.writestr("folder/", b"")
        archive.writestr(f"folder/{name}", content)
    return buffer.getvalue()


def npz() -> bytes:
    age = np.array([NAN if cell is None else cell for cell in COLUMNS["age"]])
    texts = {
        name: np.array(["" if cell is None else str(cell) for cell in COLUMNS[name]])
        for name in ("city", "smokes", "target")
    }
    return buffer_of(lambda file: np.savez(file, age=age, **texts))


def excel() -> bytes:
    return buffer_of(lambda file: FRAME.to_excel(file, index=False))


FILES: dict[str, Callable[[], bytes]] = {
    "people.csv": lambda: text(","),
    "people.data": lambda: text(";"),
    "people.tsv": lambda: text("\t"),
    "people.txt": lambda: text("|"),
    "people.dat": lambda: text(", ", "<null>", KEEL),
    "people.arff": lambda: text(",", "?", ARFF),
    "quoted.arff": quoted_arff,
    "sparse.arff": sparse_arff,
    "people.parquet": lambda: buffer_of(FRAME.to_parquet),
    "people.feather": lambda: buffer_of(FRAME.to_feather),
    "people.xlsx": excel,
    "people.npz": npz,
    "people.csv.gz": lambda: gzip.compress(text(",")),
    "people.arff.gz": lambda: gzip.compress(text(",", "?", ARFF)),
    "people.parquet.gz": lambda: gzip.compress(buffer_of(FRAME.to_parquet)),
    "people.zip": lambda: zipped("inner.tsv", text("\t")),
    "people.xlsx.zip": lambda: zipped("inner.xlsx", excel()),
}


def write(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name
