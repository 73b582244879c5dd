"""Scores of predicted classes against scikit-learn, and where they are undefined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from remix_study.metrics import BUILT_IN_METRICS, CLASS_METRICS, score
from remix_study.metrics.class_scores import Confusion, class_scores

NAMES = [name for name in BUILT_IN_METRICS if name != "cost"]


def scikit_learn(y, top, k, weights):
    """The same scores by scikit-learn, for parts that hold every class."""
    keys = {"labels": np.arange(k), "sample_weight": weights, "zero_division": 0}
    keywords = {"average": "binary", **keys} if k == 2 else {"average": "macro", **keys}
    total = sk.multilabel_confusion_matrix(y, top, labels=np.arange(k), sample_weight=weights)
    specificity = total[:, 0, 0] / (total[:, 0, 0] + total[:, 0, 1])
    return {
        "precision": sk.precision_score(y, top, **keywords),
        "recall": sk.recall_score(y, top, **keywords),
        "f1": sk.f1_score(y, top, **keywords),
        "f2": sk.fbeta_score(y, top, beta=2, **keywords),
        "f0.5": sk.fbeta_score(y, top, beta=0.5, **keywords),
        "specificity": specificity[1] if k == 2 else specificity.mean(),
        "precision_macro": sk.precision_score(y, top, average="macro", **keys),
        "f1_macro": sk.f1_score(y, top, average="macro", **keys),
        "mcc": sk.matthews_corrcoef(y, top, sample_weight=weights),
        "accuracy": sk.accuracy_score(y, top, sample_weight=weights),
        "kappa": sk.cohen_kappa_score(y, top, sample_weight=weights),
        "balanced_accuracy": sk.recall_score(y, top, average="macro", **keys),
    }


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 5), st.integers(0, 60), st.integers(0, 10_000), st.booleans(), st.floats(0, 3)
)
def test_they_are_scikit_learns(k, n, seed, has_weights, skill):
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(k), rng.integers(k, size=n)])
    z = rng.normal(size=(len(y), k)) + skill * np.eye(k)[y]
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    weights = rng.uniform(0.1, 3, len(y)) if has_weights else None
    scores = score(y, p, k, NAMES, sample_weight=weights)
    for name, value in scikit_learn(y, p.argmax(axis=1), k, weights).items():
        assert scores[name] == pytest.approx(value, abs=1e-12), name


def scores_of(y, predicted, k=2):
    return score(y, np.eye(k)[predicted], k, NAMES)


def test_by_hand():
    # Of the rare class 2 of 3 rows are found, with 1 false alarm among 5 other rows.
    scores = scores_of([0, 0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1, 0])
    assert scores["precision"] == scores["recall"] == scores["f1"] == pytest.approx(2 / 3)
    assert scores["specificity"] == pytest.approx(4 / 5)
    assert scores["f2"] == scores["f0.5"] == pytest.approx(2 / 3)
    assert scores["mcc"] == pytest.approx((2 * 4 - 1 * 1) / np.sqrt(3 * 3 * 5 * 5))
    assert scores["accuracy"] == 6 / 8
    chance = (5 * 5 + 3 * 3) / 64
    assert scores["kappa"] == pytest.approx((0.75 - chance) / (1 - chance))


def test_a_class_that_is_never_predicted_has_precision_0():
    scores = scores_of([0, 0, 0, 1], [0, 0, 0, 0])
    for name in ("precision", "recall", "f1", "f2", "f0.5", "mcc", "kappa", "g_mean"):
        assert scores[name] == 0, name
    assert scores["specificity"] == 1
    assert scores["precision_macro"] == 3 / 8
    assert scores["f1_macro"] == pytest.approx(3 / 7)


def test_without_rows_of_the_rare_class_its_scores_are_undefined():
    scores = scores_of([0, 0, 0, 0], [0, 0, 1, 0])
    for name in ("precision", "recall", "f1", "f2", "f0.5", "mcc", "kappa"):
        assert np.isnan(scores[name]), name
    assert scores["specificity"] == scores["accuracy"] == 3 / 4


def test_without_rows_of_the_other_class_specificity_is_undefined():
    scores = scores_of([1, 1, 1, 1], [1, 1, 0, 1])
    assert np.isnan(scores["specificity"])
    assert scores["precision"] == 1
    assert scores["recall"] == 3 / 4


def test_means_are_over_the_classes_that_have_rows():
    scores = scores_of([0, 0, 2, 2], [0, 1, 2, 2], 3)
    assert scores["precision"] == scores["precision_macro"] == 1
    assert scores["recall"] == 3 / 4
    assert scores["f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert scores["specificity"] == 1


@pytest.mark.parametrize("k", [2, 3])
def test_a_stack_of_matrices_has_the_scores_of_each(k):
    matrices = np.random.default_rng(k).integers(0, 9, (4, 3, k, k)) * 1.0
    matrices[0, 0, 0] = matrices[1, 1, :, 1] = 0
    matrices[2, 2, 1:] = 0
    stacked = class_scores(Confusion(matrices)) | {"recalls": Confusion(matrices).recall()}
    for place in np.ndindex(4, 3):
        confusion = Confusion(matrices[place])
        alone = class_scores(confusion) | {"recalls": confusion.recall()}
        for name, values in stacked.items():
            np.testing.assert_allclose(values[place], alone[name], 1e-12, err_msg=name)


def test_metrics_of_classes_depend_on_the_predicted_class_alone():
    rng = np.random.default_rng(0)
    y, p = rng.integers(2, size=50), rng.dirichlet([1, 1], 50)
    sure = np.eye(2)[p.argmax(axis=1)]
    before, after = score(y, p, 2, NAMES), score(y, sure, 2, NAMES)
    same = {name for name in NAMES if before[name] == after[name]}
    assert same == CLASS_METRICS
