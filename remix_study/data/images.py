"""Make a data set of a user's images: a folder of class folders, an NPZ file, or an array."""

from __future__ import annotations

import io
import warnings
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
    user_dataset,
)
from remix_study.data.file_contents import check_archive_size, read_raw
from remix_study.data.memory import check_memory, free_bytes
from remix_study.data.plain_cells import one_dimensional
from remix_study.errors import DataError, path_fault

SUFFIXES = (".png", ".jpg", ".jpeg")
# The modes of Pillow that are accepted, with their channels.
_CHANNELS = {"L": 1, "RGB": 3}
_COLOURS = {1: "grey", 3: "RGB"}


@dataclass(frozen=True, eq=False)
class ImageRows:
    """Selected images of a data set, scaled to 0 to 1 when they are indexed.

    Attributes:
        images: uint8 (n, height, width, channels), those of the whole data set.
        rows: (m,) positions of the selected images, in order.
    """

    images: NDArray[np.uint8]
    rows: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, ...]:
        """(m, height, width, channels)."""
        return (len(self.rows), *self.images.shape[1:])

    def __getitem__(self, positions: NDArray[np.intp], /) -> NDArray[np.float32]:
        """Images at some positions 0..m-1, float32 (*positions.shape, height, width, channels)."""
        return self.images[self.rows[positions]].astype(np.float32) / np.float32(255)


def load_images(path: Path) -> Dataset:
    """Load images; the data set is named after the file or folder.

    Args:
        path: A folder with one folder of PNG or JPEG files for each class; or an NPZ file with
            the arrays ``X``, uint8 (n, height, width) or (n, height, width, channels), ``y``, n
            labels, and optionally ``groups``, n groups.

    Raises:
        DataError: The path is neither, a file cannot be read, images differ in size or in
            channels, or a class has no image.
    """
    path = Path(path)
    if "\0" not in str(path) and path.is_dir():
        return _load_folder(path)
    if path.suffix.lower() != ".npz":
        fault = path_fault(path) or "neither a folder nor an .npz file"
        raise DataError(
            f"{path}: {fault}; name a folder of class folders with PNG or JPEG files, or an .npz "
            "file with the arrays X and y"
        )
    return _load_npz(path)


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
        groups: (n,) the group of each image, or None.
        name: The data set's name, with which the names of its problems begin.
        where: The start of messages, such as a file name.
        source: Where the images come from, for reports.

    Raises:
        DataError: X holds no images, or there is one class only.
    """
    images = copy_images(np.asarray(X), where)
    codes, classes = encode_labels(y)
    check_labels(classes, len(codes), where)
    group_codes = None if groups is None else encode_groups(np.asarray(groups))
    for argument, values in (("y", codes), ("groups", group_codes)):
        if values is not None and len(values) != len(images):
            raise DataError(
                f"{where}: X has {len(images)} images and {argument} has {len(values)}"
            )
    return user_dataset(name, images, codes, classes, group_codes, source=source)


def copy_images(X: NDArray[Any], where: str) -> NDArray[np.uint8]:
    """Copy images, uint8 (n, height, width, channels), adding that axis where there is none.

    Raises:
        DataError: They are no such images; the message begins with ``where``.
    """
    if X.ndim not in (3, 4) or X.size == 0:
        raise DataError(
            f"{where}: X has shape {X.shape}; it must be (images, height, width) or (images, "
            "height, width, channels)"
        )
    if X.dtype != np.uint8:
        raise DataError(f"{where}: X holds {X.dtype}; images must be uint8, from 0 to 255")
    X = X[..., None] if X.ndim == 3 else X
    if X.shape[1] in _COLOURS and X.shape[3] not in _COLOURS:
        raise DataError(f"{where}: X has shape {X.shape}; the channels must come last")
    return np.array(X, order="C")


def npz_arrays(path: Path, needed: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The arrays of an NPZ file by their names.

    Raises:
        DataError: It cannot be read, or lacks one that is needed.
    """
    content = read_raw(path)
    check_archive_size(content, path)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as npz:
            arrays = {key: npz[key] for key in npz.files}
    except Exception as error:
        # NumPy and zipfile raise many kinds of errors for a damaged file or arrays of objects.
        reason = str(error).split(";")[0]
        raise DataError(f"{path}: cannot be read as NPZ arrays ({reason})") from None
    for key in needed:
        if key not in arrays:
            names = ", ".join(arrays) or "none"
            raise DataError(f'{path}: there is no array "{key}"; its arrays are {names}')
    return arrays


def _load_npz(path: Path) -> Dataset:
    arrays = npz_arrays(path, ("X", "y"))
    y = one_dimensional(arrays["y"], "y", str(path))
    groups = arrays.get("groups")
    groups = None if groups is None else one_dimensional(groups, "groups", str(path))
    return image_dataset(arrays["X"], y, groups, path.stem, str(path), f"file {path.name}")


def _load_folder(path: Path) -> Dataset:
    """Load one class from each folder, folders and their files in the order of their names."""
    folders = [entry for entry in _visible(path) if entry.is_dir()]
    if not folders:
        raise DataError(f"{path}: holds no folders; put the images of each class into a folder")
    files: list[Path] = []
    labels: list[str] = []
    left_out = 0
    for folder in folders:
        images_of_class = image_files(folder)
        if not images_of_class:
            raise DataError(f"{folder}: holds no PNG or JPEG file; fill or remove this class")
        files += images_of_class
        labels += [folder.name] * len(images_of_class)
        left_out += len(_visible(folder)) - len(images_of_class)
    first = read_image(files[0])
    check_memory(
        len(files) * first.size,
        f"{path}: {len(files):,} images of {describe_shape(first.shape)}",
        free_bytes(),
        "free memory is",
        "make them smaller",
    )
    images = np.empty((len(files), *first.shape), np.uint8)
    for position, file in enumerate(files):
        image = read_image(file)
        if image.shape != first.shape:
            raise DataError(
                f"{file}: {describe_shape(image.shape)}, but {files[0]} is "
                f"{describe_shape(first.shape)}; bring all images to one size and colour mode"
            )
        images[position] = image
    codes, classes = encode_labels(labels)
    check_labels(classes, len(codes), str(path))
    note = f"{path.name}: {left_out} entries that are neither PNG nor JPEG were left out"
    return user_dataset(
        path.resolve().name,
        images,
        codes,
        classes,
        None,
        source=f"folder {path.name}",
        notes=(note,) if left_out else (),
    )


def image_files(folder: Path) -> list[Path]:
    """The PNG and JPEG files of a folder, in the order of their names."""
    return [entry for entry in _visible(folder) if entry.suffix.lower() in SUFFIXES]


def _visible(folder: Path) -> list[Path]:
    """Entries by name, but for those with a dot before it, which file managers leave behind."""
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read one image, uint8 (height, width, 1 or 3), turned upright by its EXIF orientation.

    Raises:
        DataError: It cannot be read, or is neither grey nor RGB.
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            # Pillow's limit, beyond which it warns, and refuses what is twice as large.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            opened = Image.open(path)
        with opened:
            mode = opened.mode
            # A camera stores its orientation instead of turning the pixels.
            image = ImageOps.exif_transpose(opened)
            pixels = np.asarray(image)
    except Exception as error:
        # Pillow's readers raise many kinds of errors.
        reason = str(error).split(str(path))[0].strip(" '") or type(error).__name__
        raise DataError(f"{path}: cannot be read as an image ({reason}); replace it") from None
    if mode not in _CHANNELS:
        raise DataError(
            f"{path}: its colour mode is {mode}; save it as grey or RGB, 8 bits a channel"
        )
    return pixels.reshape(*pixels.shape[:2], _CHANNELS[mode])


def describe_shape(shape: tuple[int, ...]) -> str:
    """The size and colour mode of images (height, width, channels) in words."""
    height, width, channels = shape
    colours = _COLOURS.get(channels, f"{channels} channels")
    return f"{height} x {width} pixels, {colours}"
