"""The demonstration's numbers against other ways to compute them; no network is trained."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import trapezoid
from scipy.spatial import ConvexHull
from scipy.stats import beta, gaussian_kde

from remix_study.batches.strategies import make_strategy
from remix_study.paper import SENTENCES
from remix_study.paper.demonstration.blends import (
    densities,
    is_contradicted,
    kernel_density,
    measure_mixing,
)
from remix_study.paper.demonstration.boundary import (
    judge_boundary,
    measure_surface,
    weighted_distance,
)
from remix_study.paper.demonstration.generated_data import (
    BATCH_SIZE,
    IN_A_ROW,
    LINE,
    MAJORITY,
    MINORITY,
    TWO_SIDES,
    Scale,
    cloud_densities,
    clouds,
    moons,
    posterior,
    ring_densities,
    rings,
)
from remix_study.paper.demonstration.samples import (
    batch_rows,
    copy_means,
    first_visible_batch,
    judge_copies,
    plan_epochs,
    summarise_rows,
)

SMALL = Scale(seeds=2, draws=3)


def test_a_ramp_has_the_slope_and_the_share_that_it_was_given():
    axis = np.linspace(-1, 1, 201)
    p = np.clip(0.5 + 2 * np.meshgrid(axis, axis)[0], 0, 1)
    measures = measure_surface(p, axis[1] - axis[0])
    assert measures["minority_share"] == pytest.approx(100 / 201)
    assert measures["steepness"] == pytest.approx(2)
    # It rises by one over each horizontal line of length two.
    assert measures["slope"] == pytest.approx(0.5, rel=0.01)
    assert measures["band_share"] == pytest.approx(0.8 / 2 / 2, rel=0.03)


def test_a_surface_without_doubt_has_no_steepness():
    assert np.isnan(measure_surface(np.zeros((5, 5)), 0.1)["steepness"])


def test_the_length_of_the_boundary_and_not_its_sharpness_makes_the_mean_slope():
    axis = np.linspace(-1, 1, 401)
    x, step = np.meshgrid(axis, axis)[0], axis[1] - axis[0]
    sharp, gentle = (measure_surface(1 / (1 + np.exp(-x * k)), step) for k in (60, 15))
    assert sharp["slope"] == pytest.approx(gentle["slope"], rel=0.01)
    assert sharp["steepness"] > 3 * gentle["steepness"]


def test_densities_of_the_rings_are_those_of_the_rows():
    axis = np.linspace(-2, 2, 401)
    points = np.stack([grid.ravel() for grid in np.meshgrid(axis, axis)], axis=1)
    density = ring_densities(points)
    assert density.sum(axis=0) * (axis[1] - axis[0]) ** 2 == pytest.approx([1, 1], abs=1e-3)
    X = np.concatenate([(s := rings(seed)).X[s.y == 0] for seed in range(20)])
    is_inside = np.linalg.norm(points, axis=1) < 0.9
    share = density[is_inside, 0].sum() * (axis[1] - axis[0]) ** 2
    assert (np.linalg.norm(X, axis=1) < 0.9).mean() == pytest.approx(share, abs=0.01)


def test_the_rare_ring_is_inside_and_is_rare():
    sample = rings(4)
    assert np.bincount(sample.y).tolist() == [MAJORITY, MINORITY]
    radius = np.linalg.norm(sample.X, axis=1)
    assert radius[sample.y == 1].mean() < 0.7 < radius[sample.y == 0].mean()


def test_the_true_probability_follows_the_shares():
    density = np.array([[1.0, 3.0], [0.0, 0.0]])
    assert posterior(density)[0].tolist() == [0.25, 0.75]
    assert posterior(density, (0.9, 0.1))[0] == pytest.approx([0.75, 0.25])
    assert np.isnan(posterior(density)[1]).all()


def test_the_distance_from_the_truth_weighs_rows():
    p, truth = np.array([0.0, 1.0, 0.3]), np.array([0.5, 1.0, np.nan])
    distance = weighted_distance(p, truth, np.array([1.0, 3.0, 9.0]))
    assert distance == pytest.approx(np.sqrt(0.25 / 4))


def _measures(share, steepness):
    names = ("baseline", "smote", "remix (0.1)")
    return pd.DataFrame(
        {
            "strategy": [name for name in names for _ in range(2)],
            "seed": [0, 1] * 3,
            "minority_share": np.repeat(share, 2) + [0.01, -0.01] * 3,
            "slope": 0.3,
            "steepness": np.repeat(steepness, 2),
        }
    )


@pytest.mark.parametrize(
    ("share", "steepness", "verdict"),
    [
        ((0.1, 0.2, 0.3), (4, 3, 2), "holds"),
        ((0.1, 0.2, 0.3), (1, 3, 2), "holds in part"),
        ((0.1, 0.3, 0.2), (4, 3, 2), "holds in part"),
        ((0.1, 0.3, 0.2), (1, 3, 2), "does not hold"),
    ],
)
def test_the_verdict_is_the_order_of_the_means(share, steepness, verdict):
    claim = judge_boundary(_measures(share, steepness))
    assert (claim.verdict, claim.seeds) == (verdict, 2)
    assert list(claim.minority_share.values()) == pytest.approx(share)
    headline = SENTENCES.text("demonstration.boundary_headline", claim)
    assert f"“Pushed out and smoother” {verdict} on the mean of 2 seeds" in headline


def test_rows_are_those_of_the_plan():
    sample = moons(3)
    plan = plan_epochs(sample, make_strategy("remix", 0.5), seed=5, epochs=1)[0]
    rows = batch_rows(sample, [plan])
    for at in range(0, plan.first.size, 97):
        a, b = plan.first.ravel()[at], plan.second.ravel()[at]
        w = float(plan.weight.ravel()[at])
        assert rows.X[at] == pytest.approx(w * sample.X[a] + (1 - w) * sample.X[b])
        rare = w * sample.y[a] + (1 - w) * sample.y[b]
        assert rows.labels[at] == pytest.approx([1 - rare, rare])
        assert rows.batch[at] == at // BATCH_SIZE
        assert rows.is_copy[at] == (a == b or min(w, 1 - w) < 0.01)


def test_smote_rows_keep_a_hard_label_between_two_of_their_class():
    sample = moons(3)
    rows = batch_rows(sample, plan_epochs(sample, make_strategy("smote"), seed=5, epochs=2))
    assert set(rows.labels[:, 1]) == {0.0, 1.0}
    is_blended = ~rows.is_copy
    assert is_blended.any()
    assert rows.labels[is_blended, 1].min() == 1.0


def test_facts_of_samples_are_counted_right():
    sample = moons(3)
    strategy = make_strategy("remix", 0.3)
    summary = summarise_rows(sample, strategy, seed=5, epochs=1)
    rows = batch_rows(sample, plan_epochs(sample, strategy, seed=5, epochs=1))
    is_rare = rows.labels[:, 1] > 0.5
    assert summary["rows"] == is_rare.sum()
    assert summary["distinct"] == len({tuple(row) for row in rows.X[is_rare].astype(np.float32)})
    assert summary["copy_share"] == pytest.approx(rows.is_copy[is_rare].mean())
    hull = ConvexHull(sample.X[sample.y == 1])
    is_outside = rows.X[is_rare] @ hull.equations[:, :2].T + hull.equations[:, 2] > 1e-9
    assert summary["outside_share"] == pytest.approx(is_outside.any(axis=1).mean())
    assert 0 < summary["outside_share"] < 1
    assert summary["soft_share"] == pytest.approx((np.abs(rows.labels[:, 1] - 0.5) < 0.4).mean())


def test_smote_stays_inside_the_hull_and_balance_repeats():
    means = copy_means(SMALL).set_index("strategy")
    assert means.loc["smote", "outside_share"] == 0
    assert means.loc["balance", "copy_share"] == 1
    assert means.loc["balance", "distinct"] <= MINORITY
    # More mixing, fewer copies.
    copy_shares = means.loc[["balance", "remix (0.1)", "remix (0.3)", "remix (0.5)"], "copy_share"]
    assert copy_shares.is_monotonic_decreasing


def test_the_claim_on_copies_and_its_sentence_follow_the_numbers():
    means = copy_means(SMALL)
    claim = judge_copies(means, SMALL.seeds)
    assert claim.copy_share == dict(zip(means["strategy"], means["copy_share"], strict=True))
    assert claim.holds == (claim.copy_share["remix (0.1)"] < 0.5)
    for share, words in ((0.2, "rows rarely repeat: 20 %"), (0.8, "rows mostly repeat: 80 %")):
        changed = means.assign(copy_share=share)
        facts = judge_copies(changed, 2), changed.set_index("strategy").to_dict("index"), 50, 3.0
        assert words in SENTENCES.paragraphs("demonstration.samples", *facts)[1]
    assert not replace(claim, copy_share={"remix (0.1)": 0.8}).holds


def test_the_shown_batch_is_the_first_that_is_mixed_visibly():
    sample = moons(3)
    rows = batch_rows(sample, plan_epochs(sample, make_strategy("remix", 0.1), seed=5, epochs=3))
    batch = first_visible_batch(rows)

    def is_visible(b):
        shown = rows.select_batches([b])
        real_rows = {tuple(row) for row in shown.first[shown.is_rare]}
        return min(shown.weight[0], 1 - shown.weight[0]) >= 0.25 and len(real_rows) >= 3

    assert [b for b in range(batch + 1) if is_visible(b)] == [batch]
    assert set(rows.select_batches([batch]).batch) == {batch}


def test_a_density_is_that_of_scipy():
    rng = np.random.default_rng(1)
    values, at = np.round(rng.normal(0, 1, 400), 1), np.linspace(-4, 4, 33)
    kde = gaussian_kde(values, 0.3 / values.std(ddof=1))
    assert kernel_density(values, at, 0.3) == pytest.approx(kde(at))


def test_a_mirrored_density_keeps_its_mass_within_the_range():
    at = np.linspace(0, 1, 2001)
    density = kernel_density(np.array([0.0, 0.0, 1.0, 0.4]), at, 0.03, mirrored=True)
    assert trapezoid(density, at) == pytest.approx(1, abs=1e-6)
    assert trapezoid(density[at < 0.2], at[at < 0.2]) == pytest.approx(0.5, abs=1e-3)


def test_labels_are_as_soft_as_the_beta_distribution_makes_them():
    sample = clouds(LINE, 9)
    for alpha in (0.1, 0.5):
        plans = plan_epochs(sample, make_strategy("remix", alpha), seed=2, epochs=100)
        rows = batch_rows(sample, plans)
        mixed_share = np.mean([0 < p.mean() < 1 for plan in plans for p in sample.y[plan.first]])
        between = beta(alpha, alpha).cdf(0.9) - beta(alpha, alpha).cdf(0.1)
        # Half of the partners are of the other class.
        expected = 0.5 * mixed_share * between
        assert measure_mixing(rows)["soft_share"] == pytest.approx(expected, abs=0.02)


def test_more_alpha_puts_more_rows_between_the_classes():
    table = densities(Scale(draws=15)).table
    for column in ("soft_share", "middle_share"):
        assert table[column].is_monotonic_increasing
    assert table["untouched_share"].is_monotonic_decreasing


def test_a_blend_across_the_middle_speaks_against_the_data():
    sample = clouds(TWO_SIDES, 1)
    rows = batch_rows(sample, plan_epochs(sample, make_strategy("balance"), seed=1, epochs=1))
    X = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [2.5, 0.0]])
    labels = np.array([[0.0, 1.0], [1.0, 0.0], [0.11, 0.89], [0.0, 1.0]])
    by_hand = replace(rows, X=X, labels=labels)
    assert is_contradicted(TWO_SIDES, by_hand).tolist() == [True, False, False, False]
    three_classes = replace(rows, X=X[:2], labels=np.array([[0.0, 0.5, 0.5], [0.2, 0.4, 0.4]]))
    assert is_contradicted(IN_A_ROW, three_classes).tolist() == [True, False]


def test_clusters_of_a_class_share_its_density_and_its_rows():
    axis = np.linspace(-5, 5, 301)
    points = np.stack([grid.ravel() for grid in np.meshgrid(axis, axis)], axis=1)
    density = cloud_densities(TWO_SIDES, points)
    assert density.sum(axis=0) * (axis[1] - axis[0]) ** 2 == pytest.approx([1, 1], abs=1e-3)
    assert np.bincount(clouds(TWO_SIDES, 1, 500).y).tolist() == [500, 500]
    assert np.bincount(clouds(IN_A_ROW, 1, 500).y).tolist() == [500, 500, 500]
