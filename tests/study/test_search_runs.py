"""Searches: initial trials, constraints, pruning; interrupted and continued."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import recorded_runs
from made_up_data import make_up_data
from simulated_training import simulate_quality
from small_searches import (
    DATABASE,
    MIXED,
    NUMBERS,
    ONE,
    URL,
    InterruptingReporter,
    run,
    scored_trials,
    study,
    text_of,
)
from tiny_studies import assert_clean, command, query, tiny, trials, wait_for

from remix_study.study import active_trials, checks
from remix_study.study.scoring import MembersFailed
from remix_study.study.signals import Signals, Stopped
from remix_study.study.task import Task


@pytest.fixture(autouse=True)
def _database(here, _blank):
    """An empty database in an empty folder."""
    shutil.copy(_blank, here / DATABASE)


def delete_database() -> None:
    for name in Path().glob("x.db*"):
        name.unlink()


@pytest.mark.parametrize(
    "algorithm",
    ["tpe", "random", *(pytest.param(a, marks=pytest.mark.slow) for a in ("qmc", "cmaes", "gp"))],
)
@pytest.mark.usefixtures("simulated")
def test_an_interrupted_search_continues_as_it_would_have(algorithm):
    if algorithm in checks.PACKAGES:
        pytest.importorskip(checks.PACKAGES[algorithm])
    # A Gaussian process must come past 10 at random.
    count = 12 if algorithm == "gp" else 8
    changes = [ONE] if algorithm in ("cmaes", "gp") else []
    space = NUMBERS if algorithm in ("cmaes", "gp") else MIXED
    text = text_of(algorithm, *changes, trials=count, space=space)
    run(text)
    expected = scored_trials()
    assert [slot for slot, *_ in expected] == list(range(count))
    assert (
        len({json.dumps(parameters, sort_keys=True) for _, parameters, _ in expected}) > count / 2
    )

    delete_database()
    for stopped_at in (2, 4):
        stop = Signals()
        with pytest.raises(Stopped), stop.installed():
            run(text, reporter=InterruptingReporter(stopped_at), signals=stop)
    run(text)
    assert scored_trials() == expected
    assert [state for *_, state in trials(DATABASE)].count("FAIL") == 2
    assert_clean(DATABASE)


@pytest.mark.usefixtures("simulated")
def test_a_killed_search_continues_as_it_would_have(here, monkeypatch):
    """Killed in its second generation, with simulated training in a process of its own."""
    make_up_data(monkeypatch.setattr)
    text = text_of("nsga2", trials=15)
    Path("tiny.toml").write_text(text)
    killed = command("run", "tiny.toml", "--storage", URL, cwd=here, simulated=True, seconds=0.1)
    wait_for(DATABASE, {"COMPLETE": 13, "RUNNING": 1}, killed)
    killed.kill()
    killed.communicate()
    run(text)
    continued = scored_trials()
    delete_database()
    run(text)
    assert continued == scored_trials()


@pytest.mark.parametrize(
    ("algorithm", "first"),
    [
        ("tpe", {"sampler": "natural", "mixing": "none", "learning_rate": 0.001}),
        ("qmc", {"sampler": "natural", "mixing": "none", "alpha": 0.1, "learning_rate": 0.001}),
    ],
)
@pytest.mark.usefixtures("simulated")
def test_a_search_begins_with_baseline_and_the_papers_remix(algorithm, first):
    run(text_of(algorithm, trials=3))
    remix = {"sampler": "balanced", "mixing": "beta", "alpha": 0.1, "learning_rate": 0.001}
    assert [parameters for _, parameters, _ in scored_trials()][:2] == [first, remix]
    labels = [label for (label,) in query(DATABASE, "SELECT strategy FROM remix_runs")]
    assert labels[:2] == ["baseline", "remix"]
    assert len(query(DATABASE, "SELECT * FROM studies")) == 1


@pytest.mark.usefixtures("simulated")
def test_references_that_a_space_lacks_are_trained_beside_it():
    space = (MIXED[0], 'sampler = ["balanced", "smote"]\nlearning_rate = {low = 0.01, high = 1.0}')
    summary = run(text_of("random", trials=3, space=space))
    assert (summary.configurations, summary.complete) == (5, 5)
    references = study("tiny/wine/references").get_trials()
    assert [trial.params for trial in references] == [
        {"strategy": "baseline"},
        {"strategy": "remix", "alpha": 0.1},
    ]
    # On the folds of the search.
    rows = "SELECT fold, part, rows FROM remix_parts WHERE study_uuid = (SELECT uuid FROM "
    rows_of_search, rows_of_references = (
        query(DATABASE, f"{rows} remix_studies WHERE name = '{name}') ORDER BY 1, 2")
        for name in ("tiny/wine", "tiny/wine/references")
    )
    assert rows_of_search == rows_of_references
    assert run(text_of("random", trials=3, space=space)).completed == 0
    assert_clean(DATABASE)


@pytest.mark.usefixtures("simulated")
def test_a_failed_initial_trial_is_repeated_by_the_next_run(monkeypatch):
    evaluate, failed = active_trials.evaluate, []

    def fail_once(task, parameters, *rest, **options):
        if not failed:
            failed.append(parameters)
            raise MembersFailed("made up to fail")
        return evaluate(task, parameters, *rest, **options)

    monkeypatch.setattr(active_trials, "evaluate", fail_once)
    text = text_of("tpe", trials=4, more='constraints = ["bbs <= 1.5 x baseline"]')
    first = run(text)
    # Without the baseline no trial can be compared with it.
    assert (first.complete, len(first.failures)) == (0, 2)
    assert "the baseline has failed" in first.failures[1].reason
    second = run(text)
    assert (second.complete, second.failures) == (4, [])
    assert [slot for slot, *_ in scored_trials()] == [0, 1, 2, 3]


@pytest.mark.usefixtures("simulated")
def test_constraints_compare_validation_means_with_bounds_and_the_baseline():
    limits = 'constraints = ["min_recall >= 0.2", "brier <= 1.01 x baseline"]'
    run(text_of("tpe", trials=12, more=limits))
    means = {
        (run, metric): value
        for run, metric, value in query(
            DATABASE,
            "SELECT uuid, metric, avg(value) FROM remix_scores JOIN remix_runs ON id = run_id "
            "WHERE part = 'validation' GROUP BY 1, 2",
        )
    }
    trials_ = study().get_trials()
    baseline = means[trials_[0].user_attrs["remix_run"], "brier"]
    for trial in trials_:
        run_uuid = trial.user_attrs["remix_run"]
        assert trial.constraints == pytest.approx(
            {
                "min_recall >= 0.2": 0.2 - means[run_uuid, "min_recall"],
                "brier <= 1.01 x baseline": means[run_uuid, "brier"] - 1.01 * baseline,
            }
        )
        for name, beyond in trial.constraints.items():
            text = trial.user_attrs[f"constraint {name}"]
            assert text.startswith("met: " if beyond <= 0 else "not met: ")
    feasible = [all(v <= 0 for v in trial.constraints.values()) for trial in trials_]
    assert {True, False} == set(feasible)
    assert all(feasible[trial.number] for trial in study().best_trials)


@pytest.mark.parametrize("failing", [False, True])
@pytest.mark.usefixtures("simulated")
def test_constraints_may_be_relative_to_a_baseline_beside_the_space(failing, monkeypatch):
    fit = Task.fit

    def fit_but_no_reference(self, configuration, *rest):
        if failing and self.role == "references":
            raise MemoryError
        return fit(self, configuration, *rest)

    monkeypatch.setattr(Task, "fit", fit_but_no_reference)
    space = (MIXED[0], 'sampler = ["smote"]\nlearning_rate = {low = 0.01, high = 1.0}')
    limits = 'constraints = ["brier <= 2 x baseline"]'
    summary = run(text_of("random", trials=2, space=space, more=limits))
    if failing:
        assert [failure.configuration for failure in summary.failures][-1] == "all others"
        assert summary.complete == 0
    else:
        assert summary.complete == 4
        assert [len(trial.constraints) for trial in study().get_trials()] == [1, 1]


@pytest.mark.usefixtures("simulated")
def test_two_workers_wait_for_the_baseline_of_relative_constraints(monkeypatch):
    """Two threads, as two processes: each with an engine and a worker of its own."""
    monkeypatch.setenv("SIMULATED_SECONDS", "0.3")
    text = text_of("random", trials=4, more='constraints = ["brier <= 2 x baseline"]')
    summaries, ready = [], threading.Barrier(2)

    def work():
        ready.wait()
        summaries.append(run(text))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [summary.failures for summary in summaries] == [[], []]
    trials_ = study().get_trials()
    assert [len(trial.constraints) for trial in trials_] == [1] * 4
    first = min(trials_, key=lambda trial: trial.datetime_complete)
    assert first.user_attrs["slot"] == 0
    assert all(t.datetime_start >= first.datetime_complete for t in trials_ if t is not first)


def quality(strategy, training) -> float:
    """Best at alpha 0.4 and a rate of 0.05, and only where classes are balanced and mixed."""
    share = 0.6 - 2 * abs(training.learning_rate - 0.05)
    if (strategy.sampler, strategy.mixing) == ("balanced", "beta"):
        share += 0.3 - 0.3 * abs(strategy.alpha - 0.4)
    return share


PRUNED = (ONE, ("repeats = 1", "repeats = 6"))


def test_pruned_trials_end_between_blocks_and_keep_their_scores(monkeypatch):
    simulate_quality(monkeypatch.setattr, quality)
    text = text_of("tpe", *PRUNED, trials=12, more="prune = true")
    assert run(text).complete == 12
    n_folds = dict(
        query(
            DATABASE,
            "SELECT uuid, count(*) FROM remix_runs JOIN remix_folds ON id = run_id GROUP BY uuid",
        )
    )
    states, pruned = [], 0
    for trial in study().get_trials():
        folds = n_folds[trial.user_attrs["remix_run"]]
        states.append(trial.state.name)
        assert folds == (12 if trial.state.name == "COMPLETE" else 6)
        assert len(trial.intermediate_values) == folds
        assert trial.value == pytest.approx(np.mean(list(trial.intermediate_values.values())))
        pruned += trial.state.name == "PRUNED"
    # Initial trials are never pruned, however bad.
    assert states[:2] == ["COMPLETE", "COMPLETE"]
    assert 1 < pruned < 10
    assert study().best_trial.params["sampler"] == "balanced"
    assert run(text).completed == 0
    expected = scored_trials()

    delete_database()
    stop = Signals()
    with pytest.raises(Stopped), stop.installed():
        run(text, reporter=InterruptingReporter(9), signals=stop)
    run(text)
    assert scored_trials() == expected


@pytest.mark.usefixtures("simulated")
@pytest.mark.parametrize("algorithm", ["nsga2", "qmc"])
def test_a_failed_trial_is_named_by_the_parameters_that_have_an_effect(algorithm):
    """Algorithms without conditional parameters suggest alpha also where nothing is mixed."""
    text = tiny(recorded_runs.SEARCH, recorded_runs.MIXED_SPACE)
    summary = run(text.replace("tpe", algorithm))
    labels = [failure.configuration for failure in summary.failures]
    assert summary.complete + len(labels) == 14
    assert labels
    assert all(", learning_rate " in label for label in labels)
