"""Paths that are no files: one line that names it, for every command and key that has one."""

from __future__ import annotations

import os
import shutil

import pytest
from tiny_studies import tiny

from remix_study.cli.arguments import study_names
from remix_study.cli.main import main
from remix_study.study import storage

LONG = "x" * 300
NO_FILES = {
    "loop": "Too many levels of symbolic links",
    "loop/below": "Too many levels of symbolic links",
    "pipe": "a pipe or a device",
    "/dev/zero": "a pipe or a device",
    "tiny.toml/below": "Not a directory",
    LONG: "File name too long",
    "NUL \\u0000": "a name cannot hold a NUL",
}
KEYS = {
    "file": 'file = "{}"\nlabel = "y"',
    "test_file": 'file = "t.csv"\nlabel = "y"\ntest_file = "{}"',
    "files": 'files = ["t.csv", "{}"]\nlabel = "y"',
    "images": 'images = "{}"',
    "sql": 'sql = "sqlite:///{}"\nquery = "select 1"\nlabel = "y"',
}


@pytest.fixture
def odd_files(here):
    """A folder with a loop of links, a pipe, a table and a study file."""
    (here / "loop").symlink_to("loop")
    os.mkfifo(here / "pipe")
    (here / "t.csv").write_text("x,y\n" + "1,a\n2,b\n" * 40)
    (here / "tiny.toml").write_text(tiny())
    return here


def last_line(capfd, *words: str) -> tuple[int, str]:
    """Exit code of a command, and the only line that it printed."""
    code = main(words)
    out, errors = capfd.readouterr()
    assert (out, errors.count("\n")) == ("", 1)
    return code, errors


@pytest.mark.parametrize("key", KEYS)
def test_a_key_whose_path_is_no_file_is_one_line(key, odd_files, capfd):
    for name, reason in NO_FILES.items():
        text = KEYS[key].format(name)
        (odd_files / "odd.toml").write_text(tiny(('dataset = "wine"', text)))
        code, line = last_line(capfd, "run", "odd.toml", "--dry-run")
        assert (code, reason in line, name.split()[0] in line) == (2, True, True), line


def test_a_study_file_or_database_that_is_no_file_is_one_line(odd_files, capfd):
    for name, reason in NO_FILES.items():
        if "\\" in name:
            # No shell passes it on.
            continue
        for words in (["status"], ["run", "tiny.toml"]):
            code, line = last_line(capfd, *words, "--storage", f"sqlite:///{name}")
            assert (code, name.partition("/below")[0] in line) == (3, True)
        (odd_files / "odd.toml").unlink(missing_ok=True)
        if "/" not in name and name != LONG:
            (odd_files / "odd.toml").symlink_to(name)
            code, line = last_line(capfd, "run", "odd.toml")
            assert (code, reason in line) == (2, True)


@pytest.mark.slow
@pytest.mark.usefixtures("odd_files")
def test_an_output_that_cannot_be_made_is_one_line(finished, capfd):
    options = ("--storage", f"sqlite:///{finished}", "--output")
    for words in (["report"], ["export"], ["fit", "tiny"]):
        for name in ("loop/below", "pipe/below", LONG):
            code, line = last_line(capfd, *words, *options, name)
            assert (code, name in line) == (2, True), line


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///x.db?mode=ro&uri=true",
        "sqlite:///file:x.db?mode=memory&uri=true",
        "sqlite:///file:x.db",
        "sqlite:///x.db?timeout=abc",
        "sqlite://host/x.db",
        "sqlite:///\udcff.db",
    ],
)
def test_a_url_that_sends_sqlite_elsewhere_is_refused(url, odd_files, capfd):
    for words in (["status"], ["run", "tiny.toml"]):
        assert last_line(capfd, *words, "--storage", url)[0] == 3
    assert not list(odd_files.glob("*x.db*"))


@pytest.mark.usefixtures("odd_files")
def test_files_that_may_not_be_read_are_one_line(capfd, monkeypatch):
    # Whoever runs tests may be root, who may read everything.
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    for words in (["run", "tiny.toml"], ["status", "--storage", "sqlite:///t.csv"]):
        assert "Permission denied" in last_line(capfd, *words)[1]


def test_a_finished_database_in_a_read_only_folder_is_readable(finished, here, monkeypatch):
    (here / "archive").mkdir()
    shutil.copy(finished, here / "archive" / "x.db")
    monkeypatch.setattr(storage.os, "access", lambda _, mode: mode != os.W_OK)
    assert main(["status", "--storage", "sqlite:///archive/x.db"]) == 0
    # Else SQLite makes files beside it, also to read.
    assert [path.name for path in (here / "archive").iterdir()] == ["x.db"]


def test_a_study_that_is_called_like_a_file(odd_files):
    (odd_files / "tiny").write_text("a log of this study\n")
    (odd_files / "mine").write_text(tiny())
    assert study_names(["tiny", "mine", "tiny.toml"]) == ["tiny"] * 3
