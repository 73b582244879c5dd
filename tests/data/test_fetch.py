"""Downloads from a server of this process: complete, broken off, others, refused, slow, absent."""

from __future__ import annotations

import errno
import io
import json
import re
import socket
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import Mock

import pytest
from made_up_digits import DIGITS, OPTDIGITS, TES, TRA
from msgspec.structs import replace

from remix_study.cli.main import main
from remix_study.data.cache import VARIABLE as CACHE
from remix_study.data.catalogue import CATALOGUE, PublishedFile
from remix_study.data.fetch import FetchError, fetch
from remix_study.data.named_datasets import load_dataset
from remix_study.data.published_files import VARIABLE as DATA
from remix_study.data.published_files import data_folder
from remix_study.errors import DataError

ZIP = "/digits.zip"


def zip_of_digits() -> bytes:
    with zipfile.ZipFile(packed := io.BytesIO(), "w") as archive:
        archive.writestr("raw/digits.dat", DIGITS[TRA] + DIGITS[TES])
    return packed.getvalue()


class Server(ThreadingHTTPServer):
    """Serves the made-up digits; ``behaviour`` says how, ``ranges`` what was asked for."""

    daemon_threads = True
    behaviour = "good"
    contents: dict[str, bytes]
    ranges: list[str]
    released: threading.Event


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        content = self.server.contents[self.path]
        behaviour = self.server.behaviour
        wanted = self.headers.get("Range", "")
        self.server.ranges.append(wanted)
        if behaviour == "404":
            self.send_error(404)
            return
        start = int(wanted[6:-1]) if wanted and behaviour != "no ranges" else 0
        if start and start >= len(content):
            self.send_error(416)
            return
        body = content[start:]
        if behaviour == "wrong":
            body = body[:-2] + b"!\n"
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if behaviour == "truncated":
            body = body[: len(body) // 2]
        if behaviour == "slow":
            self.wfile.write(body[:1000])
            self.wfile.flush()
            self.server.released.wait(10)
            return
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.contents = {f"/{path}": content for path, content in DIGITS.items()}
    server.contents[ZIP] = zip_of_digits()
    server.ranges, server.released = [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


def known_as(monkeypatch: pytest.MonkeyPatch, urls: Callable[[str], tuple[str, ...]]) -> None:
    files = tuple(
        PublishedFile(path, sha256(DIGITS[path]).hexdigest(), urls=urls(path))
        for path in (TRA, TES)
    )
    monkeypatch.setitem(CATALOGUE, "optdigits", replace(OPTDIGITS, files=files))


@pytest.fixture
def base(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server's address, from which the catalogue has the files; an empty data folder."""
    monkeypatch.setenv(DATA, str(tmp_path / "data"))
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    base = f"http://127.0.0.1:{server.server_port}"
    known_as(monkeypatch, lambda path: (f"{base}/{path}",))
    return base


def assert_complete(folder: Path) -> None:
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert files == DIGITS


def test_every_file_is_fetched_verified_and_said(base: str, tmp_path: Path, capsys) -> None:
    assert main(["datasets", "fetch", "optdigits"]) == 0
    out, errors = capsys.readouterr()
    assert_complete(tmp_path / "data")
    assert errors == ""
    assert f"files go to {tmp_path / 'data'} ({DATA})" in out
    assert f"{tmp_path / 'data' / TRA}  {base}/{TRA}" in out
    assert "licence: CC BY 4.0" in out
    assert "verified: 5,620 rows, 64 features" in out
    assert main(["datasets", "fetch", "optdigits", "wine", "--json"]) == 0
    present = {str(tmp_path / "data" / path): "" for path in (TRA, TES)}
    assert json.loads(capsys.readouterr().out) == {"optdigits": present, "wine": {}}


def test_what_is_there_is_not_fetched_again(base: str, server: Server, tmp_path: Path) -> None:
    (tmp_path / "data" / TRA).parent.mkdir(parents=True)
    (tmp_path / "data" / TRA).write_bytes(DIGITS[TRA])
    assert [file.url for file in fetch("optdigits")] == ["", f"{base}/{TES}"]
    assert [file.url for file in fetch("optdigits")] == ["", ""]
    assert len(server.ranges) == 1
    assert_complete(tmp_path / "data")


def test_progress_counts_bytes(base: str) -> None:
    events: list[tuple[str, int, int]] = []
    list(fetch("optdigits", lambda *event: events.append(event)))
    assert base
    for path, content in DIGITS.items():
        received = [event for event in events if event[0] == path]
        assert received[-1] == (path, len(content), len(content))
        assert received == sorted(received)


FAULTS = {
    "truncated": "the connection broke off",
    "wrong": "its content is not the known one (sha256 ",
    "404": "404 Not Found",
    "slow": "no answer within 0.2 seconds",
}


@pytest.mark.parametrize("behaviour", FAULTS)
def test_a_fault_is_one_line_with_the_address_and_the_place(
    base: str, server: Server, tmp_path: Path, behaviour: str
) -> None:
    server.behaviour = behaviour
    with pytest.raises(FetchError, match=re.escape(f"{base}/{TRA}: {FAULTS[behaviour]}")) as e:
        list(fetch("optdigits", timeout=0.2))
    target = tmp_path / "data" / TRA
    assert f"place it at {target} (sha256 of the file: {sha256(DIGITS[TRA]).hexdigest()})" in str(
        e.value
    )
    assert "\n" not in str(e.value)
    assert e.value.exit_code == 4
    assert not target.exists()


def test_no_network(base: str, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    assert base
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        known_as(monkeypatch, lambda _path: (closed, "http://nowhere.invalid/x"))
        assert main(["datasets", "fetch", "optdigits", "wine", "seizure"]) == 4
    out, errors = capsys.readouterr()
    assert "verified: 178 rows" in out
    assert [line.split()[1] for line in errors.splitlines()] == ["optdigits/optdigits.tra", "data"]
    assert f"{closed}: cannot be reached; http://nowhere.invalid/x: cannot be reached" in errors


@pytest.mark.parametrize("behaviour", ["good", "no ranges"])
def test_a_download_that_broke_off_goes_on(
    base: str, server: Server, tmp_path: Path, behaviour: str
) -> None:
    server.behaviour = "truncated"
    for _ in range(2):
        with pytest.raises(FetchError):
            list(fetch("optdigits"))
    part = tmp_path / "data" / f"{TRA}.part"
    assert DIGITS[TRA].startswith(part.read_bytes())
    received = int(server.ranges[1].removeprefix("bytes=").removesuffix("-"))
    assert 0 < received < part.stat().st_size
    server.behaviour = behaviour
    assert [file.url for file in fetch("optdigits")] == [f"{base}/{TRA}", f"{base}/{TES}"]
    assert_complete(tmp_path / "data")


def test_a_part_of_another_file_is_thrown_away(base: str, server: Server, tmp_path: Path) -> None:
    part = tmp_path / "data" / f"{TRA}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"<html>")
    list(fetch("optdigits"))
    assert base
    assert server.ranges == ["bytes=6-", "", ""]
    assert_complete(tmp_path / "data")


def test_a_complete_part_is_taken(base: str, server: Server, tmp_path: Path) -> None:
    part = tmp_path / "data" / f"{TRA}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(DIGITS[TRA])
    list(fetch("optdigits"))
    assert base
    assert server.ranges == [f"bytes={len(DIGITS[TRA])}-", ""]
    assert_complete(tmp_path / "data")


def test_the_next_address_is_tried_and_may_be_a_zip(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = len(DIGITS[TRA])
    parts = {TRA: f"[:{n}]", TES: f"[{n}:]"}
    known_as(
        monkeypatch,
        lambda path: ("http://127.0.0.1:9/gone", f"{base}{ZIP}#raw/digits.dat{parts[path]}"),
    )
    list(fetch("optdigits"))
    assert_complete(tmp_path / "data")
    known_as(monkeypatch, lambda _path: (f"{base}{ZIP}#raw/other.dat",))
    (tmp_path / "data" / TRA).unlink()
    with pytest.raises(FetchError, match=r"#raw/other\.dat: holds no raw/other\.dat"):
        list(fetch("optdigits"))
    known_as(monkeypatch, lambda _path: (f"{base}{ZIP}#raw/digits.dat",))
    with pytest.raises(FetchError, match="its content is not the known one"):
        list(fetch("optdigits"))


def test_a_zip_may_be_what_is_pinned(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{base}{ZIP}#raw/digits.dat"
    pinned = sha256(zip_of_digits()).hexdigest()
    for archive_hash in (pinned, pinned[::-1]):
        file = PublishedFile(f"{archive_hash}.dat", urls=(url,), archive_sha256=archive_hash)
        monkeypatch.setitem(CATALOGUE, "optdigits", replace(OPTDIGITS, files=(file,)))
        target = tmp_path / "data" / file.path
        if archive_hash == pinned:
            list(fetch("optdigits"))
            assert target.read_bytes() == DIGITS[TRA] + DIGITS[TES]
        else:
            with pytest.raises(FetchError, match=r"sha256 of the archive"):
                list(fetch("optdigits"))
            assert not target.exists()


def test_the_small_images_are_made_of_the_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA, str(tmp_path))
    archive = tmp_path / CATALOGUE["cifar10"].downloads[0].path
    archive.parent.mkdir()
    archive.touch()
    written: list[tuple[object, ...]] = []
    monkeypatch.setattr("remix_study.data.fetch.write_subset", lambda *a: written.append(a))
    files = list(fetch("cifar10-small"))
    assert written == [(CATALOGUE["cifar10"], [archive], files[1].path)]
    assert files[1].url == "made of cifar-10-python.tar.gz"
    # Where the disk is full, one line says so.
    no_space = OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as patch:
        patch.setattr("remix_study.data.fetch.write_subset", Mock(side_effect=no_space))
        with pytest.raises(FetchError, match=r"npz: cannot be written \(No space left"):
            list(fetch("cifar10-small"))
    # Also where Keras has fetched them, and there is no data folder yet.
    monkeypatch.setenv(DATA, str(tmp_path / "new"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    for file in CATALOGUE["cifar10"].files:
        batch = tmp_path / "keras/datasets/cifar-10-batches-py" / Path(file.path).name
        batch.parent.mkdir(parents=True, exist_ok=True)
        batch.touch()
    assert list(fetch("cifar10-small"))[-1].path.parent.is_dir()


def test_without_an_address_the_message_says_how_to_place_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA, str(tmp_path))
    with pytest.raises(DataError) as caught:
        list(fetch("seizure"))
    message = str(caught.value)
    assert "licence: unclear" in message
    assert message.endswith(f"place it at {tmp_path / 'epileptic_seizure' / 'data.csv'}")
    assert caught.value.exit_code == 2
    assert list(fetch("digits")) == []


@pytest.mark.skipif(sys.platform != "linux", reason="XDG_DATA_HOME is Linux's")
def test_the_default_folder_is_the_platforms(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(DATA)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert str(data_folder()) == f"{tmp_path / 'remix_study'} (as {DATA} is not set)"
    assert [file.url for file in fetch("optdigits")] == [f"{base}/{TRA}", f"{base}/{TES}"]
    assert_complete(tmp_path / "remix_study")
    assert load_dataset("optdigits").X.shape == (5620, 64)
    monkeypatch.setenv(DATA, "/data")
    assert str(data_folder()) == f"{Path('/data')} ({DATA})"


@pytest.mark.parametrize("words", [["fetch"], ["wine", "digits"]])
def test_words_of_the_command(words: list[str], capsys) -> None:
    assert main(["datasets", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_addresses_of_the_catalogue_are_pinned_by_hash() -> None:
    files = [f for facts in CATALOGUE.values() for f in (*facts.files, *facts.downloads) if f.urls]
    assert len(files) == 13
    for file in files:
        assert re.fullmatch("[0-9a-f]{64}", file.sha256 or file.archive_sha256)
        assert all(url.startswith("https://") for url in file.urls)
