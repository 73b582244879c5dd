"""PostgreSQL: connections killed at any statement, servers that are away, and what they refuse.

All within this process: a statement is counted and its connection killed by another one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import psycopg
import pytest
import sqlalchemy
from made_up_data import make_up_data
from simulated_training import simulate_training, skip_conclusion
from sqlalchemy.engine import make_url
from tiny_studies import TINY

from remix_study.cli.main import main
from remix_study.study import database_errors, runner
from remix_study.studyfile.parsing import parse_study

STUDY = parse_study(TINY, "tiny.toml")
SCORES = """SELECT r.label, s.repeat, s.fold, s.part, s.metric, s.value
FROM remix_scores s JOIN remix_runs r ON r.id = s.run_id ORDER BY 1, 2, 3, 4, 5"""
LEFT = """SELECT (SELECT count(*) FROM remix_claims), (SELECT count(*) FROM remix_workers),
(SELECT count(*) FROM trials WHERE state = 'RUNNING'), (SELECT count(*) FROM remix_runs),
(SELECT count(*) FROM remix_manifests)"""


@pytest.fixture(autouse=True)
def _simulated(here, monkeypatch):
    """Made-up data and training, and tries that follow each other at once."""
    simulate_training(monkeypatch.setattr)
    make_up_data(monkeypatch.setattr)
    skip_conclusion(monkeypatch.setattr)
    monkeypatch.setattr(database_errors, "_PAUSES", (0.01, 0.05))
    (here / "tiny.toml").write_text(TINY)


def query(url: str, sql: str) -> list[tuple]:
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sqlalchemy.text(sql))]


class Killer:
    """Kills the connection of some statements; a commit counts as one."""

    def __init__(self, admin: psycopg.Connection, is_chosen: Callable[[int], bool]) -> None:
        self.count, self._admin, self._is_chosen = 0, admin, is_chosen

    def before_statement(self, connection, *_) -> None:
        self.count += 1
        if self._is_chosen(self.count):
            self.kill(connection.connection.driver_connection)

    def kill(self, connection: psycopg.Connection) -> None:
        pid = connection.info.backend_pid
        self._admin.execute("SELECT pg_terminate_backend(%s)", [pid])
        is_there = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
        while self._admin.execute(is_there, [pid]).fetchone() != (0,):
            time.sleep(0.001)


@contextmanager
def killing(server, is_chosen: Callable[[int], bool]) -> Iterator[Killer]:
    """Kill connections of this process while the block runs."""
    plain_url = server.url("postgres").replace("+psycopg", "")
    events = [(sqlalchemy.Engine, name) for name in ("before_cursor_execute", "commit")]
    with psycopg.connect(plain_url, autocommit=True) as admin:
        killer = Killer(admin, is_chosen)
        for target, name in events:
            sqlalchemy.event.listen(target, name, killer.before_statement)
        try:
            yield killer
        finally:
            for target, name in events:
                sqlalchemy.event.remove(target, name, killer.before_statement)


@pytest.fixture(scope="module")
def expected() -> dict[str, list[tuple]]:
    """Scores of a run that nothing disturbed, under ``scores`` once they are known."""
    return {}


def run_and_check(server, is_chosen, expected, capfd) -> int:
    """Run a study whose connections are killed; returns how many statements that took."""
    if not expected:
        url = server.create()
        runner.run(STUDY, storage=url)
        expected["scores"] = query(url, SCORES)
    url = server.create()
    with killing(server, is_chosen) as killer:
        runner.run(STUDY, storage=url)
    assert capfd.readouterr() == ("", "")
    assert query(url, LEFT) == [(0, 0, 0, 3, 1)]
    assert query(url, SCORES) == expected["scores"]
    return killer.count


@pytest.mark.slow
@pytest.mark.parametrize("stride", [47, 53, 61, 71])
def test_a_run_whose_connections_are_killed_again_and_again_is_whole(
    stride, server, expected, capfd
):
    # An operation begins anew: strides are longer than any, such as opening the database.
    n = run_and_check(server, lambda count: count % stride == 0, expected, capfd)
    assert n > 4 * stride


@pytest.mark.slow
@pytest.mark.parametrize("share", range(10))
def test_a_connection_may_be_killed_at_any_statement(share, server, expected, capfd):
    n_statements = run_and_check(server, lambda _: False, expected, capfd)
    for number in range(share + 1, n_statements + 1, 10):
        run_and_check(server, number.__eq__, expected, capfd)


@pytest.mark.slow
@pytest.mark.parametrize("share", range(4))
def test_the_answer_to_any_commit_may_be_lost(share, server, expected, capfd, monkeypatch):
    """The transaction is in the database, and nobody has heard of it."""
    commit, counts = psycopg.Connection.commit, {"all": 0, "lost": 0}

    def commit_and_lose(connection):
        commit(connection)
        # The connection that kills others commits by itself.
        counts["all"] += not connection.autocommit
        if counts["all"] == counts["lost"] and not connection.autocommit:
            connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    run_and_check(server, lambda _: False, expected, capfd)
    monkeypatch.setattr(psycopg.Connection, "commit", commit_and_lose)
    run_and_check(server, lambda _: False, expected, capfd)
    for number in range(share + 1, counts["all"] + 1, 4):
        counts |= {"all": 0, "lost": number}
        run_and_check(server, lambda _: False, expected, capfd)


@pytest.mark.slow
def test_a_server_that_starts_late_is_waited_for(server, capfd, monkeypatch):
    url = server.create()
    server.stop()
    pauses = []

    def sleep(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            server.start()

    clock = SimpleNamespace(sleep=sleep, monotonic=time.monotonic)
    monkeypatch.setattr(database_errors, "time", clock)
    monkeypatch.setattr(database_errors, "_LONG_PAUSE", 0.02)
    code = main(["run", "tiny.toml", "--storage", url])
    out, errors = capfd.readouterr()
    assert (code, errors) == (0, "")
    (note,) = re.findall("note: .*", out)
    assert re.search(r"the database is away \(.*\); waiting for it, 30 s at most$", note)
    assert len(pauses) == 3


def one_line(capfd, *words: str) -> str:
    assert main(words) == 3
    out, errors = capfd.readouterr()
    assert (out.count("note: "), errors.count("\n"), "secret" in errors) == (0, 1, False)
    return errors


def test_a_server_that_does_not_come_is_one_line(server, capfd, monkeypatch):
    monkeypatch.setattr(runner, "OPENING_SECONDS", 0.0)
    url = make_url(server.url("x")).set(port=9).render_as_string(hide_password=False)
    for words in (["run", "tiny.toml"], ["status"]):
        assert "Connection refused" in one_line(capfd, *words, "--storage", url)


REFUSALS = {
    "password": ({"password": "secret!"}, "mend the user or the password in the URL or ~/.pgpass"),
    "database": ({"database": "lost"}, "create it first (createdb NAME)"),
    "login": ({"username": "guest", "password": "x"}, "name another user in the URL"),
    "tables": ({"username": "weak", "password": "x"}, "let the owner of the database grant"),
}


def test_what_a_server_refuses_is_one_line_that_says_what_to_do(server, capfd):
    url = server.create()
    for role, right in (("guest", "NOLOGIN"), ("weak", "LOGIN")):
        server.execute(f"DROP ROLE IF EXISTS {role}")
        server.execute(f"CREATE ROLE {role} {right} PASSWORD 'x'")
    for changes, advice in REFUSALS.values():
        refused = make_url(url).set(**changes).render_as_string(hide_password=False)
        assert advice in one_line(capfd, "run", "tiny.toml", "--storage", refused)
    server.execute(
        f"ALTER DATABASE {make_url(url).database} SET default_transaction_read_only = on"
    )
    line = one_line(capfd, "run", "tiny.toml", "--storage", url)
    assert "read-only transaction; a standby, or set to be read alone: name the server" in line
