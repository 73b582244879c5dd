"""Published files under REMIX_STUDY_DATA: found and verified, or refused in one line."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from made_up_digits import DIGITS, TES, TRA, assert_same, change_line, write
from msgspec.structs import replace

from remix_study.data.catalogue import CATALOGUE, PublishedFile
from remix_study.data.named_datasets import load_dataset
from remix_study.data.published_files import VARIABLE as DATA
from remix_study.errors import DataError


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

    assert '; run "remix-study datasets fetch optdigits", or get it from' in message

    monkeypatch.delenv(DATA)
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    with pytest.raises(DataError, match=f"/remix_study \\(as {DATA} is not set\\)") as caught:
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


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs file permissions")
def test_a_file_without_read_permission(folder: Path) -> None:
    (folder / TES).chmod(0)
    with pytest.raises(DataError, match=r"optdigits\.tes: cannot be read"):
        load_dataset("optdigits")
