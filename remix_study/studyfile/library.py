"""Finding study files: by path, or by the name of one that comes with the package."""

from __future__ import annotations

import os
from pathlib import Path

from remix_study.errors import StudyFileError, did_you_mean

_PACKAGE = Path(__file__).resolve().parents[1]
# Inside the package where it was installed, beside it in a source tree.
_FOLDERS = (_PACKAGE / "studies", _PACKAGE.parent / "studies")


def built_in_studies() -> dict[str, Path]:
    """Map the name of every study that comes with the package to its file, in order of names."""
    for folder in _FOLDERS:
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.toml"))}
    return {}


def find_study(name: str) -> Path:
    """Return the study file that a user names by its path or as a built-in study.

    Raises:
        StudyFileError: There is neither.
    """
    studies = built_in_studies()
    # A folder may happen to be called like a built-in study.
    if os.path.isdir(name) and name in studies:
        return studies[name]
    if os.path.exists(name) or name.endswith(".toml"):
        return Path(name)
    if name not in studies:
        raise StudyFileError(
            f"{name}: no study file, nor a built-in study of this name"
            f"{did_you_mean(name, studies)}"
        )
    return studies[name]
