"""A run whose time is up ends between two trials; the next one goes on."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import pytest
from made_up_data import make_up_data
from small_searches import DATABASE, URL, run, text_of
from tiny_studies import command, tiny

from remix_study.cli.arguments import duration
from remix_study.errors import StudyFileError
from remix_study.study import trial_loop
from remix_study.study.reporter import Reporter
from remix_study.study.runner import with_deadline
from remix_study.study.trial_loop import WorkerLimits
from remix_study.studyfile.parsing import parse_study

TIMED = ("[search.space]", "[search]\ntimeout = 60\n[search.space]")


@pytest.fixture
def _database(here, _blank):
    shutil.copy(_blank, here / DATABASE)


class Clock(Reporter):
    """The time of day, on which every trial takes 40 seconds."""

    def __init__(self, setattr) -> None:
        self.now = trial_loop.time.time()
        setattr(trial_loop, "time", SimpleNamespace(time=lambda: self.now))

    def complete(self, *_):
        self.now += 40


@pytest.mark.parametrize("text", [tiny(TIMED), text_of("random", more="timeout = 60", trials=6)])
@pytest.mark.usefixtures("simulated", "_database")
def test_a_trial_that_passes_the_time_is_finished_and_none_begins_after_it(text, monkeypatch):
    summary = run(text, reporter=Clock(monkeypatch.setattr))
    assert (summary.completed, summary.timed_out) == (2, True)
    assert summary.complete < summary.configurations
    assert summary.failures == []
    # What is left takes as long as it takes; the key is no part of what the numbers depend on.
    following = run(text.replace("timeout = 60", ""))
    assert following.complete == following.configurations
    assert following.timed_out is False


@pytest.mark.usefixtures("simulated", "_database")
def test_time_that_passes_with_the_last_trial_is_no_time_that_was_up(monkeypatch):
    text = tiny(TIMED).replace("timeout = 60", "timeout = 100")
    assert run(text, reporter=Clock(monkeypatch.setattr)).timed_out is False


def test_the_deadline_of_a_run_holds_for_its_workers():
    study = parse_study(tiny(TIMED))
    limits = with_deadline(WorkerLimits(deadline=5.0), study)
    assert limits.deadline == 5.0
    assert limits.is_out_of_time
    assert with_deadline(WorkerLimits(), study.with_timeout(1e6)).is_out_of_time is False
    assert with_deadline(WorkerLimits(), parse_study(tiny())).deadline is None


def test_a_following_search_has_the_time_of_its_grid():
    then = '[search.then]\nalgorithm = "tpe"\ntrials = 3\ntimeout = 5\n[search.space]'
    with pytest.raises(StudyFileError, match=r"search\.then\.timeout: not in a search"):
        parse_study(tiny(("[search.space]", then)))


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1.5s", 1.5), ("10m", 600), ("0.5h", 1800)]
)
def test_durations(text, seconds):
    assert duration(text) == seconds


@pytest.mark.slow
@pytest.mark.parametrize("words", [("run",), ("run", "--workers", "2"), ("worker",)])
def test_commands_end_in_time_and_say_how_to_go_on(words, here, monkeypatch):
    make_up_data(monkeypatch.setattr)
    (here / "tiny.toml").write_text(text_of("random", trials=200))
    name, *options = words
    words = (name, "tiny.toml", "--storage", URL, *options, "--timeout", "0.2m")
    process = command(*words, cwd=here, simulated=True, seconds=1)
    output, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    assert "not begun" in output
    assert "the time is up; to go on: remix-study" in output
    process = command(*words[:4], "--timeout=1", "--json", cwd=here, simulated=True)
    answer = json.loads(process.communicate(timeout=200)[0])
    assert answer["timed_out"] is True
