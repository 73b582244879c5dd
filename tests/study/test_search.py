"""Searches: what they begin with, constraints, pruning; interrupted and resumed."""

from __future__ import annotations

import json
import shutil
import signal
import threading
from pathlib import Path

import numpy as np
import optuna
import pytest
from simulated_training import simulate_quality
from tiny_studies import assert_clean, command, query, tiny, trials, wait_for

from remix_study.errors import StudyFileError
from remix_study.study import runner, search_checks
from remix_study.study.checks import check_study
from remix_study.study.reporter import Reporter
from remix_study.study.signals import Signals, Stopped
from remix_study.studyfile.parsing import parse_study

DATABASE = Path("x.db")
URL = f"sqlite:///{DATABASE}"
MIXED = (
    'strategy = ["baseline", "remix"]\nalpha.remix = [0.0, 0.1]',
    'sampler = ["natural", "balanced", "smote"]\nmixing = ["none", "beta"]\n'
    "alpha = {low = 0.01, high = 1, log = true}\nlearning_rate = {low = 1e-4, high = 0.1}",
)
NUMBERS = (
    MIXED[0],
    'sampler = ["balanced"]\nmixing = ["beta"]\nalpha = {low = 0.05, high = 1.0}\n'
    "learning_rate = {low = 1e-4, high = 0.1}",
)
ONE = ('objectives = ["g_mean", "bbs"]', 'objectives = ["balanced_accuracy"]')


def text_of(algorithm: str, *changes, trials: int = 20, more: str = "", space=MIXED) -> str:
    head = f'[search]\nalgorithm = "{algorithm}"\ntrials = {trials}\n{more}\n[search.space]'
    return tiny(space, ("[search.space]", head), *changes)


def run(text: str, **options):
    return runner.run(parse_study(text, "tiny.toml"), storage=URL, **options)


def study(name: str = "tiny/wine"):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.load_study(study_name=name, storage=URL)


def points(name: str = "tiny/wine") -> list[tuple[int, dict, list[float]]]:
    """(slot, parameters, values) of the trials that ended well, by slot."""
    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    found = [
        (t.user_attrs["slot"], t.params, t.values) for t in study(name).get_trials(states=states)
    ]
    return sorted(found, key=lambda one: one[0])


@pytest.fixture(autouse=True)
def _database(here, _blank):
    """An empty database in an empty folder."""
    shutil.copy(_blank, here / DATABASE)


def fresh() -> None:
    for name in Path().glob("x.db*"):
        name.unlink()


class Stopper(Reporter):
    """Interrupts the n-th trial after it has begun."""

    def __init__(self, count: int) -> None:
        self.left = count

    def trial(self, *_):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("algorithm", ["tpe", "random", "nsga2", "qmc", "cmaes", "gp"])
@pytest.mark.usefixtures("simulated")
def test_an_interrupted_search_asks_the_points_it_would_have_asked(algorithm):
    if algorithm in search_checks.PACKAGES:
        pytest.importorskip(search_checks.PACKAGES[algorithm])
    # NSGA-II must come past its first generation of 12, a Gaussian process past 10 at random.
    count = {"nsga2": 15, "gp": 12}.get(algorithm, 8)
    changes = [ONE] if algorithm in ("cmaes", "gp") else []
    space = NUMBERS if algorithm in ("cmaes", "gp") else MIXED
    text = text_of(algorithm, *changes, trials=count, space=space)
    run(text)
    expected = points()
    assert [slot for slot, *_ in expected] == list(range(count))
    assert len({json.dumps(found, sort_keys=True) for _, found, _ in expected}) > count / 2

    fresh()
    for stopped_at in (2, 4):
        stop = Signals()
        with pytest.raises(Stopped), stop.installed():
            run(text, reporter=Stopper(stopped_at), signals=stop)
    run(text)
    assert points() == expected
    assert [state for *_, state in trials(DATABASE)].count("FAIL") == 2
    assert_clean(DATABASE)


def test_a_search_that_was_killed_goes_on_as_it_would_have(here):
    """Killed in its second generation, with made-up training in a process of its own."""
    Path("tiny.toml").write_text(text_of("nsga2", trials=16))
    whole = command(
        "run", "tiny.toml", "--storage", "sqlite:///whole.db", cwd=here, simulated=True
    )
    killed = command("run", "tiny.toml", "--storage", URL, cwd=here, simulated=True, seconds=0.2)
    wait_for(DATABASE, {"COMPLETE": 13, "RUNNING": 1}, killed)
    killed.kill()
    killed.communicate()
    rest = command("run", "tiny.toml", "--storage", URL, cwd=here, simulated=True)
    for process in (rest, whole):
        _, said = process.communicate()
        assert process.returncode == 0, said
    found = points()
    shutil.copy("whole.db", DATABASE)
    assert found == points()


@pytest.mark.parametrize(
    ("algorithm", "first"),
    [
        ("tpe", {"sampler": "natural", "mixing": "none", "learning_rate": 0.001}),
        ("qmc", {"sampler": "natural", "mixing": "none", "alpha": 0.1, "learning_rate": 0.001}),
    ],
)
@pytest.mark.usefixtures("simulated")
def test_baseline_and_the_papers_remix_come_first(algorithm, first):
    run(text_of(algorithm, trials=3))
    remix = {"sampler": "balanced", "mixing": "beta", "alpha": 0.1, "learning_rate": 0.001}
    assert [found for _, found, _ in points()][:2] == [first, remix]
    labels = [label for (label,) in query(DATABASE, "SELECT strategy FROM remix_runs")]
    assert labels[:2] == ["baseline", "remix"]
    assert len(query(DATABASE, "SELECT * FROM studies")) == 1


@pytest.mark.usefixtures("simulated")
def test_what_a_space_lacks_of_them_is_run_beside_it():
    space = (MIXED[0], 'sampler = ["balanced", "smote"]\nlearning_rate = {low = 0.01, high = 1.0}')
    summary = run(text_of("random", trials=3, space=space))
    assert (summary.configurations, summary.complete) == (5, 5)
    beside = study("tiny/wine/references").get_trials()
    assert [trial.params for trial in beside] == [
        {"strategy": "baseline"},
        {"strategy": "remix", "alpha": 0.1},
    ]
    # On the very folds and seeds of the search.
    rows = "SELECT fold, part, rows FROM remix_parts WHERE study_uuid = (SELECT uuid FROM "
    own, other = (
        query(DATABASE, f"{rows} remix_studies WHERE name = '{name}') ORDER BY 1, 2")
        for name in ("tiny/wine", "tiny/wine/references")
    )
    assert own == other
    assert run(text_of("random", trials=3, space=space)).completed == 0
    assert_clean(DATABASE)


@pytest.mark.usefixtures("simulated")
def test_a_first_point_that_failed_is_run_again_by_the_next_run(monkeypatch):
    from remix_study.study import active_trial
    from remix_study.study.evaluation import MembersFailed

    evaluate, failed = active_trial.evaluate, []

    def fail_once(task, parameters, *rest, **options):
        if not failed:
            failed.append(parameters)
            raise MembersFailed("made up to fail")
        return evaluate(task, parameters, *rest, **options)

    monkeypatch.setattr(active_trial, "evaluate", fail_once)
    text = text_of("tpe", trials=4, more='constraints = ["bbs <= 1.5 x baseline"]')
    first = run(text)
    # Without its baseline the search has nothing to hold trials against.
    assert (first.complete, len(first.failures)) == (0, 2)
    assert "the baseline has failed" in first.failures[1].reason
    second = run(text)
    assert (second.complete, second.failures) == (4, [])
    assert [slot for slot, *_ in points()] == [0, 1, 2, 3]


@pytest.mark.usefixtures("simulated")
def test_constraints_hold_validation_means_against_bounds_and_the_baseline():
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
    found = study().get_trials()
    baseline = means[found[0].user_attrs["remix_run"], "brier"]
    for trial in found:
        own = trial.user_attrs["remix_run"]
        assert trial.constraints == pytest.approx(
            {
                "min_recall >= 0.2": 0.2 - means[own, "min_recall"],
                "brier <= 1.01 x baseline": means[own, "brier"] - 1.01 * baseline,
            }
        )
        for name, beyond in trial.constraints.items():
            words = trial.user_attrs[f"constraint {name}"]
            assert words.startswith("met: " if beyond <= 0 else "not met: ")
    feasible = [all(v <= 0 for v in trial.constraints.values()) for trial in found]
    assert {True, False} == set(feasible)
    assert all(feasible[trial.number] for trial in study().best_trials)


@pytest.mark.parametrize("failing", [False, True])
@pytest.mark.usefixtures("simulated")
def test_constraints_may_speak_of_a_baseline_beside_the_space(failing, monkeypatch):
    from remix_study.study.task import Task

    fit = Task.fit

    def fit_but_no_reference(self, setting, *rest):
        if failing and self.role == "references":
            raise MemoryError
        return fit(self, setting, *rest)

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
def test_two_workers_wait_for_the_baseline_that_constraints_speak_of(monkeypatch):
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
    found = study().get_trials()
    assert [len(trial.constraints) for trial in found] == [1] * 4
    first = min(found, key=lambda trial: trial.datetime_complete)
    assert first.user_attrs["slot"] == 0
    assert all(t.datetime_start >= first.datetime_complete for t in found if t is not first)


def quality(strategy, training) -> float:
    """Best at alpha 0.4 and a rate of 0.05, and only where classes are balanced and mixed."""
    share = 0.6 - 2 * abs(training.learning_rate - 0.05)
    if (strategy.sampler, strategy.mixing) == ("balanced", "beta"):
        share += 0.3 - 0.3 * abs(strategy.alpha - 0.4)
    return share


PRUNED = (ONE, ("repeats = 1", "repeats = 6"))


def test_hopeless_trials_end_between_blocks_and_keep_their_scores(monkeypatch):
    simulate_quality(monkeypatch.setattr, quality)
    text = text_of("tpe", *PRUNED, trials=14, more="prune = true")
    assert run(text).complete == 14
    kept = dict(
        query(
            DATABASE,
            "SELECT uuid, count(*) FROM remix_runs JOIN remix_folds ON id = run_id GROUP BY uuid",
        )
    )
    states, pruned = [], 0
    for trial in study().get_trials():
        folds = kept[trial.user_attrs["remix_run"]]
        states.append(trial.state.name)
        assert folds == (12 if trial.state.name == "COMPLETE" else 6)
        assert len(trial.intermediate_values) == folds
        assert trial.value == pytest.approx(np.mean(list(trial.intermediate_values.values())))
        pruned += trial.state.name == "PRUNED"
    # The first points are never ended, however bad.
    assert states[:2] == ["COMPLETE", "COMPLETE"]
    assert 3 < pruned < 12
    assert study().best_trial.params["sampler"] == "balanced"
    assert run(text).completed == 0
    expected = points()

    fresh()
    stop = Signals()
    with pytest.raises(Stopped), stop.installed():
        run(text, reporter=Stopper(9), signals=stop)
    run(text)
    assert points() == expected


CHECKS = {
    "cmaes, several": (
        text_of("cmaes"),
        'search.algorithm: "cmaes" takes one objective only; use "tpe"',
    ),
    "cmaes, names": (
        text_of("cmaes", ONE),
        'search.space.sampler: "cmaes" chooses numbers only; give one value or a range {',
    ),
    "cmaes, strategies": (
        text_of("cmaes", ONE, space=(MIXED[0], 'strategy = ["cost", "remix"]')),
        'search.space.strategy: "cmaes" chooses numbers only; name one, or use "tpe"',
    ),
    "cmaes, one range": (
        text_of(
            "cmaes", ONE, space=(MIXED[0], "sampler = ['smote']\nepochs = {low = 2, high = 9}")
        ),
        'search.space: "cmaes" needs two ranges or more; use "tpe"',
    ),
    "cmaes, constraints": (
        text_of("cmaes", ONE, space=NUMBERS, more='constraints = ["bbs <= 1"]'),
        'search.constraints: "cmaes" ignores them; use "tpe"',
    ),
    "alphas": (
        text_of(
            "gp",
            space=(
                MIXED[0],
                "strategy = ['mixup', 'remix']\nalpha.remix = {low = 0.1, high = 1}\n"
                "alpha.mixup = {low = 0.1, high = 2}",
            ),
        ),
        'search.space.alpha: "gp" needs the same alpha for every strategy, or use "tpe"',
    ),
    "prune, several": (text_of("tpe", more="prune = true"), "search.prune: needs one objective"),
    "prune, few": (
        text_of("tpe", ONE, more="prune = true"),
        "search.prune: needs cv.repeats of 2 or more and 10 folds in all, to stop between two "
        "blocks (found 2)",
    ),
    "constraint": (
        text_of("tpe", more='constraints = ["bbs < 1"]'),
        'search.constraints: cannot read "bbs < 1"; write for example "min_recall >= 0.5"',
    ),
    "metric": (
        text_of("tpe", more='constraints = ["briar <= 1"]'),
        'search.constraints: no metric "briar"; did you mean "brier"?',
    ),
    "twice": (
        text_of("tpe", more='constraints = ["bbs <= 1", "bbs  <= 1"]'),
        "search.constraints: one is there twice; leave one out",
    ),
    "outer": (text_of("tpe", more="outer = 1"), "search.outer: expected a whole number from 2"),
    "grid": (
        tiny(("[search.space]", "[search]\nouter = 5\n[search.space]")),
        "search.outer: needs a search algorithm",
    ),
}


@pytest.mark.parametrize(("text", "expected"), CHECKS.values(), ids=CHECKS)
def test_what_a_search_cannot_do_is_refused_in_one_line(text, expected):
    with pytest.raises(StudyFileError) as caught:
        check_study(parse_study(text, "tiny.toml"))
    assert str(caught.value).startswith(f"tiny.toml: {expected}")


@pytest.mark.parametrize(("algorithm", "package"), [("gp", "torch"), ("cmaes", "cmaes")])
def test_a_package_that_is_missing_is_named_with_its_extra(algorithm, package, monkeypatch):
    monkeypatch.setattr(search_checks, "find_spec", lambda _: None)
    with pytest.raises(StudyFileError) as caught:
        check_study(parse_study(text_of(algorithm, ONE, space=NUMBERS), "tiny.toml"))
    assert str(caught.value) == (
        f'tiny.toml: search.algorithm: "{algorithm}" needs {package}, which is not installed; '
        f'pip install "remix-study[{algorithm}]"'
    )
