"""Epochs and cost, counted again by other means."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_up_studies import MadeUpProblem, made_up_frames
from scipy import stats

from remix_study.report.sections.cost import section
from remix_study.results.comparison import comparisons
from remix_study.results.cost import study_costs, training_lengths, wall_seconds

METHODS = (("baseline", None), ("remix", 0.1))


@pytest.fixture(scope="module")
def frames():
    first = MadeUpProblem(problem="a-ir0.05", methods=METHODS)
    return made_up_frames(first, replace(first, problem="b-ir0.05"))


def words(page_section):
    return " ".join(text for block in page_section.blocks for text in block.text)


def times(*pairs):
    return pd.DataFrame(
        [
            {"started": f"2026-01-01T{a}:00.250+00:00", "finished": f"2026-01-01T{b}:00.250+00:00"}
            for a, b in pairs
        ]
    )


def test_wall_time_counts_no_pause_and_no_worker_twice():
    assert wall_seconds(times(("10:00", "10:10"), ("12:00", "12:05"))) == 15 * 60
    assert wall_seconds(times(("10:00", "10:10"), ("10:05", "10:20"))) == 20 * 60
    assert wall_seconds(times(("10:05", "10:06"), ("10:00", "10:20"))) == 20 * 60
    assert math.isnan(wall_seconds(pd.DataFrame()))


def test_wall_time_counts_no_pause_before_repeats_were_added():
    joined = times(("10:00", "12:05"))
    begun, done = (times((at, at))["started"][0] for at in ("10:10", "12:00"))
    spans = ((joined["started"][0], begun), (done, joined["finished"][0]))
    assert wall_seconds(joined.assign(spans=[spans])) == 15 * 60


def test_costs_are_sums_over_the_runs(frames):
    definition = {"training": {"batch_size": 64}}
    known = replace(
        frames,
        runs=frames.runs.assign(peak_memory_mb=[100.0, 900.0, 300.0, 200.0]),
        problems=frames.problems.assign(definition=[definition] * 2),
    )
    (line,) = study_costs(comparisons(known), known.runs).to_dict("records")
    folds = known.folds
    steps = sum(f.epochs * (f.n_train // 64) for f in folds.itertuples())
    assert line["networks"] == len(folds) == 80
    assert line["epochs"] == folds["epochs"].sum()
    assert line["steps"] == steps
    assert line["training_seconds"] == pytest.approx(4 * 2.5)
    assert line["peak_memory_mb"] == 900
    (unknown,) = study_costs(comparisons(frames), frames.runs).to_dict("records")
    assert math.isnan(unknown["steps"])
    assert math.isnan(unknown["wall_seconds"])


def test_correlations_and_ratios_are_those_of_scipy(frames):
    lengths = {length.method.label: length for length in training_lengths(comparisons(frames))}
    runs, folds, scores = frames.runs, frames.folds, frames.scores
    expected, ratios = [], []
    for name in ("a-ir0.05", "b-ir0.05"):
        run = runs[(runs["problem"] == name) & (runs["row"] == "remix (0.1)")]["run"].item()
        baseline_run = runs[(runs["problem"] == name) & (runs["row"] == "baseline")]["run"].item()
        epochs = folds[folds["run"] == run].sort_values(["repeat", "fold"])["epochs"]
        value = scores[
            (scores["run"] == run) & (scores["part"] == "test") & (scores["metric"] == "bbs")
        ].sort_values(["repeat", "fold"])["value"]
        expected.append(-stats.spearmanr(epochs, value).statistic)
        ratios.append(epochs.median() / folds[folds["run"] == baseline_run]["epochs"].median())
    remix = lengths["remix (0.1)"]
    assert remix.correlations["bbs"] == pytest.approx(np.mean(expected))
    assert remix.problems["bbs"] == 2
    assert remix.baseline_ratio == pytest.approx(np.median(ratios))
    assert lengths["baseline"].baseline_ratio == 1
    assert remix.stopped == {"patience": 40}


def test_longer_training_that_helps_is_stated(frames):
    # Scores that follow the epochs: ended too early.
    epochs = frames.folds.set_index(["run", "repeat", "fold"])["epochs"]
    scores = frames.scores.copy()
    is_g_mean = scores["metric"] == "g_mean"
    keys = pd.MultiIndex.from_frame(scores.loc[is_g_mean, ["run", "repeat", "fold"]])
    scores.loc[is_g_mean, "value"] = epochs.reindex(keys).to_numpy() / 100
    helped = replace(frames, scores=scores)
    text = words(section(comparisons(helped), comparisons(helped), helped.runs))
    assert "g-mean +1.00 over 2 problems" in text
    assert "for baseline in g-mean and remix (0.1) in g-mean" in text


def test_failed_folds_do_not_count(frames):
    folds = frames.folds.copy()
    folds.loc[folds["fold"] == 0, "failed"] = "NaN"
    lengths = training_lengths(comparisons(replace(frames, folds=folds)))
    assert {length.networks for length in lengths} == {20}
