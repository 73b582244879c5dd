"""Corrections against two Gaussians, where every posterior is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from remix_study.results.aims import Aim
from remix_study.results.probabilities import (
    TILTS,
    scored_prior,
    tilt,
    to_prior,
)
from remix_study.results.thresholds import best_tilt

DISTANCE = 2.0
G_MEAN = Aim(("g_mean",), "g_mean")
NATURAL = np.array([0.95, 0.05])


def draw(n, share, seed=0):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(np.int32)
    return rng.normal(DISTANCE * (y - 0.5)), y


def posterior(x, prior):
    """Bayes' rule written out with the densities of the two Gaussians."""
    joint = np.c_[
        prior[0] * norm.pdf(x, -DISTANCE / 2, 1), prior[1] * norm.pdf(x, DISTANCE / 2, 1)
    ]
    return joint / joint.sum(axis=1, keepdims=True)


X = np.linspace(-4, 4, 82)


@pytest.mark.parametrize("learnt", [(0.5, 0.5), (0.77, 0.23), (0.2, 0.8)])
def test_any_prior_can_be_carried_to_the_natural_one(learnt):
    back = to_prior(posterior(X, learnt), learnt, NATURAL)
    assert back == pytest.approx(posterior(X, NATURAL), rel=1e-9)


def test_dividing_by_the_prior_gives_the_balanced_posterior():
    divided = to_prior(posterior(X, NATURAL), NATURAL, (0.5, 0.5))
    assert divided == pytest.approx(posterior(X, (0.5, 0.5)))


def test_it_holds_for_several_classes():
    rng = np.random.default_rng(1)
    likelihood = rng.random((50, 4))
    learnt, wanted = rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(4))

    def under(prior):
        return likelihood * prior / (likelihood * prior).sum(axis=1, keepdims=True)

    assert to_prior(under(learnt), learnt, wanted) == pytest.approx(under(wanted))


def test_a_class_never_trained_on_is_refused():
    with pytest.raises(ValueError, match="never trained on"):
        to_prior([[0.5, 0.5]], (1.0, 0.0), (0.5, 0.5))


def test_class_weights_train_under_equal_shares():
    # A network of class weights N/(K n_c), here scikit-learn's own, scores the balanced posterior.
    x, y = draw(200_000, NATURAL[1])
    fitted = LogisticRegression(C=1e6, class_weight="balanced").fit(x[:, None], y)
    shares = np.bincount(y) / len(y)
    effective = scored_prior(shares, shares, "class-weighted")
    assert effective == pytest.approx((0.5, 0.5))
    back = to_prior(fitted.predict_proba(X[:, None]), effective, shares)
    assert back == pytest.approx(posterior(X, NATURAL), abs=0.02)


def test_the_logit_adjusted_loss_scores_equal_shares():
    # softmax(z + log pi) is fitted to the posterior, so the raw z scores posterior / pi.
    effective = scored_prior(NATURAL, NATURAL, "logit-adjusted")
    raw = posterior(X, NATURAL) / NATURAL
    raw = raw / raw.sum(axis=1, keepdims=True)
    assert to_prior(raw, effective, NATURAL) == pytest.approx(posterior(X, NATURAL))


def test_focal_and_effective_numbers_lean_to_equal_shares():
    for loss in ("focal", "class-balanced"):
        assert scored_prior(NATURAL, NATURAL, loss) == pytest.approx((0.5, 0.5))


def test_plain_training_scores_what_it_was_trained_on():
    # In-batch balancing reaches 0.23, not one half, where half the batches lack the rare class.
    effective = scored_prior((0.77, 0.23), NATURAL, "cross-entropy")
    assert effective == pytest.approx((0.77, 0.23))
    assert to_prior(posterior(X, (0.77, 0.23)), effective, NATURAL) == pytest.approx(
        posterior(X, NATURAL)
    )


def test_certainty_and_impossibility_stay_finite():
    p = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert np.isfinite(to_prior(p, NATURAL, (0.5, 0.5))).all()


def test_two_classes_make_the_tilt_a_threshold():
    p = posterior(X, NATURAL)
    for amount in (0.0, 0.4, 1.0, 1.7):
        odds = (NATURAL[1] / NATURAL[0]) ** amount
        assert (tilt(p, NATURAL, amount).argmax(axis=1) == (p[:, 1] > odds * p[:, 0])).all()


def test_the_chosen_threshold_has_the_best_g_mean_of_all_thresholds():
    x, y = draw(4000, NATURAL[1], seed=5)
    p = posterior(x, NATURAL)

    def g_mean(threshold):
        is_chosen = p[:, 1] > threshold
        return np.sqrt(is_chosen[y == 1].mean() * (~is_chosen[y == 0]).mean())

    best = max(g_mean(threshold) for threshold in np.unique(p[:, 1]))
    is_chosen = tilt(p, NATURAL, best_tilt(y, p, np.array(NATURAL), G_MEAN))[:, 1] > 0.5
    reached = np.sqrt(is_chosen[y == 1].mean() * (~is_chosen[y == 0]).mean())
    assert reached == pytest.approx(best, abs=0.005)
    # Symmetric Gaussians are cut best in the middle: dividing by the prior, a tilt of 1.
    assert best_tilt(y, p, np.array(NATURAL), G_MEAN) == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_the_chosen_tilt_is_the_best_of_all_tilts(n_classes):
    random = np.random.default_rng(n_classes)
    prior = random.dirichlet(np.ones(n_classes))
    # Votes of ten trees: many rows have two classes of equal probability.
    p = random.multinomial(10, prior, 300) / 10
    y = np.array([random.choice(n_classes, p=row) for row in p])

    def g_mean(amount):
        classes = (np.log(np.maximum(p, 1e-12)) - amount * np.log(prior)).argmax(axis=1)
        recalls = [(classes[y == code] == code).mean() for code in np.unique(y)]
        return np.prod(recalls) ** (1 / len(recalls))

    values = np.array([g_mean(amount) for amount in TILTS])
    best = TILTS[values >= values.max() - 1e-12]
    assert best_tilt(y, p, prior, G_MEAN) == best[np.abs(best - 1).argmin()]


def test_weights_of_rows_choose_as_repeated_rows_do():
    x, y = draw(400, 0.3, seed=3)
    p, weights = posterior(x, [0.5, 0.5]), np.random.default_rng(1).integers(0, 4, 400)
    prior, repeated = np.array([0.7, 0.3]), np.repeat(np.arange(400), weights)
    chosen = best_tilt(y, p, prior, G_MEAN, weights.astype(float))
    assert chosen == best_tilt(y[repeated], p[repeated], prior, G_MEAN)
    assert chosen != best_tilt(y, p, prior, G_MEAN)


def test_class_weights_of_a_study_file_shift_the_prior():
    natural = scored_prior([0.9, 0.1], [0.9, 0.1], "class-weighted", [1, 9])
    np.testing.assert_allclose(natural, [0.5, 0.5])
    plain = scored_prior([0.9, 0.1], [0.9, 0.1], "cross-entropy", [1, 9])
    np.testing.assert_allclose(plain, [0.9, 0.1])


def test_among_equal_thresholds_the_one_that_divides_by_the_prior_is_taken():
    p = np.array([[0.99, 0.01], [0.2, 0.8]])
    assert best_tilt(np.array([0, 1]), p, np.array([0.9, 0.1]), G_MEAN) == 1.0
