"""Damaged databases: any row, value, blob or JSON of any table, and every command."""

from __future__ import annotations

import contextlib
import json
import lzma
import random
import shutil
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from fuzz.draws import SECONDS, draws
from made_up_data import make_up_data
from simulated_training import simulate_training, skip_conclusion
from tiny_studies import TINY, complete_values, query
from wsgi_client import request

from remix_study.cli.main import main
from remix_study.dashboard.pages import RenewalThread
from remix_study.dashboard.server import Server

DATABASE, WHOLE = Path("x.db"), Path("whole.db")
READING = (
    ("status",),
    ("repair", "--dry-run"),
    ("export", "--format", "json", "--output", "out.json"),
)
DASHBOARD = ("dashboard", "--port", "0")
ALL = (
    *READING,
    DASHBOARD,
    ("report", "--output", "page"),
    ("run", "tiny.toml"),
    ("repair", "--all", "--retrain"),
    ("run", "tiny.toml"),
)


class Damage(NamedTuple):
    """A change of one value, or of whole rows where there is no column."""

    table: str
    column: str | None
    row: int | None
    value: Any


def other_values(value: Any) -> Iterator[Any]:
    """Values of other types, broken ones, and JSON that lacks something."""
    yield None
    if isinstance(value, bytes):
        yield from (value[: len(value) // 2], b"", "text", zlib.compress(b"123"))
    elif isinstance(value, str):
        yield from (b"\xff\xfe", 7, "nonsense", value[: len(value) // 2], "{}", "[]", "null", "3")
        with contextlib.suppress(ValueError):
            yield from map(json.dumps, other_contents(json.loads(value)))
    else:
        yield from ("text", -5, 10**12, 0.5, b"\0", float("inf"))


def other_contents(content: Any) -> Iterator[Any]:
    """JSON of which one key, at any depth, is missing or has another value."""
    for key, inner in content.items() if isinstance(content, dict) else ():
        yield {k: v for k, v in content.items() if k != key}
        yield from (content | {key: new} for new in (None, "zz", *other_contents(inner)))


def all_damages(draw: random.Random | None = None) -> list[Damage]:
    """Every kind of change to the middle row of every table of the database, or to a drawn one."""
    damages = []
    with contextlib.closing(sqlite3.connect(WHOLE)) as connection:
        names = (
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
            "AND sql NOT LIKE '%WITHOUT ROWID'"
        )
        for (table,) in connection.execute(names).fetchall():
            cursor = connection.execute(f"SELECT rowid, * FROM {table}")
            columns, rows = [c[0] for c in cursor.description[1:]], cursor.fetchall()
            if rows:
                number, *values = draw.choice(rows) if draw else rows[len(rows) // 2]
                damages += [Damage(table, None, number, None), Damage(table, None, None, None)]
                damages += [
                    Damage(table, column, number, new)
                    for column, value in zip(columns, values, strict=True)
                    for new in other_values(value)
                ]
    return damages


def damage_database(damage: Damage) -> None:
    """Change the database, whatever its tables allow."""
    with contextlib.closing(sqlite3.connect(DATABASE)) as connection:
        connection.execute("PRAGMA writable_schema = 1")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '') WHERE name = ?",
            (damage.table,),
        )
        connection.commit()
    with contextlib.closing(sqlite3.connect(DATABASE)) as connection:
        where = "" if damage.row is None else f" WHERE rowid = {damage.row}"
        with contextlib.suppress(sqlite3.Error):
            if damage.column is None:
                connection.execute(f"DELETE FROM {damage.table}{where}")
            else:
                change = f"UPDATE {damage.table} SET {damage.column} = ?{where}"
                connection.execute(change, (damage.value,))
            connection.commit()


@pytest.fixture
def whole(here, monkeypatch, _blank, capsys) -> Path:
    """A finished study in a database that no test changes."""
    simulate_training(monkeypatch.setattr)
    make_up_data(monkeypatch.setattr)
    skip_conclusion(monkeypatch.setattr)
    shutil.copy(_blank, here / DATABASE)
    Path("tiny.toml").write_text(TINY)
    assert main(["run", "tiny.toml", "--storage", f"sqlite:///{DATABASE}", "--json"]) == 0
    capsys.readouterr()
    return Path(shutil.copy(DATABASE, WHOLE))


def run_commands(whole: Path, damages: Sequence[Damage], commands, capsys) -> None:
    """Run commands on a damaged copy: none shows a traceback, each says in a line what fails."""
    for path in (*Path().glob("x.db-*"), Path("out.json")):
        path.unlink(missing_ok=True)
    shutil.rmtree("page", ignore_errors=True)
    shutil.copy(whole, DATABASE)
    for damage in damages:
        damage_database(damage)
    for words in commands:
        code = main([*words, "--storage", f"sqlite:///{DATABASE}"])
        errors = capsys.readouterr().err
        # A study file is compared with settings that may be damaged.
        assert code in (0, 1, 3) or words[0] == "run", (damages, words, errors)
        if words == DASHBOARD and code == 0:
            # It goes on: a line for its pages, and one for each kind of request that failed.
            assert all(line.startswith("remix-study: ") for line in errors.splitlines()), errors
        else:
            assert errors.count("\n") == (code > 1), (damages, words, errors)


@pytest.fixture(autouse=True)
def _asked_in_process(monkeypatch):
    """A dashboard that answers some requests without a port, after its pages were renewed."""

    def renew_once(thread):
        is_over = iter([False, True])
        event = SimpleNamespace(wait=lambda _: next(is_over), is_set=lambda: False)
        thread._stop_event = event
        thread.run()

    def serve(server, **_):
        for path in ("/api/studies", "/api/studies/1", "/api/studies/1/param_importances"):
            status, _, _ = request(server.get_app(), path)
            assert status[:3] in ("200", "404", "500")

    monkeypatch.setattr(Server, "server_bind", lambda server: setattr(server, "server_port", 0))
    monkeypatch.setattr(Server, "server_activate", lambda _: None)
    monkeypatch.setattr(Server, "serve_forever", serve)
    monkeypatch.setattr(RenewalThread, "start", renew_once)
    monkeypatch.setattr(RenewalThread, "end", lambda _: None)


def test_some_damages_and_the_commands_that_read(whole, capsys):
    for number, damage in enumerate(random.Random(20).sample(all_damages(), 15)):
        # Its pages take most of the time.
        commands = (*READING, DASHBOARD) if number % 5 == 0 else READING
        run_commands(whole, [damage], commands, capsys)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("share", range(8))
def test_all_damages_and_all_commands(whole, capsys, share):
    damages = all_damages()
    random.Random(0).shuffle(damages)
    for damage in damages[share::8]:
        run_commands(whole, [damage], ALL, capsys)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_several_damages_at_once_of_drawn_rows(whole, capsys):
    for draw in draws(0, SECONDS):
        damages = draw.sample(all_damages(draw), draw.randint(1, 3))
        run_commands(whole, damages, ALL, capsys)


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("remix_parts", "rows"),
        ("remix_folds", "curves"),
        ("remix_probabilities", "probabilities"),
    ],
)
def test_a_text_in_the_place_of_bytes_is_named(whole, capsys, table, name):
    """Also one that base64 could have written."""
    report = ("report", "--output", "page")
    run_commands(whole, [Damage(table, name, 2, "text")], (*READING, report), capsys)
    assert main(["repair", "--dry-run", "--storage", f"sqlite:///{DATABASE}"]) == 1
    assert f"{table}: {name}: expected bytes, got str" in capsys.readouterr().out


@pytest.fixture
def summary(whole) -> Path:
    """The study without its probabilities, in the place of the whole one."""
    words = ["report", "--output", "page", "--summary", "--storage", f"sqlite:///{whole}"]
    assert main(words) == 0
    whole.write_bytes(lzma.decompress(Path("page", "summary.db.xz").read_bytes()))
    return whole


@pytest.mark.slow
@pytest.mark.usefixtures("unrendered_figures")
def test_all_damages_of_a_summary(summary, capsys):
    damages = [d for d in all_damages() if d.table == "remix_summaries"]
    assert len(damages) > 100
    for damage in damages:
        run_commands(summary, [damage], (*READING, ("report", "--output", "page")), capsys)


@pytest.mark.usefixtures("unrendered_figures")
@pytest.mark.parametrize("content", ["[]", '{"reliability": {"as trained": {}}}', '{"form": 3}'])
def test_a_damaged_summary_is_named(summary, capsys, content):
    damage = Damage("remix_summaries", "content", 1, content)
    run_commands(summary, [damage], (*READING, ("report", "--output", "page")), capsys)


@pytest.mark.parametrize("settings", ["null", None, '{"study": {"seed": 0}}'])
def test_settings_that_are_missing_are_named(whole, capsys, settings):
    """A study file is compared with them."""
    damages = [Damage("remix_studies", "settings", 1, settings)]
    run_commands(whole, damages, (*READING, ("run", "tiny.toml")), capsys)
    assert main(["run", "tiny.toml", "--storage", f"sqlite:///{DATABASE}"]) == 3
    assert "remix_studies: settings: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("table", "column", "change", "place"),
    [
        ("remix_folds", "trained_on", {"untrained": "zz"}, "untrained"),
        ("remix_studies", "facts", {"report": {"rope": 2}}, "report.rope"),
        ("remix_studies", "definition", {"decision": {"costs": "high"}}, "decision.costs"),
        ("remix_studies", "definition", {"study": {"seed": None}}, "study.seed"),
    ],
)
def test_content_that_only_a_page_reads_is_named(whole, capsys, table, column, change, place):
    content = json.loads(query(DATABASE, f"SELECT {column} FROM {table} WHERE rowid = 1")[0][0])
    damage = Damage(table, column, 1, json.dumps(content | change))
    run_commands(whole, [damage], (*READING, ("report", "--output", "page")), capsys)
    assert main(["repair", "--dry-run", "--storage", f"sqlite:///{DATABASE}"]) == 1
    assert f"{table}: {column}.{place}: " in capsys.readouterr().out


def test_an_alpha_below_zero_is_named(whole, capsys):
    report = ("report", "--output", "page")
    run_commands(whole, [Damage("remix_runs", "alpha", 3, -5)], (*READING, report), capsys)
    assert main(["report", "--output", "page", "--storage", f"sqlite:///{DATABASE}"]) == 3


def test_a_study_that_optuna_has_lost_is_named(whole, capsys):
    """Another one may not take its id, with what is left of it."""
    commands = (*READING, ("run", "tiny.toml"))
    run_commands(whole, [Damage("studies", None, None, None)], commands, capsys)
    assert main(["run", "tiny.toml", "--storage", f"sqlite:///{DATABASE}"]) == 3
    assert "study 1: studies: its row is not there" in capsys.readouterr().err


@pytest.mark.parametrize("table", ["remix_folds", "remix_scores", "remix_probabilities"])
@pytest.mark.parametrize("column", ["repeat", "fold"])
def test_a_fold_that_the_study_has_not_is_named(whole, capsys, table, column):
    report = ("report", "--output", "page")
    run_commands(whole, [Damage(table, column, 4, 10**12)], (*READING, report), capsys)
    assert main(["repair", "--dry-run", "--storage", f"sqlite:///{DATABASE}"]) == 1


@pytest.mark.parametrize("attributes", [{}, {"choices": None}, {"choices": []}])
def test_choices_that_are_missing_are_named(whole, capsys, attributes):
    content = json.dumps({"name": "CategoricalDistribution", "attributes": attributes})
    damage = Damage("trial_params", "distribution_json", 3, content)
    run_commands(whole, [damage], READING, capsys)
    assert main(["repair", "--dry-run", "--storage", f"sqlite:///{DATABASE}"]) == 1
    assert "trial_params: distribution_json cannot be read" in capsys.readouterr().out


@pytest.mark.parametrize("file", [None, "zz", {"sha256": "0"}])
def test_a_damaged_account_of_a_run_is_named_and_deleted(whole, capsys, file):
    (content,) = query(DATABASE, "SELECT manifest FROM remix_manifests")[0]
    damaged = json.dumps(json.loads(content) | {"file": file})
    run_commands(whole, [Damage("remix_manifests", "manifest", 1, damaged)], READING[:2], capsys)
    storage = ["--storage", f"sqlite:///{DATABASE}"]
    assert main(["report", "--output", "page", *storage]) == 3
    assert "tiny/wine: an account of how it was run is damaged" in capsys.readouterr().err
    assert main(["repair", *storage]) == 0
    assert main(["report", "--output", "page", *storage]) == 0


@pytest.mark.usefixtures("whole")
def test_damaged_trials_are_named_left_to_repair_and_trained_again(capsys):
    storage = ["--storage", f"sqlite:///{DATABASE}"]
    before = complete_values(DATABASE)
    scores = "SELECT * FROM remix_scores ORDER BY repeat, fold, part, metric, value"
    scores_before = [row[1:] for row in query(DATABASE, scores)]
    (blob,) = query(DATABASE, "SELECT probabilities FROM remix_probabilities WHERE rowid = 6")[0]
    damage_database(Damage("remix_probabilities", "probabilities", 6, blob[:20]))
    damage_database(Damage("remix_folds", None, 6, None))
    damage_database(Damage("remix_scores", "value", 3, "high"))
    damage_database(Damage("trial_values", "value", 1, None))
    assert main(["report", *storage]) == 3
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["repair", "--dry-run", *storage]) == 1
    *lines, _ = capsys.readouterr().out.splitlines()
    assert [line.split(";")[0] for line in lines] == [
        "left: tiny/wine: trial 0: remix_scores: value: expected float, got str",
        "left: tiny/wine: trial 1: remix_probabilities: probabilities are damaged (Error -5 while "
        "decompressing data: incomplete or truncated stream)",
        "left: tiny/wine: trial 0: trial_values: value is missing, and 1 more row",
        "left: tiny/wine: trial 2 is COMPLETE and rows of its results are not there",
    ]
    assert all(line.endswith("and the next `run` trains it again") for line in lines)
    assert main(["repair", "--retrain", *storage]) == 0
    assert main(["run", "tiny.toml", *storage]) == 0
    assert main(["repair", *storage]) == 0
    assert capsys.readouterr().out.endswith("nothing is wrong\n")
    assert complete_values(DATABASE) == before
    assert [row[1:] for row in query(DATABASE, scores)] == scores_before
