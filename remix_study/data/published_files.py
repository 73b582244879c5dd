"""Find, verify and load the published files of a data set in the user's data folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs

from remix_study.data.cache import load_cached, save_cached
from remix_study.data.catalogue import CATALOGUE, DatasetFacts
from remix_study.data.cifar import SUBSET_OF, fetched_by_keras, read_batches, read_subset
from remix_study.data.dataset import Dataset, freeze
from remix_study.data.file_contents import read_raw, unpack
from remix_study.data.published_formats import VERSION, Parsed, parse
from remix_study.errors import DataError, join_names

VARIABLE = "REMIX_STUDY_DATA"

_IMAGE_READERS = {"cifar10": read_batches, "cifar10-small": read_subset}


class FilesMissingError(DataError):
    """Raised when the files of a data set do not exist, rather than being damaged or others."""


@dataclass(frozen=True)
class DataFolder:
    """The folder under which published files are looked for and fetched into.

    Attributes:
        path: The folder, which need not exist.
        is_default: Whether REMIX_STUDY_DATA is not set.
    """

    path: Path
    is_default: bool

    def __str__(self) -> str:
        """The path, and why it is this one."""
        reason = f"as {VARIABLE} is not set" if self.is_default else VARIABLE
        return f"{self.path} ({reason})"


def data_folder() -> DataFolder:
    """The folder that REMIX_STUDY_DATA names, else ``remix_study`` where the platform keeps data:
    ``$XDG_DATA_HOME`` or ``~/.local/share``, ``~/Library/Application Support`` (macOS),
    ``%LOCALAPPDATA%`` (Windows).
    """
    if folder := os.environ.get(VARIABLE):
        return DataFolder(Path(folder), is_default=False)
    return DataFolder(platformdirs.user_data_path("remix_study", appauthor=False), is_default=True)


def load_published(name: str) -> Dataset:
    """Load a data set whose files the user has downloaded.

    A file is recognised by the sha256 of its unpacked content. An unknown one is accepted, with a
    note, if the shape, the class counts, the number of missing cells and the range of values are
    those of the known one. Parsed arrays are kept in the cache.

    Raises:
        FilesMissingError: A file does not exist.
        DataError: A file is damaged, not in its makers' format, or another one.
    """
    facts, paths = locate(CATALOGUE[name])
    # Hashed in pieces, so that an archive of images need not fit in memory.
    file_hashes = [_sha256(path) for path in paths]
    key = hashlib.sha256(f"{VERSION} {name} {' '.join(file_hashes)}".encode()).hexdigest()
    cached = load_cached(name, key)
    if cached is None:
        if facts.shape:
            parsed, hashes = _IMAGE_READERS[name](facts, paths)
        else:
            contents = [unpack(read_raw(path), path) for path in paths]
            parsed = parse(name, contents, paths)
            hashes = [hashlib.sha256(content).hexdigest() for content in contents]
        save_cached(name, key, parsed, tuple(hashes))
    else:
        parsed, hashes = cached[0], list(cached[1])

    notes = (facts.note,) if facts.note else _partial_note(facts)
    notes += verify(facts, parsed, paths, hashes)
    freeze(parsed.X, parsed.y, parsed.groups)
    return Dataset(
        name=name,
        X=parsed.X,
        y=parsed.y,
        classes=parsed.classes,
        features=parsed.features,
        groups=parsed.groups,
        source=facts.source,
        licence=facts.licence,
        citation=facts.citation,
        sha256=_combined(hashes),
        notes=notes,
    )


def locate(facts: DatasetFacts) -> tuple[DatasetFacts, list[Path]]:
    """Find the files of a data set: plain or gzip, its partial edition's, its archive or Keras'.

    Returns:
        The facts of the edition whose files exist, and their paths.

    Raises:
        FilesMissingError: A file does not exist.
    """
    try:
        return _locate_in_folder(facts)
    except FilesMissingError:
        keras_paths = fetched_by_keras(facts) if facts.archives else None
        if keras_paths is None:
            raise
        return facts, keras_paths


def _locate_in_folder(facts: DatasetFacts) -> tuple[DatasetFacts, list[Path]]:
    """Find the files under the data folder."""
    folder = data_folder()
    for edition in (facts, facts.partial):
        if edition is not None:
            paths = [plain_or_gzip(folder.path / file.path) for file in edition.files]
            if all(path.exists() for path in paths):
                return edition, paths
    for archive in facts.archives:
        if (path := folder.path / archive).exists():
            return facts, [path]
    paths = [plain_or_gzip(folder.path / file.path) for file in facts.files]
    missing = [
        file.path for file, path in zip(facts.files, paths, strict=True) if not path.exists()
    ]
    alternative = f", nor one of {', '.join(facts.archives)}" if facts.archives else ""
    can_fetch = facts.name in SUBSET_OF or any(file.urls for file in facts.downloads + facts.files)
    remedy = f'run "remix-study datasets fetch {facts.name}", or ' if can_fetch else ""
    raise FilesMissingError(
        f"data set {facts.name}: {', '.join(missing)} (or .gz) is not under {folder}"
        f"{alternative}; {remedy}get it from {facts.source}, {facts.citation}, and place it there"
    )


def verify(
    facts: DatasetFacts, parsed: Parsed, paths: Sequence[Path], hashes: Sequence[str]
) -> tuple[str, ...]:
    """Compare a data set's files with the known ones.

    Returns:
        A note if some file is unknown, by the hashes of the unpacked content, but fits the facts;
        none if all are known.

    Raises:
        DataError: An unknown file does not fit; the message says what differs first.
    """
    if any(file.md5 for file in facts.files):
        # The published md5 was checked when the files were read.
        return ()
    unknown = [
        path
        for path, file, sha256 in zip(paths, facts.files, hashes, strict=True)
        if sha256 != file.sha256
    ]
    if not unknown:
        return ()
    difference = _first_difference(facts, parsed)
    if difference:
        unknown_paths = join_names(str(path) for path in unknown)
        raise DataError(
            f"{unknown_paths}: not the known file of data set {facts.name}: {difference}"
        )
    names = join_names(path.name for path in unknown)
    return (
        f"{facts.name}: {names} is not a known file (by sha256), but its shape, class counts and "
        "value range fit",
    )


def _first_difference(facts: DatasetFacts, parsed: Parsed) -> str:
    """The first respect in which the arrays differ from the facts; "" if they fit."""
    X = parsed.X
    counts = dict(zip(parsed.classes, np.bincount(parsed.y).tolist(), strict=True))
    groups = 0 if parsed.groups is None else len(np.unique(parsed.groups))
    missing = int(np.isnan(X).sum())
    low, high = float(np.nanmin(X)), float(np.nanmax(X))
    for quantity, actual, expected in [
        ("rows", len(X), facts.rows),
        ("features", int(np.prod(X.shape[1:])), facts.features),
        (f"{facts.grouped_by or 'group'}s", groups, facts.groups),
        ("missing cells", missing, missing if facts.missing is None else facts.missing),
    ]:
        if actual != expected:
            return f"it has {actual} {quantity}, not {expected}"
    if counts != facts.counts:
        return f"its rows by class are {_count_list(counts)}, not {_count_list(facts.counts)}"
    if low < facts.minimum or high > facts.maximum:
        expected_range = f"{facts.minimum:g} to {facts.maximum:g}"
        return f"its values reach from {low:g} to {high:g}, not {expected_range}"
    if facts.all_integers and not (np.isnan(X) | (np.round(X) == X)).all():
        return "its values are not all whole numbers"
    return ""


def _count_list(counts: dict[str, int]) -> str:
    return join_names(f"{name}: {count}" for name, count in counts.items())


def _partial_note(facts: DatasetFacts) -> tuple[str, ...]:
    """The note of a partial edition; none for the whole data set."""
    whole = CATALOGUE[facts.name]
    if facts is whole:
        return ()
    return (
        f"{facts.name}: partial file, {facts.rows:,} of {whole.rows:,} rows; results are not "
        "those of the whole data set",
    )


def _sha256(path: Path) -> str:
    """The sha256 of a file as it is, as hexadecimal."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        # Reading once more raises the error with its message.
        return hashlib.sha256(read_raw(path)).hexdigest()


def plain_or_gzip(path: Path) -> Path:
    """The plain file where it exists, else the gzip."""
    gzip_path = path.with_name(f"{path.name}.gz")
    return gzip_path if gzip_path.exists() and not path.is_file() else path


def _combined(hashes: Sequence[str]) -> str:
    """The hash of a single file, or the hash of the hashes of several."""
    return hashes[0] if len(hashes) == 1 else hashlib.sha256(" ".join(hashes).encode()).hexdigest()
