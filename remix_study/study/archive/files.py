"""Archive files: one JSON document, or a folder of CSV or Parquet tables."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from remix_study import __version__
from remix_study.errors import DataError, UsageError
from remix_study.study.archive import columns, jsonfile
from remix_study.study.archive.layout import VERSION, Snapshot
from remix_study.study.tables import utc_now

HEAD = "archive.json"
"""Name of the file in a folder that describes the tables beside it."""

_MARK = "remix_study archive"
FORMATS = ("json", "csv", "parquet")


def write_archive(snapshots: Sequence[Snapshot], output: Path, form: str) -> None:
    """Write studies into a new file (``json``) or folder (``csv``, ``parquet``).

    Raises:
        UsageError: The file or folder exists or cannot be written, or a package that the format
            needs is not installed.
    """
    if output.exists() or output.is_symlink():
        raise UsageError(f"{output} exists already; name another one, nothing is overwritten")
    if form == "parquet":
        columns.need_pyarrow()
    head = {
        "format": _MARK,
        "version": VERSION,
        "remix_study": __version__,
        "written": utc_now(),
        "tables": form,
        "studies": {snapshot.name: snapshot.digest() for snapshot in snapshots},
    }
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=output.parent, prefix=f".{output.name}-", ignore_cleanup_errors=True
        ) as scratch:
            archive = Path(scratch) / "archive"
            if form == "json":
                jsonfile.write(snapshots, head, archive)
            else:
                archive.mkdir()
                (archive / HEAD).write_text(json.dumps(head, indent=2) + "\n", encoding="utf-8")
                write = columns.write_csv if form == "csv" else columns.write_parquet
                write(snapshots, archive)
            # Only a complete archive gets the name.
            shutil.move(archive, output)
    except OSError as error:
        raise UsageError(f"{output}: cannot be written ({error.strerror or error})") from error


def read_archive(path: Path) -> list[Snapshot]:
    """Read an archive of any format.

    Raises:
        DataError: It is no archive, damaged, changed since it was written, or made by a later
            version.
        UsageError: A package that its format needs is not installed.
    """
    document = _read_document(path / HEAD if path.is_dir() else path)
    try:
        snapshots = _read_snapshots(path, document)
        digests = {snapshot.name: snapshot.digest() for snapshot in snapshots}
    except OSError as error:
        raise DataError(f"{error.filename or path}: cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise DataError(f"{path}: a damaged archive ({reason}); export it again") from error
    changed = [name for name, digest in document["studies"].items() if digests.get(name) != digest]
    if changed or len(snapshots) != len(document["studies"]):
        raise DataError(
            f"{path}: {(changed or ['it'])[0]} is not what was exported; a file was changed or is "
            "incomplete; export it again"
        )
    return snapshots


def _read_snapshots(path: Path, document: dict[str, Any]) -> list[Snapshot]:
    if not path.is_dir():
        return jsonfile.read(document)
    if document.get("tables") == "parquet":
        columns.need_pyarrow()
        return columns.read_parquet(path)
    return columns.read_csv(path)


def _read_document(path: Path) -> dict[str, Any]:
    """The JSON of a file, or of a folder's head."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such archive") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not an archive of remix_study ({error})") from error
    if not isinstance(document, dict) or document.get("format") != _MARK:
        raise DataError(f"{path}: not an archive of remix_study")
    version, studies = document.get("version"), document.get("studies")
    if not isinstance(version, int) or version > VERSION:
        raise DataError(f"{path}: made by a later version of remix_study ({version}); update it")
    if not isinstance(studies, dict):
        raise DataError(f"{path}: a damaged archive (it names no studies); export it again")
    return document
