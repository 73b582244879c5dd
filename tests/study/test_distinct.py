"""No search trains a configuration twice, and one whose space is used up ends."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import optuna
import pytest
from made_up_data import make_up_data
from small_searches import (
    DATABASE,
    URL,
    InterruptingReporter,
    run,
    scored_trials,
    study,
    text_of,
)
from tiny_studies import assert_clean, command

from remix_study.study import planned_work, search_schedule, trial_loop
from remix_study.study.configurations import grid_configurations, label_of
from remix_study.study.leases import Worker
from remix_study.study.optuna_tables import INTERRUPTED, read_progress
from remix_study.study.reporter import Reporter, Summary
from remix_study.study.runner import register_tasks
from remix_study.study.search_configurations import identity, list_configurations, n_trials
from remix_study.study.signals import Signals, Stopped
from remix_study.study.storage import open_reader, run_storage
from remix_study.study.task_preparation import prepare_tasks, search_tasks
from remix_study.study.trial_loop import TrialLoop, WorkerLimits
from remix_study.studyfile.parsing import parse_study

OLD = 'strategy = ["baseline", "remix"]\nalpha.remix = [0.0, 0.1]'
# Five configurations: remix at alpha 0 is balance, and balance has no alpha.
FIVE = (OLD, 'strategy = ["baseline", "remix", "balance", "cost"]\nalpha.remix = [0.0, 0.1, 0.3]')
# Two thirds of all draws are one of two configurations.
CROWDED = (
    OLD,
    'strategy = ["baseline", "cost", "remix"]\nalpha.remix = {low = 0.01, high = 1.0}',
)
SLOWER = [pytest.param(name, marks=pytest.mark.slow) for name in ("nsga2", "tpe", "qmc")]


@pytest.fixture(autouse=True)
def _database(here, _blank):
    shutil.copy(_blank, here / DATABASE)
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def identities(name: str = "tiny/wine") -> list[str]:
    labels = []
    for _, parameters, _ in scored_trials(name):
        is_mixed = parameters["strategy"] == "remix" and parameters.get("alpha") != 0
        labels.append(label_of(parameters if is_mixed else parameters | {"alpha": None}))
    return labels


def progress() -> dict[str, tuple[int, int, int]]:
    engine = open_reader(URL)
    try:
        return {p.name: (p.planned, p.complete, p.missing) for p in read_progress(engine)}
    finally:
        engine.dispose()


@pytest.mark.parametrize(
    "space",
    [
        'strategy = ["baseline", "remix", "mixup", "cost"]\nalpha = [0.0, 0.1, 0.2]',
        'sampler = ["natural", "balanced", "smote"]\nmixing = ["none", "beta"]\n'
        "alpha = [0.0, 0.5]\nlearning_rate = [0.1, 0.01]",
        'model.hidden = [[4], [8, 8]]\nstrategy = ["remix"]',
    ],
)
@pytest.mark.parametrize("algorithm", ["tpe", "nsga2"])
def test_a_finite_space_holds_what_a_grid_plans(space, algorithm):
    planned = grid_configurations(
        parse_study(f'[study]\nname="a"\n[search.space]\n{space}').search.space
    )
    search = parse_study(text_of(algorithm, trials=99, space=(OLD, space)), "a.toml").search
    listed = list_configurations(search, 99)
    assert listed is not None
    assert {identity(parameters) for parameters in listed} == {
        identity(parameters) for parameters in planned
    }
    assert n_trials(search) == len(listed) == len(planned)
    assert list_configurations(search, len(listed) - 1) is None


def test_whole_numbers_are_finite_and_ranges_of_others_are_not():
    whole = (OLD, 'strategy = ["cost"]\nbatch_size = {low = 8, high = 15, log = true}')
    assert n_trials(parse_study(text_of("tpe", space=whole)).search) == 8
    assert n_trials(parse_study(text_of("tpe", space=CROWDED)).search) == 20


@pytest.mark.parametrize("algorithm", ["random", *SLOWER])
@pytest.mark.usefixtures("simulated")
def test_a_search_ends_when_its_space_is_used_up(algorithm):
    text = text_of(algorithm, trials=12, space=FIVE)
    summary = run(text)
    assert sorted(identities()) == ["balance", "baseline", "cost", "remix (0.1)", "remix (0.3)"]
    assert (summary.complete, summary.configurations, summary.failures) == (5, 5, [])
    (remark,) = summary.remarks
    assert "has 5 configurations, all are trained" in remark
    assert progress() == {"tiny/wine": (5, 5, 0)}
    assert run(text).completed == 0
    # More trials find no more configurations.
    assert run(text_of(algorithm, trials=30, space=FIVE)).completed == 0


@pytest.mark.parametrize("algorithm", ["random", *SLOWER[:2]])
@pytest.mark.usefixtures("simulated")
def test_an_endless_space_never_repeats_a_trial_also_when_interrupted(algorithm):
    text = text_of(algorithm, trials=14, space=CROWDED)
    run(text)
    expected = scored_trials()
    assert len(expected) == len(set(identities())) == 14
    for path in Path().glob("x.db*"):
        path.unlink()
    for stopped_at in (5, 6):
        stop = Signals()
        with pytest.raises(Stopped), stop.installed():
            run(text, reporter=InterruptingReporter(stopped_at), signals=stop)
    run(text)
    assert scored_trials() == expected
    assert_clean(DATABASE)


@pytest.mark.usefixtures("simulated")
def test_a_configuration_that_fails_is_tried_again_by_the_next_run_alone():
    space = (OLD, 'strategy = ["baseline", "remix"]\nlearning_rate = [0.01, 0.1, 5.0]')
    text = text_of("random", trials=20, space=space)
    first = run(text)
    assert (first.complete, first.configurations, len(first.failures)) == (4, 6, 2)
    assert "not all are yet trained" in first.remarks[0]
    failed = study().get_trials(states=[optuna.trial.TrialState.FAIL])
    assert {trial.params["learning_rate"] for trial in failed} == {5.0}
    second = run(text)
    assert (second.complete, second.completed, len(second.failures)) == (4, 0, 2)


@pytest.mark.usefixtures("simulated")
def test_an_earlier_search_with_equal_trials_goes_on_and_lacks_what_it_never_drew(monkeypatch):
    text = text_of("random", trials=7, space=FIVE)
    with monkeypatch.context() as earlier:
        earlier.setattr(search_schedule, "n_trials", lambda search: search.trials)
        earlier.setattr(planned_work, "n_trials", lambda search: search.trials)
        earlier.setattr(
            search_schedule.SearchSchedule, "parameters", search_schedule.SlotSchedule.parameters
        )
        run(text)
    n_distinct = len(set(identities()))
    assert len(identities()) == 7
    assert n_distinct < 5
    assert progress() == {"tiny/wine": (7, 7, 0)}
    summary = run(text)
    assert (summary.complete, summary.completed) == (5, 5 - n_distinct)
    assert progress() == {"tiny/wine": (5, 5, 0)}


@pytest.mark.usefixtures("simulated")
def test_nested_searches_of_a_small_space_end_and_are_scored():
    text = text_of("tpe", ("repeats = 1", "repeats = 2"), trials=9, more="outer = 2", space=FIVE)
    summary = run(text)
    assert summary.complete == summary.configurations
    # The search, one within each outer fold, and two objectives and the baseline on each.
    assert progress() == {
        "tiny/wine": (5, 5, 0),
        "tiny/wine/outer": (6, 6, 0),
        "tiny/wine/outer 1": (5, 5, 0),
        "tiny/wine/outer 2": (5, 5, 0),
    }


@pytest.mark.usefixtures("simulated")
def test_a_slot_waits_until_the_one_before_has_parameters():
    """Another worker has leased slot 2 and is about to begin its trial."""
    parsed = parse_study(text_of("random", trials=6, space=CROWDED), "tiny.toml")
    tasks = [search_tasks(task) for task in prepare_tasks(parsed)]
    with run_storage(URL, Signals()) as storage, run_storage(URL, Signals()) as another:
        *_, schedule = register_tasks(storage, tasks, Signals())
        *_, theirs = register_tasks(another, tasks, Signals())
        uuid, worker, other_worker = (
            schedule.trials.registered.uuid,
            Worker(storage.engine),
            Worker(another.engine),
        )
        assert other_worker.acquire(uuid, "slot 2")
        assert worker.acquire(uuid, "slot 3")
        later = schedule.start("slot 3")
        worker.assign_trial(uuid, "slot 3", later.number)
        assert schedule.must_wait(later, "slot 3")
        earlier = theirs.start("slot 2")
        other_worker.assign_trial(uuid, "slot 2", earlier.number)
        assert not theirs.must_wait(earlier, "slot 2")
        assert schedule.must_wait(later, "slot 3")
        first = theirs.parameters(earlier, "slot 2")
        assert not schedule.must_wait(later, "slot 3")
        assert identity(schedule.parameters(later, "slot 3")) != identity(first)


@pytest.mark.usefixtures("simulated")
def test_a_signal_ends_the_wait_for_another_workers_parameters(monkeypatch):
    parsed = parse_study(text_of("random", trials=6, space=CROWDED), "tiny.toml")
    tasks = [search_tasks(task) for task in prepare_tasks(parsed)]
    signals = Signals()
    sleep = lambda _seconds: setattr(signals, "received", signal.SIGINT)  # noqa: E731
    monkeypatch.setattr(trial_loop.time, "sleep", sleep)
    with run_storage(URL, Signals()) as storage:
        *_, schedule = register_tasks(storage, tasks, Signals())
        worker = Worker(storage.engine)
        assert Worker(storage.engine).acquire(schedule.trials.registered.uuid, "slot 2")
        loop = TrialLoop(schedule, worker, Reporter(), signals, Summary(), WorkerLimits())
        with pytest.raises(Stopped):
            loop.run("")
        assert not schedule.trials.in_state("RUNNING")
        (interrupted,) = schedule.trials.in_state("FAIL")
        assert interrupted.user_attrs["failed"] == INTERRUPTED


@pytest.mark.slow
def test_several_workers_train_what_one_does(here, monkeypatch):
    make_up_data(monkeypatch.setattr)
    Path("tiny.toml").write_text(text_of("random", trials=16, space=CROWDED))
    for workers in ("1", "3"):
        words = ("run", "tiny.toml", "--storage", f"sqlite:///{workers}.db", "--workers", workers)
        process = command(*words, cwd=here, simulated=True, seconds=0.05)
        output = process.communicate(timeout=300)
        assert process.returncode == 0, output
    alone, three = (
        {
            trial.user_attrs["slot"]: trial.params
            for trial in optuna.load_study(
                study_name="tiny/wine", storage=f"sqlite:///{workers}.db"
            ).get_trials()
        }
        for workers in (1, 3)
    )
    assert alone == three
    assert len(alone) == 16
