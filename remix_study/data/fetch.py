"""Download the published files of a data set from pinned addresses into the user's data folder."""

from __future__ import annotations

import logging
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from remix_study.data.catalogue import DatasetFacts, PublishedFile, find_facts
from remix_study.data.cifar import SUBSET_OF, write_subset
from remix_study.data.published_files import (
    FilesMissingError,
    data_folder,
    locate,
    plain_or_gzip,
)
from remix_study.errors import DOWNLOAD_FAILED, DataError

TIMEOUT = 30.0
"""Seconds without a byte after which an address is given up."""

_CHUNK = 1 << 16

Progress = Callable[[str, int, int], None]
"""Called with a file's path, the bytes received and the bytes expected (0 where unknown)."""


class FetchError(DataError):
    """Raised when no address of a file gave the known content."""

    exit_code = DOWNLOAD_FAILED


@dataclass(frozen=True)
class FetchedFile:
    """A file of a data set in the data folder.

    Attributes:
        path: Where it is.
        url: Its address, or what it was made of; "" where it was there before.
    """

    path: Path
    url: str


def fetch(
    name: str, progress: Progress | None = None, *, timeout: float = TIMEOUT
) -> Iterator[FetchedFile]:
    """Download what a data set lacks; a file that is there is neither replaced nor fetched again.

    A download that broke off goes on where it ended: its bytes are kept in ``<file>.part``.

    Args:
        name: A data set of the catalogue.
        progress: Told of every piece that arrives.
        timeout: Seconds to wait for the next byte.

    Yields:
        Each file as soon as it is complete; nothing where the data set comes with scikit-learn.

    Raises:
        DataError: The name is unknown, or the data set has no address: the message says how to
            place its files by hand.
        FetchError: No address of a file gave the known content.
    """
    facts = find_facts(name)
    folder = data_folder()
    present = _present(facts)
    if present or not facts.files:
        yield from (FetchedFile(path, "") for path in present)
        return
    if name in SUBSET_OF:
        whole = find_facts(SUBSET_OF[name])
        files = list(fetch(whole.name, progress, timeout=timeout))
        yield from files
        target = folder.path / facts.files[0].path
        # The whole set may lie in the folder of Keras.
        _make_folder(target.parent)
        try:
            write_subset(whole, [file.path for file in files], target)
        except OSError as error:
            raise _not_written(target, error) from None
        yield FetchedFile(target, f"made of {files[0].path.name}")
        return
    downloads = facts.downloads or facts.files
    if not all(file.urls for file in downloads):
        raise DataError(_no_address(facts, folder.path))
    for file in downloads:
        path = plain_or_gzip(folder.path / file.path)
        if path.exists():
            yield FetchedFile(path, "")
        else:
            yield FetchedFile(path, _fetch_file(file, path, progress, timeout))


def _present(facts: DatasetFacts) -> list[Path]:
    """The files of a data set, if all are there."""
    try:
        return locate(facts)[1] if facts.files else []
    except FilesMissingError:
        return []


def _fetch_file(
    file: PublishedFile, target: Path, progress: Progress | None, timeout: float
) -> str:
    """Fetch one file from the first address that gives its known content; return the address."""
    _make_folder(target.parent)
    faults = []
    for url in file.urls:
        try:
            _download(url, file, target, progress, timeout)
        except _AddressError as error:
            faults.append(f"{url}: {error}")
        except OSError as error:
            raise _not_written(target, error) from None
        else:
            return url
    raise FetchError(
        f"{file.path} was not fetched: {'; '.join(faults)}; run the command again, or download "
        f"the file by hand and place it at {target} (sha256 of the "
        f"{'file' if file.sha256 else 'archive'}: {file.sha256 or file.archive_sha256})"
    )


def _not_written(path: Path, error: OSError) -> FetchError:
    return FetchError(f"{path}: cannot be written ({error.strerror})")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FetchError(f"{folder}: cannot be made ({error.strerror})") from None


class _AddressError(Exception):
    """What is wrong with one address, or with what it sent."""


def _download(
    url: str, file: PublishedFile, target: Path, progress: Progress | None, timeout: float
) -> None:
    """Download one address to ``target``, whose content is then the known one.

    Raises:
        _AddressError: The address did not answer, or sent something else.
    """
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    address, _, member = url.partition("#")
    archive = target if not member else target.with_name(address.rpartition("/")[2])

    part = archive.with_name(f"{archive.name}.part")
    is_continued = part.exists()

    def download(address: str, output_file: str, _pooch: object) -> None:
        _receive(address, part, progress, file.path, timeout)
        part.replace(output_file)

    sha256 = file.archive_sha256 if member else file.sha256
    known_hash = f"sha256:{sha256}" if sha256 else None
    try:
        pooch.retrieve(address, known_hash, archive.name, archive.parent, downloader=download)
    except ValueError as error:
        if is_continued:
            # The bytes that were there may have been another file's.
            return _download(url, file, target, progress, timeout)
        actual = re.search(r"but got '(\w+)'", str(error))
        raise _AddressError(_other_content(actual[1] if actual else "another")) from None
    if not member:
        return
    unpacked = target.with_name(f"{target.name}.part")
    try:
        unpacked.write_bytes(_read_member(archive, member))
    finally:
        archive.unlink()
    actual_hash = pooch.file_hash(str(unpacked), "sha256")
    if file.sha256 and actual_hash != file.sha256:
        unpacked.unlink()
        raise _AddressError(_other_content(actual_hash))
    unpacked.replace(target)


def _receive(
    address: str, part: Path, progress: Progress | None, name: str, timeout: float
) -> None:
    """Receive the bytes of an address into a file, after those that it has already."""
    import requests

    start = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={start}-"} if start else {}
    # Else the bytes that count and the bytes that arrive may be packed and differ.
    headers["Accept-Encoding"] = "identity"
    try:
        with requests.get(address, headers=headers, stream=True, timeout=timeout) as response:
            if response.status_code == 416:
                # All bytes are there already, or the file has become another one.
                return
            if not response.ok:
                raise _AddressError(f"{response.status_code} {response.reason}")
            if response.status_code != 206:
                start = 0
            size = start + int(response.headers.get("Content-Length", 0))
            with part.open("ab" if start else "wb") as output:
                for chunk in response.iter_content(_CHUNK):
                    output.write(chunk)
                    start += len(chunk)
                    if progress is not None:
                        progress(name, start, size)
    except requests.Timeout:
        raise _AddressError(f"no answer within {timeout:g} seconds") from None
    except requests.exceptions.ChunkedEncodingError:
        raise _AddressError("the connection broke off") from None
    except requests.ConnectionError as error:
        # Reading that times out after the first bytes is reported as a lost connection.
        slow = "timed out" in str(error).lower()
        fault = f"no answer within {timeout:g} seconds" if slow else "cannot be reached"
        raise _AddressError(fault) from None
    except requests.RequestException as error:
        raise _AddressError(str(error)) from None


def _read_member(archive: Path, member: str) -> bytes:
    """Read a file in a zip, or bytes of it: ``folder/file.dat`` or ``folder/file.dat[0:100]``."""
    name, start, stop = re.fullmatch(r"(.*?)(?:\[(\d*):(\d*)\])?", member).groups()  # type: ignore[union-attr]
    try:
        with zipfile.ZipFile(archive) as unpacked:
            content = unpacked.read(name)
    except (zipfile.BadZipFile, KeyError) as error:
        raise _AddressError(f"holds no {name} ({error})") from None
    return content[int(start or 0) : int(stop) if stop else None]


def _other_content(sha256: str) -> str:
    return f"its content is not the known one (sha256 {sha256})"


def _no_address(facts: DatasetFacts, folder: Path) -> str:
    """The message about a data set that has to be placed by hand."""
    paths = ", ".join(str(folder / file.path) for file in facts.files)
    return (
        f"data set {facts.name} has no address that it may be fetched from (licence: "
        f"{facts.licence}); get it from {facts.source}, {facts.citation}, and place it at {paths}"
    )
