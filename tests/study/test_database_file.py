"""A database file that is gone: what was in it goes into a copy, which replaces nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from remix_study.errors import StorageError
from remix_study.study.database_file import check_database_file


def test_a_copy_takes_no_name_that_is_there(storage):
    Path("x-rescued.db").write_text("mine")
    with storage.engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE kept (word)")
        connection.commit()
    Path("x.db").rename("elsewhere.db")
    for name in ("x-rescued-2.db", "x-rescued-3.db"):
        with pytest.raises(StorageError, match=f"all results are in .*{name}: go on"):
            check_database_file(storage.engine)
        with closing(sqlite3.connect(name)) as copy:
            assert copy.execute("SELECT count(*) FROM kept").fetchall() == [(0,)]
    assert Path("x-rescued.db").read_text() == "mine"
