"""The makers' files under REMIX_STUDY_DATA: found, verified, and loaded through the cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from remix_study.data.cache import load_cached, save_cached
from remix_study.data.catalogue import CATALOGUE, DatasetFacts
from remix_study.data.cifar import fetched_by_keras, read_batches, read_subset
from remix_study.data.dataset import Dataset, freeze
from remix_study.data.file_bytes import read_raw, unpack
from remix_study.data.published_formats import VERSION, Parsed, parse
from remix_study.errors import DataError, join_names

VARIABLE = "REMIX_STUDY_DATA"

_IMAGES = {"cifar10": read_batches, "cifar10-small": read_subset}


class FilesMissingError(DataError):
    """The files of a data set are not there; nothing is wrong with them."""


def load_published(name: str) -> Dataset:
    """Load one of the data sets whose files the user has to fetch.

    A file is known by the sha256 of its unpacked content. An unknown one is taken, with a note
    that every output repeats, if the shape, the class counts, the number of missing cells and
    the range of values are those of the known one.

    Raises:
        FilesMissingError: REMIX_STUDY_DATA is not set, or a file is not there.
        DataError: A file is damaged, not in its makers' format, or another one.
    """
    facts, paths = locate(CATALOGUE[name])
    # Hashed piece by piece: an archive of images need not be in memory.
    packed = [_sha256(path) for path in paths]
    key = hashlib.sha256(f"{VERSION} {name} {' '.join(packed)}".encode()).hexdigest()
    kept = load_cached(name, key)
    if kept is None:
        if facts.shape:
            parsed, hashes = _IMAGES[name](facts, paths)
        else:
            contents = [unpack(read_raw(path), path) for path in paths]
            parsed = parse(name, contents, paths)
            hashes = [hashlib.sha256(content).hexdigest() for content in contents]
        save_cached(name, key, parsed, tuple(hashes))
    else:
        parsed, hashes = kept[0], list(kept[1])

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
        sha256=_joined(hashes),
        notes=notes,
    )


def locate(facts: DatasetFacts) -> tuple[DatasetFacts, list[Path]]:
    """The files of a data set, each plain or gzip, those of its partial edition, or its archive.

    Raises:
        FilesMissingError: REMIX_STUDY_DATA is not set or no folder, or a file is not there.
    """
    try:
        return _under_folder(facts)
    except FilesMissingError:
        fetched = fetched_by_keras(facts) if facts.archives else None
        if fetched is None:
            raise
        return facts, fetched


def _under_folder(facts: DatasetFacts) -> tuple[DatasetFacts, list[Path]]:
    wanted = ", ".join(file.path for file in facts.files) + " (or .gz)"
    origin = f"from {facts.source}, {facts.citation}"
    if facts.archives:
        wanted += f", or one of {', '.join(facts.archives)},"
        origin += "; keras.datasets.cifar10.load_data() fetches it too"
    folder = os.environ.get(VARIABLE)
    if not folder:
        raise FilesMissingError(
            f"data set {facts.name} needs {wanted} under the folder that the environment "
            f"variable {VARIABLE} names, which is not set; {origin}"
        )
    if not Path(folder).is_dir():
        raise FilesMissingError(
            f"data set {facts.name}: {VARIABLE} is {folder}, which is no folder; it must hold "
            f"{wanted}, {origin}"
        )
    for edition in (facts, facts.partial):
        if edition is not None:
            paths = [_plain_or_gzip(Path(folder) / file.path) for file in edition.files]
            if all(path.exists() for path in paths):
                return edition, paths
    for archive in facts.archives:
        if (path := Path(folder) / archive).exists():
            return facts, [path]
    paths = [_plain_or_gzip(Path(folder) / file.path) for file in facts.files]
    gone = [file.path for file, path in zip(facts.files, paths, strict=True) if not path.exists()]
    raise FilesMissingError(
        f"data set {facts.name}: {', '.join(gone)} (or .gz) is not under {folder} "
        f"({VARIABLE}); {origin}"
    )


def verify(
    facts: DatasetFacts, parsed: Parsed, paths: Sequence[Path], hashes: Sequence[str]
) -> tuple[str, ...]:
    """Notes about files that are not the known ones but fit; none for the known ones.

    Raises:
        DataError: An unknown file that does not fit, with the first thing that differs.
    """
    if any(file.md5 for file in facts.files):
        # Known by their makers' own hash, or they would not have been read.
        return ()
    unknown = [
        path
        for path, file, sha256 in zip(paths, facts.files, hashes, strict=True)
        if sha256 != file.sha256
    ]
    if not unknown:
        return ()
    misfit = _misfit(facts, parsed)
    named = join_names([str(path) for path in unknown])
    if misfit:
        raise DataError(f"{named}: not the known file of data set {facts.name}: {misfit}")
    names = join_names([path.name for path in unknown])
    return (
        f"{facts.name}: {names} is not a known file (by sha256), but its shape, class counts and "
        "value range fit",
    )


def _misfit(facts: DatasetFacts, parsed: Parsed) -> str:
    """The first thing in which the arrays are not what the facts say, "" if they fit."""
    X = parsed.X
    counts = dict(zip(parsed.classes, np.bincount(parsed.y).tolist(), strict=True))
    groups = 0 if parsed.groups is None else len(np.unique(parsed.groups))
    missing = int(np.isnan(X).sum())
    low, high = float(np.nanmin(X)), float(np.nanmax(X))
    for what, found, expected in [
        ("rows", len(X), facts.rows),
        ("features", int(np.prod(X.shape[1:])), facts.features),
        (f"{facts.grouped_by or 'group'}s", groups, facts.groups),
        ("missing cells", missing, missing if facts.missing is None else facts.missing),
    ]:
        if found != expected:
            return f"it has {found} {what}, not {expected}"
    if counts != facts.counts:
        return f"its rows by class are {_counted(counts)}, not {_counted(facts.counts)}"
    if low < facts.minimum or high > facts.maximum:
        expected_range = f"{facts.minimum:g} to {facts.maximum:g}"
        return f"its values reach from {low:g} to {high:g}, not {expected_range}"
    if facts.all_integers and not (np.isnan(X) | (np.round(X) == X)).all():
        return "its values are not all whole numbers"
    return ""


def _counted(counts: dict[str, int]) -> str:
    return join_names([f"{name}: {count}" for name, count in counts.items()])


def _partial_note(facts: DatasetFacts) -> tuple[str, ...]:
    """What every output says of a partial edition."""
    whole = CATALOGUE[facts.name]
    if facts is whole:
        return ()
    return (
        f"{facts.name}: partial file, {facts.rows:,} of {whole.rows:,} rows; results are not "
        "those of the whole data set",
    )


def _sha256(path: Path) -> str:
    """The hash of a file as it is.

    Raises:
        DataError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        # Asked again for the words that fit.
        return hashlib.sha256(read_raw(path)).hexdigest()


def _plain_or_gzip(path: Path) -> Path:
    """The plain file where it is there, else the gzip."""
    packed = path.with_name(f"{path.name}.gz")
    return packed if packed.exists() and not path.is_file() else path


def _joined(hashes: Sequence[str]) -> str:
    """The hash of the one file, or one for several."""
    return hashes[0] if len(hashes) == 1 else hashlib.sha256(" ".join(hashes).encode()).hexdigest()
