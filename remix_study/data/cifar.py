"""CIFAR-10 as published: python batches, which are pickles and are read as such with care."""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import pickle
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.catalogue import DatasetFacts
from remix_study.data.file_bytes import read_raw
from remix_study.data.published_formats import Parsed
from remix_study.errors import DataError

# In the order of their codes.
CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)

Codes = NDArray[np.intp]


def read_batches(facts: DatasetFacts, paths: Sequence[Path]) -> tuple[Parsed, list[str]]:
    """Read the batches of training images.

    Args:
        facts: Their names and published md5.
        paths: The files, or the one archive that holds them.

    Returns:
        Images uint8 (n, height, width, channels) in the order of the batches with their classes,
        and the sha256 of each batch.

    Raises:
        DataError: A batch is missing, damaged or not the published one.
    """
    images = np.empty((facts.rows, *facts.shape), np.uint8)
    codes = np.empty(facts.rows, np.intp)
    hashes = [""] * len(facts.files)
    size = facts.rows // len(facts.files)
    for number, place, content in _contents(facts, paths):
        published = facts.files[number].md5
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if md5 != published:
            raise DataError(
                f"{place}: not the published batch: {len(content):,} bytes with md5 {md5}, not "
                f"{published}; fetch it again"
            )
        pixels, own = read_batch(content, place)
        rows = slice(number * size, (number + 1) * size)
        images[rows], codes[rows] = upright(pixels, facts.shape), own
        hashes[number] = hashlib.sha256(content).hexdigest()
    return Parsed(images, codes, CLASSES, (), None), hashes


def read_subset(facts: DatasetFacts, paths: Sequence[Path]) -> tuple[Parsed, list[str]]:
    """Read the small set: training, then test images from an NPZ of the makers' flat rows.

    Raises:
        DataError: The file is damaged or holds something else.
    """
    (path,) = paths
    content = read_raw(path)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as kept:
            pixels = np.concatenate([kept["x_train"], kept["x_test"]])
            codes = np.concatenate([kept["y_train"], kept["y_test"]]).astype(np.intp)
        fits = pixels.dtype == np.uint8 and len(pixels) == len(codes) and codes.max() < 10
        images = upright(pixels, facts.shape)
    except Exception as error:
        # A damaged archive fails in as many ways as it has bytes.
        raise DataError(f"{path}: cannot be read as the NPZ it should be ({error})") from None
    if not fits:
        raise DataError(f"{path}: holds other arrays than rows of bytes and classes 0 to 9")
    return Parsed(images, codes, CLASSES, (), None), [hashlib.sha256(content).hexdigest()]


def read_batch(content: bytes, place: str) -> tuple[NDArray[np.uint8], Codes]:
    """Unpickle a batch: nothing but an array of bytes and a list of classes can come out.

    A pickle may name any function to be called. Here the three that an array needs are known,
    and any other ends the reading.

    Args:
        content: The bytes of the file.
        place: What messages call it.

    Returns:
        Flat images uint8 (n, 3072) and their class codes (n,).

    Raises:
        DataError: The pickle is damaged, asks for anything else or holds something else.
    """
    try:
        found = _Unpickler(io.BytesIO(content), encoding="bytes").load()
        pixels, codes = found[b"data"], np.asarray(found[b"labels"], np.intp)
        fits = (
            isinstance(pixels, np.ndarray)
            and pixels.dtype == np.uint8
            and pixels.shape == (len(codes), 3072)
            and 0 <= codes.min() <= codes.max() < len(CLASSES)
        )
    except Exception as error:
        raise DataError(f"{place}: cannot be read as a CIFAR-10 batch ({error})") from None
    if not fits:
        raise DataError(f"{place}: is no CIFAR-10 batch: rows of 3,072 bytes and classes 0 to 9")
    return pixels, codes


def upright(pixels: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Images with channels last of rows that hold one plane after the other."""
    height, width, channels = shape
    planes = pixels.reshape(-1, channels, height, width)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


def fetched_by_keras(facts: DatasetFacts) -> list[Path] | None:
    """The batches that ``keras.datasets.cifar10.load_data()`` has fetched, if it has."""
    home = os.environ.get("KERAS_HOME")
    try:
        folder = (Path(home) if home else Path.home() / ".keras") / "datasets"
    except RuntimeError:
        return None
    inner = "cifar-10-batches-py"
    for place in (f"{inner}-target/{inner}", inner):
        paths = [folder / place / Path(file.path).name for file in facts.files]
        if all(path.exists() for path in paths):
            return paths
    return None


def _contents(facts: DatasetFacts, paths: Sequence[Path]) -> Iterator[tuple[int, str, bytes]]:
    """Each batch's number, name for messages and bytes, one at a time, in any order."""
    if len(paths) == len(facts.files):
        for number, path in enumerate(paths):
            yield number, str(path), read_raw(path)
        return
    (path,) = paths
    wanted = {Path(file.path).name: number for number, file in enumerate(facts.files)}
    try:
        with tarfile.open(path) as archive:
            # In the archive's own order: each step back would unpack it anew.
            for entry in archive:
                name = Path(entry.name).name
                file = archive.extractfile(entry) if name in wanted else None
                if file is not None:
                    yield wanted.pop(name), f"{path}: {name}", file.read()
                if not wanted:
                    return
    except (tarfile.TarError, EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        raise DataError(f"{path}: damaged archive ({error}); fetch it again") from None
    raise DataError(f"{path}: {', '.join(wanted)} is not in it; fetch it again")


class _Unpickler(pickle.Unpickler):
    """Knows what NumPy needs to make an array, and no other function or class."""

    def find_class(self, module: str, name: str) -> Any:
        """The function or class that a pickle names."""
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch needs")
        return _KNOWN[module, name]


def _dtype(code: bytes, *_: Any) -> np.dtype[Any]:
    return np.dtype(code.decode())


_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): _dtype,
}
