"""Rows of a database query: the same as of a file, and no password anywhere."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from remix_study.data.dataset import Dataset
from remix_study.data.problem_data import load_problem_data
from remix_study.errors import RemixStudyError, StudyFileError
from remix_study.studyfile.outside_files import outside_file_notes
from remix_study.studyfile.parsing import parse_study

ROWS = [
    (None if i == 1 else 30.5 + i, ("Oslo", None, "Bergen")[i % 3], f"p{i % 4}", f"{i % 2}")
    for i in range(24)
]
QUERY = "select age, city, patient, target from people order by rowid"


@pytest.fixture
def shop(here: Path) -> Path:
    with closing(sqlite3.connect(here / "shop.db")) as connection, connection:
        connection.execute("create table people (age real, city text, patient text, target text)")
        connection.executemany("insert into people values (?, ?, ?, ?)", ROWS)
    return here / "shop.db"


def study_text(sql: str = "sqlite:///shop.db", query: str = QUERY, more: str = "") -> str:
    return (
        f'[study]\nname = "s"\n[[problems]]\nsql = "{sql}"\nquery = "{query}"\n'
        f'label = "target"\ngroups = "patient"\n{more}'
    )


def load(text: str, *, plugins: bool = True) -> Dataset:
    study = parse_study(text, "study.toml")
    study = study if plugins else study.without_plugins()
    return load_problem_data(study, study.problems[0], None)


@pytest.mark.usefixtures("shop")
def test_rows_of_a_query_are_a_table() -> None:
    dataset = load(study_text())
    assert dataset.name == "people"
    assert dataset.features == ("age", "city=Bergen", "city=Oslo")
    np.testing.assert_array_equal(dataset.X[:3], [[30.5, 0, 1], [np.nan, 0, 0], [32.5, 1, 0]])
    assert dataset.classes == ("0", "1")
    assert dataset.y.tolist() == [0, 1] * 12
    assert dataset.groups is not None
    assert dataset.groups.tolist() == [0, 1, 2, 3] * 6
    assert dataset.source == "query of sqlite:///shop.db"
    assert dataset.notes == ()
    assert np.isnan(load(study_text(more='missing = ["30.5"]')).X[0, 0])


@pytest.mark.usefixtures("shop")
def test_signs_in_a_query_are_not_parameters() -> None:
    query = "select * from people where city like 'O%' and city <> ':x ?' order by rowid"
    assert len(load(study_text(query=query)).X) == 8


@pytest.mark.usefixtures("shop")
def test_a_query_without_an_order_is_noted() -> None:
    notes = load(study_text(query="select * from people -- order by rowid")).notes
    assert any("the query has no order by" in note for note in notes)


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("sql", ["${SHOP_URL}", "sqlite:///${SHOP_NAME}"])
def test_environment_variables_stand_for_the_url_or_parts_of_it(
    sql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RemixStudyError, match=r"variable SHOP_\w+ is not set"):
        load(study_text(sql))
    monkeypatch.setenv("SHOP_URL", "sqlite:///shop.db")
    monkeypatch.setenv("SHOP_NAME", "shop.db")
    assert len(load(study_text(sql)).X) == 24
    assert load(study_text(sql)).source == f"query of {sql}"


@pytest.mark.parametrize(
    ("sql", "query", "message"),
    [
        ("postgresql://me:hunter2@host/shop", QUERY, "sql: holds a password, which the results"),
        ("postgresql://me@host/shop?password=hunter2", QUERY, "sql: holds a password"),
        ("postgresql://me:hunter2${X}@host/shop", QUERY, "sql: holds a password"),
        ("sqlite:///shop.db", "delete from people", "query: only a query that reads may run"),
        ("sqlite:///shop.db", "/* select */ drop table people", "query: only a query that reads"),
    ],
)
def test_the_study_file_is_refused(sql: str, query: str, message: str) -> None:
    with pytest.raises(StudyFileError, match=re.escape(f"problems[0].{message}")) as caught:
        parse_study(study_text(sql, query))
    assert "hunter2" not in str(caught.value)


def test_sql_and_query_need_each_other() -> None:
    for line, missing in (('query = "select 1"', "sql"), ('sql = "sqlite:///x.db"', "query")):
        with pytest.raises(StudyFileError, match=rf"problems\[0\]\.{missing}: missing"):
            parse_study(f'[study]\nname = "s"\n[[problems]]\n{line}\nlabel = "y"\n')
    with pytest.raises(StudyFileError, match="give file or sql, not both"):
        parse_study(study_text(more='file = "x.csv"'))


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("sql", "query", "message"),
    [
        ("sqlite:///gone.db", QUERY, "gone.db: no such file"),
        (
            "sqlite:///shop.db",
            "select * from persons",
            "sqlite:///shop.db: no such table: persons",
        ),
        ("sqlite:///shop.db", "select age from people limit 0", "the query gives no rows"),
        ("sqlite:///shop.db", "select age, age from people", 'two columns are named "age"'),
        ("shop.db", QUERY, "shop.db: not a database URL; write for example"),
        ("oracle+nothing://host/x", QUERY, "oracle+nothing://host/x: "),
    ],
)
def test_a_fault_is_one_line(here: Path, sql: str, query: str, message: str) -> None:
    with pytest.raises(RemixStudyError, match=re.escape(message)) as caught:
        load(study_text(sql, query))
    assert "\n" not in str(caught.value)
    assert not (here / "gone.db").exists()


@pytest.mark.usefixtures("shop")
def test_a_key_of_files_is_refused() -> None:
    with pytest.raises(RemixStudyError, match="header says nothing about such a table"):
        load(study_text(more="header = false"))


@pytest.mark.usefixtures("shop")
def test_a_query_cannot_write() -> None:
    with pytest.raises(RemixStudyError, match="readonly"):
        load(study_text(query="with x as (select 1) insert into people values (1, 2, 3, 4)"))


def test_a_password_is_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "hunter2/:@ x")
    for sql in ("postgresql://me:${PW}@127.0.0.1:1/shop?connect_timeout=1", "${PW}"):
        with pytest.raises(RemixStudyError) as caught:
            load(study_text(sql))
        error: BaseException | None = caught.value
        assert "hunter2" not in str(error)
        assert caught.value.__suppress_context__


@pytest.mark.usefixtures("shop")
def test_no_plugins_forbids_a_query_and_a_note_names_it() -> None:
    with pytest.raises(StudyFileError, match="sql: would connect to a database"):
        load(study_text(), plugins=False)
    notes = outside_file_notes(parse_study(study_text("sqlite:///${SHOP}")))
    assert notes == ["problems[0].sql: the rows come from sqlite:///${SHOP}"]
