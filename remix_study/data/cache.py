"""Keep parsed files in the user's cache folder, so that only the first load parses them."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from remix_study.data.published_formats import Parsed

VARIABLE = "REMIX_STUDY_CACHE"


def cache_folder() -> Path | None:
    """The folder of the cache, or None where the user has no home.

    ``REMIX_STUDY_CACHE`` names it; else it is ``remix_study`` in the platform's folder for caches:
    ``$XDG_CACHE_HOME`` or ``~/.cache``, ``~/Library/Caches`` (macOS), ``%LOCALAPPDATA%``
    (Windows).
    """
    folder = os.environ.get(VARIABLE)
    if folder:
        return Path(folder)
    parent = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    if parent and Path(parent).is_absolute():
        return Path(parent) / "remix_study"
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "remix_study"


def load_cached(name: str, key: str) -> tuple[Parsed, tuple[str, ...]] | None:
    """Load a data set's arrays from the cache.

    Args:
        name: The data set.
        key: Hash of the files and of the version of their parser.

    Returns:
        The arrays and the sha256 of each unpacked file; None where the cache holds nothing under
        the key, or is damaged or unreadable.
    """
    folder = cache_folder()
    if folder is None:
        return None
    try:
        # Opened here because NumPy leaves a damaged file open.
        with (
            open(folder / f"{name}-{key[:32]}.npz", "rb") as file,
            np.load(file, allow_pickle=False) as arrays,
        ):
            if str(arrays["key"]) != key:
                return None
            groups = arrays["groups"].astype(np.intp)
            parsed = Parsed(
                X=arrays["X"],
                y=arrays["y"].astype(np.intp),
                classes=tuple(arrays["classes"].tolist()),
                features=tuple(arrays["features"].tolist()),
                groups=groups if groups.size else None,
            )
            return parsed, tuple(arrays["hashes"].tolist())
    except Exception:
        # NumPy and zipfile raise many kinds of errors for a damaged archive.
        return None


def save_cached(name: str, key: str, parsed: Parsed, hashes: tuple[str, ...]) -> None:
    """Save a data set's arrays in the cache; a folder that cannot be written to is passed over.

    Several processes may save at once: the file is written under a temporary name and then
    renamed, so that a reader finds a complete file or none. The arguments are what
    :func:`load_cached` takes and returns.
    """
    folder = cache_folder()
    if folder is None:
        return
    temporary = ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as file:
            temporary = file.name
            np.savez(
                file,
                key=np.array(key),
                X=parsed.X,
                y=parsed.y,
                classes=np.array(parsed.classes),
                features=np.array(parsed.features),
                groups=np.empty(0, np.intp) if parsed.groups is None else parsed.groups,
                hashes=np.array(hashes),
            )
        os.replace(temporary, folder / f"{name}-{key[:32]}.npz")
    except OSError:
        with contextlib.suppress(OSError):
            if temporary:
                os.unlink(temporary)
