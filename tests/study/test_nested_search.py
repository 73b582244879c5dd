"""Searches within outer folds: the rows they use, their choices, and the scores of these."""

from __future__ import annotations

import json
import shutil
import signal
import zlib
from pathlib import Path

import numpy as np
import optuna
import pytest
from simulated_training import simulate_quality
from tiny_studies import assert_clean, query, tiny

from remix_study.batches.strategies import compose
from remix_study.errors import DataError, StudyFileError
from remix_study.results.comparison import comparisons
from remix_study.results.frames import load_frames
from remix_study.results.search import SearchSummary
from remix_study.study import runner
from remix_study.study.configurations import strategy_of
from remix_study.study.reporter import Reporter
from remix_study.study.signals import Signals, Stopped
from remix_study.study.storage import open_reader
from remix_study.study.task_preparation import prepare_tasks, search_tasks
from remix_study.studyfile.parsing import parse_study
from remix_study.studyfile.schema import Training

DATABASE = Path("x.db")
URL = f"sqlite:///{DATABASE}"
SPACE = (
    'sampler = ["natural", "balanced"]\nmixing = ["none", "beta"]\n'
    "alpha = {low = 0.05, high = 1.0}\nlearning_rate = {low = 1e-4, high = 0.1}"
)


def text_of(trials: int, outer: int, *changes, algorithm: str = "tpe", more: str = "") -> str:
    head = f'[search]\nalgorithm = "{algorithm}"\ntrials = {trials}\nouter = {outer}\n{more}\n'
    return tiny(
        ('strategy = ["baseline", "remix"]\nalpha.remix = [0.0, 0.1]', SPACE),
        ("[search.space]", head + "[search.space]"),
        ('objectives = ["g_mean", "bbs"]', 'objectives = ["balanced_accuracy"]'),
        *changes,
    )


def quality(strategy, training) -> float:
    """Best at alpha 0.4 and a rate of 0.05, and only where classes are balanced and mixed."""
    share = 0.6 - 2 * abs(training.learning_rate - 0.05)
    if (strategy.sampler, strategy.mixing) == ("balanced", "beta"):
        share += 0.3 - 0.3 * abs(strategy.alpha - 0.4)
    return share


BEST = quality(compose("balanced", "beta", 0.4), Training(learning_rate=0.05))


@pytest.fixture(autouse=True)
def _database(here, _blank):
    """An empty database in an empty folder."""
    shutil.copy(_blank, here / DATABASE)


def run(text: str, **options):
    return runner.run(parse_study(text, "tiny.toml"), storage=URL, **options)


def search_summary():
    frames = load_frames(open_reader(URL))
    (comparison,) = comparisons(frames)
    return SearchSummary(comparison, frames.searches[0])


def scored_trials_by_study() -> dict[str, list[tuple[int, dict, list[float]]]]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    complete = (optuna.trial.TrialState.COMPLETE,)
    return {
        name: sorted(
            (trial.user_attrs["slot"], trial.params, trial.values)
            for trial in optuna.load_study(study_name=name, storage=URL).get_trials(
                states=complete
            )
        )
        for name in optuna.get_all_study_names(URL)
    }


@pytest.mark.usefixtures("simulated")
def test_an_inner_search_has_no_test_row_of_its_outer_fold():
    (task,) = prepare_tasks(parse_study(text_of(2, 3), "tiny.toml"))
    *inner, outer = search_tasks(task)[1:]
    assert [part.role for part in inner] == ["inner"] * 3
    tested = []
    for fold, search in enumerate(inner):
        test_rows = outer.problem.rows[outer.folds[fold].test]
        assert not set(test_rows) & set(search.problem.rows)
        assert len(test_rows) + len(search.problem.rows) == len(task.problem.rows)
        assert len(search.problem.X) == len(search.problem.rows)
        tested += test_rows.tolist()
    assert sorted(tested) == task.problem.rows.tolist()

    run(text_of(2, 3))
    for fold in range(3):
        rows = {
            name: {
                row
                for (packed,) in query(
                    DATABASE,
                    f"SELECT p.rows FROM remix_parts p JOIN remix_studies s ON s.uuid = "
                    f"p.study_uuid WHERE s.name = 'tiny/{name}' AND {which}",
                )
                for row in np.frombuffer(zlib.decompress(packed), np.int32).tolist()
            }
            for name, which in (
                (f"wine/outer {fold + 1}", "1"),
                ("wine/outer", f"fold = {fold} AND part = 'test'"),
            )
        }
        assert rows[f"wine/outer {fold + 1}"]
        assert not rows[f"wine/outer {fold + 1}"] & rows["wine/outer"]


@pytest.mark.usefixtures("simulated")
def test_what_each_outer_fold_chose_is_stored_with_its_trial():
    run(text_of(3, 2))
    runs = query(
        DATABASE,
        "SELECT r.facts, r.parameters, t.value_json FROM remix_runs r JOIN remix_studies s ON "
        "s.uuid = r.study_uuid JOIN trial_user_attributes a ON a.value_json = '\"' || r.uuid || "
        "'\"' JOIN trial_user_attributes t ON t.trial_id = a.trial_id AND t.key = 'slot' "
        "WHERE s.name = 'tiny/wine/outer' ORDER BY 3",
    )
    facts = [json.loads(text) for text, _, _ in runs]
    assert [(each["outer_fold"], each["chosen_by"]) for each in facts] == [
        (fold, choice) for fold in (0, 1) for choice in ("balanced_accuracy", "baseline")
    ]
    for each, (_, parameters, _) in zip(facts, runs, strict=True):
        if each["chosen_by"] != "baseline":
            inner = optuna.load_study(
                study_name=f"tiny/wine/outer {each['outer_fold'] + 1}", storage=URL
            )
            chosen = inner.trials[each["chosen_trial"]]
            assert chosen.params.items() >= json.loads(parameters).items()
            assert chosen.value == inner.best_value
    outer = load_frames(open_reader(URL)).searches[0].outer
    assert [(trial.outer_fold, trial.chosen_by) for trial in outer] == [
        (each["outer_fold"], each["chosen_by"]) for each in facts
    ]


def test_several_networks_a_fold_differ_in_validation_rows_alone():
    (task,) = prepare_tasks(
        parse_study(text_of(2, 3, ("repeats = 1", "repeats = 2")), "tiny.toml")
    )
    outer = search_tasks(task)[-1]
    assert outer.blocks == ((0, 3), (1, 4), (2, 5))
    for position, repeated in outer.blocks:
        first, second = outer.folds[position], outer.folds[repeated]
        assert first.test.tolist() == second.test.tolist()
        assert first.validation.tolist() != second.validation.tolist()
        assert sorted([*first.train, *first.validation]) == sorted(
            [*second.train, *second.validation]
        )


class InterruptingReporter(Reporter):
    """Interrupts the n-th trial after it has begun."""

    def __init__(self, count: int) -> None:
        self.remaining = count

    def trial(self, *_):
        self.remaining -= 1
        if self.remaining == 0:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("simulated")
def test_an_interrupted_nested_search_continues_as_it_would_have():
    text = text_of(3, 2, algorithm="random")
    whole = run(text)
    # Search, two inner ones, then choice and baseline on two outer folds.
    assert (whole.configurations, whole.complete) == (3 + 2 * 3 + 2 * 2, 13)
    expected = scored_trials_by_study()
    assert {name: len(trials) for name, trials in expected.items()} == {
        "tiny/wine": 3,
        "tiny/wine/outer 1": 3,
        "tiny/wine/outer 2": 3,
        "tiny/wine/outer": 4,
    }
    for name in Path().glob("x.db*"):
        name.unlink()
    for stopped_at in (5, 4, 3):
        stop = Signals()
        with pytest.raises(Stopped), stop.installed():
            run(text, reporter=InterruptingReporter(stopped_at), signals=stop)
    run(text)
    assert scored_trials_by_study() == expected
    assert run(text).completed == 0
    assert_clean(DATABASE)


def test_a_search_made_longer_scores_what_it_then_chooses(monkeypatch):
    simulate_quality(monkeypatch.setattr, quality)
    run(text_of(2, 2))
    before = search_summary().outer[0].labels
    more = run(text_of(7, 2))
    assert more.complete == more.configurations
    summary = search_summary()
    assert summary.outer[0].labels != before
    assert len(summary.outer[0].labels) == 2
    for fold, label in enumerate(summary.outer[0].labels, start=1):
        inner = optuna.load_study(study_name=f"tiny/wine/outer {fold}", storage=URL)
        assert label == inner.best_trial.user_attrs["row"]


def test_outer_folds_of_another_number_are_refused(monkeypatch):
    simulate_quality(monkeypatch.setattr, quality)
    run(text_of(2, 2))
    with pytest.raises(StudyFileError, match=r"search\.outer: 2 -> 3"):
        run(text_of(2, 3))


def test_classes_too_small_for_folds_within_folds_are_refused_before_training():
    rare = ('dataset = "wine"', 'dataset = "wine"\nminority = ["class_2"]\nkind = "binary"\n'
            "imbalance = [0.04]")  # fmt: skip
    with pytest.raises(
        DataError, match=r"tiny\.toml: problem wine-class_2-ir0\.04/outer 1: class class_2 has"
    ):
        run(text_of(2, 2, rare))


def test_outer_folds_give_an_unbiased_score_of_the_choice(monkeypatch):
    simulate_quality(monkeypatch.setattr, quality)
    run(text_of(20, 2, ('dataset = "wine"', 'dataset = "breast_cancer"')))
    summary = search_summary()
    chosen = summary.chosen["balanced_accuracy"]
    training = Training(learning_rate=chosen.parameters["learning_rate"])
    assert (chosen.parameters["sampler"], chosen.parameters["mixing"]) == ("balanced", "beta")
    true_score = quality(strategy_of(chosen.parameters), training)
    assert true_score > BEST - 0.1
    searching, baseline = summary.outer
    assert searching.choice == "balanced_accuracy"
    truth = np.mean(
        [
            quality(
                strategy_of(trial.parameters),
                Training(learning_rate=trial.parameters["learning_rate"]),
            )
            for trial in summary.result.outer
            if trial.slot % 2 == 0
        ]
    )
    error = np.sqrt(truth * (1 - truth) / 569)
    assert abs(searching.scores["balanced_accuracy"].mean - truth) < 2 * error
    # The scores with which the searches choose are too high.
    inner = [
        optuna.load_study(study_name=f"tiny/breast_cancer/outer {fold}", storage=URL).best_value
        for fold in (1, 2)
    ]
    assert np.mean(inner) > truth + 2 * error
    assert searching.gains["balanced_accuracy"].mean > 0.2
    plain = quality(compose("natural"), Training())
    assert abs(baseline.scores["balanced_accuracy"].mean - plain) < 2 * np.sqrt(0.25 / 569)


@pytest.mark.slow
def test_only_outer_folds_show_that_nothing_is_better(monkeypatch):
    """Every configuration is right about 70 % of all rows, so the true score of any is 0.7."""
    simulate_quality(monkeypatch.setattr, lambda *_: 0.7)
    best, same, outer = [], [], []
    for seed in range(16):
        seeded = ('name = "tiny"', f'name = "tiny"\nseed = {seed}')
        # The seed of the search moves the configurations, and with them the draws of their rows.
        run(text_of(12, 2, seeded, algorithm="random").replace('"tiny"', f'"tiny{seed}"'))
    frames = load_frames(open_reader(URL))
    for comparison, search in zip(comparisons(frames), frames.searches, strict=True):
        summary = SearchSummary(comparison, search)
        chosen = summary.chosen["balanced_accuracy"]
        best.append(summary.score(chosen, "balanced_accuracy", "validation").mean)
        same.append(summary.score(chosen, "balanced_accuracy", "test").mean)
        outer.append(summary.outer[0].scores["balanced_accuracy"].mean)
    error = np.std(outer, ddof=1) / np.sqrt(len(outer))
    assert abs(np.mean(outer) - 0.7) < 3 * error
    assert np.mean(best) > 0.7 + 5 * error
    assert np.mean(same) > 0.7 + 2 * error
