"""Folders of runs on a SQLite file, and on a private PostgreSQL server where it is installed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from run_folder import RunFolder


@pytest.fixture(params=["sqlite", "postgresql"])
def folder(request, tmp_path):
    """A folder of a study, on either kind of database unless a test says which."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("_blank"), tmp_path / "x.db")
        url = f"sqlite:///{tmp_path}/x.db"
    else:
        url = request.getfixturevalue("server").create()
    folder = RunFolder(tmp_path, url)
    yield folder
    folder.close()


@pytest.fixture
def sqlite_folder(tmp_path, _blank):
    """A folder of a study on SQLite; its processes need not make the tables."""
    shutil.copy(_blank, tmp_path / "x.db")
    folder = RunFolder(tmp_path, f"sqlite:///{tmp_path}/x.db")
    yield folder
    folder.close()
