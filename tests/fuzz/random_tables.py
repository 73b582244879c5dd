"""Random tables of text with cells that readers take for something else, and random damage."""

from __future__ import annotations

import csv
import io
import random
import string
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

Cells = list[list[str]]

ODD_CELLS = (
    "", " ", "NA", "nan", "NaN", "None", "null", "-", "?", "inf", "-inf", "Infinity", "1e400",
    "1e39", "1e-320", "-0", "+1", "01", "1.", ".5", "1,5", "1,234", "1.234", "1.234,5", "1 234",
    "1'234", "1_000", "0x10", "1e5", "1E+05", "1d5", "٣", "½", "²", "−3", "(12.5)", "12-", "5%",
    "$5", "12 kg", "9007199254740993", "18446744073709551616", "123456789012345678901234567890",
    "1" * 70, "1" * 400, "True", "TRUE", "false", "yes", "2024-01-31", "2024-02-30", "31/01/2024",
    "01/02/2024", "12:30", "1 days", "2024-01-31T12:00:00Z", "9999-12-31", "0001-01-01",
    "1500-06-01", "20240131", "2024Q1", "Jan 2024", "a", "ä", "e\u0301", "\ufeffa", "\u200b",
    "\u2028", "\x85", "\x0c", "\x1a", "\x1f", "\x7f", "\ud7ff", "𝔘", "'", '"', '""', 'a"b',
    "a\nb", "a\r\nb", "\r", "\t", "a,b", "a;b", "a|b", "#", "%", "{", "\\", "\\N", "=1+1",
    "@data", "sep=;", "<rare>", "a=b", "x" * 300,
)  # fmt: skip
"""Cells that are numbers, dates, truth values, missing or texts only nearly, or break a line."""


def _column(draw: random.Random, rows: int) -> list[str]:
    kinds: tuple[Callable[[], str], ...] = (
        lambda: str(draw.randint(-5, 5)),
        lambda: str(draw.randint(-(10 ** draw.randint(1, 25)), 10**18)),
        lambda: repr(draw.uniform(-100, 100)),
        lambda: f"{draw.gauss(0, 1) * 10 ** draw.randint(-40, 32):.3e}",
        lambda: draw.choice(("Oslo", "Bergen", " Oslo", "New York")),
        lambda: draw.choice(("True", "False", "true", "")),
        lambda: f"20{draw.randint(10, 29)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}",
        lambda: f"{draw.randint(13, 28)}.{draw.randint(1, 12)}.2024",
        lambda: "".join(draw.choices(string.ascii_letters, k=8)),
        lambda: " ".join(draw.choices(("one", "two", "of", "many", "words"), k=6)),
        lambda: draw.choice(ODD_CELLS),
    )
    cell = draw.choice(kinds)
    return [cell() for _ in range(rows)]


def random_table(draw: random.Random) -> tuple[list[str], Cells]:
    """Names of columns and rows of cells; the last column, ``y``, has the classes."""
    n_rows, n_columns = draw.randint(6, 30), draw.randint(1, 4)
    names = [f"c{i}" for i in range(n_columns)]
    columns = [_column(draw, n_rows) for _ in names]
    columns.append([draw.choice(("a", "b", "1", "1.0")) for _ in range(n_rows)])
    rows = [list(row) for row in zip(*columns, strict=True)]
    for _ in range(draw.choice((0, 0, 1, 2))):
        draw.choice(rows)[draw.randrange(n_columns + 1)] = draw.choice(ODD_CELLS)
    if draw.random() < 0.1:
        names[0] = draw.choice(ODD_CELLS)
    return [*names, "y"], rows


def written(draw: random.Random, names: Sequence[str], rows: Cells, separator: str) -> bytes:
    """A table as separated text in one of the ways in which programs write it."""
    stream = io.StringIO(newline="")
    quoting = draw.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    writer = csv.writer(
        stream, delimiter=separator, quoting=quoting, lineterminator=draw.choice(("\n", "\r\n"))
    )
    writer.writerows([names, *rows])
    text = stream.getvalue()
    text = text.rstrip("\r\n") if draw.random() < 0.2 else text
    return text.encode("utf-8-sig" if draw.random() < 0.2 else "utf-8")


def damaged(draw: random.Random, content: bytes, times: int = 3) -> bytes:
    """The content with a few bytes changed, left out, doubled, moved or put in."""
    data = bytearray(content)
    for _ in range(draw.randint(1, times)):
        start = draw.randrange(len(data) + 1)
        end = min(len(data), start + draw.choice((1, 1, 2, 8, 64)))
        match draw.randrange(6):
            case 0 if end > start:
                data[start] ^= 1 << draw.randrange(8)
            case 1:
                del data[start:end]
            case 2:
                data[start:start] = data[start:end]
            case 3:
                data[start:start] = draw.choice(ODD_CELLS).encode()
            case 4:
                data[start:start] = draw.choice(
                    (b'"', b"\n", b"\r", b",", b"\0", b"\xff", b" ", b"'")
                )
            case _:
                del data[end:]
    return bytes(data)


def random_frame(draw: random.Random) -> pd.DataFrame:
    """A data frame whose columns have types, some of them with gaps; ``y`` has the classes."""
    n_rows = draw.randint(6, 30)
    rng = np.random.default_rng(draw.getrandbits(32))
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 2000, n_rows), "D")
    texts = rng.choice(["Oslo", "Bergen", " Oslo", "1", "1.0", "True", "NA", ""], n_rows)
    gaps = rng.random(n_rows) < draw.choice((0, 0.2))
    columns: dict[str, Callable[[], pd.Series]] = {
        "int": lambda: pd.Series(rng.integers(-5, 5, n_rows)),
        "int8": lambda: pd.Series(rng.integers(-128, 128, n_rows, dtype=np.int8)),
        "uint64": lambda: pd.Series(rng.integers(0, 2**64, n_rows, dtype=np.uint64)),
        "Int64": lambda: pd.Series(rng.integers(0, 2**62, n_rows)).astype("Int64").mask(gaps),
        "float": lambda: pd.Series(rng.normal(size=n_rows) * 10.0 ** rng.integers(-40, 35)).mask(
            gaps
        ),
        "float32": lambda: pd.Series(rng.normal(size=n_rows).astype(np.float32)),
        "bool": lambda: pd.Series(rng.random(n_rows) < 0.5),
        "boolean": lambda: pd.Series(rng.random(n_rows) < 0.5).astype("boolean").mask(gaps),
        "text": lambda: pd.Series(texts, dtype=object),
        "gaps": lambda: pd.Series(texts, dtype=object).mask(gaps, None),
        "category": lambda: pd.Series(texts).astype("category"),
        "numbers": lambda: pd.Series(rng.integers(0, 3, n_rows)).astype("category"),
        "days": lambda: pd.Series(days),
        "times": lambda: pd.Series(days + pd.to_timedelta(rng.integers(0, 86400, n_rows), "s")),
        "durations": lambda: pd.Series(
            pd.to_timedelta(rng.integers(-(10**6), 10**6, n_rows), "s")
        ),
        "odd": lambda: pd.Series(rng.choice(ODD_CELLS[:60], n_rows), dtype=object),
    }
    names = draw.sample(list(columns), draw.randint(1, 4))
    frame = pd.DataFrame({name: columns[name]() for name in names})
    return frame.assign(y=rng.choice(["a", "b", "c"], n_rows))
