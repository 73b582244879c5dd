"""Fixtures of tests of studies: folders, databases, simulated training, a trained study."""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import optuna
import postgresql_server
import pytest
from hypothesis import settings
from optuna.storages._rdb.storage import _VersionManager
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.util import LRUCache
from tiny_studies import TINY

from remix_study.cli.main import main
from remix_study.study.storage import open_storage
from remix_study.workers.pool import thread_environment

# How long an example takes says more of the machine than of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Files in this folder lie in memory.
_MEMORY = Path("/dev/shm")

# XLA compiles without LLVM's optimisations, and in one part: the process has one core. Its other
# kernels would be quicker to compile (--xla_cpu_use_fusion_emitters=false), but take the NaN of a
# diverged network for 0.
_UNOPTIMISED = "--xla_backend_optimization_level=0"
_IN_ONE_PART = "--xla_cpu_parallel_codegen_split_count=1"
# A process that is given a flag which its XLA does not know ends at once.
_WITH_PARTS = {"tensorflow": "2.21.", "jax": "0.10."}

# Folders whose files take longest: their files come first, so that the processes end together.
_LONGEST = ("training", "faults", "study", "golden", "paper", "report", "results")


def pytest_configure(config: pytest.Config) -> None:
    """Wait for no disk, LLVM, Python or other thread, also in processes of tests.

    Most databases are written for less time than a disk takes to say that it has them. Most
    networks run for less time than LLVM optimises them; the slow tests train as users do. Many
    tests start processes; each would compile the package anew. A thread of OpenMP waits for the
    others of its process by counting, on a core that the other process of tests has work for.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for variable, threads in thread_environment(1).items():
        os.environ.setdefault(variable, threads)
    if config.option.markexpr == "not slow":
        flags = f"{_UNOPTIMISED} {_IN_ONE_PART if _all_know_parts() else ''}"
        os.environ.setdefault("XLA_FLAGS", flags.strip())
    # Looking for garbage takes a tenth of the time, and finds none among modules.
    gc.set_threshold(50_000, 20, 20)
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 2**30:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


def _all_know_parts() -> bool:
    """Whether the XLA of all that is installed is one that was seen to have this flag."""
    for library, release in _WITH_PARTS.items():
        with suppress(PackageNotFoundError):
            if not version(library).startswith(release):
                return False
    return True


def pytest_collection_finish() -> None:
    """Look for garbage among what tests make alone, not among modules."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort tests by their folder."""

    def place(item: pytest.Item) -> int:
        folders = item.nodeid.split("/")[:-1]
        places = [_LONGEST.index(folder) for folder in folders if folder in _LONGEST]
        return min(places, default=len(_LONGEST))

    items.sort(key=place)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session", autouse=True)
def _migrations() -> Iterator[None]:
    """Optuna's migration scripts are imported once, not for every database that is opened."""
    load, scripts = _VersionManager._create_alembic_script, []

    def load_once(manager):
        if not scripts:
            scripts.append(load(manager))
        return scripts[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_VersionManager, "_create_alembic_script", load_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def _compiled_statements() -> Iterator[None]:
    """SQL for SQLite is compiled once for all databases; SQLAlchemy would for each one anew."""
    compile_statement, first, compiled = ClauseElement._compile_w_cache, {}, LRUCache(2000)

    def compile_once(statement, dialect, *, compiled_cache, **options):
        if type(dialect) is SQLiteDialect_pysqlite and compiled_cache is not None:
            dialect = first.setdefault(dialect.server_version_info, dialect)
            compiled_cache = compiled
        return compile_statement(statement, dialect, compiled_cache=compiled_cache, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClauseElement, "_compile_w_cache", compile_once)
        yield


@pytest.fixture
def kept_programs(monkeypatch) -> None:
    """Programs compiled once for all tests of this process, however many studies they train."""
    from small_problems import kept_program

    from remix_study.training import compiled_problem

    monkeypatch.setattr(compiled_problem, "Program", kept_program)


@pytest.fixture
def simulated(monkeypatch) -> None:
    """Simulated training in the place of Keras."""
    from simulated_training import simulate_training

    simulate_training(monkeypatch.setattr)


@pytest.fixture
def unrendered_figures(monkeypatch) -> None:
    """Figures are made and not rendered, for tests that look at everything else."""
    from made_up_studies import leave_figures_empty

    leave_figures_empty(monkeypatch)


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
