"""Times are UTC in the database and compared as such, whatever zone or clock a machine has."""

from __future__ import annotations

import math
import shutil
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import sqlalchemy
from made_up_data import make_up_data
from optuna.study import StudyDirection
from simulated_training import simulate_training, skip_conclusion
from tiny_studies import TINY, query

from remix_study.cli.main import main
from remix_study.results.cost import wall_seconds
from remix_study.study import storage
from remix_study.study.content_checks import Trial, give_up
from remix_study.study.leases import is_alive
from remix_study.study.times import parse_time, utc_without_zone

# Clocks of the first went back an hour on this day; of the second, a day was left out in 2011.
ZONES = ("Europe/Berlin", "Pacific/Apia", "America/Los_Angeles")
TIMES = {
    "trials": ("datetime_start", "datetime_complete"),
    "remix_runs": ("started", "finished"),
    "remix_studies": ("created",),
}


@pytest.fixture
def set_zone(monkeypatch):
    """A function that moves this process to another time zone."""

    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def blank(here, monkeypatch, _blank):
    """An empty database, also as ``x.db``; the tiny study's file, and made-up training."""
    simulate_training(monkeypatch.setattr)
    make_up_data(monkeypatch.setattr)
    skip_conclusion(monkeypatch.setattr)
    (here / "tiny.toml").write_text(TINY)
    shutil.copy(_blank, here / "x.db")
    return _blank


def times(path: str) -> dict[str, list[tuple]]:
    return {
        table: query(Path(path), f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1")
        for table, columns in TIMES.items()
    }


def change(sql: str, *values: str) -> None:
    with closing(sqlite3.connect("x.db")) as connection:
        connection.execute(sql, values)
        connection.commit()


def test_a_study_crosses_zones_and_the_end_of_summer_with_its_times(blank, set_zone, capsys):
    set_zone(ZONES[0])
    before = datetime.now(UTC) - timedelta(seconds=1)
    assert main(["run", "tiny.toml", "--storage", "sqlite:///x.db"]) == 0
    written = [parse_time(text) for rows in times("x.db").values() for row in rows for text in row]
    assert all(before <= moment <= datetime.now(UTC) for moment in written)
    # In Berlin both of these are 2.30 h: the hour was there twice.
    twice = "2026-10-25 00:30:00.000000", "2026-10-25 01:30:00.000000"
    change("UPDATE trials SET datetime_start = ?, datetime_complete = ?", *twice)
    for number, zone in enumerate(ZONES[1:]):
        set_zone(zone)
        source = f"{number - 1}.db" if number else "x.db"
        shutil.copy(blank, f"{number}.db")
        assert main(["import", source, "--storage", f"sqlite:///{number}.db"]) == 0
        assert times(f"{number}.db") == times("x.db")
    capsys.readouterr()


@pytest.mark.usefixtures("blank")
def test_a_trial_that_is_given_up_ends_now_in_utc(set_zone, capsys):
    set_zone(ZONES[1])
    options = ("--storage", "sqlite:///x.db")
    assert main(["run", "tiny.toml", *options]) == 0
    # Optuna would add hours to the last moment of the calendar.
    change("UPDATE trials SET datetime_complete = '9999-12-31 23:59:59.000000' WHERE number = 2")
    capsys.readouterr()
    assert main(["run", "tiny.toml", *options]) == 3
    assert "trial 2: trials: datetime_complete is at the end of the calendar" in (
        capsys.readouterr().err
    )
    assert main(["repair", "--retrain", *options]) == 0
    ((ended,),) = query(Path("x.db"), "SELECT datetime_complete FROM trials WHERE state = 'FAIL'")
    assert abs(parse_time(ended) - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.slow
def test_a_trial_that_is_given_up_ends_now_in_utc_on_a_server_elsewhere(server):
    url = server.create()
    server.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET timezone = 'Pacific/Apia'")
    with storage.closing(storage.open_storage(url)) as opened:
        study = opened.create_new_study([StudyDirection.MAXIMIZE])
        trial = opened.create_new_trial(study)
        give_up(opened, Trial(trial, None))
        with opened.engine.connect() as connection:
            ended = connection.execute(sqlalchemy.text("SELECT datetime_complete FROM trials"))
            since = utc_without_zone(datetime.now(UTC)) - ended.scalar_one()
    assert abs(since) < timedelta(minutes=1)


def test_a_time_without_a_zone_is_utc(set_zone):
    set_zone(ZONES[2])
    assert parse_time("2026-07-01T12:00:00").timestamp() == 1782907200
    assert parse_time("2026-07-01T14:00:00+02:00") == parse_time("2026-07-01T12:00:00")
    assert utc_without_zone(parse_time("2026-07-01T14:00:00+02:00")).hour == 12


@pytest.mark.parametrize(
    ("hours", "expected"), [(0, True), (-1, False), (1, False), (24 * 365 * 70, False)]
)
def test_a_worker_elsewhere_lives_by_its_last_sign_not_by_one_in_the_future(hours, expected):
    seen = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
    assert is_alive(SimpleNamespace(host="another", seen=seen)) is expected
    naive = seen.removesuffix("+00:00")
    assert is_alive(SimpleNamespace(host="another", seen=naive)) is expected


def test_seconds_of_runs_count_hours_that_the_clock_shows_twice_and_no_dates_far_away():
    """A readable time of another age would make a report say that a study took millennia."""
    spans = [
        ("2025-10-26T00:30:00+00:00", "2025-10-26T01:30:00+00:00"),
        ("2025-10-26T02:00:00+02:00", "2025-10-26T02:00:00+01:00"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:10+14:00"),
        ("9999-12-31T23:59:50-12:00", "9999-12-31T23:59:59-12:00"),
    ]
    beginning, end = spans[0]
    spans += [(beginning, spans[3][1]), (spans[2][0], end), (end, beginning)]
    runs = pd.DataFrame(spans, columns=["started", "finished"])
    assert wall_seconds(runs) == 5400
    assert wall_seconds(runs[:2].assign(spans=[spans[:1], spans[1:2]])) == 5400
    for position in range(2, len(spans)):
        assert math.isnan(wall_seconds(runs[position : position + 1]))
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    of_a_fast_clock = pd.DataFrame([(soon, soon)], columns=["started", "finished"])
    assert wall_seconds(of_a_fast_clock) == 0
