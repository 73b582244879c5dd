"""What a trial asks of the database: statements in the middle of a run with simulated training."""

from __future__ import annotations

from itertools import pairwise

import pytest
from recorded_runs import RecordingReporter
from small_searches import run, text_of
from sqlalchemy import event
from sqlalchemy.engine import Engine
from tiny_studies import tiny

from remix_study.study.leases import Worker
from remix_study.study.registration import register_study
from remix_study.study.schedules import make_schedules
from remix_study.study.task_preparation import prepare_tasks
from remix_study.study.trials import Trials
from remix_study.studyfile.parsing import parse_study

pytestmark = pytest.mark.usefixtures("simulated", "storage")

GRID = tiny(("[0.0, 0.1]", "[0.0, 0.1, 0.2, 0.3, 0.4]"))
# A transaction for each of up to four parameters.
SEARCH = text_of("random", trials=6)
MOST = {GRID: 66, SEARCH: 95}


def statements_of_trials(text: str) -> list[int]:
    """Run a study; statements from the end of each trial to that of the next."""
    counts, n_statements = [], 0

    def count(*_):
        nonlocal n_statements
        n_statements += 1

    event.listen(Engine, "before_cursor_execute", count)
    try:
        run(text, reporter=RecordingReporter(complete=lambda: counts.append(n_statements)))
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    return [after - before for before, after in pairwise(counts)]


@pytest.mark.parametrize("text", MOST, ids=["grid", "search"])
def test_a_trial_takes_few_statements(text):
    """Trials are looked at before one is leased and after, and once more before a draw."""
    of_trials = statements_of_trials(text)
    assert len(of_trials) >= 4
    assert max(of_trials) <= MOST[text], of_trials


def test_open_trials_of_other_workers_take_no_more(storage):
    (task,) = prepare_tasks(parse_study(GRID, "tiny.toml"))
    (schedule,) = make_schedules([Trials(storage, task, register_study(storage, task))])
    worker, study = Worker(storage.engine), schedule.trials.registered.uuid
    for key in schedule.configurations()[:2]:
        worker.acquire(study, key)
        worker.assign_trial(study, key, schedule.start(key).number)
    of_trials = statements_of_trials(GRID)
    assert len(of_trials) == schedule.total - 2 - 1
    assert max(of_trials) <= MOST[GRID], of_trials
