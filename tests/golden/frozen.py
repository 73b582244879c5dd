"""A study's database in as few bytes as lose none: what is committed, and the way back.

Nearly all of a database is probabilities, and the bits of a 32-bit float hardly compress. But the
largest of a row is one minus the sum of the others, up to rounding, so that its difference to that
sum is kept in its place; and bytes of equal rank are put together. The rest is left to xz.
"""

from __future__ import annotations

import lzma
import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PAGE_BYTES = 65536
ZLIB_LEVEL = 1
"""The level at which studies store arrays, so that an unpacked database has the same bytes."""


def pack(database: Path, packed: Path) -> None:
    """Write a compressed copy of a study database that no process has open."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("vacuum into ?", [str(copy)])
        with closing(sqlite3.connect(copy)) as connection:
            n_classes = _n_classes(connection)
            _replace_blobs(
                connection,
                lambda run, blob: encode(
                    np.frombuffer(zlib.decompress(blob), "<f4").reshape(-1, n_classes[run])
                ),
            )
            connection.execute(f"pragma page_size = {PAGE_BYTES}")
            connection.execute("vacuum")
        packed.write_bytes(lzma.compress(copy.read_bytes(), preset=9 | lzma.PRESET_EXTREME))


def unpack(packed: Path, database: Path) -> None:
    """Write the database that `pack` was given, every value of it bit for bit."""
    with lzma.open(packed) as source, database.open("wb") as target:
        shutil.copyfileobj(source, target)
    with closing(sqlite3.connect(database)) as connection:
        _replace_blobs(
            connection, lambda _run, blob: zlib.compress(decode(blob).tobytes(), ZLIB_LEVEL)
        )


def encode(probabilities: NDArray[np.float32]) -> bytes:
    """Rearrange the bits of probabilities, (rows, K), so that they compress well."""
    n_rows, n_classes = probabilities.shape
    bits = np.ascontiguousarray(probabilities, "<f4").view("<u4")
    largest = probabilities.argmax(axis=1)
    others = np.take_along_axis(bits, _other_columns(largest, n_classes), axis=1)
    rounding = bits[np.arange(n_rows), largest] - _one_minus_sum(others)
    words = np.concatenate([rounding, others.T.ravel()]).astype("<u4")
    header = np.array([n_rows, n_classes], "<u4").tobytes() + largest.astype(np.uint8).tobytes()
    return header + words.view(np.uint8).reshape(-1, 4).T.tobytes()


def decode(blob: bytes) -> NDArray[np.float32]:
    """Probabilities, (rows, K), of the bytes that `encode` made."""
    n_rows, n_classes = (int(n) for n in np.frombuffer(blob, "<u4", count=2))
    largest = np.frombuffer(blob, np.uint8, count=n_rows, offset=8).astype(np.int64)
    planes = np.frombuffer(blob, np.uint8, offset=8 + n_rows).reshape(4, -1)
    words = np.ascontiguousarray(planes.T).view("<u4").ravel()
    others = np.ascontiguousarray(words[n_rows:].reshape(n_classes - 1, n_rows).T)
    bits = np.empty((n_rows, n_classes), "<u4")
    np.put_along_axis(bits, _other_columns(largest, n_classes), others, axis=1)
    bits[np.arange(n_rows), largest] = words[:n_rows] + _one_minus_sum(others)
    return bits.view("<f4")


def _other_columns(largest: NDArray[np.int64], n_classes: int) -> NDArray[np.int64]:
    """All columns but one, (rows, K - 1), in their order."""
    columns = np.arange(n_classes - 1)
    return columns + (columns >= largest[:, None])


def _one_minus_sum(others: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Bits of one minus the sum of each row, added column by column: the same on any machine."""
    remainder = np.ones(len(others))
    with np.errstate(all="ignore"):
        for column in others.view("<f4").T:
            remainder = remainder - column.astype(np.float64)
        single = remainder.astype("<f4")
    return np.where(np.isfinite(single), single, 0).astype("<f4").view("<u4")


def _n_classes(connection: sqlite3.Connection) -> dict[int, int]:
    """Run -> number of classes of its problem."""
    rows = connection.execute(
        "select runs.id, json_array_length(studies.facts, '$.classes') from remix_runs as runs "
        "join remix_studies as studies on studies.uuid = runs.study_uuid"
    )
    return dict(rows.fetchall())


def _replace_blobs(connection: sqlite3.Connection, change: Callable[[int, bytes], bytes]) -> None:
    """Change the probabilities of every run, fold and part."""
    rows = connection.execute("select rowid, run_id, probabilities from remix_probabilities")
    changed = [(change(run, blob), rowid) for rowid, run, blob in rows.fetchall()]
    connection.executemany(
        "update remix_probabilities set probabilities = ? where rowid = ?", changed
    )
    connection.commit()
