"""Read images to predict in parts, as studies read them: a folder, a file of arrays, an array."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.images import (
    SUFFIXES,
    copy_images,
    describe_shape,
    image_files,
    npz_arrays,
    read_image,
)
from remix_study.errors import DataError

_REMEDY = "name an image, a folder of PNG or JPEG files, or an .npz file with an array X"

Part = tuple[NDArray[np.uint8], list[str] | None]
"""Images (n, height, width, channels), and their files, None of those in an array."""


def read_image_chunks(images: Any, shape: tuple[int, ...], size: int) -> Iterator[Part]:
    """Yield parts of images that a model takes.

    Args:
        images: A path: a PNG or JPEG file, a folder of them, also in folders of classes, or an
            NPZ file with an array ``X``; or such an array.
        shape: Height, width and channels of the model's images.
        size: Images of a part of a folder.

    Raises:
        DataError: Names the file that cannot be read or that has another size or colour mode.
    """
    if not isinstance(images, str | Path):
        yield _of_shape(np.asarray(images), shape, "X"), None
        return
    path = Path(images)
    if path.suffix.lower() == ".npz":
        yield _of_shape(npz_arrays(path, ("X",))["X"], shape, str(path)), None
        return
    files, folder = _files(path), path if path.is_dir() else path.parent
    for start in range(0, len(files), size):
        part = files[start : start + size]
        pixels = np.stack([_image(file, shape) for file in part])
        yield pixels, [file.relative_to(folder).as_posix() for file in part]


def _files(path: Path) -> list[Path]:
    """The image files of a folder, or one file, in the order in which studies read them."""
    if path.suffix.lower() in SUFFIXES and path.is_file():
        return [path]
    if not path.is_dir():
        fault = "no image" if path.exists() else "no such file or folder"
        raise DataError(f"{path}: {fault}; {_REMEDY}")
    folders = sorted(entry for entry in path.iterdir() if entry.is_dir())
    files = [file for folder in (path, *folders) for file in image_files(folder)]
    if not files:
        raise DataError(f"{path}: holds no PNG or JPEG file; {_REMEDY}")
    return files


def _image(file: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    image = read_image(file)
    if image.shape != shape:
        raise DataError(
            f"{file}: {describe_shape(image.shape)}, but the model takes {describe_shape(shape)}; "
            "bring it to this size and colour mode"
        )
    return image


def _of_shape(X: NDArray[Any], shape: tuple[int, ...], where: str) -> NDArray[np.uint8]:
    size = " x ".join(map(str, shape))
    if X.ndim not in (3, 4) or (*X.shape[1:], 1)[:3] != shape:
        raise DataError(
            f"{where}: an array {X.shape}, but the model takes images, uint8 (n, {size}); bring "
            "them to this size"
        )
    if not len(X):
        raise DataError(f"{where}: an array {X.shape} without images")
    return copy_images(X, where)
