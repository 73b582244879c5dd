"""The lease protocol under made-up schedules of crashes, stalls, clock jumps and lost answers."""

from __future__ import annotations

import itertools
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from made_up_data import make_up_data
from simulated_training import simulate_training
from simulated_workers import Simulation
from small_searches import MIXED, text_of
from tiny_studies import TINY, tiny

from remix_study.study.registration import register_study
from remix_study.study.schedules import make_schedules
from remix_study.study.task_preparation import prepare_tasks
from remix_study.study.trials import Trials
from remix_study.studyfile.parsing import parse_study

_ONE_PARAMETER = (MIXED[0], 'strategy = ["remix"]\nalpha = {low = 0.05, high = 1.0}')
TEXTS = {
    "grid": TINY,
    "search": text_of("random", trials=4),
    # A third of the steps: more schedules in the same time.
    "short grid": tiny(("alpha.remix = [0.0, 0.1]", "alpha.remix = [0.1]")),
    "short search": text_of("random", trials=2, space=_ONE_PARAMETER),
}
# Faults of every kind among several workers. Which step they meet changes with the code: those at
# which defects were found have tests in test_trials.py and test_trial_loop.py.
SEEDS = (0, 11)


@pytest.fixture(params=TEXTS)
def simulation(request, storage, monkeypatch) -> Simulation:
    """A tiny study, begun and without a trial."""
    simulate_training(monkeypatch.setattr)
    make_up_data(monkeypatch.setattr)
    (task,) = prepare_tasks(parse_study(TEXTS[request.param], "tiny.toml"))
    (schedule,) = make_schedules([Trials(storage, task, register_study(storage, task))])
    with closing(sqlite3.connect(Path("x.db"))) as connection:
        content = connection.serialize()
    # In memory there is no write-ahead log.
    content = content[:18] + b"\1\1" + content[20:]
    return Simulation(
        task, lambda s: register_study(s, task), content, schedule.total, monkeypatch.setattr
    )


@pytest.mark.parametrize("simulation", ["grid", "search"], indirect=True)
def test_some_schedules_complete_every_configuration_once(simulation):
    for seed in SEEDS:
        simulation.run(seed)
    assert min(simulation.faults.values()) >= 2
    assert len(simulation.faults) == 4


@pytest.mark.parametrize("simulation", ["grid"], indirect=True)
def test_a_seed_gives_the_same_schedule(simulation):
    assert simulation.run(0) == simulation.run(0)


@pytest.mark.slow
def test_many_schedules_complete_every_configuration_once(simulation, request, capsys):
    seconds = float(os.environ.get("REMIX_STUDY_FUZZ_SECONDS", "30"))
    first = int(os.environ.get("REMIX_STUDY_FIRST_SCHEDULE", "0"))
    end = time.monotonic() + seconds
    for seed in itertools.takewhile(lambda _: time.monotonic() < end, itertools.count(first)):
        try:
            simulation.run(seed)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
    with capsys.disabled():
        kind = request.node.callspec.id
        print(f"\n{kind}: seeds {first} to {seed}, {dict(sorted(simulation.faults.items()))}")
