"""Studies with reference estimators: planned, trained, recorded and continued."""

import pytest
from simulated_training import simulate_training, skip_migrations
from tiny_studies import query, tiny

from remix_study.errors import StudyFileError
from remix_study.results.candidates import decide_problem
from remix_study.results.comparison import comparisons
from remix_study.results.frames import load_frames
from remix_study.results.search import search_summaries
from remix_study.study.reporter import Reporter
from remix_study.study.runner import run as run_study
from remix_study.study.storage import open_reader
from remix_study.studyfile.parsing import parse_study

BUILT_IN = '[search]\nestimators = ["logistic-regression", "logistic-regression-weighted"]\n'
OWN = '[search]\nestimators = ["trees"]\n'
TREES = '\n[estimators.trees]\nclass = "sklearn.tree.DecisionTreeClassifier"\n'


def run(study, url):
    return run_study(study, storage=url, reporter=Reporter())


def study(search, *changes, estimators=""):
    return parse_study(tiny(("[search.space]", search + "[search.space]"), *changes) + estimators)


@pytest.fixture
def storage(monkeypatch, tmp_path):
    skip_migrations(monkeypatch.setattr)
    return tmp_path / "s.db"


def test_they_are_fitted_and_scored_beside_the_networks(storage, monkeypatch):
    # Without the networks, which take a compilation.
    changes = ('strategy = ["baseline", "remix"]\nalpha.remix = [0.0, 0.1]', 'strategy = ["cost"]')
    simulate_training(monkeypatch.setattr)
    plain = parse_study(tiny(changes))
    assert run(plain, f"sqlite:///{storage}").completed == 1
    monkeypatch.undo()
    summary = run(study(BUILT_IN, changes), f"sqlite:///{storage}")
    assert (summary.configurations, summary.complete_before, summary.completed) == (3, 1, 2)
    sql = "select label, strategy, sampler, mixing, loss, network_parameters from remix_runs"
    assert query(storage, sql)[1:] == [
        ("logistic-regression", "logistic-regression", "none", "none", "cross-entropy", 0),
        ("logistic-regression-weighted",) * 2 + ("none", "none", "class-weighted", 0),
    ]
    accuracy = """select avg(value) from remix_scores join remix_runs on id = run_id
        where part = 'test' and metric = 'balanced_accuracy' and label = 'logistic-regression'"""
    assert query(storage, accuracy)[0][0] > 0.95


def test_one_of_your_own_may_not_change_under_its_name(storage, monkeypatch):
    simulate_training(monkeypatch.setattr)
    url = f"sqlite:///{storage}"
    assert run(study(OWN, estimators=TREES), url).completed == 4
    assert run(study(OWN, estimators=TREES), url).completed == 0
    with pytest.raises(StudyFileError, match=r"trees\.parameters\.max_depth: absent -> 2"):
        run(study(OWN, estimators=TREES + "parameters = { max_depth = 2 }\n"), url)


def test_a_search_that_has_begun_may_get_them_beside_it(storage, monkeypatch):
    simulate_training(monkeypatch.setattr)
    url, search = f"sqlite:///{storage}", '[search]\nalgorithm = "tpe"\ntrials = 3\n'
    assert run(study(search), url).completed == 3
    beside = study(search + BUILT_IN.removeprefix("[search]\n"))
    assert run(beside, url).completed == 2
    assert run(beside, url).completed == 0
    sql = "select label from remix_runs order by id"
    labels = [label for (label,) in query(storage, sql)[3:]]
    assert labels == ["logistic-regression", "logistic-regression-weighted"]
    frames = load_frames(open_reader(url))
    (tried,) = comparisons(frames)
    _, decision = decide_problem(tried, frames)
    assert decision.best_reference.method.label in labels
    (summary,) = search_summaries([tried], frames.searches)
    assert summary.references["estimator"].label in labels
