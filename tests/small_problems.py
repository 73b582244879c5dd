"""Small problems of overlapping classes, with members to train and engines compiled once."""

from __future__ import annotations

import json
import re

import numpy as np

from remix_study.batches.training_rows import TrainingRows
from remix_study.models.building import build_network
from remix_study.studyfile.schema import Training
from remix_study.training.engine import Engine
from remix_study.training.members import Member
from remix_study.training.program import Program

# Programs of this process by all that shapes them: to compile takes longer than to train, and a
# program holds no state.
_PROGRAMS = {}


class SmallProblem:
    """Rows of overlapping classes."""

    def __init__(self, n_rows=240, n_features=5, n_classes=3, seed=0):
        rng = np.random.default_rng(seed)
        self.n_classes = n_classes
        self.y = rng.integers(0, n_classes, n_rows).astype(np.int32)
        self.y[:n_classes] = np.arange(n_classes)
        self.row_weights = None
        self.X = (rng.normal(size=(n_rows, n_features)) + self.y[:, None]).astype(np.float32)

    def members(self, sizes=(96, 96, 96), first_seed=7):
        """Members with training parts of these sizes, 40 validation rows, the others for test."""
        members = []
        for number, size in enumerate(sizes):
            rows = np.random.default_rng(100 + number).permutation(len(self.y)).astype(np.int32)
            train = np.sort(rows[:size])
            training = TrainingRows(
                train, self.y[train], self.n_classes, lambda t=train: self.X[t]
            )
            members.append(
                Member(first_seed + number, training, rows[size : size + 40], rows[size + 40 :])
            )
        return members

    def engine(
        self,
        members,
        stack=None,
        *,
        hidden=(8, 6),
        dropout=0.1,
        name="mlp",
        fresh=False,
        **options,
    ):
        """An engine without preprocessing, on a kept program unless ``fresh``."""
        if name in ("mlp", "tabm"):
            options |= {"hidden": list(hidden), "dropout": dropout}
        stack = (stack or len(members)) if name == "mlp" else 1
        key = (name, stack, self.X.shape, self.n_classes, repr(options))
        if fresh or key not in _PROGRAMS:
            network = build_network(
                name,
                stack=stack,
                input_shape=self.X.shape[1:],
                n_classes=self.n_classes,
                options=options,
            )
        else:
            network = _PROGRAMS[key].network
        shape = (len(members), self.X.shape[1])
        engine = Engine(
            network,
            self.X,
            self.y,
            self.n_classes,
            fill=np.zeros(shape),
            centre=np.zeros(shape),
            scale=np.ones(shape),
            jit=name == "mlp",
            row_weights=self.row_weights,
        )
        if not fresh:
            engine.program = _PROGRAMS.setdefault(key, engine.program)
        return engine

    def prepared(self):
        """Features as the engine sees them under the trivial preprocessing above."""
        return np.clip(self.X, -5, 5)


def short_training(**keys):
    """Training keys for short runs without early stopping."""
    plain = {"epochs": 1, "batch_size": 16, "stop": "never", "start_from_step": 0}
    return Training(**plain | keys)


def forget_programs():
    """Compile anew from here on, for a test that counts what is compiled."""
    _PROGRAMS.clear()


def kept_program(network, **options):
    """A program for networks of one architecture, kept for this process; takes what Program does.

    The program of an equal network serves: variables are arguments of what is compiled.
    """
    config = json.dumps(network.train.get_config(), sort_keys=True, default=str)
    # Keras numbers the names of layers through.
    architecture = re.sub(r"_\d+\b", "", config)
    key = (architecture, network.stack, network.mask_units, repr(options))
    return _PROGRAMS.setdefault(key, Program(network, **options))
