"""Running what is left of a study: grids, searches, failures; with simulated training."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from recorded_runs import (
    DATABASE,
    MIXED_SPACE,
    SEARCH,
    RecordingReporter,
    at_call,
    attributes,
    manifests,
    run,
    sending,
)
from tiny_studies import assert_clean, complete_values, query, tiny, trials

from remix_study.errors import StorageError, StudyFileError
from remix_study.study import runner, task, trial_loop
from remix_study.study.leases import Worker
from remix_study.study.signals import Signals, Stopped

pytestmark = pytest.mark.usefixtures("simulated")


@pytest.fixture(autouse=True)
def _database(here, _blank):
    """An empty database in an empty folder."""
    shutil.copy(_blank, here / DATABASE)


def test_a_run_runs_everything_and_the_next_one_nothing(monkeypatch):
    reporter = RecordingReporter()
    first = run(reporter=reporter)
    assert (first.configurations, first.complete_before, first.completed, first.complete) == (
        3,
        0,
        3,
        3,
    )
    assert reporter.events[0] == ("problem", "tiny/wine", 3, 0)
    assert [event for event in reporter.events if event[0] == "complete"] == [
        ("complete", label, "g_mean", "bbs") for label in ("baseline", "balance", "remix (0.1)")
    ]
    assert sum(event[0] == "epoch" for event in reporter.events) == 3 * 4
    before = trials(DATABASE), manifests()

    for name in ("load_networks", "size_notes"):
        # Loading Keras takes seconds.
        monkeypatch.setattr(runner, name, None)
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


def test_added_configurations_are_all_that_runs():
    run()
    before = complete_values(DATABASE)
    added = run(tiny(("[0.0, 0.1]", "[0.0, 0.1, 0.7]"), ('["baseline"', '["cost", "baseline"')))
    assert (added.configurations, added.complete_before, added.completed) == (5, 3, 2)
    now = complete_values(DATABASE)
    assert {key: now[key] for key in before} == before
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


def test_failed_configurations_are_repeated_by_the_next_run_only():
    text = tiny(('"remix"]', '"remix"]\nlearning_rate = [0.1, 2.0]'))
    for attempt in (1, 2):
        reporter = RecordingReporter()
        summary = run(text, reporter=reporter)
        assert (summary.configurations, summary.complete, len(summary.failures)) == (6, 3, 3)
        assert summary.failures[0].study == "tiny/wine"
        assert summary.failures[0].configuration == "baseline, learning_rate 2"
        assert summary.failures[0].reason == "2 of 2 folds diverged: made up to fail"
        assert sum(event[0] == "failed" for event in reporter.events) == 3
        assert [state for *_, state in trials(DATABASE)].count("FAIL") == 3 * attempt
    assert set(attributes("failed")) == {"2 of 2 folds diverged: made up to fail"}
    assert_clean(DATABASE)


def test_a_failed_member_may_count_as_the_worst_instead():
    rates = ('"remix"]', '"remix"]\nlearning_rate = [0.1, 2.0]')
    text = tiny(rates, ("epochs = 2", 'epochs = 2\non_nan = "worst"'))
    summary = run(text)
    assert (summary.complete, summary.failures) == (6, [])
    values = complete_values(DATABASE)
    worst = [v for (_, key), v in values.items() if "('learning_rate', 2.0)" in key]
    assert worst == [[(0, 0.0), (1, 1.0)]] * 3
    failed = query(DATABASE, "SELECT DISTINCT failed FROM remix_folds")
    assert sorted(failed) == [("",), ("made up to fail",)]


@pytest.mark.parametrize("algorithm", ["tpe", "random"])
def test_an_interrupted_search_goes_on_as_it_would_have(algorithm):
    text = tiny(SEARCH, MIXED_SPACE).replace("tpe", algorithm)
    whole = run(text)
    # Simulated training fails above a rate of 1: those slots are used.
    assert len(whole.failures) == 14 - whole.complete > 0
    expected = complete_values(DATABASE)

    for name in Path().glob("x.db*"):
        name.unlink()
    for count in (3, 5):
        stop = Signals()
        with pytest.raises(Stopped), stop.installed():
            run(text, reporter=RecordingReporter(trial=at_call(count, sending())), signals=stop)
        assert_clean(DATABASE)
    rest = run(text)
    assert rest.complete_before > 0
    assert complete_values(DATABASE) == expected
    assert sorted(attributes("slot")) == list(range(14))


def test_the_next_run_replaces_failed_trials_of_a_search():
    text = tiny(SEARCH, MIXED_SPACE).replace("tpe", "random")
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
    text = tiny(SEARCH, MIXED_SPACE).replace("high = 2}", "high = 0.5}")
    assert run(text).completed == 14
    assert run(text.replace("14", "16")).completed == 2
    assert run(text.replace("14", "16")).completed == 0


def test_two_runs_share_the_configurations():
    """Two threads, as two processes: each with an engine and a worker of its own."""
    text = tiny(("[0.0, 0.1]", "[0.0, 0.1, 0.2, 0.3, 0.4, 0.5]"))
    summaries = []
    ready = threading.Barrier(2)

    def work():
        ready.wait()
        summaries.append(run(text))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(summaries) == 2
    assert sum(summary.completed for summary in summaries) == 7
    assert len(complete_values(DATABASE)) == 7
    assert_clean(DATABASE)


def test_what_a_dead_worker_leaves_meanwhile_is_trained(monkeypatch):
    """Its lease is freed at the end of the first pass over the plan."""
    refused = []
    acquire = Worker.acquire

    def refuse_once(self, study_uuid, key):
        if "baseline" in key and not refused:
            refused.append(key)
            return False
        return acquire(self, study_uuid, key)

    monkeypatch.setattr(Worker, "acquire", refuse_once)
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
    with pytest.raises(StudyFileError) as caught:
        run(tiny(SEARCH, ("trials = 14", "trials = 14\nouter = 2"), ("size = 16", "size = 40")))
    assert str(caught.value) == (
        "tiny.toml: batch_size: 40 exceeds the 30 training rows of a fold of wine/outer 1; "
        "lower it"
    )
    assert not query(DATABASE, "SELECT * FROM studies")


def test_a_problem_that_is_there_twice_is_refused():
    with pytest.raises(StudyFileError, match=r"problems\[1\]: wine is there twice"):
        run(tiny(('dataset = "wine"', 'dataset = "wine"\n[[problems]]\ndataset = "wine"')))


def test_a_full_disk_is_named_and_complete_trials_are_kept(monkeypatch):
    finish_trial, calls = trial_loop.finish_trial, []

    def full(trials, *arguments):
        calls.append(1)
        if len(calls) == 2:
            with trials.storage.engine.begin() as connection:
                (pages,) = connection.exec_driver_sql("PRAGMA page_count").one()
                connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        finish_trial(trials, *arguments)

    monkeypatch.setattr(trial_loop, "finish_trial", full)
    with pytest.raises(StorageError, match="database or disk is full; make room and run again"):
        run()
    monkeypatch.setattr(trial_loop, "finish_trial", finish_trial)
    assert len(complete_values(DATABASE)) == 1
    rest = run()
    assert (rest.complete_before, rest.complete) == (1, 3)
    assert_clean(DATABASE)


def test_engines_are_freed_with_their_task(monkeypatch):
    freed = []
    monkeypatch.setattr(task.Task, "free", lambda self: freed.append(self.name))
    run()
    assert freed == ["tiny/wine"]
