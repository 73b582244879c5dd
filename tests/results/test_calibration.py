"""Reliability against scikit-learn and plain loops, and where its corrections are exact."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from gaussian_studies import gaussian_frames
from hypothesis import given
from hypothesis import strategies as st
from made_up_studies import MadeUpProblem, made_up_frames
from sklearn.calibration import calibration_curve

from remix_study.report.formatting import number
from remix_study.report.page_model import MANY
from remix_study.report.sections.calibration import ON_PAGE, SHOWN_OPEN, section
from remix_study.results.calibration import (
    BALANCED,
    BINS,
    CORRECTED,
    NATURAL,
    method_reliabilities,
    rare_class_codes,
    reliability,
)
from remix_study.results.comparison import comparisons
from remix_study.results.methods import remix_method

pytestmark = pytest.mark.usefixtures("unrendered_figures")

METHODS = (("baseline", None), ("balance", None), ("remix", 0.1), ("logit-adjusted", None))


def calibration_of(frames):
    (comparison,) = comparisons(frames)
    return comparison, method_reliabilities(
        comparison, frames.probabilities, remix_method(comparison.methods)
    )


@pytest.fixture(scope="module")
def frames():
    return gaussian_frames(methods=METHODS, n=2000, repeats=3, share=0.1, slopes={"remix": 0.6})


@pytest.fixture(scope="module")
def calibrated(frames):
    return calibration_of(frames)


def test_bins_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    p = rng.random(3000)
    events = rng.random(3000) < p**2
    binned = reliability(p, events, np.ones(3000))
    observed, forecast = calibration_curve(events, p, n_bins=BINS)
    assert binned.observed == pytest.approx(observed)
    assert binned.forecast == pytest.approx(forecast)
    assert binned.counts.sum() == 3000


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.booleans(), st.sampled_from([0.5, 1.0, 4.0])), min_size=1
    )
)
def test_weighted_bins_by_a_plain_loop(forecasts):
    p, events, weights = (np.array(column) for column in zip(*forecasts, strict=True))
    binned = reliability(p, events, weights)
    error = 0.0
    for place in range(BINS):
        members = [i for i in range(len(p)) if min(int(p[i] * BINS), BINS - 1) == place]
        assert binned.counts[place] == len(members)
        if not members:
            assert np.isnan(binned.observed[place])
            continue
        mass = sum(weights[i] for i in members)
        mean = sum(weights[i] * p[i] for i in members) / mass
        share = sum(weights[i] for i in members if events[i]) / mass
        assert binned.forecast[place] == pytest.approx(mean)
        assert binned.observed[place] == pytest.approx(share)
        error += mass * abs(mean - share)
    assert binned.error == pytest.approx(error / weights.sum())


def test_each_network_is_calibrated_for_the_prior_it_saw(calibrated):
    _, reliabilities = calibrated
    by_name = {method.method.strategy: method.by_view for method in reliabilities}
    assert list(by_name) == ["baseline", "balance", "remix", "logit-adjusted"]
    # Gaussians with the true posterior: only chance and a little wobble are left.
    assert by_name["baseline"][NATURAL].error < 0.02
    assert by_name["baseline"][BALANCED].error > 0.1
    for name in ("balance", "logit-adjusted"):
        assert by_name[name][BALANCED].error < 0.04
        assert by_name[name][NATURAL].error > 0.05
        assert by_name[name][CORRECTED].error < 0.02
    assert CORRECTED not in by_name["baseline"]


def test_pooled_forecasts_are_all_test_rows_once_a_repeat(calibrated):
    _, reliabilities = calibrated
    for method in reliabilities:
        assert method.by_view[NATURAL].counts.sum() == 2000 * 3
        assert method.by_view[NATURAL].share == pytest.approx(0.1)
        assert method.by_view[BALANCED].share == pytest.approx(0.5)


def test_several_rare_classes_are_pooled():
    classes = ("0", "1", "2")
    problem = MadeUpProblem(
        kind="multi-class", classes=classes, minority=("1", "2"), methods=METHODS[:2], repeats=1,
        counts={"0": 50, "1": 5, "2": 5},
    )  # fmt: skip
    y = np.r_[np.zeros(25, int), 1, 1, 2, 2, 2]
    p = np.random.default_rng(2).dirichlet(np.ones(3), len(y))
    frames = replace(
        made_up_frames(problem), probabilities=lambda *_: (np.arange(len(y)), y, p, None)
    )
    comparison, reliabilities = calibration_of(frames)
    assert rare_class_codes(comparison) == [1, 2]
    pooled = reliabilities[0].by_view[NATURAL]
    assert pooled.counts.sum() == 2 * 2 * len(y)
    assert pooled.mean_forecast == pytest.approx(p[:, 1:].mean())
    assert pooled.share == pytest.approx(5 / (2 * len(y)))
    # Of three classes that weigh alike each forecast of one comes true in a third.
    assert reliabilities[0].by_view[BALANCED].share == pytest.approx(1 / 3)


def test_text_has_the_errors_before_and_after_correction(calibrated):
    comparison, reliabilities = calibrated
    page_section = section([(comparison, reliabilities)])
    text = " ".join(page_section.blocks[0].text)
    balance = next(
        method for method in reliabilities if method.method.strategy == "balance"
    ).by_view
    words = f"balance from {balance[NATURAL].error:.3f} to {balance[CORRECTED].error:.3f}"
    assert words in text
    assert "remix (0.1) from" in text
    lines = page_section.files["calibration"]
    assert isinstance(lines, pd.DataFrame)
    assert len(lines) == BINS * (2 + 3 * 3)


@pytest.mark.parametrize("label", ["balance", "baseline", "another"])
def test_text_begins_with_the_method_to_use(calibrated, label):
    comparison, reliabilities = calibrated
    chosen = SimpleNamespace(
        comparison=comparison, chosen=SimpleNamespace(method=SimpleNamespace(label=label))
    )
    text = section([calibrated], [chosen]).blocks[0].text[0]
    errors = {r.method.label: r.error(NATURAL) for r in reliabilities}
    least = min(errors, key=errors.get)
    assert least == "baseline"
    if label == "balance":
        corrected = next(r for r in reliabilities if r.method.label == label).error(CORRECTED)
        assert text.startswith(
            f"balance, the method to use, has a calibration error of {errors[label]:.3f} at the "
            f"class shares of the data, {corrected:.3f} corrected; baseline has the smallest "
            f"uncorrected, {errors[least]:.3f}; correction brings"
        )
    elif label == "baseline":
        assert text.startswith(
            f"baseline, the method to use, has a calibration error of {errors[least]:.3f} at the "
            "class shares of the data, the smallest uncorrected; correction brings"
        )
    else:
        assert text.startswith("baseline has the smallest calibration error")


def test_further_problems_are_folded_away(calibrated):
    page_section = section([calibrated] * (SHOWN_OPEN + 2))
    assert [bool(block.collapsed) for block in page_section.blocks] == [False] * SHOWN_OPEN + [
        True
    ] * 2


def test_of_many_problems_the_last_diagrams_are_files_alone(calibrated):
    page_section = section([calibrated] * (ON_PAGE + 1))
    pictures = [picture for block in page_section.blocks for picture in block.pictures]
    assert [picture.on_page for picture in pictures] == [True] * ON_PAGE + [False]
    assert len({picture.name for picture in pictures}) == ON_PAGE + 1
    assert f"calibration-{ON_PAGE + 1}.svg" in page_section.blocks[-1].text[-1]


def test_many_problems_have_means_first_and_diagrams_of_the_hardest(calibrated):
    comparison, reliabilities = calibrated
    problems = []
    for n in range(MANY + 1):
        info = {**comparison.info, "imbalance": 1 / (n + 2)}
        problems.append(
            (replace(comparison, name=f"p{n}", problem=f"p{n}", info=info), reliabilities)
        )
    page_section = section(problems)
    assert [picture.name for b in page_section.blocks for picture in b.pictures] == [
        "calibration-1"
    ]
    (drawn,) = [block for block in page_section.blocks if block.pictures]
    assert drawn is page_section.blocks[-1]
    first = page_section.blocks[0]
    assert first.title == "Binary problems"
    remix = next(line for line in first.tables[0].rows if line[0].text.startswith("remix"))
    expected = next(method for method in reliabilities if method.method.strategy == "remix")
    assert remix[1].text == number(expected.by_view[NATURAL].error)
    assert remix[3].text == number(expected.by_view[CORRECTED].error)


def test_without_probabilities_there_is_a_sentence():
    frames = made_up_frames(MadeUpProblem(methods=METHODS))
    comparison, reliabilities = calibration_of(frames)
    assert reliabilities == ()
    page_section = section([(comparison, reliabilities)])
    assert "Nothing to show: the probabilities of a grid" in page_section.blocks[0].text[0]
    assert page_section.files == {}
