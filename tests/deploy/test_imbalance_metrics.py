"""The callback's scores are those of studies and scikit-learn, for every kind of output."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from sklearn.metrics import average_precision_score, recall_score

from remix_study.deploy.imbalance_metrics import ImbalanceMetrics
from remix_study.errors import UsageError
from remix_study.metrics import score

RNG = np.random.default_rng(0)
CODES = RNG.choice(2, 60, p=[0.3, 0.7])
X = RNG.normal(size=(60, 3)).astype(np.float32)


def model(units, activation):
    network = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(units, activation=activation)]
    )
    rng = np.random.default_rng(units)
    network.set_weights([rng.normal(size=(3, units)), np.zeros(units)])
    return network


def logs_of(network, y, **options):
    callback, logs = ImbalanceMetrics(X, y, **options), {"loss": 1.0}
    callback.set_model(network)
    callback.on_epoch_end(0, logs)
    assert logs.pop("loss") == 1.0
    return logs


@pytest.mark.parametrize("units", [1, 2])
def test_two_classes_by_probabilities_and_logits(units):
    network = model(units, "sigmoid" if units == 1 else "softmax")
    output = network.predict(X, verbose=0)
    p = np.hstack([1 - output, output]) if units == 1 else output
    logs = logs_of(network, CODES)
    recalls = recall_score(CODES, p.argmax(axis=1), average=None)
    assert logs["val_g_mean"] == pytest.approx(recalls.prod() ** 0.5)
    assert logs["val_bbs"] == pytest.approx(score(CODES, p, 2)["bbs"])
    # The first class is the rare one.
    expected = average_precision_score(1 - CODES, p[:, 0])
    assert logs["val_average_precision"] == pytest.approx(expected)
    names = np.array(["no", "yes"])[CODES]
    from_logits = logs_of(model(units, None), names, from_logits=True)
    assert from_logits == pytest.approx(logs, abs=1e-6)


def test_more_classes_and_what_later_callbacks_and_the_history_see():
    y = RNG.integers(0, 3, 60)
    network = model(3, "softmax")
    network.compile("sgd", "sparse_categorical_crossentropy")
    stop = keras.callbacks.EarlyStopping("val_bbs", mode="min", patience=0, min_delta=1)
    callbacks = [ImbalanceMetrics(X, np.eye(3)[y]), stop]
    fit = network.fit(X, y, epochs=5, callbacks=callbacks, verbose=0)
    assert len(fit.history["val_bbs"]) == 2
    expected = score(y, network.predict(X, verbose=0), 3)
    for name in ("g_mean", "bbs", "average_precision"):
        assert fit.history[f"val_{name}"][-1] == pytest.approx(expected[name])


@pytest.mark.parametrize(
    ("units", "activation", "y", "words"),
    [
        (2, None, CODES, "no probabilities: set from_logits=True"),
        (3, "softmax", CODES, "3,.*y has 2 classes; give y one-hot"),
        (1, "sigmoid", CODES + (np.arange(60) < 5), "y has 3 classes"),
        (1, "sigmoid", CODES[:50], "X has 60 rows, and y has 50"),
    ],
)
def test_mistakes_are_one_line(units, activation, y, words):
    with pytest.raises(UsageError, match=words):
        logs_of(model(units, activation), y)
