"""Databases to hurt: a SQLite file, and a private PostgreSQL cluster where it is installed."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from scene import Scene
from server import Server, programs


@pytest.fixture(scope="session")
def server():
    """A running server; skips where it is not installed."""
    where = programs()
    if where is None:
        pytest.skip("PostgreSQL's server is not installed (apt-get install postgresql)")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed")
    # Sockets have short names, and the server's user must get there.
    folder = Path(tempfile.mkdtemp(prefix="remix-pg-"))
    folder.chmod(0o755)
    server = Server(folder, where)
    yield server
    server.stop("immediate")
    shutil.rmtree(folder)


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
