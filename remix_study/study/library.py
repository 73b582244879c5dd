"""The study files that come with the package."""

from __future__ import annotations

from pathlib import Path

from remix_study.errors import StudyFileError

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
    path = Path(name)
    if path.exists() or path.suffix == ".toml":
        return path
    known = built_in()
    if name not in known:
        raise StudyFileError(
            f"{name}: there is no such study file, nor a built-in study of this name "
            f"(built in: {', '.join(known)})"
        )
    return known[name]
