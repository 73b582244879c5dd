"""Running what is left: grids, searches, failures, interruptions; with made-up training."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from pathlib import Path

import pytest
from tiny_studies import TINY, assert_clean, complete_values, query, tiny, trials

from remix_study.errors import StorageError, StudyFileError, UsageError
from remix_study.study import runner, task, trial_loop
from remix_study.study.leases import Worker
from remix_study.study.reporter import Reporter
from remix_study.study.signals import Signals, Stopped
from remix_study.study.task import Task
from remix_study.study.trials import TakenOver
from remix_study.studyfile.parsing import parse_study

pytestmark = pytest.mark.usefixtures("simulated")
DATABASE = Path("x.db")

SEARCH = ("[search.space]", '[search]\nalgorithm = "tpe"\ntrials = 14\n[search.space]')
ASKED = (
    'strategy = ["baseline", "remix"]\nalpha.remix = [0.0, 0.1]',
    'sampler = ["natural", "balanced", "smote"]\nmixing = ["none", "beta"]\n'
    "alpha = {low = 0.01, high = 1, log = true}\nlearning_rate = {low = 0.001, high = 2}",
)


@pytest.fixture(autouse=True)
def _database(here, _blank):
    """An empty database in an empty folder."""
    shutil.copy(_blank, here / DATABASE)


def run(text: str = TINY, **options):
    study = parse_study(text, "tiny.toml")
    return runner.run(study, storage=f"sqlite:///{DATABASE}", **options)


class Heard(Reporter):
    """Remembers what it was told, and may be made to do something then."""

    def __init__(self, **then):
        self.lines, self.then = [], then

    def hear(self, name, *words):
        self.lines.append((name, *words))
        self.then.get(name, lambda: None)()

    def problem(self, task, configurations, done):
        self.hear("problem", task.name, configurations, done)

    def trial(self, label, members, max_epochs):
        self.hear("trial", label, members, max_epochs)

    def epoch(self, members):
        self.hear("epoch", members)

    def complete(self, label, values, _seconds):
        self.hear("complete", label, *values)

    def failed(self, label, reason):
        self.hear("failed", label, reason)

    def retried(self, label, reason):
        self.hear("retried", label, reason)


def after(count: int, do):
    """Do something at the n-th call."""
    calls = iter(range(1, 1000))

    def maybe():
        if next(calls) == count:
            do()

    return maybe


def signals(number=signal.SIGINT):
    return lambda: os.kill(os.getpid(), number)


def attributes(key: str) -> list:
    """Values of a user attribute of the trials, in order."""
    rows = query(DATABASE, "SELECT key, value_json FROM trial_user_attributes ORDER BY trial_id")
    return [json.loads(value) for name, value in rows if name == key]


def manifests() -> int:
    return len(query(DATABASE, "SELECT * FROM remix_manifests"))


def test_a_run_runs_everything_and_the_next_one_nothing():
    heard = Heard()
    first = run(reporter=heard)
    assert (first.configurations, first.complete_before, first.completed, first.complete) == (
        3,
        0,
        3,
        3,
    )
    assert heard.lines[0] == ("problem", "tiny/wine", 3, 0)
    assert [line for line in heard.lines if line[0] == "complete"] == [
        ("complete", label, "g_mean", "bbs") for label in ("baseline", "balance", "remix (0.1)")
    ]
    assert sum(line[0] == "epoch" for line in heard.lines) == 3 * 4
    before = trials(DATABASE), manifests()

    again = run()
    assert (again.configurations, again.complete_before, again.completed, again.complete) == (
        3,
        3,
        0,
        3,
    )
    assert (trials(DATABASE), manifests()) == before
    assert_clean(DATABASE)


def test_a_finished_study_loads_no_networks(monkeypatch):
    run()
    monkeypatch.setattr(runner, "load_networks", lambda: pytest.fail("Keras was loaded"))
    run()


def test_added_points_are_all_that_runs():
    run()
    before = complete_values(DATABASE)
    added = run(tiny(("[0.0, 0.1]", "[0.0, 0.1, 0.7]"), ('["baseline"', '["cost", "baseline"')))
    assert (added.configurations, added.complete_before, added.completed) == (5, 3, 2)
    now = complete_values(DATABASE)
    assert {point: now[point] for point in before} == before
    assert manifests() == 2


def test_added_problems_are_all_that_runs():
    run()
    more = run(tiny(('"wine"', '"wine"\n[[problems]]\ndataset = "breast_cancer"')))
    assert (more.configurations, more.complete_before, more.completed) == (6, 3, 3)


def test_a_change_in_one_problem_is_refused_before_any_other_runs():
    two = tiny(('dataset = "wine"', 'dataset = "breast_cancer"\n[[problems]]\ndataset = "wine"'))
    run()
    with pytest.raises(StudyFileError, match=r"training\.batch_size: 16 -> 8"):
        run(two.replace('dataset = "wine"', 'dataset = "wine"\nbatch_size = 8'))
    assert len(trials(DATABASE)) == 3


def test_failed_points_are_run_again_by_the_next_run_alone():
    text = tiny(('"remix"]', '"remix"]\nlearning_rate = [0.1, 2.0]'))
    for attempt in (1, 2):
        heard = Heard()
        summary = run(text, reporter=heard)
        assert (summary.configurations, summary.complete, len(summary.failures)) == (6, 3, 3)
        assert summary.failures[0].study == "tiny/wine"
        assert summary.failures[0].configuration == "baseline, learning_rate 2"
        assert summary.failures[0].reason == "2 of 2 folds diverged: made up to fail"
        assert sum(line[0] == "failed" for line in heard.lines) == 3
        assert [state for *_, state in trials(DATABASE)].count("FAIL") == 3 * attempt
    assert set(attributes("failed")) == {"2 of 2 folds diverged: made up to fail"}
    assert_clean(DATABASE)


def test_a_failed_member_may_count_as_the_worst_instead():
    rates = ('"remix"]', '"remix"]\nlearning_rate = [0.1, 2.0]')
    text = tiny(rates, ("epochs = 2", 'epochs = 2\non_nan = "worst"'))
    summary = run(text)
    assert (summary.complete, summary.failures) == (6, [])
    values = complete_values(DATABASE)
    worst = [v for (_, point), v in values.items() if "('learning_rate', 2.0)" in point]
    assert worst == [[(0, 0.0), (1, 1.0)]] * 3
    failed = query(DATABASE, "SELECT DISTINCT failed FROM remix_folds")
    assert sorted(failed) == [("",), ("made up to fail",)]


@pytest.mark.parametrize("algorithm", ["tpe", "random"])
def test_an_interrupted_search_goes_on_as_it_would_have(algorithm):
    text = tiny(SEARCH, ASKED).replace("tpe", algorithm)
    whole = run(text)
    # The made-up training fails above a rate of 1: those slots are used up.
    assert len(whole.failures) == 14 - whole.complete > 0
    expected = complete_values(DATABASE)

    for name in Path().glob("x.db*"):
        name.unlink()
    for count in (3, 5):
        stop = Signals()
        with pytest.raises(Stopped), stop.installed():
            run(text, reporter=Heard(trial=after(count, signals())), signals=stop)
        assert_clean(DATABASE)
    rest = run(text)
    assert rest.complete_before > 0
    assert complete_values(DATABASE) == expected
    assert sorted(attributes("slot")) == list(range(14))


def test_a_search_that_lacks_trials_gets_new_ones_from_the_next_run():
    text = tiny(SEARCH, ASKED).replace("tpe", "random")
    first = run(text)
    missing = 14 - first.complete
    assert missing > 0
    second = run(text)
    assert second.completed + len(second.failures) == missing
    while second.failures:
        second = run(text)
    assert second.complete == 14
    assert run(text).completed == 0
    assert_clean(DATABASE)


def test_a_search_may_be_made_longer():
    text = tiny(SEARCH, ASKED).replace("high = 2}", "high = 0.5}")
    assert run(text).completed == 14
    assert run(text.replace("14", "16")).completed == 2
    assert run(text.replace("14", "16")).completed == 0


@pytest.mark.parametrize("what", ["trial", "epoch", "complete"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_a_clean_database(what, number):
    stop = Signals()
    with pytest.raises(Stopped) as stopped, stop.installed():
        run(reporter=Heard(**{what: after(2, signals(number))}), signals=stop)
    assert stopped.value.exit_code == 128 + number
    assert_clean(DATABASE)
    assert attributes("failed") == ([] if what == "complete" else ["interrupted"])
    rest = run()
    assert rest.complete == 3
    assert len(complete_values(DATABASE)) == 3


WRITES = {
    "asking": (trial_loop, "start_trial"),
    "telling": (trial_loop, "finish_trial"),
    "releasing": (Worker, "release"),
    "leaving": (Worker, "unregister"),
}


@pytest.mark.parametrize("place", WRITES)
def test_a_signal_while_something_is_written_waits(place, monkeypatch):
    """Two of them, even: people press Ctrl-C again."""
    kind, name = WRITES[place]
    original, stop = getattr(kind, name), Signals()

    def interrupted(*arguments):
        signals(signal.SIGTERM)()
        found = original(*arguments)
        signals(signal.SIGINT)()
        return found

    monkeypatch.setattr(kind, name, interrupted)
    with pytest.raises(Stopped), stop.installed():
        run(signals=stop)
    assert stop.received == signal.SIGTERM
    assert_clean(DATABASE)
    done = len(complete_values(DATABASE))
    assert done == {"asking": 0, "telling": 1, "releasing": 1, "leaving": 3}[place]


def test_a_signal_while_an_interrupted_trial_is_closed_waits(monkeypatch):
    fail, stop = trial_loop.fail_trial, Signals()

    def interrupted(*arguments, **options):
        signals()()
        fail(*arguments, **options)
        signals()()

    monkeypatch.setattr(trial_loop, "fail_trial", interrupted)
    with pytest.raises(Stopped), stop.installed():
        run(reporter=Heard(epoch=after(2, signals())), signals=stop)
    assert_clean(DATABASE)
    assert [state for *_, state in trials(DATABASE)] == ["FAIL"]


def test_a_signal_that_got_lost_stops_the_run_at_the_next_epoch():
    stop, heard = (
        Signals(),
        Heard(epoch=after(2, lambda: setattr(stop, "received", signal.SIGINT))),
    )
    with pytest.raises(Stopped):
        run(reporter=heard, signals=stop)
    assert sum(line[0] == "epoch" for line in heard.lines) == 2


def test_a_defect_closes_the_trial_and_shows_itself(monkeypatch):
    def broken(*_arguments):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(trial_loop, "finish_trial", broken)
    with pytest.raises(ZeroDivisionError):
        run()
    assert_clean(DATABASE)
    assert attributes("failed") == ["ZeroDivisionError: a defect"]


def raising(times: int, only: str):
    """Training that raises the first times at one strategy."""
    fit, calls = Task.fit, []

    def maybe(self, setting, on_epoch=None, places=None):
        if setting.strategy.label == only:
            calls.append(only)
            if len(calls) <= times:
                raise ZeroDivisionError("a defect")
        return fit(self, setting, on_epoch, places)

    return maybe


def test_training_that_raises_is_tried_again_and_the_others_go_on(monkeypatch):
    monkeypatch.setattr(Task, "fit", raising(2, "balance"))
    heard = Heard()
    summary = run(reporter=heard)
    assert (summary.complete, summary.failures) == (3, [])
    reasons = attributes("failed")
    assert len(reasons) == 2
    assert reasons[0].startswith("ZeroDivisionError: a defect (test_runner.py, line ")
    assert ("retried", "balance", reasons[0]) in heard.lines
    assert_clean(DATABASE)


def test_a_point_that_always_raises_is_given_up_and_the_next_run_tries_it_again(monkeypatch):
    monkeypatch.setattr(Task, "fit", raising(4, "balance"))
    summary = run()
    assert (summary.complete, len(summary.failures)) == (2, 1)
    assert summary.failures[0].configuration == "balance"
    assert summary.failures[0].reason.endswith(", 3 times")
    assert [state for *_, state in trials(DATABASE)].count("FAIL") == 3
    assert run().complete == 3
    assert_clean(DATABASE)


def test_a_slot_that_always_raises_is_given_up_too(monkeypatch):
    text = tiny(SEARCH, ASKED).replace("high = 2}", "high = 0.5}").replace("tpe", "random")
    fit, slots = Task.fit, []

    def broken(self, setting, on_epoch=None, places=None):
        slots.append(len(slots))
        if len(complete_values(DATABASE)) == 3:
            raise ZeroDivisionError
        return fit(self, setting, on_epoch, places)

    monkeypatch.setattr(Task, "fit", broken)
    summary = run(text)
    assert (summary.complete, len(summary.failures)) == (3, 11)
    assert len(slots) == 3 + 11 * 3
    monkeypatch.setattr(Task, "fit", fit)
    # None of the slots was used up: the search ends as it would have without the defect.
    assert run(text).complete == 14
    assert sorted(attributes("slot")) == list(range(14))


def test_a_model_found_wanting_leaves_no_trial(monkeypatch):
    def wanting(*_arguments):
        raise UsageError("a model without inputs")

    monkeypatch.setattr(Task, "network_parameters", wanting)
    with pytest.raises(UsageError):
        run()
    assert trials(DATABASE) == []
    monkeypatch.setattr(Task, "network_parameters", lambda *_arguments: 7)
    # The study has no trial yet, so that its model may be put right.
    assert run(tiny(("[4]", "[5]"))).complete == 3


def test_memory_running_out_is_a_failure_of_the_point(monkeypatch):
    def full(*_arguments):
        raise MemoryError

    monkeypatch.setattr(Task, "fit", full)
    summary = run()
    assert [failure.reason for failure in summary.failures] == ["out of memory, 3 times"] * 3


def test_a_point_that_another_process_took_over_is_not_counted(monkeypatch):
    def taken(*_arguments):
        raise TakenOver

    monkeypatch.setattr(trial_loop, "finish_trial", taken)
    heard = Heard()
    summary = run(reporter=heard)
    assert (summary.completed, summary.failures) == (0, [])
    assert ("failed", "baseline", "another process has taken it over") in heard.lines


def test_two_runs_at_once_share_the_points():
    """Two threads, as two processes: each with an engine and a worker of its own."""
    text = tiny(("[0.0, 0.1]", "[0.0, 0.1, 0.2, 0.3, 0.4, 0.5]"))
    summaries = []
    ready = threading.Barrier(2)

    def trial_loop():
        ready.wait()
        summaries.append(run(text))

    threads = [threading.Thread(target=trial_loop) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(summaries) == 2
    assert sum(summary.completed for summary in summaries) == 7
    assert len(complete_values(DATABASE)) == 7
    assert_clean(DATABASE)


def test_what_a_dead_worker_leaves_meanwhile_is_taken_up(monkeypatch):
    """Its claim is freed at the end of the first pass over the plan."""
    taken = []
    claim = Worker.acquire

    def claim_but_once(self, study_uuid, point):
        if "baseline" in point and not taken:
            taken.append(point)
            return False
        return claim(self, study_uuid, point)

    monkeypatch.setattr(Worker, "acquire", claim_but_once)
    assert run().complete == 3


def test_batches_that_no_fold_fills_are_refused_before_training():
    for text, source in (
        (tiny(("batch_size = 16", "batch_size = 70")), ""),
        (tiny(('"remix"]', '"remix"]\nbatch_size = [16, 70]')), " of search.space"),
    ):
        with pytest.raises(StudyFileError) as caught:
            run(text)
        assert str(caught.value) == (
            f"tiny.toml: problems[0].batch_size: 70{source} exceeds the 62 training rows of a "
            "fold of wine; lower it"
        )
    assert not query(DATABASE, "SELECT * FROM studies")


def test_a_problem_that_stands_twice_is_refused():
    with pytest.raises(StudyFileError, match=r"problems\[1\]: wine is there twice"):
        run(tiny(('dataset = "wine"', 'dataset = "wine"\n[[problems]]\ndataset = "wine"')))


def test_a_full_disk_is_named_and_what_was_done_is_kept(monkeypatch):
    tell, runs = trial_loop.finish_trial, []

    def full(trials, *arguments):
        runs.append(1)
        if len(runs) == 2:
            with trials.storage.engine.begin() as connection:
                (pages,) = connection.exec_driver_sql("PRAGMA page_count").one()
                connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        tell(trials, *arguments)

    monkeypatch.setattr(trial_loop, "finish_trial", full)
    with pytest.raises(StorageError, match="database or disk is full; make room and run again"):
        run()
    monkeypatch.setattr(trial_loop, "finish_trial", tell)
    assert len(complete_values(DATABASE)) == 1
    rest = run()
    assert (rest.complete_before, rest.complete) == (1, 3)
    assert_clean(DATABASE)


def test_engines_are_let_go_with_their_problem(monkeypatch):
    freed = []
    monkeypatch.setattr(task.Task, "free", lambda self: freed.append(self.name))
    run()
    assert freed == ["tiny/wine"]
