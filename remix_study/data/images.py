"""A user's own images: a folder of class folders, an NPZ file, or an array."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remix_study.data.dataset import (
    Dataset,
    check_labels,
    encode_groups,
    encode_labels,
    fingerprint,
    freeze,
)
from remix_study.data.file_bytes import read_raw
from remix_study.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg")
# Pillow's names of the two kinds of pixels that are taken, and their channels.
_CHANNELS = {"L": 1, "RGB": 3}
_WORDS = {1: "grey", 3: "RGB"}


@dataclass(frozen=True, eq=False)
class ImageRows:
    """Some images as rows of numbers, made when they are asked for.

    Attributes:
        images: uint8 (n, height, width, channels), of a whole data set.
        rows: (m,) which of them, and in what order.
    """

    images: NDArray[np.uint8]
    rows: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, ...]:
        """(m, height, width, channels)."""
        return (len(self.rows), *self.images.shape[1:])

    def __getitem__(self, positions: NDArray[np.intp], /) -> NDArray[np.float32]:
        """The images at positions of any shape, scaled to 0 to 1."""
        return self.images[self.rows[positions]].astype(np.float32) / np.float32(255)


def load_images(path: Path) -> Dataset:
    """Load images of one's own; the data set is named after the file or folder.

    Args:
        path: A folder with one folder a class, each of PNG or JPEG files; or an NPZ file with the
            arrays ``X``, uint8 (n, height, width) or (n, height, width, channels), ``y``, n
            labels, and perhaps ``groups``.

    Raises:
        DataError: It is neither, a file cannot be read, images differ in size or in channels,
            a class has no image.
    """
    path = Path(path)
    if path.is_dir():
        return _folder(path)
    if path.suffix.lower() != ".npz":
        what = "neither a folder nor an .npz file" if path.exists() else "not there"
        raise DataError(
            f"{path}: {what}; images are a folder of class folders with PNG or JPEG files, or an "
            ".npz file with the arrays X and y"
        )
    return _archive(path)


def image_dataset(
    X: ArrayLike,
    y: Sequence[Any] | NDArray[Any],
    groups: ArrayLike | None,
    name: str,
    where: str,
    source: str = "arrays given from Python",
) -> Dataset:
    """Make a data set of images in arrays.

    Args:
        X: uint8 (n, height, width) or (n, height, width, channels).
        y: (n,) labels.
        groups: (n,) what each image belongs to, or None.
        name: What the problems are named after.
        where: What messages start with.
        source: Where they come from, for reports.

    Raises:
        DataError: X holds no images, or there is one class only.
    """
    pixels = _pixels(np.asarray(X), where)
    codes, classes = encode_labels(y)
    check_labels(classes, len(codes), where)
    members = None if groups is None else encode_groups(np.asarray(groups))
    for what, values in (("y", codes), ("groups", members)):
        if values is not None and len(values) != len(pixels):
            raise DataError(f"{where}: X has {len(pixels)} images and {what} has {len(values)}")
    return _dataset(pixels, codes, classes, members, name, source)


def _pixels(X: NDArray[Any], where: str) -> NDArray[np.uint8]:
    """Images in memory of their own, with a channel axis."""
    if X.ndim not in (3, 4) or X.size == 0:
        raise DataError(
            f"{where}: X has shape {X.shape}; (images, height, width) or (images, height, width, "
            "channels) is needed"
        )
    if X.dtype != np.uint8:
        raise DataError(f"{where}: X holds {X.dtype}; images are uint8, from 0 to 255")
    X = X[..., None] if X.ndim == 3 else X
    if X.shape[1] in _WORDS and X.shape[3] not in _WORDS:
        raise DataError(f"{where}: X has shape {X.shape}; the channels must come last")
    return np.array(X, order="C")


def _archive(path: Path) -> Dataset:
    content = read_raw(path)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as kept:
            arrays = {key: kept[key] for key in kept.files}
    except Exception as error:
        # A damaged archive fails in as many ways as it has bytes; so do arrays of objects.
        reason = str(error).split(";")[0]
        raise DataError(f"{path}: cannot be read as NPZ arrays ({reason})") from None
    for key in ("X", "y"):
        if key not in arrays:
            names = ", ".join(arrays) or "none"
            raise DataError(f"{path}: there is no array {key!r}; its arrays are {names}")
    y, groups = arrays["y"], arrays.get("groups")
    for what, values in (("y", y), ("groups", groups)):
        if values is not None and values.ndim != 1:
            raise DataError(f"{path}: {what} has shape {values.shape}; one value an image")
    return image_dataset(arrays["X"], y, groups, path.stem, str(path), f"file {path.name}")


def _folder(path: Path) -> Dataset:
    """One class a folder, in the order of their names, and so are the files in each."""
    folders = sorted(entry for entry in path.iterdir() if entry.is_dir() and _seen(entry))
    if not folders:
        raise DataError(f"{path}: holds no folders; put the images of each class into one")
    files: list[Path] = []
    labels: list[str] = []
    left_out = 0
    for folder in folders:
        entries = sorted(entry for entry in folder.iterdir() if _seen(entry))
        own = [entry for entry in entries if entry.suffix.lower() in SUFFIXES]
        if not own:
            raise DataError(f"{folder}: holds no PNG or JPEG file; fill or remove this class")
        files += own
        labels += [folder.name] * len(own)
        left_out += len(entries) - len(own)
    first = _read(files[0])
    images = np.empty((len(files), *first.shape), np.uint8)
    for number, file in enumerate(files):
        image = _read(file)
        if image.shape != first.shape:
            raise DataError(
                f"{file}: {_shape(image)}, but {files[0]} is {_shape(first)}; bring all images "
                "to one size and kind"
            )
        images[number] = image
    codes, classes = encode_labels(labels)
    check_labels(classes, len(codes), str(path))
    found = _dataset(images, codes, classes, None, path.resolve().name, f"folder {path.name}")
    if not left_out:
        return found
    note = f"{path.name}: {left_out} entries that are neither PNG nor JPEG were left out"
    return Dataset(**(vars(found) | {"notes": (note,)}))


def _seen(path: Path) -> bool:
    """File managers leave files behind whose names begin with a dot."""
    return not path.name.startswith(".")


def _read(path: Path) -> NDArray[np.uint8]:
    """One image, uint8 (height, width, 1 or 3)."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as opened:
            mode = opened.mode
            # A camera writes down how it was held instead of turning the pixels.
            image = ImageOps.exif_transpose(opened)
            pixels = np.asarray(image)
    except Exception as error:
        # Each of Pillow's readers fails in its own way.
        reason = str(error).split(str(path))[0].strip(" '") or type(error).__name__
        raise DataError(f"{path}: cannot be read as an image ({reason}); replace it") from None
    if mode not in _CHANNELS:
        raise DataError(f"{path}: its pixels are {mode}; save it as grey or RGB, 8 bits each")
    return pixels.reshape(*pixels.shape[:2], _CHANNELS[mode])


def _shape(image: NDArray[np.uint8]) -> str:
    height, width, channels = image.shape
    return f"{height} x {width} pixels, {_WORDS[channels]}"


def _dataset(
    images: NDArray[np.uint8],
    codes: NDArray[np.intp],
    classes: tuple[str, ...],
    groups: NDArray[np.intp] | None,
    name: str,
    source: str,
) -> Dataset:
    freeze(images, codes, groups)
    return Dataset(
        name=name,
        X=images,
        y=codes,
        classes=classes,
        features=(),
        groups=groups,
        source=source,
        licence="your own data",
        citation="your own data",
        sha256=fingerprint(images, codes, classes, groups),
        notes=(),
    )
