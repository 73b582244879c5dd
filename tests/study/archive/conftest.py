"""Databases for tests of archives."""

from __future__ import annotations

import shutil

import pytest
from tiny_studies import TINY


@pytest.fixture
def postgresql(server) -> str:
    """URL of an empty PostgreSQL database."""
    return server.create()


@pytest.fixture
def database(here, finished) -> str:
    """URL of a copy of the finished study's database; its study file lies beside it."""
    shutil.copy(finished, here / "own.db")
    (here / "tiny.toml").write_text(TINY)
    return "sqlite:///own.db"
