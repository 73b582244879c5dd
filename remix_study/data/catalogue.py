"""The catalogue of data sets: the facts in ``catalogue.toml``, read and checked once."""

from __future__ import annotations

from importlib import resources
from typing import Any

import msgspec

from remix_study.errors import DataError, did_you_mean


class PublishedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a data set as its makers published it.

    Attributes:
        path: Under the folder that REMIX_STUDY_DATA names.
        sha256: Of the unpacked content, "" where unknown; other content that fits the facts is
            taken with a note.
        md5: As the makers published it, "" where they did not; other content is refused.
        urls: Addresses of exactly this content, tried in turn; ``archive.zip#member`` is a file in
            a zip, ``archive.zip#member[0:100]`` the first hundred bytes of it.
        archive_sha256: Of that zip, where the file's own is unknown.
    """

    path: str
    sha256: str = ""
    md5: str = ""
    urls: tuple[str, ...] = ()
    archive_sha256: str = ""


class DatasetFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a data set without opening its files.

    Attributes:
        name: What a study file calls it.
        source: What its makers call it.
        about: What the classes mean, in one line.
        files: Its files, each plain or with ``.gz``; none where it comes with scikit-learn.
        rows: Number of rows.
        features: Number of features; of images, pixels times channels.
        counts: Rows of each class, by the makers' class names.
        minimum: Smallest value.
        maximum: Largest value.
        all_integers: Whether all values are whole numbers.
        missing: Number of missing cells, None where unknown.
        duplicates: Rows equal to an earlier one in all features and the label, None where
            unknown.
        licence: The licence the makers gave.
        citation: Whom to cite.
        groups: Number of groups, 0 where there are none.
        grouped_by: What a group is, such as a molecule.
        partial: A smaller edition that is used where the whole one is absent.
        shape: Height, width and channels of images; empty for a table.
        downloads: What is fetched instead of ``files``, such as an archive of them.
        archives: Paths of tar files that hold all files, looked for where those are absent.
        note: What every output says of the data set.
    """

    name: str
    source: str
    about: str
    rows: int
    features: int
    counts: dict[str, int]
    minimum: float
    maximum: float
    all_integers: bool
    licence: str
    citation: str
    files: tuple[PublishedFile, ...] = ()
    downloads: tuple[PublishedFile, ...] = ()
    missing: int | None = None
    duplicates: int | None = None
    groups: int = 0
    grouped_by: str = ""
    partial: DatasetFacts | None = None
    shape: tuple[int, ...] = ()
    archives: tuple[str, ...] = ()
    note: str = ""


def read_catalogue(toml: bytes) -> dict[str, DatasetFacts]:
    """Parse a catalogue, keeping its order.

    Args:
        toml: One table a data set, with the keys of :class:`DatasetFacts` but its name. A table
            ``partial`` holds only the keys in which the smaller edition differs.

    Raises:
        msgspec.ValidationError: A key is unknown or missing, or a value has another type.
    """
    tables: dict[str, dict[str, Any]] = msgspec.toml.decode(toml)
    catalogue = {}
    for name, table in tables.items():
        whole = {"name": name, **table}
        if "partial" in table:
            whole["partial"] = {**whole, **table["partial"], "partial": None}
        catalogue[name] = msgspec.convert(whole, DatasetFacts)
    return catalogue


CATALOGUE = read_catalogue(resources.files(__package__).joinpath("catalogue.toml").read_bytes())
"""The facts of every data set that a study file may name, by name."""


def dataset_names() -> tuple[str, ...]:
    """The names of all data sets, in the catalogue's order."""
    return tuple(CATALOGUE)


def find_facts(name: str) -> DatasetFacts:
    """The facts of a data set.

    Raises:
        DataError: The name is unknown.
    """
    if name not in CATALOGUE:
        raise DataError(f'there is no data set "{name}"{did_you_mean(name, CATALOGUE)}')
    return CATALOGUE[name]
