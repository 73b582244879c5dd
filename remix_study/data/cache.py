"""Parsed files in the user's cache folder, so that a second load takes no parsing."""

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
    """Where the cache is kept, or None where the user has no home.

    ``REMIX_STUDY_CACHE`` names it; else ``remix_study`` in the platform's folder for caches:
    ``$XDG_CACHE_HOME`` or ``~/.cache``, ``~/Library/Caches`` (macOS), ``%LOCALAPPDATA%``
    (Windows).
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    base = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    if base and Path(base).is_absolute():
        return Path(base) / "remix_study"
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "remix_study"


def load_cached(name: str, key: str) -> tuple[Parsed, tuple[str, ...]] | None:
    """What was kept under a key: the arrays and the sha256 of each unpacked file.

    A cache that is missing, damaged or unreadable is no error: the files are parsed again.
    """
    folder = cache_folder()
    if folder is None:
        return None
    try:
        # Opened here, as numpy leaves a damaged file open.
        with (
            open(folder / f"{name}-{key[:32]}.npz", "rb") as file,
            np.load(file, allow_pickle=False) as kept,
        ):
            if str(kept["key"]) != key:
                return None
            groups = kept["groups"].astype(np.intp)
            parsed = Parsed(
                X=kept["X"],
                y=kept["y"].astype(np.intp),
                classes=tuple(kept["classes"].tolist()),
                features=tuple(kept["features"].tolist()),
                groups=groups if groups.size else None,
            )
            return parsed, tuple(kept["hashes"].tolist())
    except Exception:
        # A damaged archive fails in as many ways as it has bytes, and none of them matters here.
        return None


def save_cached(name: str, key: str, parsed: Parsed, hashes: tuple[str, ...]) -> None:
    """Keep parsed files under a key.

    The file is written beside its place and then moved there, so two processes may do so at
    once and a reader never sees half of one. A folder that cannot be written to is no error.
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
