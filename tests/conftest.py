"""Fixtures of tests of studies: folders, databases, simulated training, a trained study."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import optuna
import postgresql_server
import pytest
from hypothesis import settings
from tiny_studies import TINY

from remix_study.cli.main import main
from remix_study.study.storage import open_storage

# How long an example takes says more of the machine than of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def simulated(monkeypatch) -> None:
    """Simulated training in the place of Keras."""
    from simulated_training import simulate_training

    simulate_training(monkeypatch.setattr)


@pytest.fixture(scope="session")
def _blank(tmp_path_factory) -> Path:
    """A database without any study; making the tables takes longer than copying them."""
    path = tmp_path_factory.mktemp("blank") / "blank.db"
    open_storage(f"sqlite:///{path}").engine.dispose()
    return path


@pytest.fixture
def storage(here, _blank):
    """An open database ``x.db`` in the current folder."""
    shutil.copy(_blank, here / "x.db")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = open_storage("sqlite:///x.db")
    yield storage
    storage.remove_session()
    storage.engine.dispose()


@pytest.fixture(scope="session")
def _postgresql():
    """Skips where PostgreSQL or its driver is not installed."""
    if postgresql_server.programs() is None:
        pytest.skip("PostgreSQL's server is not installed (apt-get install postgresql)")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed")


@pytest.fixture(scope="session")
def server(_postgresql):
    """A running PostgreSQL server; skips where it is not installed."""
    with postgresql_server.running() as server:
        yield server


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A database with the tiny study, really trained; not to be written to."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.toml").write_text(TINY)
    before = os.getcwd()
    os.chdir(folder)
    try:
        assert main(["run", "tiny.toml"]) == 0
    finally:
        os.chdir(before)
    return folder / "remix-study.db"
