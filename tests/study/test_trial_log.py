"""What a worker knows of the trials of others, whatever they do while it looks."""

from __future__ import annotations

import optuna
import pytest
from optuna.trial import TrialState

from remix_study.study.trial_log import TrialLog


@pytest.fixture
def study(storage) -> optuna.Study:
    """A study of Optuna's without a trial."""
    return optuna.create_study(storage=storage, study_name="s")


@pytest.fixture
def log(storage, study) -> TrialLog:
    """Its trials, of which none has been looked at."""
    return TrialLog(storage, study._study_id)


def numbers(trials) -> list[int]:
    return [trial.number for trial in trials]


def before_reading(log: TrialLog, monkeypatch, action) -> None:
    """Do something once between the look and the reading of whole trials."""
    read, is_done = log.storage._get_trials, []

    def act_and_read(*words, **options):
        if not is_done:
            is_done.append(True)
            action()
        return read(*words, **options)

    monkeypatch.setattr(log.storage, "_get_trials", act_and_read)


def test_open_trials_are_seen_until_they_end(study, log):
    first, second = study.ask(), study.ask()
    log.look()
    assert [row.number for row in log.open_rows(("RUNNING",))] == [0, 1]
    study.tell(second, 1.0)
    log.look()
    assert (numbers(log.ended), [row.number for row in log.open_rows(("RUNNING",))]) == ([1], [0])
    study.tell(first, 1.0)
    log.look()
    assert (numbers(log.ended), log.open_rows(("RUNNING",))) == ([1, 0], [])
    assert numbers(log.in_states(("COMPLETE",))) == [0, 1]


def test_a_trial_that_changes_its_state_while_it_waits(study, log):
    study.enqueue_trial({})
    log.look()
    assert [row.state for row in log.open_rows(("RUNNING", "WAITING"))] == ["WAITING"]
    study.ask()
    log.look()
    assert [row.state for row in log.open_rows(("RUNNING", "WAITING"))] == ["RUNNING"]


def test_parameters_of_an_open_trial_are_those_that_it_has_now(study, log):
    trial = study.ask()
    log.look()
    assert [open_.params for open_ in log.in_states(("RUNNING",))] == [{}]
    x = trial.suggest_float("x", 0, 1)
    assert [open_.params for open_ in log.in_states(("RUNNING",))] == [{"x": x}]


def test_a_trial_that_ends_while_open_ones_are_read_is_among_the_ended(study, log, monkeypatch):
    trial = study.ask()
    log.look()
    before_reading(log, monkeypatch, lambda: study.tell(trial, 1.0))
    assert [t.state.name for t in log.in_states(("COMPLETE", "RUNNING"))] == ["COMPLETE"]
    log.look()
    assert numbers(log.ended) == [0]


def test_a_trial_that_begins_and_ends_while_others_are_read_comes_once(study, log, monkeypatch):
    study.tell(study.ask(), 1.0)
    before_reading(log, monkeypatch, lambda: study.tell(study.ask(), state=TrialState.FAIL))
    log.look()
    assert numbers(log.ended) == [0]
    log.look()
    assert numbers(log.ended) == [0, 1]


def test_a_look_that_was_cut_off_is_taken_again(study, log, monkeypatch):
    trial = study.ask()
    log.look()
    study.tell(trial, 1.0)

    def cut_off():
        raise ConnectionError

    before_reading(log, monkeypatch, cut_off)
    with pytest.raises(ConnectionError):
        log.look()
    log.look()
    assert (numbers(log.ended), log.open_rows(("RUNNING",))) == ([0], [])


def test_one_look_is_one_also_within_another(study, log):
    with log.one_look():
        log.look()
        study.ask()
        with log.one_look():
            log.look()
        assert log.open_rows(("RUNNING",)) == []
    log.look()
    assert len(log.open_rows(("RUNNING",))) == 1


def test_a_study_that_was_deleted_is_no_study_without_trials(study, log):
    log.look()
    optuna.delete_study(study_name="s", storage=study._storage)
    with pytest.raises(KeyError):
        log.look()
