"""The study files that come with the package."""

from __future__ import annotations

import os
from pathlib import Path

from remix_study.errors import StudyFileError, did_you_mean

_PACKAGE = Path(__file__).resolve().parents[1]
# Beside the package in a source tree, inside it where it was installed.
_FOLDERS = (_PACKAGE / "studies", _PACKAGE.parent / "studies")


def built_in() -> dict[str, Path]:
    """Name -> file of every study that comes with the package."""
    for folder in _FOLDERS:
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.toml"))}
    return {}


def find_study(name: str) -> Path:
    """The file that a user means: a path, or the name of a built-in study.

    Raises:
        StudyFileError: There is neither.
    """
    studies = built_in()
    # A folder may happen to be called like a built-in study.
    if os.path.isdir(name) and name in studies:
        return studies[name]
    if os.path.exists(name) or name.endswith(".toml"):
        return Path(name)
    if name not in studies:
        raise StudyFileError(
            f"{name}: there is no such study file, nor a built-in study of this name"
            f"{did_you_mean(name, studies)}"
        )
    return studies[name]
