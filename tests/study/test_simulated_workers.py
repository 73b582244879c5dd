"""The lease protocol under made-up schedules of crashes, stalls, clock jumps and lost answers."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from made_up_data import make_up_data
from simulated_training import simulate_training
from simulated_workers import Simulation
from small_searches import text_of
from tiny_studies import TINY

from remix_study.study.registration import register_study
from remix_study.study.schedules import make_schedules
from remix_study.study.task_preparation import prepare_tasks
from remix_study.study.trials import Trials
from remix_study.studyfile.parsing import parse_study

SEARCH = text_of("random", trials=4)
# Crashes, stalls and lost answers among several workers. Which step they meet changes with the
# code: those at which faults were found have tests in test_trials.py and test_trial_loop.py.
SEEDS = {"grid": (41, 53, 137), "search": (21,)}


@pytest.fixture(params=[TINY, SEARCH], ids=["grid", "search"])
def simulation(request, storage, monkeypatch) -> Simulation:
    """A tiny study, begun and without a trial."""
    simulate_training(monkeypatch.setattr)
    make_up_data(monkeypatch.setattr)
    (task,) = prepare_tasks(parse_study(request.param, "tiny.toml"))
    (schedule,) = make_schedules([Trials(storage, task, register_study(storage, task))])
    with closing(sqlite3.connect(Path("x.db"))) as connection:
        content = connection.serialize()
    # In memory there is no write-ahead log.
    content = content[:18] + b"\1\1" + content[20:]
    return Simulation(
        task, lambda s: register_study(s, task), content, schedule.total, monkeypatch.setattr
    )


def test_some_schedules_complete_every_configuration_once(simulation, request):
    for seed in SEEDS[request.node.callspec.id]:
        simulation.run(seed)


@pytest.mark.parametrize("simulation", [TINY], indirect=True)
def test_a_seed_gives_the_same_schedule(simulation):
    assert simulation.run(0) == simulation.run(0)


@pytest.mark.slow
def test_many_schedules_complete_every_configuration_once(simulation):
    first = int(os.environ.get("FIRST_SCHEDULE", "0"))
    for seed in range(first, first + int(os.environ.get("SCHEDULES", "2000"))):
        try:
            simulation.run(seed)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
