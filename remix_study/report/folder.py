"""The folder of a report, which is replaced as a whole or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from remix_study.errors import UsageError

MANIFEST = "manifest.json"
MARK = "remix_study report"
"""Value of ``made_by`` in the manifest of a report."""


def check_folder(output: Path) -> None:
    """Refuse a folder that :func:`publish` would refuse, before a study is trained.

    Raises:
        UsageError: The folder holds files that no report wrote, is a file, or cannot be written.
    """
    try:
        _report_files(output)
        folder = output.absolute().parent
        while not folder.exists():
            folder = folder.parent
        for writable in (folder, output) if output.exists() else (folder,):
            tempfile.TemporaryDirectory(dir=writable, prefix=f".{output.name}-").cleanup()
    except OSError as error:
        raise _cannot_write(output, error) from error


def publish(output: Path, write: Callable[[Path], None]) -> Path:
    """Write a folder as a whole or not at all, in place of a report that is there.

    Args:
        output: the folder of the report.
        write: writes `index.html` and all other files into an empty folder.

    Returns:
        The path of `index.html`.

    Raises:
        UsageError: The folder holds files that no report wrote, is a file, or cannot be written.
    """
    old_files = _report_files(output)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=output.parent, prefix=f".{output.name}-", ignore_cleanup_errors=True
        ) as scratch:
            folder = Path(scratch)
            write(folder)
            _replace(output, folder, old_files)
    except OSError as error:
        raise _cannot_write(output, error) from error
    return output / "index.html"


def _cannot_write(output: Path, error: OSError) -> UsageError:
    return UsageError(f"{output}: cannot write the report ({error.strerror})")


def _report_files(output: Path) -> list[Path]:
    """Files of a report in the folder, relative to it; hidden files are ignored.

    Raises:
        UsageError: The folder holds files that its manifest does not name, or is a file.
    """
    if not output.exists():
        return []
    if not output.is_dir():
        raise UsageError(f"{output} is a file; name a folder for the report")
    files = {
        path.relative_to(output)
        for path in output.rglob("*")
        if not path.is_dir() and not path.name.startswith(".")
    }
    if not files:
        return []
    report_files: set[Path] = set()
    try:
        manifest = json.loads((output / MANIFEST).read_text(encoding="utf-8"))
        if manifest["made_by"] == MARK:
            report_files = {Path(MANIFEST), *(Path(name) for name in manifest["files"])}
    except (OSError, ValueError, KeyError, TypeError):
        report_files = set()
    foreign = sorted(files - report_files)
    if foreign:
        raise UsageError(
            f"{output} holds files that no report wrote ({foreign[0]}); name another folder"
        )
    return sorted(files)


def _replace(output: Path, folder: Path, old_files: Sequence[Path]) -> None:
    output.mkdir(exist_ok=True)
    for name in old_files:
        (output / name).unlink()
    for path in sorted(folder.rglob("*")):
        target = output / path.relative_to(folder)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        else:
            shutil.move(path, target)
