"""Databases to hurt: a SQLite file, and a private PostgreSQL server where it is installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from scene import Scene


@pytest.fixture(params=["sqlite", "postgresql"])
def scene(request, tmp_path):
    """A study's folder and its database, in both kinds unless a test says which."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/x.db"
    else:
        url = request.getfixturevalue("server").create()
    scene = Scene(tmp_path, url)
    yield scene
    scene.close()


@pytest.fixture
def file_scene(tmp_path):
    """The same on SQLite alone."""
    scene = Scene(tmp_path, f"sqlite:///{tmp_path}/x.db")
    yield scene
    scene.close()
