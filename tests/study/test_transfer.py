"""Studies brought from one database into another, bit by bit."""

from __future__ import annotations

import json
import pickle
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import zlib
from contextlib import closing
from pathlib import Path

import numpy as np
import optuna
import pytest
import sqlalchemy
from optuna_dashboard import get_note, save_note
from tiny_studies import TINY, command, query, tiny, trials

from remix_study.cli.main import main
from remix_study.study import transfer

X = "sqlite:///x.db"

# Every number and text of a study, whatever ids a database gave its rows.
_QUERIES = (
    "SELECT uuid, name, study, problem, created, trials, definition, facts, planned, settings "
    "FROM remix_studies",
    "SELECT study_uuid, manifest FROM remix_manifests ORDER BY id",
    "SELECT * FROM remix_parts ORDER BY 1, 2, 3, 4",
    "SELECT uuid, study_uuid, label, strategy, sampler, mixing, alpha, loss, parameters, "
    "network_parameters, seconds, peak_memory_mb, started, finished, facts FROM remix_runs "
    "ORDER BY id",
    *(
        f"SELECT uuid, x.* FROM {table} x JOIN remix_runs r ON r.id = x.run_id ORDER BY {order}"
        for table, order in [
            ("remix_folds", "uuid, repeat, fold"),
            ("remix_scores", "uuid, repeat, fold, part, metric"),
            ("remix_probabilities", "uuid, repeat, fold, part"),
        ]
    ),
    "SELECT number, state, datetime_start, datetime_complete FROM trials ORDER BY number",
    *(
        f"SELECT number, x.* FROM {table} x JOIN trials t ON t.trial_id = x.trial_id"
        for table in (
            "trial_values",
            "trial_params",
            "trial_user_attributes",
            "trial_system_attributes",
        )
    ),
    "SELECT x.* FROM study_user_attributes x",
    "SELECT x.* FROM study_system_attributes x",
)
_IDS = ("run_id", "trial_id", "study_id", *(f"trial_{x}_id" for x in ("value", "param")),
        "param_id", *(f"{x}_user_attribute_id" for x in ("trial", "study")),
        *(f"{x}_system_attribute_id" for x in ("trial", "study")))  # fmt: skip


def content(url: str) -> list[list[str]]:
    engine = sqlalchemy.create_engine(url)
    contents = []
    with engine.connect() as connection:
        for sql in _QUERIES:
            rows = connection.execute(sqlalchemy.text(sql)).mappings()
            contents.append(
                sorted(
                    repr([(k, _bits(v)) for k, v in row.items() if k not in _IDS]) for row in rows
                )
            )
    engine.dispose()
    return contents


def _bits(value):
    if isinstance(value, float):
        return struct.pack("<d", value).hex()
    if isinstance(value, bytes):
        return zlib.decompress(value).hex()
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value)


def report(storage: str, folder: str) -> dict[str, bytes]:
    assert main(["report", "--storage", storage, "--output", folder]) == 0
    paths = list(Path(folder, "tables").iterdir())
    assert len(paths) > 8
    return {path.name: path.read_bytes() for path in paths}


def refused(words: list[str], capsys, code: int = 2) -> str:
    capsys.readouterr()
    assert main(words) == code
    message = capsys.readouterr().err
    assert message.startswith("remix-study: ")
    assert message.count("\n") == 1
    return message.removeprefix("remix-study: ").strip()


@pytest.fixture(scope="module")
def postgres(server):
    return server.create()


@pytest.fixture
def mine(here, finished) -> str:
    """A copy of the finished study's database, and its study file."""
    shutil.copy(finished, here / "mine.db")
    (here / "tiny.toml").write_text(TINY)
    return "sqlite:///mine.db"


def change(database: Path, *statements: tuple[str, tuple]) -> None:
    with closing(sqlite3.connect(database)) as connection:
        for statement, values in statements:
            connection.execute(statement, values)
        connection.commit()


def test_a_study_comes_back_bit_by_bit_and_is_done_there(mine, capsys):
    assert main(["import", "mine.db", "--storage", X]) == 0
    assert capsys.readouterr().out == "imported tiny/wine\nimported 1 in all: sqlite:///x.db\n"
    assert content(X) == content(mine)
    assert main(["run", "tiny.toml", "--storage", X, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["complete_before"], answer["completed"]) == (3, 0)
    assert content(X) == content(mine)


@pytest.mark.slow
def test_reports_of_both_databases_are_the_same_bytes(mine):
    assert main(["import", mine, "tiny", "--storage", X]) == 0
    assert report(X, "theirs") == report(mine, "ours")


def test_sqlite_to_postgresql_and_back(mine, postgres, capsys):
    assert main(["import", "mine.db", "--storage", postgres]) == 0
    assert main(["run", "tiny.toml", "--storage", postgres, "--json"]) == 0
    assert '"completed": 0' in capsys.readouterr().out
    assert report(postgres, "theirs") == report(mine, "ours")
    assert main(["import", postgres, "--storage", X]) == 0
    assert content(X) == content(mine)
    refused(["import", "mine.db", "--storage", postgres], capsys, 3)


@pytest.mark.slow
@pytest.mark.usefixtures("mine")
def test_a_zero_loses_its_sign_in_sqlite(postgres):
    assert main(["import", "mine.db", "--storage", postgres]) == 0
    engine = sqlalchemy.create_engine(postgres)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE remix_scores SET value = '-0.0'"))
    engine.dispose()
    assert main(["import", postgres, "--storage", X]) == 0
    assert query(Path("x.db"), "SELECT DISTINCT value FROM remix_scores") == [(0.0,)]


def test_of_two_imports_at_once_one_brings_the_study(mine, here):
    words = ["import", "mine.db", "--storage", X]
    processes = [command(*words, cwd=here) for _ in range(2)]
    errors = [process.communicate()[1] for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 3]
    assert "holds this study already" in "".join(errors)
    assert content(X) == content(mine)


def test_a_database_that_holds_the_study_is_left_as_it_is(mine, here, capsys):
    shutil.copy(here / "mine.db", here / "copy.db")
    change(here / "copy.db", ("UPDATE remix_scores SET value = 0.5", ()))
    before = content(mine)
    for source in ("mine.db", "copy.db"):
        assert refused(["import", source, "--storage", mine], capsys, 3) == (
            "tiny/wine: the database holds this study already; name another database, or delete "
            "the study there first"
        )
    assert content(mine) == before


def test_an_import_neither_writes_to_the_source_nor_waits_for_a_writer(mine, here):
    before = (here / "mine.db").read_bytes()
    with closing(sqlite3.connect(here / "mine.db")) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert main(["import", mine, "--storage", X]) == 0
    assert (here / "mine.db").read_bytes() == before


def test_an_import_that_is_killed_is_begun_anew_by_the_next(mine, here):
    code = (
        "import os, signal, sys\n"
        "from remix_study.study import transfer\n"
        "write = transfer.write_study\n"
        "def killed(*words):\n"
        "    write(*words)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "transfer.write_study = killed\n"
        "from remix_study.cli.main import main\n"
        f"main(['import', 'mine.db', '--storage', '{X}'])\n"
    )
    process = subprocess.run([sys.executable, "-c", code], cwd=here, check=False)
    assert process.returncode == -signal.SIGKILL
    assert not any(content(X))
    assert main(["import", "mine.db", "--storage", X]) == 0
    assert content(X) == content(mine)


@pytest.fixture
def two_studies(mine, request) -> str:
    """The copy with a second study, ``b``, whose training was simulated."""
    request.getfixturevalue("simulated")
    Path("b.toml").write_text(tiny(('name = "tiny"', 'name = "b"')))
    assert main(["run", "b.toml", "--storage", mine]) == 0
    return mine


def test_only_the_named_studies_come(two_studies, capsys):
    assert refused(["import", two_studies, "tinny", "--storage", X], capsys) == (
        'the database holds no study "tinny"; did you mean "tiny"?'
    )
    assert not Path("x.db").exists()
    assert main(["import", two_studies, "tiny.toml", "--storage", X, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"imported": ["tiny/wine"], "in": X}
    assert query(Path("x.db"), "SELECT name FROM remix_studies") == [("tiny/wine",)]
    # Rows of another study move the ids.
    assert main(["import", two_studies, "b", "--storage", X]) == 0
    assert len(query(Path("x.db"), "SELECT DISTINCT run_id FROM remix_scores")) == 6
    assert content(X) == content(two_studies)


SEARCH = (
    ('name = "tiny"', 'name = "s"'),
    ("[search.space]", '[search]\nalgorithm = "random"\ntrials = 6\nouter = 2\n'
     'constraints = ["log_loss <= 2.0"]\n\n[search.space]'),
)  # fmt: skip


@pytest.mark.usefixtures("here", "simulated")
def test_a_search_comes_with_all_its_parts(capsys):
    Path("s.toml").write_text(tiny(*SEARCH))
    assert main(["run", "s.toml", "--storage", "sqlite:///s.db"]) == 0
    assert main(["import", "s.db", "s", "--storage", X]) == 0
    assert "imported 4 in all" in capsys.readouterr().out
    assert content(X) == content("sqlite:///s.db")
    assert main(["run", "s.toml", "--storage", X, "--json"]) == 0
    assert '"completed": 0' in capsys.readouterr().out


def test_studies_come_whole_or_not_at_all(two_studies, monkeypatch, capsys):
    # A run of the second study is there already.
    assert main(["import", two_studies, "b", "--storage", X]) == 0
    optuna.delete_study(study_name="b/wine", storage=X)
    for table in ("remix_studies", "remix_manifests", "remix_parts"):
        change(Path("x.db"), (f"DELETE FROM {table}", ()))
    change(
        Path("mine.db"),
        ("UPDATE studies SET study_name = 'z/wine' WHERE study_name = 'b/wine'", ()),
    )
    before = content(X)
    message = refused(["import", two_studies, "--storage", X], capsys, 3)
    assert message.startswith("b/wine: rows contradict each other")
    assert content(X) == before

    # What the database gives back is compared with what was written.
    def write_other_rows(connection, blocks):
        study_id = write_study(connection, blocks)
        connection.execute(sqlalchemy.text("UPDATE remix_scores SET value = value + 1e-15"))
        return study_id

    write_study = transfer.write_study
    monkeypatch.setattr(transfer, "write_study", write_other_rows)
    message = refused(["import", two_studies, "tiny", "--storage", "sqlite:///y.db"], capsys, 3)
    assert "does not give back what was written" in message
    assert not any(content("sqlite:///y.db"))


def test_a_damaged_row_is_named_and_nothing_is_kept(mine, capsys):
    change(Path("mine.db"), ("UPDATE remix_folds SET counts = '{' WHERE run_id = 2", ()))
    message = refused(["import", mine, "--storage", X], capsys, 3)
    assert "a study that cannot be read (" in message
    assert not any(content(X))


def test_a_trial_that_was_running_has_failed_elsewhere(mine, capsys):
    study = optuna.load_study(study_name="tiny/wine", storage=mine)
    study.ask()
    study.enqueue_trial({"strategy": "cost"})
    assert main(["import", mine, "--storage", X]) == 0
    assert [state for *_, state in trials(Path("x.db"))] == ["COMPLETE"] * 3 + ["FAIL"] * 2
    assert [state for *_, state in trials(Path("mine.db"))][3:] == ["RUNNING", "WAITING"]
    capsys.readouterr()
    assert main(["status", "--storage", X, "--json"]) == 0
    (status,) = json.loads(capsys.readouterr().out)
    assert (status["complete"], status["dead"], status["missing"]) == (3, 0, 0)


def test_a_trial_that_was_closed_while_it_waited_comes_along(mine):
    study = optuna.load_study(study_name="tiny/wine", storage=mine)
    study.enqueue_trial({"strategy": "cost"})
    waiting = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.WAITING])[0]
    study._storage.set_trial_state_values(waiting._trial_id, optuna.trial.TrialState.FAIL)
    assert main(["import", mine, "--storage", X]) == 0
    assert [state for *_, state in trials(Path("x.db"))] == ["COMPLETE"] * 3 + ["FAIL"]


def test_a_note_stays_with_its_trial(two_studies):
    study = optuna.load_study(study_name="tiny/wine", storage=two_studies)
    save_note(optuna.trial.Trial(study, study.trials[2]._trial_id), "my note")
    # Another study first, so that the trials have other ids.
    assert main(["import", two_studies, "b", "--storage", X]) == 0
    assert main(["import", two_studies, "tiny", "--storage", X]) == 0
    target = optuna.load_study(study_name="tiny/wine", storage=X)
    ids = [[trial._trial_id for trial in each.trials] for each in (study, target)]
    assert ids[0] != ids[1]
    notes = [get_note(optuna.trial.Trial(target, trial_id)) for trial_id in ids[1]]
    assert notes == ["", "", "my note"]


def test_a_study_that_somebody_began_meanwhile_is_left_alone(mine, monkeypatch, capsys):
    optuna.create_study(study_name="tiny/wine", storage=X).ask()
    monkeypatch.setattr(transfer, "_check_absent", lambda *_arguments: None)
    message = refused(["import", mine, "--storage", X], capsys, 3)
    assert "another process began this study meanwhile" in message
    assert [state for *_, state in trials(Path("x.db"))] == ["RUNNING"]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_whatever_breaks_an_import_leaves_nothing_behind(two_studies, error, monkeypatch):
    write_study, calls = transfer.write_study, []

    def break_at_the_second(connection, blocks):
        calls.append(None)
        if len(calls) == 2:
            raise error
        return write_study(connection, blocks)

    monkeypatch.setattr(transfer, "write_study", break_at_the_second)
    with pytest.raises(type(error)):
        main(["import", two_studies, "--storage", X])
    assert not any(content(X))


@pytest.mark.usefixtures("simulated")
def test_a_study_renamed_in_the_dashboard_does_not_come_twice(mine, capsys):
    assert main(["run", "tiny.toml", "--storage", X]) == 0
    change(Path("mine.db"), ("UPDATE studies SET study_name = 'mine'", ()))
    change(Path("mine.db"), ("UPDATE remix_studies SET uuid = 'other'", ()))
    change(Path("mine.db"), ("UPDATE study_user_attributes SET value_json = '\"other\"' "
                             "WHERE key = 'remix_study'", ()))  # fmt: skip
    before = content(X)
    message = refused(["import", mine, "--storage", X], capsys, 3)
    assert "holds this study already" in message
    assert content(X) == before


@pytest.mark.parametrize("name", ["q?r.db", "w #%20 {s} é.db"])
def test_a_file_may_have_any_name(mine, here, name, capsys):
    shutil.copy(here / "mine.db", here / name)
    if "?" in name and sqlalchemy.make_url("sqlite:///%3F").database != "?":
        # Before SQLAlchemy 2.1 no URL can have it.
        assert "q?r.db: rename the file" in refused(["import", name, "--storage", X], capsys, 3)
        return
    assert main(["import", name, "--storage", X]) == 0
    assert content(X) == content(mine)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE alembic_version SET version_num = 'v2.6.0.a'", "optuna storage upgrade"),
        ("UPDATE remix_studies SET facts = '{'", "the database is damaged"),
        ("UPDATE trial_user_attributes SET value_json = '{'", "the database is damaged"),
    ],
)
def test_a_source_that_cannot_be_read_is_one_line(mine, statement, words, capsys):
    change(Path("mine.db"), (statement, ()))
    assert words in refused(["import", mine, "--storage", X], capsys, 3)


HOSTILE = ["=cmd()", "'x", "a\r\nb", "\rc", 'd"e', "-1", "+1", "@f", "g,h", "", "\tü 😀", "＝x"]


def test_any_text_and_any_number_survives(mine):
    numbers = [5e-324, -0.0, 0.1, 1.7976931348623157e308, 1e-7, 123456789.123456789, float("inf")]
    random_bits = np.random.default_rng(0).bytes(40_000)
    change(
        Path("mine.db"),
        *(
            ("UPDATE remix_scores SET value = ? WHERE rowid = ?", (number, row))
            for row, number in enumerate(numbers, 1)
        ),
        *(
            (
                "UPDATE remix_folds SET failed = ?, counts = ? WHERE run_id = ? AND fold = ?",
                (text, json.dumps({text: [text]}), position // 2 % 3 + 1, position % 2),
            )
            for position, text in enumerate(HOSTILE[6:])
        ),
        (
            "UPDATE remix_manifests SET manifest = ?",
            (json.dumps({"texts": HOSTILE, "numbers": numbers[:-1]}),),
        ),
        ("UPDATE remix_probabilities SET probabilities = ?", (zlib.compress(random_bits),)),
    )
    assert main(["import", mine, "--storage", X]) == 0
    assert content(X) == content(mine)
    assert query(Path("x.db"), "SELECT count(*) FROM remix_scores WHERE value = 9e999") == [(1,)]


@pytest.mark.usefixtures("mine")
def test_what_is_no_database_of_studies(here, capsys):
    (here / "half.db").write_bytes((here / "mine.db").read_bytes()[:5000])
    (here / "p.pkl").write_bytes(pickle.dumps({"format": "remix_study"}))
    (here / "text.json").write_text("[" * 100_000)
    (here / "empty.db").write_bytes(b"")
    (here / "folder").mkdir()
    change(here / "other.db", ("CREATE TABLE songs (name)", ()))
    shutil.copy(here / "mine.db", here / "later.db")
    change(here / "later.db", ("UPDATE remix_schema SET version = version + 1", ()))
    sources = {
        "half.db": "", "p.pkl": "not a database", "text.json": "not a database",
        "empty.db": "holds no study of remix_study", "folder": "a folder, not a database",
        "absent.db": "there is no such database", "other.db": "holds no study of remix_study",
        "later.db": "install a newer remix_study",
    }  # fmt: skip
    for source, words in sources.items():
        message = refused(["import", source, "--storage", X], capsys, 3)
        assert source in message
        assert words in message
    assert not (here / "x.db").exists()
