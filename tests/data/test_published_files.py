"""Published files under REMIX_STUDY_DATA: found, verified, cached, or refused in one line."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from remix_study.data import published_files
from remix_study.data.cache import VARIABLE as CACHE
from remix_study.data.cache import cache_folder, load_cached, save_cached
from remix_study.data.catalogue import CATALOGUE, PublishedFile
from remix_study.data.dataset import Dataset
from remix_study.data.named_datasets import load_dataset
from remix_study.data.published_files import VARIABLE as DATA
from remix_study.data.published_formats import Parsed
from remix_study.errors import DataError

OPTDIGITS = CATALOGUE["optdigits"]
TRA, TES = (file.path for file in OPTDIGITS.files)


def made_up_digits() -> dict[str, bytes]:
    """Files of noise with the shape, class counts and value range of the real ones."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), list(OPTDIGITS.counts.values()))
    rows = np.column_stack([rng.integers(0, 17, (5620, 64)), rng.permutation(labels)])
    lines = [",".join(map(str, row)) + "\n" for row in rows.tolist()]
    return {TRA: "".join(lines[:3823]).encode(), TES: "".join(lines[3823:]).encode()}


DIGITS = made_up_digits()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with made-up digits, and an empty cache beside it."""
    monkeypatch.setenv(DATA, str(tmp_path / "data"))
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    for path, content in DIGITS.items():
        write(tmp_path / "data" / path, content)
    return tmp_path / "data"


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue with the hashes of the made-up files."""
    files = tuple(PublishedFile(path, sha256(DIGITS[path]).hexdigest()) for path in (TRA, TES))
    monkeypatch.setitem(CATALOGUE, "optdigits", replace(OPTDIGITS, files=files))


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def assert_same(first: Dataset, second: Dataset) -> None:
    assert first.X.tobytes() == second.X.tobytes()
    assert first.y.tobytes() == second.y.tobytes()
    for field in ("classes", "features", "sha256", "notes"):
        assert getattr(first, field) == getattr(second, field)


@pytest.mark.usefixtures("known")
def test_known_files_pass_without_a_note_plain_or_gzip(folder: Path) -> None:
    plain = load_dataset("optdigits")
    assert plain.notes == ()
    expected = b"".join(DIGITS.values()).decode().split("\n")[0].split(",")
    np.testing.assert_array_equal(plain.X[0], np.array(expected[:64], dtype=float))
    for path in (TRA, TES):
        (folder / path).unlink()
        write(folder / f"{path}.gz", gzip.compress(DIGITS[path]))
        assert_same(load_dataset("optdigits"), plain)


def test_another_file_that_fits_passes_with_a_note(folder: Path) -> None:
    dataset = load_dataset("optdigits")
    assert len(dataset.notes) == 1
    assert "optdigits.tra, optdigits.tes is not a known file" in dataset.notes[0]
    assert (folder / TRA).exists()


def change_line(number: int, change: Callable[[list[bytes]], list[bytes]]) -> Callable[..., bytes]:
    """A function of a file's content that changes the cells of one line."""

    def changed(content: bytes) -> bytes:
        lines = content.splitlines()
        lines[number] = b",".join(change(lines[number].split(b",")))
        return b"\n".join(lines) + b"\n"

    return changed


@pytest.mark.usefixtures("known")
def test_one_row_changed_within_the_ranges_is_noted(folder: Path) -> None:
    changed = change_line(5, lambda cells: [b"1", b"2", *cells[2:]])(DIGITS[TES])
    write(folder / TES, changed)
    dataset = load_dataset("optdigits")
    assert dataset.X[3823 + 5, :2].tolist() == [1, 2]
    assert len(dataset.notes) == 1
    assert "optdigits.tes is not a known file" in dataset.notes[0]
    assert "optdigits.tra" not in dataset.notes[0]


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            change_line(5, lambda cells: [b"17", *cells[1:]]),
            "values reach from 0 to 17, not 0 to 16",
        ),
        (change_line(5, lambda cells: [b"-1", *cells[1:]]), "values reach from -1 to 16"),
        (change_line(5, lambda cells: [b".5", *cells[1:]]), "not all whole numbers"),
        (
            change_line(5, lambda cells: [*cells[:-1], b"1" if cells[-1] == b"0" else b"0"]),
            "its rows by class are 0: 55",
        ),
        (change_line(5, lambda cells: [*cells[:-1], b"x"]), "its rows by class are"),
        (lambda content: b"\n".join(content.split(b"\n")[1:]), "it has 5619 rows, not 5620"),
        (lambda content: content + content.split(b"\n")[0], "it has 5621 rows, not 5620"),
        (lambda content: content[: len(content) // 2], "cells instead of 65"),
        (lambda content: content.replace(b",", b";"), ", line 1: 1 cells instead of 65"),
        (lambda _content: b"", "the file is empty"),
        (lambda content: content + b"\xff", "not UTF-8 text"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name(
    folder: Path, change: Callable[[bytes], bytes], message: str
) -> None:
    write(folder / TES, change(DIGITS[TES]))
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        load_dataset("optdigits")
    assert str(folder / TES) in str(caught.value)
    assert "optdigits.tra" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.usefixtures("known")
def test_damaged_gzip(folder: Path) -> None:
    (folder / TES).unlink()
    packed = gzip.compress(DIGITS[TES])
    flipped = bytearray(packed)
    flipped[len(packed) // 2] ^= 0xFF
    for content in (packed[:-4], packed[: len(packed) // 2], bytes(flipped)):
        write(folder / f"{TES}.gz", content)
        with pytest.raises(DataError, match=r"optdigits\.tes\.gz: damaged gzip file"):
            load_dataset("optdigits")
    write(folder / f"{TES}.gz", DIGITS[TES])
    with pytest.raises(DataError, match=r"optdigits\.tes\.gz: named \.gz but not a gzip"):
        load_dataset("optdigits")


def test_a_folder_where_a_file_should_be(folder: Path) -> None:
    (folder / TES).unlink()
    (folder / TES).mkdir()
    with pytest.raises(DataError, match=r"optdigits\.tes: is a folder"):
        load_dataset("optdigits")


@pytest.mark.usefixtures("folder")
def test_an_unreadable_file(monkeypatch: pytest.MonkeyPatch) -> None:
    # Simulated, as permissions do not stop an administrator.
    def refuse(_path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match=r"optdigits\.tra: cannot be read \(Permission denied\)"):
        load_dataset("optdigits")


def test_the_message_about_missing_files_says_which_where_and_from_whom(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / TES).unlink()
    with pytest.raises(DataError) as caught:
        load_dataset("optdigits")
    message = str(caught.value)
    assert f"optdigits/optdigits.tes (or .gz) is not under {folder} ({DATA})" in message
    assert "optdigits.tra (" not in message
    assert "UCI Optical Recognition of Handwritten Digits" in message
    assert "doi 10.24432/C50P49" in message

    monkeypatch.setenv(DATA, str(folder / TRA))
    with pytest.raises(DataError, match=f"{DATA} is .*, which is not a folder"):
        load_dataset("optdigits")
    monkeypatch.delenv(DATA)
    with pytest.raises(DataError, match=f"variable {DATA} names, which is not set") as caught:
        load_dataset("coil2000")
    for name in ("ticdata2000.txt", "ticeval2000.txt", "tictgts2000.txt"):
        assert f"coil2000/{name}" in str(caught.value)


def test_the_partial_edition_says_how_many_rows_of_how_many(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = f"class,{','.join(f'f{i}' for i in range(170))}\n"
    rows = [f"{'pos' if i % 5 == 0 else 'neg'},na{f',{i}' * 169}\n" for i in range(40)]
    partial = CATALOGUE["aps"].partial
    assert partial is not None
    partial = replace(
        partial,
        rows=20,
        counts={"neg": 16, "pos": 4},
        missing=20,
        files=(PublishedFile("aps_failure/part.csv", sha256(b"").hexdigest()),),
    )
    whole = replace(CATALOGUE["aps"], rows=40, counts={"neg": 32, "pos": 8}, partial=partial)
    monkeypatch.setitem(CATALOGUE, "aps", whole)
    write(
        folder / "aps_failure" / "part.csv.gz",
        gzip.compress((header + "".join(rows[:20])).encode()),
    )
    dataset = load_dataset("aps")
    assert len(dataset.X) == 20
    assert "partial file, 20 of 40 rows" in dataset.notes[0]
    assert "part.csv.gz is not a known file" in dataset.notes[1]

    write(folder / whole.files[0].path, (header + "".join(rows)).encode())
    dataset = load_dataset("aps")
    assert len(dataset.X) == 40
    assert not any("partial" in note for note in dataset.notes)


def forbid_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(*_arguments: object) -> Parsed:
        raise AssertionError("parsed although cached")

    monkeypatch.setattr(published_files, "parse", parse)


@pytest.mark.usefixtures("folder")
def test_the_second_load_comes_from_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_dataset("optdigits")
    forbid_parsing(monkeypatch)
    second = load_dataset("optdigits")
    assert_same(first, second)
    assert not second.X.flags.writeable
    assert second.groups is None


@pytest.mark.usefixtures("known")
def test_loading_writes_into_the_cache_alone(folder: Path) -> None:
    def files_with_times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}

    before = files_with_times()
    for _ in range(2):
        load_dataset("optdigits")
    assert files_with_times() == before
    assert len(list((folder.parent / "cache").iterdir())) == 1


def test_a_changed_file_is_never_answered_from_the_cache(folder: Path) -> None:
    first = load_dataset("optdigits")
    write(folder / TES, change_line(5, lambda cells: [b"1", b"2", *cells[2:]])(DIGITS[TES]))
    second = load_dataset("optdigits")
    assert second.X[3828, :2].tolist() == [1, 2]
    assert first.sha256 != second.sha256


def test_a_cached_file_that_does_not_fit_is_refused_again(folder: Path) -> None:
    write(folder / TES, b"\n".join(DIGITS[TES].split(b"\n")[1:]))
    for _ in range(2):
        with pytest.raises(DataError, match="5619 rows"):
            load_dataset("optdigits")


@pytest.mark.usefixtures("folder")
def test_a_damaged_cache_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_dataset("optdigits")
    cache = cache_folder()
    assert cache is not None
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for content in (b"", whole[:1000], whole[:-30], bytes(flipped), b"PK nothing"):
        file.write_bytes(content)
        assert_same(load_dataset("optdigits"), first)
        assert file.read_bytes() == whole
    forbid_parsing(monkeypatch)
    assert_same(load_dataset("optdigits"), first)
    assert list(cache.iterdir()) == [file]


def test_a_cache_that_cannot_be_written_is_no_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE, str(folder / TRA))
    assert len(load_dataset("optdigits").X) == 5620

    def raise_no_space(*_arguments: object, **_keywords: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setenv(CACHE, str(folder / "cache"))
    monkeypatch.setattr(np, "savez", raise_no_space)
    assert len(load_dataset("optdigits").X) == 5620
    assert list((folder / "cache").iterdir()) == []


@pytest.mark.usefixtures("folder")
def test_groups_survive_the_cache() -> None:
    parsed = Parsed(
        np.eye(3), np.array([0, 1, 0]), ("a", "b"), ("x", "y", "z"), np.array([1, 0, 1])
    )
    save_cached("toy", "0" * 64, parsed, ("1", "2"))
    cached = load_cached("toy", "0" * 64)
    assert cached is not None
    arrays, hashes = cached
    assert hashes == ("1", "2")
    assert arrays.groups is not None
    assert arrays.groups.tolist() == [1, 0, 1]
    assert arrays.X.tobytes() == parsed.X.tobytes()
    # The file is named by half the key; the whole key must agree.
    assert load_cached("toy", "0" * 63 + "1") is None


@pytest.mark.usefixtures("folder")
def test_two_processes_may_make_the_cache_at_once() -> None:
    code = (
        "from remix_study.data.named_datasets import load_dataset\n"
        "print(load_dataset('optdigits').X.sum())\n"
        "print(load_dataset('optdigits').X.sum())\n"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outputs = {worker.communicate(timeout=60)[0] for worker in workers}
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert len(outputs) == 1
    cache = cache_folder()
    assert cache is not None
    assert [file.suffix for file in cache.iterdir()] == [".npz"]


def test_cache_folder_of_each_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv(CACHE)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "remix_study"
    # The standard says that a relative path is to be ignored.
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert cache_folder() == tmp_path / ".cache" / "remix_study"
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == tmp_path / "Library" / "Caches" / "remix_study"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_folder() == tmp_path / "local" / "remix_study"

    def raise_no_home() -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv("LOCALAPPDATA")
    monkeypatch.setattr(Path, "home", raise_no_home)
    assert cache_folder() is None


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs file permissions")
def test_a_file_without_read_permission(folder: Path) -> None:
    (folder / TES).chmod(0)
    with pytest.raises(DataError, match=r"optdigits\.tes: cannot be read"):
        load_dataset("optdigits")
