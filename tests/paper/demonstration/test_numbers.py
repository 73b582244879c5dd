"""The demonstration's numbers against other ways to compute them; no network is trained."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import ConvexHull
from scipy.stats import beta, gaussian_kde

from remix_study.batches.strategies import make_strategy
from remix_study.errors import UsageError
from remix_study.paper.demonstration import boundary_claim, copies_claim
from remix_study.paper.demonstration.boundary import distance, judge, measure
from remix_study.paper.demonstration.densities import densities, kernel_density
from remix_study.paper.demonstration.densities import measure as mixing
from remix_study.paper.demonstration.harm import contradicts
from remix_study.paper.demonstration.readings import boundary_headline, sample_lines
from remix_study.paper.demonstration.samples import copies, facts, made_rows, plans, visible_batch
from remix_study.paper.demonstration.scale import BATCH_SIZE, Scale
from remix_study.paper.demonstration.sets import (
    IN_A_ROW,
    LINE,
    MAJORITY,
    MINORITY,
    TWO_SIDES,
    cloud_densities,
    clouds,
    moons,
    posterior,
    ring_densities,
    rings,
)

SMALL = Scale(seeds=2, draws=3)


def test_a_ramp_has_the_slope_and_the_share_that_it_was_given():
    axis = np.linspace(-1, 1, 201)
    p = np.clip(0.5 + 2 * np.meshgrid(axis, axis)[0], 0, 1)
    found = measure(p, axis[1] - axis[0])
    assert found["minority_share"] == pytest.approx(100 / 201)
    assert found["steepness"] == pytest.approx(2)
    # It rises by one over each horizontal line of length two.
    assert found["slope"] == pytest.approx(0.5, rel=0.01)
    assert found["band_share"] == pytest.approx(0.8 / 2 / 2, rel=0.03)


def test_a_surface_without_doubt_has_no_steepness():
    assert np.isnan(measure(np.zeros((5, 5)), 0.1)["steepness"])


def test_the_length_of_the_boundary_and_not_its_sharpness_makes_the_mean_slope():
    axis = np.linspace(-1, 1, 401)
    x, step = np.meshgrid(axis, axis)[0], axis[1] - axis[0]
    sharp, gentle = (measure(1 / (1 + np.exp(-x * k)), step) for k in (60, 15))
    assert sharp["slope"] == pytest.approx(gentle["slope"], rel=0.01)
    assert sharp["steepness"] > 3 * gentle["steepness"]


def test_densities_of_the_rings_are_those_of_the_rows():
    axis = np.linspace(-2, 2, 401)
    places = np.stack([grid.ravel() for grid in np.meshgrid(axis, axis)], axis=1)
    found = ring_densities(places)
    assert found.sum(axis=0) * (axis[1] - axis[0]) ** 2 == pytest.approx([1, 1], abs=1e-3)
    X = np.concatenate([(s := rings(seed)).X[s.y == 0] for seed in range(20)])
    inside = np.linalg.norm(places, axis=1) < 0.9
    share = found[inside, 0].sum() * (axis[1] - axis[0]) ** 2
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
    assert distance(p, truth, np.array([1.0, 3.0, 9.0])) == pytest.approx(np.sqrt(0.25 / 4))


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
    claim = judge(_measures(share, steepness))
    assert (claim.verdict, claim.seeds) == (verdict, 2)
    assert list(claim.minority_share.values()) == pytest.approx(share)
    assert f"“Pushed out and smoother” {verdict} on the mean of 2 seeds" in boundary_headline(
        claim
    )


def test_a_claim_is_read_from_the_folder_that_holds_it(tmp_path):
    claim = judge(_measures((0.1, 0.2, 0.3), (4, 3, 2)))
    manifest = {"facts": {"boundary": vars(claim)}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert boundary_claim(tmp_path) == claim
    with pytest.raises(UsageError, match="holds no demonstration"):
        boundary_claim(tmp_path / "nowhere")


def test_rows_are_those_of_the_plan():
    sample = moons(3)
    plan = plans(sample, make_strategy("remix", 0.5), seed=5, epochs=1)[0]
    made = made_rows(sample, [plan])
    for at in range(0, plan.first.size, 97):
        a, b = plan.first.ravel()[at], plan.second.ravel()[at]
        w = float(plan.weight.ravel()[at])
        assert made.X[at] == pytest.approx(w * sample.X[a] + (1 - w) * sample.X[b])
        rare = w * sample.y[a] + (1 - w) * sample.y[b]
        assert made.labels[at] == pytest.approx([1 - rare, rare])
        assert made.batch[at] == at // BATCH_SIZE
        assert made.own[at] == (a == b or min(w, 1 - w) < 0.01)


def test_smote_rows_keep_a_hard_label_between_two_of_their_class():
    sample = moons(3)
    made = made_rows(sample, plans(sample, make_strategy("smote"), seed=5, epochs=2))
    assert set(made.labels[:, 1]) == {0.0, 1.0}
    blended = ~made.own
    assert blended.any()
    assert made.labels[blended, 1].min() == 1.0


def test_facts_of_samples_are_counted_right():
    sample = moons(3)
    strategy = make_strategy("remix", 0.3)
    found = facts(sample, strategy, seed=5, epochs=1)
    made = made_rows(sample, plans(sample, strategy, seed=5, epochs=1))
    rare = made.labels[:, 1] > 0.5
    assert found["rows"] == rare.sum()
    assert found["distinct"] == len({tuple(row) for row in made.X[rare].astype(np.float32)})
    assert found["copy_share"] == pytest.approx(made.own[rare].mean())
    hull = ConvexHull(sample.X[sample.y == 1])
    beyond = made.X[rare] @ hull.equations[:, :2].T + hull.equations[:, 2] > 1e-9
    assert found["outside_share"] == pytest.approx(beyond.any(axis=1).mean())
    assert 0 < found["outside_share"] < 1
    assert found["soft_share"] == pytest.approx((np.abs(made.labels[:, 1] - 0.5) < 0.4).mean())


def test_smote_stays_inside_the_hull_and_balance_repeats():
    found = copies(SMALL).set_index("strategy")
    assert found.loc["smote", "outside_share"] == 0
    assert found.loc["balance", "copy_share"] == 1
    assert found.loc["balance", "distinct"] <= MINORITY
    # More mixing, fewer copies.
    mixed = found.loc[["balance", "remix (0.1)", "remix (0.3)", "remix (0.5)"], "copy_share"]
    assert mixed.is_monotonic_decreasing


def test_the_claim_on_copies_and_its_sentence_follow_the_numbers():
    claim = copies_claim(SMALL)
    means = copies(SMALL)
    assert claim.copy_share == dict(zip(means["strategy"], means["copy_share"], strict=True))
    assert claim.holds == (claim.copy_share["remix (0.1)"] < 0.5)
    changed = means.assign(copy_share=0.2)
    assert "rows rarely repeat: 20 %" in sample_lines(changed)[1]
    assert "rows mostly repeat: 80 %" in sample_lines(means.assign(copy_share=0.8))[1]
    assert not replace(claim, copy_share={"remix (0.1)": 0.8}).holds


def test_the_shown_batch_is_the_first_that_is_mixed_visibly():
    sample = moons(3)
    made = made_rows(sample, plans(sample, make_strategy("remix", 0.1), seed=5, epochs=3))
    batch = visible_batch(made)

    def shows(b):
        own = made.of_batches([b])
        drawn = {tuple(row) for row in own.first[own.rare]}
        return min(own.weight[0], 1 - own.weight[0]) >= 0.25 and len(drawn) >= 3

    assert [b for b in range(batch + 1) if shows(b)] == [batch]
    assert set(made.of_batches([batch]).batch) == {batch}


def test_a_density_is_that_of_scipy():
    rng = np.random.default_rng(1)
    values, at = np.round(rng.normal(0, 1, 400), 1), np.linspace(-4, 4, 33)
    kde = gaussian_kde(values, 0.3 / values.std(ddof=1))
    assert kernel_density(values, at, 0.3) == pytest.approx(kde(at))


def test_a_mirrored_density_keeps_its_mass_within_the_range():
    at = np.linspace(0, 1, 2001)
    found = kernel_density(np.array([0.0, 0.0, 1.0, 0.4]), at, 0.03, mirrored=True)
    assert np.trapezoid(found, at) == pytest.approx(1, abs=1e-6)
    assert np.trapezoid(found[at < 0.2], at[at < 0.2]) == pytest.approx(0.5, abs=1e-3)


def test_labels_are_as_soft_as_the_beta_distribution_makes_them():
    sample = clouds(LINE, 9)
    for alpha in (0.1, 0.5):
        planned = plans(sample, make_strategy("remix", alpha), seed=2, epochs=100)
        made = made_rows(sample, planned)
        both = np.mean([0 < p.mean() < 1 for plan in planned for p in sample.y[plan.first]])
        between = beta(alpha, alpha).cdf(0.9) - beta(alpha, alpha).cdf(0.1)
        # Half of the partners are of the other class.
        expected = 0.5 * both * between
        assert mixing(made)["soft_share"] == pytest.approx(expected, abs=0.02)


def test_more_alpha_puts_more_rows_between_the_classes():
    table = densities(Scale(draws=15)).table
    for column in ("soft_share", "middle_share"):
        assert table[column].is_monotonic_increasing
    assert table["untouched_share"].is_monotonic_decreasing


def test_a_blend_across_the_middle_speaks_against_the_data():
    sample = clouds(TWO_SIDES, 1)
    made = made_rows(sample, plans(sample, make_strategy("balance"), seed=1, epochs=1))
    X = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [2.5, 0.0]])
    labels = np.array([[0.0, 1.0], [1.0, 0.0], [0.11, 0.89], [0.0, 1.0]])
    by_hand = replace(made, X=X, labels=labels)
    assert contradicts(TWO_SIDES, by_hand).tolist() == [True, False, False, False]
    three = replace(made, X=X[:2], labels=np.array([[0.0, 0.5, 0.5], [0.2, 0.4, 0.4]]))
    assert contradicts(IN_A_ROW, three).tolist() == [True, False]


def test_clusters_of_a_class_share_its_density_and_its_rows():
    axis = np.linspace(-5, 5, 301)
    places = np.stack([grid.ravel() for grid in np.meshgrid(axis, axis)], axis=1)
    found = cloud_densities(TWO_SIDES, places)
    assert found.sum(axis=0) * (axis[1] - axis[0]) ** 2 == pytest.approx([1, 1], abs=1e-3)
    assert np.bincount(clouds(TWO_SIDES, 1, 500).y).tolist() == [500, 500]
    assert np.bincount(clouds(IN_A_ROW, 1, 500).y).tolist() == [500, 500, 500]
