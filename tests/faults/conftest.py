"""Folders of runs on a SQLite file, and on a private PostgreSQL server where it is installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from run_folder import RunFolder


@pytest.fixture(params=["sqlite", "postgresql"])
def folder(request, tmp_path):
    """A folder of a study, on either kind of database unless a test says which."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/x.db"
    else:
        url = request.getfixturevalue("server").create()
    folder = RunFolder(tmp_path, url)
    yield folder
    folder.close()


@pytest.fixture
def sqlite_folder(tmp_path):
    """A folder of a study on SQLite."""
    folder = RunFolder(tmp_path, f"sqlite:///{tmp_path}/x.db")
    yield folder
    folder.close()
