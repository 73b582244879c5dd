"""A search that follows a grid: its methods stay as they are, and Optuna goes on from them."""

from __future__ import annotations

import re
from pathlib import Path

import optuna
import pytest
from simulated_training import simulate_quality
from tiny_studies import assert_clean, query, tiny

from remix_study.errors import StudyFileError
from remix_study.report.sections.search import sections
from remix_study.results.comparison import comparisons
from remix_study.results.frames import load_frames
from remix_study.results.search import SearchSummary
from remix_study.study import runner
from remix_study.study.checks import check_study
from remix_study.study.signals import Signals, Stopped
from remix_study.study.storage import open_reader
from remix_study.studyfile.parsing import parse_study

DATABASE = Path("x.db")
URL = f"sqlite:///{DATABASE}"
THEN = """
[search.then]
algorithm = "tpe"
trials = 8
{more}
[search.then.space]
sampler = ["natural", "balanced", "smote"]
mixing = ["none", "beta"]
alpha = {{ low = 0.01, high = 1.0, log = true }}
"""
GRID = tiny()
STUDY = GRID + THEN.format(more="")


def run(text: str, **options):
    return runner.run(parse_study(text, "tiny.toml"), storage=URL, **options)


def values(name: str) -> list[tuple]:
    """(parameters, values) of the COMPLETE trials of a study, in order."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    trials = optuna.load_study(study_name=name, storage=URL).get_trials(
        states=[optuna.trial.TrialState.COMPLETE]
    )
    return [(trial.params, trial.values) for trial in trials]


def quality(strategy, _training) -> float:
    """Best for ReMix at alpha 0.4."""
    share = 0.6 if strategy.sampler == "natural" else 0.7
    return share + (0.2 - 0.3 * abs(strategy.alpha - 0.4) if strategy.mixing == "beta" else 0.0)


@pytest.mark.usefixtures("storage", "simulated")
def test_a_search_is_added_to_a_complete_grid_on_the_same_folds():
    assert run(GRID).complete == 3
    grid = values("tiny/wine")
    summary = run(STUDY)
    assert (summary.configurations, summary.complete_before, summary.completed) == (11, 3, 8)
    assert values("tiny/wine") == grid
    searched = values("tiny/wine/search")
    assert len(searched) == 8
    assert {parameters["sampler"] for parameters, _ in searched} == {
        "natural",
        "balanced",
        "smote",
    }
    rows = "SELECT fold, part, rows FROM remix_parts JOIN remix_studies ON uuid = study_uuid "
    of_grid, of_search = (
        query(DATABASE, f"{rows} WHERE name = '{name}' ORDER BY 1, 2")
        for name in ("tiny/wine", "tiny/wine/search")
    )
    assert of_grid == of_search
    assert run(STUDY).completed == 0
    assert_clean(DATABASE)


@pytest.mark.slow
@pytest.mark.usefixtures("storage", "simulated")
def test_an_interrupted_search_after_a_grid_continues_as_it_would_have(here):
    class Interrupting(runner.Reporter):
        count = 0

        def trial(self, *_):
            self.count += 1
            if self.count == 8:
                stop.received = 2
                raise Stopped(2)

    stop = Signals()
    with pytest.raises(Stopped):
        run(STUDY, reporter=Interrupting(), signals=stop)
    run(STUDY)
    continued = values("tiny/wine/search")
    for path in here.glob("x.db*"):
        path.unlink()
    run(STUDY)
    assert continued == values("tiny/wine/search")


@pytest.mark.usefixtures("unrendered_figures", "storage")
def test_the_page_compares_what_was_searched_with_the_grid(monkeypatch):
    simulate_quality(monkeypatch.setattr, quality)
    run(STUDY)
    engine = open_reader(URL)
    frames = load_frames(engine, ["tiny"])
    (comparison,) = comparisons(frames)
    engine.dispose()
    # Ranks, verdicts and curves are of the grid alone.
    assert comparison.is_grid
    assert [m.label for m in comparison.methods] == ["baseline", "balance", "remix (0.1)"]
    (search,) = frames.searches
    summary = SearchSummary(comparison, search)
    best = max(search.references, key=lambda trial: trial.values[0])
    assert {name: trial.label for name, trial in summary.references.items()} == {
        "baseline": "baseline",
        "remix": "remix (0.1)",
        **({"grid": best.label} if best.label == "balance" else {}),
    }
    chosen = max(search.trials, key=lambda trial: trial.values[0])
    assert summary.choice is chosen
    (section,) = sections([comparison], frames.searches, frames.manifests)
    text = " ".join(line for block in section.blocks for line in block.text)
    assert "Tree-structured Parzen estimator: 8 complete trials" in text
    assert "It followed a grid on the same folds" in text
    assert any("alpha-g_mean" in picture.name for picture in section.blocks[0].pictures)


@pytest.mark.usefixtures("storage", "simulated")
def test_a_problem_may_go_without_the_search_and_bounds_may_be_relative_to_the_grids_baseline():
    text = tiny(('dataset = "wine"', 'dataset = "wine"\nsearch = false'))
    assert run(text + THEN.format(more="")).configurations == 3
    limit = 'constraints = ["brier <= 2 x baseline"]'
    run(GRID + THEN.format(more=limit))
    trials = optuna.load_study(study_name="tiny/wine/search", storage=URL).get_trials()
    assert [len(trial.constraints) for trial in trials] == [1] * 8


@pytest.mark.usefixtures("storage", "simulated")
def test_repeats_are_added_to_a_grid_before_its_search_begins():
    run(GRID)
    more = ("repeats = 1", "repeats = 2")
    run(GRID.replace(*more))
    text = STUDY.replace(*more).replace("trials = 8", "trials = 2")
    assert run(text).completed == 2
    # Refused before anything changes: the grid alone could grow.
    with pytest.raises(StudyFileError, match=r"cv\.repeats: 2 -> 3, but a search chose"):
        run(text.replace("repeats = 2", "repeats = 3"))
    assert run(text).completed == 0
    engine = open_reader(URL)
    frames = load_frames(engine, ["tiny"])
    engine.dispose()
    summary = SearchSummary(comparisons(frames)[0], frames.searches[0])
    for trial in (*summary.result.references, *summary.complete):
        score = summary.score(trial, "g_mean", "validation")
        assert score is not None
        assert score.interval.folds == 4
        assert score.mean == pytest.approx(trial.values[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (tiny(('dataset = "wine"', 'dataset = "wine"\nsearch = false')), "problems[0].search: no"),
        (GRID + "[search.then]\ntrials = 3", "search.then.algorithm: name one of Optuna's, such"),
        (GRID + '[search.then]\nalgorithm = "tpe"', "search.then.trials: say how many trials tpe"),
        (STUDY.replace("trials = 8", "trials = 8\nouter = 3"), "search.then.outer: not in a"),
        (
            STUDY.replace("trials = 8", "trails = 8"),
            "search.then.trails: unknown key; did you mean",
        ),
        (STUDY.replace("low = 0.01", "low = 0.0"), "search.then.space.alpha.low: a log scale"),
        (STUDY.replace('"smote"]', '"smota"]'), 'search.then.space.sampler: no sampler "smota"'),
        (
            (GRID + THEN.format(more='constraints = ["brier <= 2 x baseline"]')).replace(
                '"baseline", ', ""
            ),
            'search.then.constraints: "brier <= 2 x baseline" needs the baseline; add it to',
        ),
        (
            (GRID + THEN.format(more='constraints = ["brier <= 2 x baseline"]')).replace(
                "[search.space]", "[search.space]\nlearning_rate = [0.1, 0.2]", 1
            ),
            'search.then.constraints: "brier <= 2 x baseline" needs the baseline; search.space '
            "would have one for each learning_rate; write",
        ),
        (
            tiny(("[search.space]", '[search]\nalgorithm = "tpe"\ntrials = 3\n[search.space]'))
            + THEN.format(more=""),
            "search.then: follows a grid only",
        ),
    ],
)
def test_a_mistake_is_named(text, message):
    with pytest.raises(StudyFileError, match=re.escape(f"my.toml: {message}")):
        check_study(parse_study(text, "my.toml"))
