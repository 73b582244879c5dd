"""Studies with a test file or times: their intervals, in results, tables, lines and status."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from simulated_training import simulate_training, skip_migrations
from tiny_studies import tiny

from remix_study.cli.main import main
from remix_study.data.arrays import from_arrays
from remix_study.metrics.costs import cost_matrix
from remix_study.report.page import outcome_lines
from remix_study.report.sentences import SENTENCES
from remix_study.results import alpha_grids, score_tables
from remix_study.results.comparison import Comparison, comparisons
from remix_study.results.decision import decide
from remix_study.results.frames import EMPTY_SUMMARY, StudyFrames, load_frames
from remix_study.study.runner import run
from remix_study.study.storage import open_reader
from remix_study.studyfile.parsing import parse_study

TIMES = """
[[problems]]
file = "days.csv"
label = "class"
time = "day"
"""
ALPHAS = "alpha.remix = [0.05, 0.1, 0.2, 0.4]"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two studies of made-up training: a test part from Python, and two blocks of days."""
    folder = tmp_path_factory.mktemp("given")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(120, 2)), np.arange(120) % 3
    lines = [f"{day},{x:.3f},{'abc'[day % 3]}" for day, (x, _) in enumerate(X)]
    (folder / "days.csv").write_text("\n".join(["day,size,class", *lines]) + "\n")
    patch = pytest.MonkeyPatch()
    simulate_training(patch.setattr)
    skip_migrations(patch.setattr)
    problem, alphas = (
        ('[[problems]]\ndataset = "wine"\n', ""),
        ("alpha.remix = [0.0, 0.1]", ALPHAS),
    )
    size = ("batch_size = 16", "batch_size = 8")
    url = f"sqlite:///{folder / 'x.db'}"
    text = tiny(problem, alphas, size, ("folds = 2\nrepeats = 1", "repeats = 2"))
    run(parse_study(text), storage=url, data=from_arrays(X, y, X_test=X[:60], y_test=y[:60]))
    text = tiny(problem, alphas, size, ('name = "tiny"', 'name = "days"')) + TIMES
    run(parse_study(text, str(folder / "days.toml")), storage=url)
    patch.undo()
    return folder / "x.db"


@pytest.fixture(scope="module")
def frames(database: Path) -> StudyFrames:
    return load_frames(open_reader(f"sqlite:///{database}"))


@pytest.fixture(scope="module", params=["test", "time"])
def comparison(frames: StudyFrames, request: pytest.FixtureRequest) -> Comparison:
    (comparison,) = (c for c in comparisons(frames) if c.split == request.param)
    return comparison


def test_scores_and_differences_are_bootstrapped(comparison: Comparison) -> None:
    for metric in comparison.metrics():
        score = comparison.effects.score("baseline", metric)
        assert score is not None
        assert score.interval.draws == 1000
        assert score.interval.folds == 2
        assert score.interval.low <= score.mean <= score.interval.high or metric.endswith("ece")
    table = score_tables.table([comparison])
    assert set(table["interval"]) == {"bootstrap"}
    assert table["test_train_ratio"].isna().all()


def test_trends_over_alpha_are_scored_on_the_same_draws(comparison: Comparison) -> None:
    (grid,) = alpha_grids.alpha_grids([comparison])
    (trend,) = alpha_grids.alpha_trends([grid], ["g_mean"])
    for interval in (trend.slope, trend.correlation, *trend.regrets.values()):
        assert interval.draws == 1000
        assert interval.low <= interval.mean <= interval.high


def test_a_decision_has_words_from_the_draws(comparison: Comparison, frames: StudyFrames) -> None:
    decision = decide(comparison, frames.probabilities)
    assert decision is not None
    rival = next(form for form in decision.entries if form is not decision.chosen)
    for metric in ("g_mean", "bbs", "log_loss"):
        score = decision.mean(rival, metric)
        assert score is not None
        assert score.mean == pytest.approx(rival.scores["test"][metric].mean())
        interval = decision.difference(rival, decision.chosen, metric)
        assert interval.draws == 1000
        assert interval.low <= interval.mean <= interval.high


def test_costs_have_an_interval_from_the_draws(
    comparison: Comparison, frames: StudyFrames
) -> None:
    names = comparison.info["classes"]
    costs = {name: {rival: 3 for rival in names if rival != name} for name in names}
    with_costs = replace(comparison, info={**comparison.info, "report": {"costs": costs}})
    drawn = replace(comparison.bootstrap, costs=cost_matrix(costs, names, "x"))
    decision = decide(replace(with_costs, bootstrap=drawn), frames.probabilities)
    assert decision is not None
    assert decision.expected_cost is not None
    interval = decision.expected_cost.interval
    assert interval.draws == 1000
    assert interval.low < interval.mean < interval.high


def test_pages_lines_and_status_say_so(
    comparison: Comparison, frames: StudyFrames, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = {"test": "One test file", "time": "Test blocks in time"}[comparison.split]
    assert any(f"{what}: intervals are bootstrapped" in line for line in outcome_lines(frames))
    fewest = {"train": 9, "validation": 9, "test": 9}
    text = " ".join(SENTENCES.paragraphs("scores.problem", comparison, fewest, []))
    assert "1,000 draws of the test rows" in text
    caption = SENTENCES.phrase("scores.test_caption", "baseline", comparison, [0], 0.05)
    assert "paired by row" in caption
    assert main(["status", "--storage", f"sqlite:///{database}"]) == 0
    assert f"{what.lower()}; its intervals are bootstrapped" in capsys.readouterr().out
    assert main(["status", "--json", "--storage", f"sqlite:///{database}"]) == 0
    assert {problem["split"] for problem in json.loads(capsys.readouterr().out)} == {
        "test",
        "time",
    }


def test_the_dashboard_sees_no_test_row(frames: StudyFrames) -> None:
    for comparison in comparisons(frames.validation_only()):
        score = comparison.effects.score("baseline", "g_mean")
        assert score is not None
        # Validation parts beside a test file are drawn anew, so they have the corrected interval.
        assert score.interval.draws == (1000 if comparison.split == "time" else 0)
        assert np.isfinite(score.interval.low)


def test_a_summary_without_probabilities_has_no_interval(frames: StudyFrames) -> None:
    runs = dict.fromkeys(frames.runs["run"].astype(int), EMPTY_SUMMARY)
    for comparison in comparisons(replace(frames, summaries=runs)):
        score = comparison.effects.score("baseline", "g_mean")
        assert score is not None
        assert np.isnan(score.interval.low)
        assert comparison.interval_name == "none"
        fewest = {"train": 9, "validation": 9, "test": 9}
        text = " ".join(SENTENCES.paragraphs("scores.problem", comparison, fewest, []))
        assert "There are no intervals" in text
