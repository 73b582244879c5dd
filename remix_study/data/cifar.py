"""Read CIFAR-10 as published: pickled batches, unpickled without running foreign code."""

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
from msgspec.structs import replace
from numpy.typing import NDArray

from remix_study.data.catalogue import DatasetFacts, PublishedFile
from remix_study.data.file_contents import read_raw
from remix_study.data.published_formats import Parsed
from remix_study.errors import DataError

# In the order of the published codes 0 to 9.
CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)

Codes = NDArray[np.intp]

SUBSET_OF = {"cifar10-small": "cifar10"}
"""Data sets that are made of images of another one, and which."""

# The makers' batch of test images, which only the small set holds images of.
_TEST = PublishedFile("test_batch", md5="40351d587109b95175f43aff81a1287e")
_SUBSET_COUNTS = {"train": 500, "test": 100}


def read_batches(facts: DatasetFacts, paths: Sequence[Path]) -> tuple[Parsed, list[str]]:
    """Read the batches of training images.

    Args:
        facts: Names and published md5 of the batches.
        paths: The files, or the one archive that holds them.

    Returns:
        Images uint8 (n, height, width, channels) and their classes, in the order of the batches;
        and the sha256 of each batch.

    Raises:
        DataError: A batch is missing, damaged or not the published one.
    """
    images = np.empty((facts.rows, *facts.shape), np.uint8)
    codes = np.empty(facts.rows, np.intp)
    hashes = [""] * len(facts.files)
    batch_size = facts.rows // len(facts.files)
    for number, where, content in _batch_contents(facts, paths):
        published_md5 = facts.files[number].md5
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if md5 != published_md5:
            raise DataError(
                f"{where}: not the published batch: {len(content):,} bytes with md5 {md5}, not "
                f"{published_md5}; download it again"
            )
        rows = slice(number * batch_size, (number + 1) * batch_size)
        pixels, codes[rows] = read_batch(content, where)
        images[rows] = channels_last(pixels, facts.shape)
        hashes[number] = hashlib.sha256(content).hexdigest()
    return Parsed(images, codes, CLASSES, (), None), hashes


def read_subset(facts: DatasetFacts, paths: Sequence[Path]) -> tuple[Parsed, list[str]]:
    """Read the small set from an NPZ file of flat rows, training images before test images.

    Returns:
        Images uint8 (n, height, width, channels) with their classes, and the file's sha256.

    Raises:
        DataError: The file is damaged or holds something else.
    """
    (path,) = paths
    content = read_raw(path)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as npz:
            pixels = np.concatenate([npz["x_train"], npz["x_test"]])
            codes = np.concatenate([npz["y_train"], npz["y_test"]]).astype(np.intp)
        is_valid = pixels.dtype == np.uint8 and len(pixels) == len(codes) and codes.max() < 10
        images = channels_last(pixels, facts.shape)
    except Exception as error:
        # NumPy and zipfile raise many kinds of errors for a damaged archive.
        raise DataError(f"{path}: cannot be read as NPZ arrays ({error})") from None
    if not is_valid:
        raise DataError(f"{path}: holds other arrays than rows of bytes and classes 0 to 9")
    return Parsed(images, codes, CLASSES, (), None), [hashlib.sha256(content).hexdigest()]


def write_subset(facts: DatasetFacts, paths: Sequence[Path], target: Path) -> None:
    """Write the small set's NPZ file: of each class the first 500 training and 100 test images.

    Args:
        facts: Those of the whole data set.
        paths: Its batches, or the one archive that holds them.
        target: The file to write.

    Raises:
        DataError: A batch is missing, damaged or not the published one.
        OSError: The file cannot be written; what was there stays.
    """
    n_training = facts.rows
    batches = replace(facts, rows=n_training + 10_000, files=(*facts.files, _TEST))
    if len(paths) > 1:
        paths = [*paths, paths[0].with_name(_TEST.path)]
    images = read_batches(batches, paths)[0]
    arrays: dict[str, Any] = {}
    for part, rows in (("train", slice(n_training)), ("test", slice(n_training, None))):
        codes = images.y[rows]
        first = [np.flatnonzero(codes == code)[: _SUBSET_COUNTS[part]] for code in range(10)]
        index = np.sort(np.concatenate(first))
        planes = images.X[rows][index].transpose(0, 3, 1, 2)
        arrays[f"x_{part}"] = planes.reshape(len(index), -1)
        arrays[f"y_{part}"] = codes[index].astype(np.uint8)
        arrays[f"{part}_index"] = index.astype(np.int32)
    unfinished = target.with_name(f"{target.name}.part")
    with unfinished.open("wb") as file:
        np.savez_compressed(file, **arrays)
    unfinished.replace(target)


def read_batch(content: bytes, where: str) -> tuple[NDArray[np.uint8], Codes]:
    """Unpickle a batch without running foreign code.

    A pickle may name any function to be called. Only the three that an array needs are allowed;
    a pickle that names another one is refused.

    Returns:
        Flat images uint8 (n, 3072) and their class codes (n,).

    Raises:
        DataError: The pickle is damaged, names another function or holds something else.
    """
    try:
        batch = _BatchUnpickler(io.BytesIO(content), encoding="bytes").load()
        pixels, codes = batch[b"data"], np.asarray(batch[b"labels"], np.intp)
        is_valid = (
            isinstance(pixels, np.ndarray)
            and pixels.dtype == np.uint8
            and pixels.shape == (len(codes), 3072)
            and 0 <= codes.min() <= codes.max() < len(CLASSES)
        )
    except Exception as error:
        raise DataError(f"{where}: cannot be read as a CIFAR-10 batch ({error})") from None
    if not is_valid:
        raise DataError(
            f"{where}: not a CIFAR-10 batch, which is rows of 3,072 bytes and classes 0 to 9"
        )
    return pixels, codes


def channels_last(pixels: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Turn flat rows of colour planes into images (n, height, width, channels).

    Args:
        pixels: (n, channels * height * width), one plane after the other.
        shape: Height, width and channels.
    """
    height, width, channels = shape
    planes = pixels.reshape(-1, channels, height, width)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


def fetched_by_keras(facts: DatasetFacts) -> list[Path] | None:
    """Paths of the batches that ``keras.datasets.cifar10.load_data()`` has fetched, or None."""
    home = os.environ.get("KERAS_HOME")
    try:
        folder = (Path(home) if home else Path.home() / ".keras") / "datasets"
    except RuntimeError:
        return None
    batches = "cifar-10-batches-py"
    for subfolder in (f"{batches}-target/{batches}", batches):
        paths = [folder / subfolder / Path(file.path).name for file in facts.files]
        if all(path.exists() for path in paths):
            return paths
    return None


def _batch_contents(
    facts: DatasetFacts, paths: Sequence[Path]
) -> Iterator[tuple[int, str, bytes]]:
    """Yield each batch's position, name for messages and bytes, in the order of an archive."""
    if len(paths) == len(facts.files):
        for number, path in enumerate(paths):
            yield number, str(path), read_raw(path)
        return
    (path,) = paths
    missing = {Path(file.path).name: number for number, file in enumerate(facts.files)}
    try:
        with tarfile.open(path) as archive:
            # In the archive's order: a step back would unpack it again from its start.
            for entry in archive:
                name = Path(entry.name).name
                file = archive.extractfile(entry) if name in missing else None
                if file is not None:
                    yield missing.pop(name), f"{path}: {name}", file.read()
                if not missing:
                    return
    except (tarfile.TarError, EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        raise DataError(f"{path}: damaged archive ({error}); download it again") from None
    raise DataError(f"{path}: {', '.join(missing)} is not in the archive; download it again")


class _BatchUnpickler(pickle.Unpickler):
    """An unpickler that finds what NumPy needs to make an array, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Find a function or class that the pickle names, among the allowed ones."""
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch needs")
        return _ALLOWED[module, name]


def _dtype(code: bytes, *_: Any) -> np.dtype[Any]:
    return np.dtype(code.decode())


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): _dtype,
}
