"""Searches against Optuna's own answers and plain pandas, on a study that was run."""

from __future__ import annotations

import os
import tomllib
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import optuna
import pandas as pd
import pytest
from simulated_training import simulate_quality
from tiny_studies import tiny

from remix_study.report.page import write_report
from remix_study.report.page_files import Formats
from remix_study.report.recommended_study import python_text, study_text
from remix_study.report.sections.search import sections
from remix_study.results.comparison import comparisons
from remix_study.results.frames import load_frames
from remix_study.results.importances import sorted_shares
from remix_study.results.search import SearchSummary
from remix_study.results.search_frames import StoredTrial
from remix_study.study import runner
from remix_study.study.checks import check_study
from remix_study.study.configurations import grid_configurations, label_of
from remix_study.study.storage import open_reader
from remix_study.studyfile.parsing import parse_study

TEXT = tiny(
    (
        'strategy = ["baseline", "remix"]\nalpha.remix = [0.0, 0.1]',
        'sampler = ["natural", "balanced", "smote"]\nmixing = ["none", "beta"]\n'
        "alpha = {low = 0.05, high = 1.0}\nlearning_rate = {low = 1e-4, high = 0.1}\n"
        "model.hidden = [[4], [8, 4]]",
    ),
    (
        "[search.space]",
        '[search]\nalgorithm = "tpe"\ntrials = 10\nouter = 2\n'
        'constraints = ["min_recall >= 0.58"]\n[search.space]',
    ),
    ("repeats = 1", "repeats = 2"),
)


def quality(strategy, training) -> float:
    share = 0.6 - 2 * abs(training.learning_rate - 0.05)
    return share + (0.2 if strategy.sampler == "balanced" else 0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the database of a finished search."""
    folder, before = tmp_path_factory.mktemp("searched"), os.getcwd()
    os.chdir(folder)
    try:
        with pytest.MonkeyPatch.context() as patch:
            simulate_quality(patch.setattr, quality)
            runner.run(parse_study(TEXT, "tiny.toml"), storage="sqlite:///x.db")
        yield folder
    finally:
        os.chdir(before)


@pytest.fixture(scope="module")
def frames(folder):
    return load_frames(open_reader(f"sqlite:///{folder / 'x.db'}"))


@pytest.fixture(scope="module")
def summary(frames):
    (comparison,) = comparisons(frames)
    return SearchSummary(comparison, frames.searches[0])


def loaded(folder, name="tiny/wine"):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.load_study(study_name=name, storage=f"sqlite:///{folder / 'x.db'}")


def test_parts_of_a_search_are_no_problems_of_their_own(frames):
    assert frames.problems["problem"].tolist() == ["wine"]
    assert len(frames.runs) == 10
    assert len(frames.searches) == 1


def test_front_and_choice_are_those_of_optuna(folder, summary):
    study = loaded(folder)
    assert {t.number for t in summary.front} == {t.number for t in study.best_trials}
    feasible = [t for t in study.trials if all(v <= 0 for v in t.constraints.values())]
    assert 0 < len(feasible) < 10
    assert summary.chosen["g_mean"].number == max(feasible, key=lambda t: t.values[0]).number
    assert summary.chosen["bbs"].number == min(feasible, key=lambda t: t.values[1]).number


def test_importances_are_those_of_optuna(folder, summary):
    study = loaded(folder)
    with pytest.warns(UserWarning, match="low `target` values"):
        expected = optuna.importance.get_param_importances(study, target=lambda t: -t.values[0])
    assert summary.importances["g_mean"] == pytest.approx(expected)
    assert set(summary.importances) == {"g_mean", "bbs"}


def test_recommended_is_the_simplest_within_one_corrected_error(frames, summary):
    scores = frames.scores
    wide = scores[(scores["part"] == "validation") & (scores["metric"] == "g_mean")].pivot(
        index=["repeat", "fold"], columns="run", values="value"
    )
    folds = frames.folds[frames.folds["run"] == summary.chosen["g_mean"].run]
    ratio = folds["n_validation"].mean() / folds["n_train"].mean()
    near = []
    for trial in summary.complete:
        gap = wide[trial.run] - wide[summary.chosen["g_mean"].run]
        if trial.is_feasible and abs(gap.mean()) <= np.sqrt((1 / 4 + ratio) * gap.var(ddof=1)):
            near.append(trial)
    assert list(summary.near_best) == near
    assert summary.recommended in near

    def parts(trial):
        point = trial.parameters
        return (point["sampler"] != "natural") + (point.get("mixing", "none") != "none")

    assert parts(summary.recommended) == min(map(parts, near))


def test_outer_scores_are_means_of_test_scores_by_fold(folder, summary):
    study = loaded(folder, "tiny/wine/outer")
    scores = summary.result.scores
    for place, outer in enumerate(summary.outer):
        means = []
        for fold in range(2):
            (trial,) = (t for t in study.trials if t.user_attrs["slot"] == fold * 3 + place)
            (run,) = (t.run for t in summary.result.outer if t.number == trial.number)
            run_scores = scores[(scores["run"] == run) & (scores["metric"] == "bbs")]
            means.append(run_scores.loc[run_scores["part"] == "test", "value"].mean())
        assert outer.scores["bbs"].mean == pytest.approx(np.mean(means))
        spread = np.std(means, ddof=1)
        # Two outer folds, each as large as what trained and stopped its networks.
        assert outer.scores["bbs"].interval.standard_error == pytest.approx(
            spread * np.sqrt(0.5 + 1)
        )
    assert [outer.choice for outer in summary.outer] == ["g_mean", "bbs", "baseline"]


def test_the_recommended_configuration_becomes_a_study_file_that_runs_it(summary):
    for trial in summary.complete:
        text = study_text(TEXT, summary.comparison.info, trial.parameters)
        study = parse_study(text, "pasted.toml")
        check_study(study)
        (point,) = grid_configurations(study.search.space)
        settings = {k: v for k, v in trial.parameters.items() if k in ("learning_rate",)}
        assert study.training.learning_rate == settings["learning_rate"]
        assert str(study.model.options["hidden"]) == trial.parameters["model.hidden"]
        assert label_of(point) == trial.label.partition(", ")[0]
        assert tomllib.loads(text)["study"]["name"] == "tiny-chosen"


def test_a_configuration_becomes_code_that_makes_its_batches():
    keras = pytest.importorskip("keras")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), np.arange(60) % 3
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(3, "softmax")])
    for loss in ("cross-entropy", "class-weighted", "logit-adjusted"):
        point = {"sampler": "balanced-dataset", "mixing": "beta-sample", "alpha": 0.25}
        text = python_text(point | {"loss": loss, "epochs": 1}, {"batch_size": 16} | RATE)
        space = {"X": X, "y": y, "model": model}
        exec(text, space)
        strategy = space["batches"].strategy
        assert (strategy.sampler, strategy.mixing) == ("balanced-dataset", "beta-sample")
        assert strategy.alpha == 0.25
        assert np.isfinite(model.history.history["loss"][0])
        assert float(model.optimizer.learning_rate.numpy()) == pytest.approx(0.002)


RATE = {"learning_rate": 0.002}


class Text(HTMLParser):
    """What a page says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.feed(text)

    def handle_data(self, data):
        self.words.append(data)


@pytest.mark.usefixtures("unrendered_figures")
def test_the_page_says_which_scores_are_optimistic(tmp_path, frames, summary):
    page = write_report(frames, tmp_path / "r", command="x", formats=Formats(figures=True))
    text = " ".join(" ".join(Text(page.read_text(encoding="utf-8")).words).split())
    assert "Scores of a chosen trial are optimistic" in text
    assert f"By g-mean on validation: trial {summary.chosen['g_mean'].number}" in text
    assert "Searching this space by g-mean is worth" in text
    assert "Against the baseline on the same outer folds" in text
    assert "complete trials meet min_recall >= 0.58 on validation" in text
    name, share = next(iter(summary.importances["g_mean"].items()))
    shares = f"by g-mean (PED-ANOVA): {name} {100 * share:.0f} %"
    assert f"Shares in reaching the best trials {shares}" in text
    assert "batches = remix_study.ReMix(X, y, " in text
    tables = {path.stem for path in (page.parent / "tables").glob("search-*.csv")}
    names = {"search-trials", "search-choices", "search-outer", "search-importances"}
    assert tables == names
    trials = pd.read_csv(page.parent / "tables" / "search-trials.csv")
    assert len(trials) == 10
    figures = {path.stem for path in (page.parent / "figures").glob("search-1-*.svg")}
    assert figures == {
        f"search-1-{name}"
        for name in (
            "history-g_mean", "history-bbs", "front", "importances", "alpha-g_mean", "alpha-bbs",
        )
    }  # fmt: skip


@pytest.mark.usefixtures("unrendered_figures")
def test_the_section_of_an_incomplete_search(frames):
    (search,) = frames.searches
    for changes in (
        {"outer": ()},
        {"outer": (), "planned_outer": 0},
        {"trials": search.trials[:1]},
        {"trials": ()},
        {"trials": tuple(replace(t, state="PRUNED") for t in search.trials)},
        {"trials": tuple(replace(t, constraints={"c": 1.0}) for t in search.trials)},
    ):
        page_section = sections(
            comparisons(frames), (replace(search, **changes),), frames.manifests
        )
        assert bool(page_section) == bool(changes.get("trials", True))


@pytest.mark.usefixtures("unrendered_figures")
def test_a_search_that_is_no_better_than_the_baseline_warns(frames, summary):
    (search,) = frames.searches
    first = summary.references["baseline"]
    worse = [bad(t) for t in search.trials if t is not first]
    trials = (replace(first, constraints={}), *worse)
    page_section = sections(comparisons(frames), (replace(search, trials=trials),), ())
    warnings = " ".join(page_section[0].blocks[0].warnings)
    assert "No trial did better than the baseline by g-mean on validation" in warnings
    assert "ReMix" not in warnings


def bad(trial: StoredTrial) -> StoredTrial:
    """The same trial with the worst of values, and as little in the way as the first."""
    return replace(trial, values=(0.0, 1.0), constraints={})


def test_equal_importances_are_in_the_order_of_their_names():
    shares = {"mixing": 0.25, "sampler": 0.5, "alpha": 0.25}
    assert list(sorted_shares(shares)) == ["sampler", "alpha", "mixing"]
