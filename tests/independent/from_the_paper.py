"""The five methods of Bellinger et al., written from the paper with NumPy alone, for one fold.

Nothing of the package is used: scaling, batches, SMOTE, mixing, network, Adam, the schedule and
the scores are written anew from the paper, and where it is silent from the authors' code: three
hidden layers of relu units with dropout 0.1 after the first two, batches of 64, Adam at 0.001, a
fifth of the rate after five epochs without gain in the training loss.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

METHODS = ("baseline", "cost", "smote", "mixup", "remix")
BATCH, EPOCHS, DROPOUT, ALPHA = 64, 500, 0.1, 0.1
RATE, LOWEST_RATE, FACTOR, PATIENCE, LEAST_GAIN = 1e-3, 1e-5, 0.2, 5, 1e-4


def standardise(train, test):
    """Both parts by mean and deviation of the training rows, clipped to 5 deviations."""
    mean, sd = train.mean(axis=0), train.std(axis=0)
    sd[sd == 0] = 1
    return np.clip((train - mean) / sd, -5, 5), np.clip((test - mean) / sd, -5, 5)


def equal_shares(y, rng):
    """Class -> its rows in a balanced batch: equal shares, what is left over at random."""
    present = np.unique(y)
    quota = dict.fromkeys(present, BATCH // len(present))
    for c in rng.permutation(present)[: BATCH % len(present)]:
        quota[c] += 1
    return quota


def balanced(X, y, rng):
    """Rows of a batch repeated or left out until its classes are equal."""
    rows = [
        rng.choice(np.flatnonzero(y == c), n, replace=n > np.sum(y == c))
        for c, n in equal_shares(y, rng).items()
    ]
    rows = np.concatenate(rows)
    return X[rows], y[rows]


def smote(X, y, rng):
    """A batch with equal classes: small ones filled by points between neighbours of the class."""
    parts, labels = [], []
    for c, n in equal_shares(y, rng).items():
        of_class = X[y == c]
        if len(of_class) >= n:
            parts.append(of_class[rng.choice(len(of_class), n, replace=False)])
        else:
            first = rng.integers(len(of_class), size=n - len(of_class))
            k = min(5, len(of_class) - 1)
            if k:
                distance = ((of_class[:, None] - of_class) ** 2).sum(axis=2)
                near = np.argsort(distance, axis=1, kind="stable")[:, 1 : k + 1]
                second = near[first, rng.integers(k, size=len(first))]
            else:
                second = first
            step = rng.random((len(first), 1))
            parts += [of_class, of_class[first] + step * (of_class[second] - of_class[first])]
        labels.append(np.full(n, c))
    return np.concatenate(parts), np.concatenate(labels)


def batch_of(method, X, y, n_classes, rng):
    """Rows, soft labels and weights of the classes' share in the loss of one batch."""
    if method == "remix":
        X, y = balanced(X, y, rng)
    elif method == "smote":
        X, y = smote(X, y, rng)
    Y = np.eye(n_classes)[y]
    if method in ("mixup", "remix"):
        weight, partner = rng.beta(ALPHA, ALPHA), rng.permutation(len(X))
        X = weight * X + (1 - weight) * X[partner]
        Y = weight * Y + (1 - weight) * Y[partner]
    return X, Y


class Network:
    """Three hidden layers and softmax, trained by Adam."""

    def __init__(self, widths, rng):
        self.rng = rng
        pairs = list(pairwise(widths))
        limits = [np.sqrt(6 / (a + b)) for a, b in pairs]
        self.W = [rng.uniform(-s, s, pair) for s, pair in zip(limits, pairs, strict=True)]
        self.b = [np.zeros(b) for _, b in pairs]
        self.moments = [[np.zeros_like(p), np.zeros_like(p)] for p in (*self.W, *self.b)]
        self.steps = 0

    def forward(self, X, *, training=False):
        """Inputs of each layer, the masks between them, and probabilities."""
        inputs, masks = [X], []
        for place, (W, b) in enumerate(zip(self.W[:-1], self.b[:-1], strict=True)):
            hidden = np.maximum(inputs[-1] @ W + b, 0)
            mask = 1.0
            if training and place < len(self.W) - 2:
                mask = (self.rng.random(hidden.shape) >= DROPOUT) / (1 - DROPOUT)
            masks.append(mask)
            inputs.append(hidden * mask)
        z = inputs[-1] @ self.W[-1] + self.b[-1]
        p = np.exp(z - z.max(axis=1, keepdims=True))
        return inputs, masks, p / p.sum(axis=1, keepdims=True)

    def step(self, X, Y, class_weights, rate):
        """One step of Adam on the weighted cross-entropy; returns the loss before it."""
        inputs, masks, p = self.forward(X, training=True)
        weighted = Y * class_weights
        loss = -(weighted * np.log(np.maximum(p, 1e-7))).sum(axis=1).mean()
        delta = (p * weighted.sum(axis=1, keepdims=True) - weighted) / len(X)
        dW, db = [], []
        for place in reversed(range(len(self.W))):
            dW.insert(0, inputs[place].T @ delta)
            db.insert(0, delta.sum(axis=0))
            if place:
                delta = (delta @ self.W[place].T) * masks[place - 1] * (inputs[place] > 0)
        self.steps += 1
        bias = np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        parameters = (*self.W, *self.b)
        for parameter, gradient, (m, v) in zip(parameters, dW + db, self.moments, strict=True):
            m += 0.1 * (gradient - m)
            v += 0.001 * (gradient**2 - v)
            parameter -= rate * bias * m / (np.sqrt(v) + 1e-7)
        return loss


def fit_predict(method, train, y, test, widths, seed):
    """Train a method on the rows of a fold; returns (t, K) probabilities of its test rows."""
    rng = np.random.default_rng(seed)
    train, test = standardise(train, test)
    counts = np.bincount(y)
    n_classes = len(counts)
    class_weights = len(y) / (n_classes * counts) if method == "cost" else np.ones(n_classes)
    network = Network([train.shape[1], *widths, n_classes], rng)
    rate, best, since = RATE, np.inf, 0
    best_at_lowest, idle = np.inf, 0
    for _ in range(EPOCHS):
        order = rng.permutation(len(train))
        losses = []
        for start in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            X, Y = batch_of(method, train[rows], y[rows], n_classes, rng)
            losses.append(network.step(X, Y, class_weights, rate))
        loss = float(np.mean(losses))
        # Keras' ReduceLROnPlateau, which the authors use.
        if loss < best - LEAST_GAIN:
            best, since = loss, 0
        elif rate > LOWEST_RATE:
            since += 1
            if since == PATIENCE:
                rate, since = max(rate * FACTOR, LOWEST_RATE), 0
        # Epochs that their code spends beyond here move the network hardly any more.
        if rate == LOWEST_RATE:
            gains = loss < best_at_lowest * (1 - LEAST_GAIN)
            best_at_lowest = loss if gains else best_at_lowest
            idle = 0 if gains else idle + 1
            if idle == 2 * PATIENCE:
                break
    return network.forward(test)[2]


def g_mean(y, p):
    """The geometric mean of the classes' recalls."""
    recalls = [np.mean(p[y == c].argmax(axis=1) == c) for c in np.unique(y)]
    return float(np.prod(recalls) ** (1 / len(recalls)))


def balanced_brier(y, p):
    """The mean over classes of half the squared distance to the label."""
    half = ((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1) / 2
    return float(np.mean([half[y == c].mean() for c in np.unique(y)]))
