"""Made-up files of the data set optdigits: noise that fits the catalogue's facts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from remix_study.data.catalogue import CATALOGUE
from remix_study.data.dataset import Dataset

OPTDIGITS = CATALOGUE["optdigits"]
TRA, TES = (file.path for file in OPTDIGITS.files)


def made_up_digits() -> dict[str, bytes]:
    """Files of noise with the shape, class counts and value range of the real ones."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), list(OPTDIGITS.counts.values()))
    rows = np.column_stack([rng.integers(0, 17, (5620, 64)), rng.permutation(labels)])
    lines = [",".join(map(str, row)) + "\n" for row in rows.tolist()]
    return {TRA: "".join(lines[:3823]).encode(), TES: "".join(lines[3823:]).encode()}


DIGITS = made_up_digits()


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def assert_same(first: Dataset, second: Dataset) -> None:
    assert first.X.tobytes() == second.X.tobytes()
    assert first.y.tobytes() == second.y.tobytes()
    for field in ("classes", "features", "sha256", "notes"):
        assert getattr(first, field) == getattr(second, field)


def change_line(number: int, change: Callable[[list[bytes]], list[bytes]]) -> Callable[..., bytes]:
    """A function of a file's content that changes the cells of one line."""

    def changed(content: bytes) -> bytes:
        lines = content.splitlines()
        lines[number] = b",".join(change(lines[number].split(b",")))
        return b"\n".join(lines) + b"\n"

    return changed
