"""The cache of parsed files: used, made again when damaged, and shared by processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_up_digits import DIGITS, TES, TRA, assert_same, change_line, write

from remix_study.data import published_files
from remix_study.data.cache import VARIABLE as CACHE
from remix_study.data.cache import cache_folder, load_cached, save_cached
from remix_study.data.named_datasets import load_dataset
from remix_study.data.published_formats import Parsed
from remix_study.errors import DataError


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
