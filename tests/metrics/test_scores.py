"""Scores against scikit-learn, imbalanced-learn, slow loops and cases worked out by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.metrics import geometric_mean_score
from sklearn import metrics as sk

from remix_study.metrics import (
    BINS,
    BUILT_IN_METRICS,
    CORE_METRICS,
    EXTRA_METRICS,
    METRICS,
    NATURAL_METRICS,
    PUBLISHED_METRICS,
    ROPES,
    SMALLEST,
    STANDARD_METRICS,
    Metric,
    add_metric,
    better_or_worse,
    better_sign,
    find_metric,
    is_maximized,
    rope_of,
    score,
    short_name,
)


def predictions(n, n_classes, seed, *, skill=1.0, digits=None):
    """Imbalanced labels and probabilities that tend to them; ``digits`` rounds them into ties."""
    rng = np.random.default_rng(seed)
    share = 0.5 ** np.arange(n_classes)
    y = rng.choice(n_classes, n, p=share / share.sum())
    y[:n_classes] = np.arange(n_classes)
    z = rng.normal(size=(n, n_classes)) + skill * np.eye(n_classes)[y]
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    if digits is not None:
        p = np.round(p, digits)
        p[:, -1] = np.maximum(0, 1 - p[:, :-1].sum(axis=1))
        p /= p.sum(axis=1, keepdims=True)
        p = np.round(p, 12)
    return y, p


def slow_ece(p, hit):
    """Calibration error in loops: rows sorted by confidence, ties kept in the lowest one's bin."""
    n = len(p)
    ranked = sorted(range(n), key=lambda i: p[i])
    bins = [[] for _ in range(BINS)]
    for place, i in enumerate(ranked):
        while place and p[ranked[place - 1]] == p[i]:
            place -= 1
        bins[place * BINS // n].append(i)
    return sum(abs(np.mean(hit[b]) - np.mean(p[b])) * len(b) / n for b in bins if b)


NAMES = [name for name in BUILT_IN_METRICS if name != "cost"]
RANKINGS = ("roc_auc", "average_precision", "average_precision_macro")
CORRELATIONS = ("mcc", "kappa")
OF_RARE = ("precision", "recall", "f1", "f2", "f0.5")

CASES = [
    pytest.param(n, k, seed, digits, id=f"n{n}-K{k}-{'ties' if digits else 'free'}-{seed}")
    for n, k in ((40, 2), (333, 2), (500, 3), (1000, 10))
    for digits in (None, 1)
    for seed in (0, 1)
]


@pytest.mark.parametrize(("n", "k", "seed", "digits"), CASES)
class TestReferences:
    def test_scikit_learn_and_imbalanced_learn(self, n, k, seed, digits):
        y, p = predictions(n, k, seed, digits=digits)
        top = p.argmax(axis=1)
        scores = score(y, p, k, NAMES)
        onehot = np.eye(k)[y]
        count = np.bincount(y, minlength=k)
        labels = np.arange(k)
        target = p[:, 1] if k == 2 else p
        recall = sk.recall_score(y, top, average=None, labels=labels)
        expected = {
            "g_mean": geometric_mean_score(y, top, labels=labels, average="multiclass"),
            "bbs": sk.brier_score_loss(
                y, target, sample_weight=1 / count[y], scale_by_half=True, labels=labels
            ),
            "brier": sk.brier_score_loss(y, target, scale_by_half=True, labels=labels),
            "balanced_accuracy": sk.balanced_accuracy_score(y, top),
            "min_recall": recall.min(),
            "roc_auc": np.mean([sk.roc_auc_score(onehot[:, c], p[:, c]) for c in labels]),
            "average_precision_macro": np.mean(
                [sk.average_precision_score(onehot[:, c], p[:, c]) for c in labels]
            ),
            "average_precision": sk.average_precision_score(
                *((y, target) if k == 2 else (onehot, p))
            ),
            **{f"recall_{c}": recall[c] for c in labels},
        }
        for name, value in expected.items():
            assert scores[name] == pytest.approx(value, abs=1e-12), name
        if k > 2:
            assert scores["roc_auc"] == pytest.approx(sk.roc_auc_score(y, p, multi_class="ovr"))
            assert scores["average_precision"] == pytest.approx(sk.average_precision_score(y, p))

    def test_log_loss_clips_as_scikit_learn_does_float32(self, n, k, seed, digits):
        y, p = predictions(n, k, seed, digits=digits)
        p[0] = np.eye(k)[(y[0] + 1) % k]
        p[1] = np.eye(k)[y[1]]
        expected = sk.log_loss(y, p.astype(np.float32), labels=np.arange(k))
        assert score(y, p, k)["log_loss"] == pytest.approx(expected, rel=1e-5)

    def test_calibration_errors_equal_a_slow_loop(self, n, k, seed, digits):
        y, p = predictions(n, k, seed, digits=digits)
        scores = score(y, p, k)
        top = p.argmax(axis=1)
        assert scores["ece"] == pytest.approx(slow_ece(p.max(axis=1), top == y), abs=1e-12)
        by_class = [slow_ece(p[:, c], y == c) for c in range(k)]
        assert scores["cwece"] == pytest.approx(np.mean(by_class), abs=1e-12)

    def test_brier_of_each_class_equals_a_slow_loop(self, n, k, seed, digits):
        y, p = predictions(n, k, seed, digits=digits)
        scores = score(y, p, k)
        for c in range(k):
            rows = [
                sum((float(y[i] == j) - p[i, j]) ** 2 for j in range(k)) / 2
                for i in range(n)
                if y[i] == c
            ]
            assert scores[f"brier_{c}"] == pytest.approx(np.mean(rows), abs=1e-12)
        assert scores["bbs"] == pytest.approx(np.mean([scores[f"brier_{c}"] for c in range(k)]))

    def test_order_of_rows_does_not_matter(self, n, k, seed, digits):
        y, p = predictions(n, k, seed, digits=digits)
        order = np.random.default_rng(9).permutation(n)
        assert score(y[order], p[order], k) == pytest.approx(score(y, p, k), abs=1e-12)


class TestByHand:
    def test_binary(self):
        y = [0, 0, 0, 1, 1]
        p1 = np.array([0.1, 0.2, 0.6, 0.4, 0.9])
        scores = score(y, np.column_stack([1 - p1, p1]), 2, NAMES)
        assert scores["recall_0"] == pytest.approx(2 / 3)
        assert scores["recall_1"] == pytest.approx(1 / 2)
        assert scores["g_mean"] == pytest.approx(np.sqrt(1 / 3))
        assert scores["min_recall"] == pytest.approx(1 / 2)
        assert scores["balanced_accuracy"] == pytest.approx(7 / 12)
        assert scores["brier_0"] == pytest.approx((0.01 + 0.04 + 0.36) / 3)
        assert scores["brier_1"] == pytest.approx((0.36 + 0.01) / 2)
        assert scores["bbs"] == pytest.approx((0.41 / 3 + 0.37 / 2) / 2)
        assert scores["brier"] == pytest.approx(0.78 / 5)
        assert scores["roc_auc"] == pytest.approx(5 / 6)
        # For class 1: hits at places 1 and 3; for class 0: at places 1, 2 and 4.
        assert scores["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
        assert scores["average_precision_macro"] == pytest.approx(
            np.mean([(1 + 2 / 3) / 2, (1 + 1 + 3 / 4) / 3])
        )
        # Fewer rows than bins: each row alone in its bin.
        assert scores["ece"] == pytest.approx((0.1 + 0.2 + 0.6 + 0.6 + 0.1) / 5)
        assert scores["cwece"] == pytest.approx((0.1 + 0.2 + 0.6 + 0.6 + 0.1) / 5)

    @pytest.mark.parametrize("k", [2, 3, 7])
    def test_anchors_of_balanced_brier(self, k):
        y = np.repeat(np.arange(k), np.arange(1, k + 1))
        constant = np.tile(np.eye(k)[0], (len(y), 1))
        assert score(y, np.eye(k)[y], k)["bbs"] == 0
        assert score(y, constant, k)["bbs"] == pytest.approx((k - 1) / k)
        uniform = np.full((len(y), k), 1 / k)
        assert score(y, uniform, k)["bbs"] == pytest.approx((1 - 1 / k) / 2)

    def test_always_the_minority_is_not_rewarded(self):
        y = np.repeat([0, 1], [95, 5])
        assert score(y, np.tile([0.0, 1.0], (100, 1)), 2)["bbs"] == 0.5

    def test_perfect_and_worst(self):
        y = np.repeat([0, 1], [30, 10])
        perfect, worst = (score(y, np.eye(2)[codes], 2, NAMES) for codes in (y, 1 - y))
        for name in NAMES:
            metric = METRICS[name]
            best = 1.0 if metric.is_maximized else 0.0
            assert perfect[name] == pytest.approx(best, abs=1e-6), name
            # Their lowest values depend on the class shares.
            if name not in ("average_precision", "average_precision_macro", "kappa"):
                assert worst[name] == pytest.approx(metric.worst), name

    def test_ties_share_a_bin_and_count_half_for_auc(self):
        y = np.repeat([0, 1], [75, 25])
        scores = score(y, np.tile([0.75, 0.25], (100, 1)), 2, NAMES)
        assert scores["ece"] == scores["cwece"] == pytest.approx(0)
        assert scores["roc_auc"] == 0.5
        assert scores["average_precision"] == pytest.approx(0.25)
        assert scores["average_precision_macro"] == pytest.approx(0.5)

    def test_calibrated_probabilities_have_a_small_error(self):
        rng = np.random.default_rng(0)
        p1 = rng.beta(0.5, 5, size=60_000)
        y = (rng.random(60_000) < p1).astype(int)
        scores = score(y, np.column_stack([1 - p1, p1]), 2)
        assert scores["cwece"] < 0.006
        shifted = p1 * 5 / (p1 * 5 + 1 - p1)
        assert score(y, np.column_stack([1 - shifted, shifted]), 2)["cwece"] > 0.1

    def test_certain_and_correct_has_the_smallest_loss_of_float32(self):
        y = np.array([0, 1])
        expected = sk.log_loss(y, np.eye(2, dtype=np.float32))
        assert 0 < expected == pytest.approx(score(y, np.eye(2), 2)["log_loss"], rel=1e-6)

    def test_equal_probabilities_choose_the_lowest_class(self):
        assert score([0, 1], [[0.5, 0.5], [0.5, 0.5]], 2)["recall_0"] == 1


def test_average_precision_of_random_scores_is_the_share_of_the_rare_class():
    rng = np.random.default_rng(0)
    y, p1 = (rng.random(20_000) < 0.0017).astype(int), rng.random(20_000)
    scores = score(y, np.column_stack([1 - p1, p1]), 2, NAMES)
    assert scores["average_precision"] == sk.average_precision_score(y, p1) < 0.003
    assert scores["average_precision_macro"] == pytest.approx(0.5, abs=0.001)


class TestAbsentClasses:
    def test_are_left_out_of_means(self):
        y, p = predictions(200, 3, 0)
        wide = np.column_stack([p, np.zeros(200)])[:, [0, 3, 1, 2]]
        codes = np.array([0, 2, 3])[y]
        scores, expected = score(codes, wide, 4, NAMES), score(y, p, 3, NAMES)
        for name in NAMES:
            assert scores[name] == pytest.approx(expected[name], abs=1e-12), name
        assert np.isnan(scores["recall_1"])
        assert np.isnan(scores["brier_1"])
        assert scores["recall_3"] == expected["recall_2"]

    def test_predicting_one_does_not_make_the_g_mean_zero(self):
        y = np.repeat([0, 1], 10)
        p = np.eye(3)[y]
        p[0] = [0, 0, 1]
        assert score(y, p, 3)["g_mean"] == pytest.approx(np.sqrt(0.9))
        # imbalanced-learn, left to itself, counts the absent class as missed.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert geometric_mean_score(y, p.argmax(1)) == 0

    def test_one_class_alone(self):
        scores = score([1, 1, 1, 1], [[0.2, 0.8]] * 3 + [[0.6, 0.4]], 2)
        assert scores["g_mean"] == scores["balanced_accuracy"] == 0.75
        assert scores["bbs"] == scores["brier_1"] == scores["brier"]
        assert np.isnan(scores["roc_auc"])
        assert np.isnan(scores["average_precision"])
        assert np.isfinite(scores["ece"])


def test_one_missed_class_makes_the_g_mean_zero():
    y = [0] * 8 + [1] * 2
    assert score(y, np.eye(2)[[0] * 10], 2)["g_mean"] == 0


def test_float32_probabilities_score_as_float64():
    y, p = predictions(300, 4, 3)
    single = p.astype(np.float32)
    assert score(y, single, 4) == score(y, single.astype(np.float64), 4)
    assert score(y, p.astype(np.float16), 4) == pytest.approx(score(y, p, 4), abs=0.02)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 60), st.integers(2, 6), st.integers(0, 10_000), st.floats(0.01, 3))
def test_scores_stay_within_their_bounds(n, k, seed, spread):
    rng = np.random.default_rng(seed)
    y = rng.integers(k, size=n)
    p = rng.dirichlet(np.full(k, spread), n)
    scores = score(y, p, k, NAMES)
    for name in NAMES:
        metric = METRICS[name]
        if np.isnan(scores[name]):
            assert len(set(y)) == 1
            assert name in (*RANKINGS, *CORRELATIONS, "specificity", *(OF_RARE if k == 2 else ()))
            continue
        low, high = metric.bounds
        assert metric.worst in (low, high)
        assert low - 1e-9 <= scores[name] <= high + 1e-6, name


def test_registered_metrics():
    minimized = {"bbs", "brier", "log_loss", "ece", "cwece", "cost"}
    assert minimized - {"cost"} | {"precision", "f1"} < set(STANDARD_METRICS) < set(NAMES)
    # Other tests add metrics of their own.
    for name in BUILT_IN_METRICS:
        metric = METRICS[name]
        assert metric.name == name
        assert metric.label
        assert metric.direction == ("minimize" if name in minimized else "maximize")
        assert metric.is_maximized == is_maximized(name) == (name not in minimized)
        assert np.isfinite(metric.worst)
    assert len({METRICS[name].short for name in NAMES}) == len(NAMES)
    assert METRICS["log_loss"].worst == pytest.approx(-np.log(SMALLEST))
    assert METRICS["cost"].bounds == (0, np.inf)
    names = list(score([0, 1], np.eye(2), 2))
    assert names == [*STANDARD_METRICS, "recall_0", "recall_1", "brier_0", "brier_1"]
    assert all(type(value) is float for value in score([0, 1], np.eye(2), 2).values())


def test_regions_of_practical_equivalence(monkeypatch):
    hundredths = {name: 0.01 for name in (*BUILT_IN_METRICS, *EXTRA_METRICS)}
    errors = dict.fromkeys(("bbs", "brier_repo", "ece", "cwece"), 0.005)
    assert hundredths | errors | {"brier": 0.002} == ROPES
    assert rope_of("brier") == 0.002
    monkeypatch.setitem(METRICS, "own", METRICS["cost"])
    add_metric(Metric("own", "profit", "maximize", -20.0, "own", (-20.0, 30.0)))
    assert rope_of("own") == 0.5
    assert better_sign("own") == 1


def test_words_for_a_difference():
    assert better_or_worse("g_mean", 0.1) == better_or_worse("bbs", -0.1) == "better"
    assert better_or_worse("g_mean", -0.1) == better_or_worse("bbs", 0.1) == "worse"
    assert (better_sign("g_mean"), better_sign("bbs")) == (1, -1)
    names = [short_name(name) for name in ("bbs", "brier_repo", "roc_auc", "recall_0")]
    assert names == ["balanced Brier", "repo BBS", "AUC", "recall_0"]


def test_core_metrics_are_registered():
    assert CORE_METRICS == ("g_mean", "bbs", "brier", "log_loss", "cwece")
    assert PUBLISHED_METRICS + NATURAL_METRICS == CORE_METRICS
    assert set(CORE_METRICS) <= METRICS.keys()
    with pytest.raises(KeyError):
        is_maximized("recall_0")


class TestBrierOfTheAuthorsCode:
    """The binary Brier term of the authors' code: rows of either class against target 1."""

    def brier_repo(self, y, p, k=2):
        return score(y, p, k, ["brier_repo"])["brier_repo"]

    @pytest.mark.parametrize(
        ("prediction", "expected"), [("truth", 0.5), ("minority", 0.0), ("majority", 1.0)]
    )
    def test_anchors(self, prediction, expected):
        y = np.repeat([0, 1], [90, 10])
        predicted = {"truth": y, "minority": np.ones_like(y), "majority": np.zeros_like(y)}
        assert self.brier_repo(y, np.eye(2)[predicted[prediction]]) == expected

    def test_is_the_mean_of_scikit_learns_brier_scores_against_a_label_that_is_always_one(self):
        y, p = predictions(300, 2, 3)
        halves = [((p[y == code, 1] - 1) ** 2).mean() for code in (0, 1)]
        library = [
            sk.brier_score_loss(np.ones((y == code).sum()), p[y == code, 1], pos_label=1)
            for code in (0, 1)
        ]
        assert self.brier_repo(y, p) == pytest.approx(np.mean(halves))
        assert self.brier_repo(y, p) == pytest.approx(np.mean(library))
        assert self.brier_repo(y, p) != pytest.approx(score(y, p, 2)["bbs"], abs=0.05)

    def test_with_more_classes_it_is_the_balanced_brier_score(self):
        y, p = predictions(300, 4, 3)
        assert self.brier_repo(y, p, 4) == score(y, p, 4)["bbs"]

    def test_is_computed_on_request_only(self):
        y, p = predictions(40, 2, 0)
        assert "brier_repo" not in score(y, p, 2)
        assert list(score(y, p, 2, ["brier_repo"])) == [*score(y, p, 2), "brier_repo"]
        assert not EXTRA_METRICS.keys() & METRICS.keys()
        assert find_metric("brier_repo").direction == find_metric("bbs").direction


@pytest.mark.parametrize(
    ("y", "p", "words"),
    [
        ([], np.empty((0, 2)), "n > 0"),
        ([0, 1], np.eye(2)[:1], "probabilities"),
        ([0, 1], np.eye(3)[:2], r"\(n, 2\)"),
        ([[0, 1]], np.eye(2), "y must be"),
        ([0, 2], np.eye(2), "codes from 0 to 1"),
        ([0, -1], np.eye(2), "codes from 0 to 1"),
        ([0.0, 1.0], np.eye(2), "integer codes"),
        ([0, 1], [[np.nan, 1], [0, 1]], "finite"),
        ([0, 1], [[np.inf, 1], [0, 1]], "finite"),
        ([0, 1], [[-0.5, 1.5], [0, 1]], "negative"),
        ([0, 1], [[2.0, -0.1], [0, 1]], "negative"),
        ([0, 1], [[3.0, 1.0], [0, 1]], "sum to 1"),
        ([0, 1], [[1, 0], [0.5, 0.511]], "sum to 1"),
        ([0, 1], [[1, 0], [0.5, 0.489]], "sum to 1"),
        ([0, 1], [[1.0, 0], [1 + 2e-6, -2e-6]], "negative"),
    ],
)
def test_what_cannot_be_scored_is_refused(y, p, words):
    with pytest.raises(ValueError, match=words):
        score(y, p, 2)


def test_rounding_of_probabilities_is_not_refused():
    for row in ([0.5, 0.509], [0.5, 0.491], [1 + 5e-7, -5e-7]):
        assert score([0, 1], [[1, 0], row], 2)["recall_0"] == 1
