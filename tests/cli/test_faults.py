"""Unexpected errors in one line: a path of the user, or a defect with its traceback in a file."""

from __future__ import annotations

import argparse
import errno
import os
import re
from pathlib import Path

import pytest

from remix_study.cli import faults, status
from remix_study.cli.main import main


@pytest.mark.parametrize(
    ("name", "is_explained"),
    [
        ("{cwd}/page/index.html", True),
        ("page", True),
        ("{cwd}/pictures/cat/1.png", True),
        ("{cwd}/x.db", True),
        ("{cwd}/templates/lost.jinja", False),
        ("/proc/lost", False),
        (None, False),
    ],
)
def test_an_error_of_the_system_is_a_mistake_where_the_user_gave_its_path(
    name, is_explained, here
):
    (here / "mine.toml").write_text('images = "pictures"\n')
    options = argparse.Namespace(
        study="mine.toml", output=Path("page"), storage="sqlite:///x.db", json=False, names=[]
    )
    error = PermissionError(errno.EACCES, "Permission denied", name and name.format(cwd=here))
    fault = faults.explain(error, options)
    assert (fault is not None) == is_explained
    assert not is_explained or str(fault) == f"{error.filename}: Permission denied"
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert str(faults.explain(full, options)) == "No space left on device"


def test_a_defect_is_one_line_with_its_traceback_in_a_file(here, monkeypatch, capfd):
    def defect(*_):
        raise FileNotFoundError(errno.ENOENT, "No such file", "postgresql://me:secret@h/x")

    monkeypatch.setattr(status, "_status", defect)
    monkeypatch.setattr(faults.tempfile, "tempdir", str(here))
    monkeypatch.setattr("sys.argv", ["remix-study", "status"])
    assert main() == 70
    out, line = capfd.readouterr()
    (path,) = re.findall(r"internal error \(FileNotFoundError: .*\); .* traceback in (\S+)$", line)
    assert (out, line.count("\n"), "secret" in line) == ("", 1, False)
    text = Path(path).read_text()
    assert "in defect\n" in text
    assert "secret" not in text.replace('"postgresql://me:secret@h/x")\n', "")
    # A caller in Python sees the error itself.
    with pytest.raises(FileNotFoundError):
        main(["status"])
    with monkeypatch.context() as full:
        full.setattr(faults.tempfile, "tempdir", str(here / "lost"))
        assert main() == 70
    assert "Traceback" in capfd.readouterr().err
