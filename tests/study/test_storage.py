"""Opening databases: by several processes, never another program's, never showing passwords."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from optuna.study import StudyDirection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

import remix_study
from remix_study.cli.main import main
from remix_study.errors import StorageError
from remix_study.study.database_errors import database_errors, sqlite_url, url_without_password
from remix_study.study.database_url import server_options
from remix_study.study.storage import open_reader, open_storage


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def test_a_file_has_one_url_with_every_sqlalchemy():
    for path in ("a.db", "50%.db", "50%25/a b.db", Path("/tmp/é#%3F.db")):
        assert make_url(sqlite_url(path)).database == str(path)


def content(folder: Path) -> dict[str, str]:
    """Every file in a folder by its hash."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def raise_in_database(url: str, error: Exception) -> None:
    """Raise a driver's error while a database is used."""
    with database_errors(url):
        raise error


def refusal(open_it, url: str) -> str:
    """The one-line message with which a database is refused."""
    with pytest.raises(StorageError) as caught:
        open_it(url)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("postgresql://me:se=cret?@host/db?sslmode=require", None),
        ("postgresql://host/db?user=me&password=secret", None),
        ("postgresql://host/db?user=me&sslpassword=secret", None),
        ("sqlite:///a b%20{c}.db", "sqlite:///a b%20{c}.db"),
    ],
)
def test_a_password_is_never_shown(url, expected):
    text = url_without_password(url)
    assert "secret" not in text
    assert "cret" not in text
    if expected:
        assert text == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "results.db",
            '"results.db" is not a database URL; write for example sqlite:///results.db',
        ),
        ("", '"" is not a database URL; write for example sqlite:///'),
        ("postgresql:/me:secret@host/db", '"postgresql:/me:***@host/db" is not a database URL;'),
        ("postgresql://me:secret@host:x/db", '"postgresql://me:***@host:x/db" is not a database'),
        ("oracel://me:secret@host/db", "oracel: no driver for such a database is installed ("),
        ("sqlite+none:///x.db", "sqlite+none: no driver for such a database is installed ("),
        ("firebird://me:secret@host/db", "firebird: no driver for such a database is installed"),
        ("sqlite://", "a study needs a database file, such as sqlite:///remix-study.db"),
        ("sqlite:///:memory:", "a study needs a database file, such as sqlite:///remix-study.db"),
        ("sqlite:///no/such/folder/x.db", "no/such/folder: there is no such folder for the data"),
        ("sqlite:///.", ".: a folder, not a database"),
    ],
)
@pytest.mark.parametrize("open_it", [open_storage, open_reader])
def test_other_urls_are_refused(url, expected, open_it, here):
    text = refusal(open_it, url)
    assert text.startswith(expected)
    assert "secret" not in text
    assert content(here) == {}


def test_readers_create_nothing(here):
    assert (
        refusal(open_reader, "sqlite:///x.db")
        == "x.db: there is no such database; run a study first"
    )
    assert content(here) == {}


@pytest.mark.parametrize("open_it", [open_storage, open_reader])
def test_a_text_file_is_not_changed(open_it, here):
    (here / "x.db").write_text("my thesis\n" * 1000)
    before = content(here)
    text = refusal(open_it, "sqlite:///x.db")
    assert text.startswith("sqlite:///x.db: file is not a database; name another file with")
    assert content(here) == before


@pytest.mark.parametrize("open_it", [open_storage, open_reader])
def test_another_programs_database_stays_as_it_is(open_it, here):
    with closing(sqlite3.connect(here / "x.db")) as connection:
        for table in ("titles", "songs", "studies", "albums", "artists"):
            connection.execute(f"CREATE TABLE {table} (name TEXT)")
        connection.commit()
    before = content(here)
    text = refusal(open_it, "sqlite:///x.db")
    if open_it is open_storage:
        assert text == (
            "x.db: a database of something else (its tables: albums, artists, songs); name "
            "another file with --storage"
        )
    else:
        assert text == "sqlite:///x.db: holds no study of remix_study"
    assert content(here) == before


@pytest.mark.usefixtures("here")
def test_a_database_of_optuna_alone_is_extended():
    optuna.create_study(storage="sqlite:///x.db", study_name="other")
    assert (
        refusal(open_reader, "sqlite:///x.db") == "sqlite:///x.db: holds no study of remix_study"
    )
    storage = open_storage("sqlite:///x.db")
    assert [study.study_name for study in storage.get_all_studies()] == ["other"]
    open_reader("sqlite:///x.db")


@pytest.mark.parametrize("tables", [["studies"], ["version_info", "trials"]])
@pytest.mark.usefixtures("here")
def test_a_database_whose_creation_was_killed_is_completed(tables):
    from optuna.storages._rdb.models import BaseModel
    from sqlalchemy import create_engine

    engine = create_engine("sqlite:///x.db")
    BaseModel.metadata.create_all(engine, [BaseModel.metadata.tables[name] for name in tables])
    engine.dispose()
    open_storage("sqlite:///x.db")
    open_reader("sqlite:///x.db")


@pytest.mark.usefixtures("storage")
def test_a_database_of_another_schema_is_named(here):
    with closing(sqlite3.connect(here / "x.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v9.9'")
        connection.commit()
    assert "no longer compatible with the table schema" in refusal(open_storage, "sqlite:///x.db")
    with closing(sqlite3.connect(here / "x.db")) as connection:
        connection.execute("INSERT INTO alembic_version VALUES ('v9.8')")
        connection.commit()
    assert "alembic_version is damaged (Version" in refusal(open_storage, "sqlite:///x.db")


def test_special_characters_in_file_names(here):
    path = here / "100% {x} #1?&.db"
    open_storage(url_of(path).replace("%", "%25").replace("?", "%3F"))
    names = [path.name for path in here.iterdir() if path.suffix == ".db"]
    assert len(names) == 1
    open_reader(f"sqlite:///{names[0].replace('?', '%3F')}")


def test_errors_of_drivers_are_one_line():
    full = OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))
    with pytest.raises(StorageError, match=r"^sqlite:///x\.db: database or disk is full; make "):
        raise_in_database("sqlite:///x.db", full)
    psycopg = pytest.importorskip("psycopg")
    refused = psycopg.errors.DiskFull('could not extend file "base/5/16384": No space left')
    hint = r"No space left; the server's disk is full; make room and run again"
    with pytest.raises(StorageError, match=hint):
        raise_in_database("postgresql+psycopg://h/x", OperationalError("INSERT", {}, refused))
    with pytest.raises(ZeroDivisionError):
        raise_in_database("sqlite:///x.db", ZeroDivisionError())


def test_driver_errors_that_optuna_wraps_are_found(here):
    storage = open_storage("sqlite:///x.db")
    with closing(sqlite3.connect(here / "x.db")) as connection:
        connection.execute("DROP TABLE study_directions")
        connection.commit()
    with (
        pytest.raises(StorageError, match=r"^sqlite:///x\.db: no such table: study_directions"),
        database_errors("sqlite:///x.db"),
    ):
        storage.create_new_study([StudyDirection.MINIMIZE], "x")


@pytest.mark.usefixtures("here")
def test_a_reader_does_not_lock_out_a_writer():
    storage = open_storage("sqlite:///x.db")
    with open_reader("sqlite:///x.db").connect() as reading:
        reading.exec_driver_sql("SELECT * FROM studies").all()
        storage.create_new_study([StudyDirection.MINIMIZE], "x")
    with (
        pytest.raises(OperationalError, match="readonly"),
        open_reader("sqlite:///x.db").begin() as connection,
    ):
        connection.exec_driver_sql("DELETE FROM studies")


@pytest.mark.slow
def test_several_processes_may_create_a_database(here):
    code = (
        "import time, sys, optuna, optuna.storages._rdb.models\n"
        "from remix_study.study.storage import open_storage\n"
        "time.sleep(max(0, float(sys.argv[1]) - time.time()))\n"
        "for i in range(3): open_storage(f'sqlite:///{i}.db')\n"
    )
    root = str(Path(remix_study.__file__).parents[1])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(time.time() + 2)],
            cwd=here,
            env=os.environ | {"PYTHONPATH": root},
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    for number in range(3):
        open_reader(f"sqlite:///{number}.db")
        with closing(sqlite3.connect(here / f"{number}.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("SELECT count(*) FROM alembic_version").fetchall() == [(1,)]
            assert connection.execute("SELECT count(*) FROM version_info").fetchall() == [(1,)]
            assert re.match("wal", connection.execute("PRAGMA journal_mode").fetchone()[0])


@pytest.mark.parametrize("open_it", [open_storage, open_reader])
@pytest.mark.usefixtures("storage")
def test_a_database_of_a_later_version_is_refused_and_not_changed(open_it, here):
    with closing(sqlite3.connect(here / "x.db")) as connection:
        assert connection.execute("SELECT version FROM remix_schema").fetchall() == [(3,)]
        connection.execute("UPDATE remix_schema SET version = 4")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = content(here)["x.db"]
    assert refusal(open_it, "sqlite:///x.db") == (
        "sqlite:///x.db: its tables are of version 4, and this remix_study knows version 3; "
        "install a newer remix_study"
    )
    assert content(here)["x.db"] == before


@pytest.mark.parametrize(
    "command", ["status", "report", "export --output x.json", "repair", "dashboard"]
)
@pytest.mark.usefixtures("storage")
def test_every_command_says_so_of_a_database_of_a_later_version(command, here, capsys):
    shutil.copy(here / "x.db", here / "remix-study.db")
    with closing(sqlite3.connect(here / "remix-study.db")) as connection:
        connection.execute("UPDATE remix_schema SET version = 4")
        connection.commit()
    assert main(command.split()) == 3
    out, errors = capsys.readouterr()
    assert (out, errors.count("\n"), "install a newer remix_study" in errors) == ("", 1, True)


def test_a_lost_server_is_noticed_unless_the_url_says_when():
    url = "postgresql+psycopg://h/x"
    assert server_options(make_url(url))["connect_args"] == {
        "connect_timeout": 10,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
    }
    shorter = server_options(make_url(f"{url}?connect_timeout=3"))["connect_args"]
    assert "connect_timeout" not in shorter
    assert server_options(make_url("sqlite:///x.db")) == {"pool_pre_ping": True}


@pytest.mark.usefixtures("storage")
def test_a_database_without_a_version_is_of_the_first(here):
    with closing(sqlite3.connect(here / "x.db")) as connection:
        connection.execute("DROP TABLE remix_schema")
        connection.commit()
    open_reader("sqlite:///x.db")
    for _ in range(2):
        open_storage("sqlite:///x.db").engine.dispose()
    with closing(sqlite3.connect(here / "x.db")) as connection:
        assert connection.execute("SELECT version FROM remix_schema").fetchall() == [(3,)]


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgres"])
def test_a_missing_driver_is_named_with_its_extra(scheme, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    text = refusal(open_storage, f"{scheme}://me:secret@127.0.0.1:1/x")
    assert text == (
        "postgresql+psycopg: no driver for such a database is installed (install it with pip "
        'install "remix-study[postgres]")'
    )
