"""Small models for use, trained or with first weights, once a process."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from simulated_training import SimulatedOutcome

from remix_study.batches.plan_summary import PlanSummary
from remix_study.data.arrays import from_arrays
from remix_study.deploy.refit import Refit, train
from remix_study.study.configurations import Configuration
from remix_study.study.task import Task
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import parse_study

STUDY = """
[study]
name = "small"
[[problems]]
[cv]
folds = 2
repeats = 1
[training]
epochs = 3
batch_size = 16
start_from_epoch = 1
{training}
[model]
{model}
[features]
{features}
[search.space]
strategy = ["baseline"]
"""


def table(n_classes: int, n_rows: int = 120, seed: int = 0):
    """(n, 5) features: three of many values, one far from zero, one of two values; and classes."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_rows) % n_classes)
    X = rng.normal(size=(n_rows, 5)) * [1, 50, 1e-9, 3600, 1]
    X[:, 0] += y
    X[:, 3] += 1.7e9
    X[:, 4] = rng.random(n_rows) < 0.4
    X[rng.random(n_rows) < 0.1, 1] = np.nan
    return X, y


def prepared(n_classes=2, images=False, **sections) -> tuple[Task, Configuration]:
    """A task of a table or of images, and a configuration of it; sections of the study file."""
    X, y = table(n_classes)
    if images:
        X = np.random.default_rng(0).integers(0, 255, (len(y), 8, 8, 1), np.uint8)
    texts = {"model": "", "features": "", "training": ""} | sections
    study = parse_study(STUDY.format(**texts))
    (task,) = prepare_tasks(study, from_arrays(X, y, name="made"))
    return task, task.configuration({"strategy": "baseline"})


@cache
def trained(**keys) -> Refit:
    """A baseline that is trained on all rows."""
    task, configuration = prepared(**keys)
    return train(task, configuration)


@cache
def with_first_weights(**keys) -> Refit:
    """The same without training, which compiles for seconds: networks with their first weights.

    Its probabilities are computed by NumPy, one step after the other.
    """
    return without_training(*prepared(**keys))


def without_training(task: Task, configuration: Configuration) -> Refit:
    """A task's networks with their first weights, as if they were trained on all rows."""

    def fit(self, configuration):
        model = configuration.model
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Task, "stack", 1)
            network = self._build_network(model, 1)
        engine = SimpleNamespace(network=network, member_weights=network.initial_weights)
        self._cache.engines["made"] = engine
        members = [forward(self, model, engine, number) for number in range(model.ensemble)]
        none = np.zeros((1, self.problem.K), np.float32)
        mass = np.arange(self.problem.K, 0, -1.0)
        learned = PlanSummary(1, 1, mass / mass.sum(), np.zeros(self.problem.K, int), 0, 1.0)
        return [SimulatedOutcome(none, np.mean(members, axis=0), trained_on=learned)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Task, "fit", fit)
        return train(task, configuration)


def forward(task, model, engine, number) -> np.ndarray:
    """Probabilities (n, K) of all rows by one network, in double precision."""
    weights = engine.member_weights(number)
    if task.problem.dataset.has_images:
        engine.network.infer.set_weights(weights)
        x = np.asarray(engine.network.infer(task.problem.X.astype(np.float32) / 255))
    else:
        x = encode(task, model)
        for layer, (kernel, bias) in enumerate(zip(weights[::2], weights[1::2], strict=True)):
            x = (np.maximum(x, 0) if layer else x) @ kernel + bias
    exp = np.exp(x - x.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)


def encode(task, model) -> np.ndarray:
    """Rows as they enter the network: standardised, encoded feature by feature."""
    encoder = task.members.encoder(model.features)
    z = task.members.preprocessing.standardise(0, task.problem.X)
    if encoder is None:
        return np.clip(z, -5, 5)
    columns = [np.clip(z[:, encoder.untouched], -5, 5)]
    for lower, inverse, place in zip(
        encoder.lower[0], encoder.inverse[0], encoder.numeric, strict=True
    ):
        shares = np.clip((z[:, [place]] - lower) * inverse, 0, 1)
        if model.features.numeric == "quantile":
            shares = (shares.sum(axis=1, keepdims=True) / (inverse > 0).sum() - 0.5) * 12**0.5
        columns.append(shares)
    return np.hstack(columns)
