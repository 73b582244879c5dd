"""What a trial asks of the database: statements in the middle of a run with simulated training."""

from __future__ import annotations

from itertools import pairwise

import pytest
from recorded_runs import RecordingReporter
from small_searches import run, text_of
from sqlalchemy import event
from sqlalchemy.engine import Engine
from tiny_studies import tiny

pytestmark = pytest.mark.usefixtures("simulated", "storage")

GRID = tiny(("[0.0, 0.1]", "[0.0, 0.1, 0.2, 0.3, 0.4]"))
# A transaction for each of up to four parameters.
SEARCH = text_of("random", trials=6)
MOST = {GRID: 66, SEARCH: 93}


@pytest.mark.parametrize("text", MOST, ids=["grid", "search"])
def test_a_trial_takes_few_statements(text):
    """Trials are read twice, and in a search once more: when one is leased, and when it is had."""
    counts, n_statements = [], 0

    def count(*_):
        nonlocal n_statements
        n_statements += 1

    event.listen(Engine, "before_cursor_execute", count)
    try:
        run(text, reporter=RecordingReporter(complete=lambda: counts.append(n_statements)))
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    of_trials = [after - before for before, after in pairwise(counts)]
    assert len(of_trials) >= 4
    assert max(of_trials) <= MOST[text], of_trials
