"""Engines for tables of any size that share compiled programs: few shapes serve all of them.

Compiling takes a second or two, as long as training on some thousand rows: the folds of a
cross-validation differ by a row, and would each be compiled anew.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from remix_study.models.building import build_network
from remix_study.studyfile.features import Features
from remix_study.studyfile.schema import Model
from remix_study.training.encoding import Encoder, encoded_width
from remix_study.training.engine import Engine
from remix_study.training.members import FoldMembers
from remix_study.training.program import Program
from remix_study.training.stacks import dropout_rate, padded_rows, stack_size

# Programs that are kept; each holds what was compiled for every size of table.
_MOST_PROGRAMS = 8


def make_engine(folds: FoldMembers, model: Model) -> Engine:
    """Make the engine of a dense network on a table, with a program that may be compiled already.

    Args:
        folds: The table's rows.
        model: The network ``mlp``.
    """
    problem = folds.problem
    X, fill, centre, scale = folds.features()
    encoder = folds.encoder(model.features)
    rate = dropout_rate(model)
    program = _program(
        stack_size(len(folds.members) * model.ensemble),
        encoded_width(model.features, problem.X),
        problem.K,
        tuple(model.options["hidden"]),
        bool(rate),
        model.features,
        () if encoder is None else tuple(encoder.numeric.tolist()),
        problem.X.shape[1],
    )
    return Engine(
        replace(program.network, dropout=rate or 0.0),
        X,
        problem.y,
        problem.K,
        fill,
        centre,
        scale,
        encoder=encoder,
        row_weights=problem.weights,
        class_weights=problem.class_weights,
        shared=program,
        padded_size=padded_rows,
    )


@lru_cache(_MOST_PROGRAMS)
def _program(
    stack: int,
    width: int,
    n_classes: int,
    hidden: tuple[int, ...],
    has_dropout: bool,
    features: Features,
    numeric: tuple[int, ...],
    n_columns: int,
) -> Program:
    """The program of networks of one shape that encode the same columns.

    It knows which columns are encoded, not their bins, which are an engine's.
    """
    network = build_network(
        "mlp",
        stack=stack,
        input_shape=(width,),
        n_classes=n_classes,
        options={"hidden": hidden, "dropout": 0.5 if has_dropout else 0.0},
    )
    encoder = None
    if numeric:
        columns = np.array(numeric)
        untouched = np.setdiff1d(np.arange(n_columns), columns)
        no_bins = np.zeros((0, len(numeric), features.bins), np.float32)
        encoder = Encoder(features, columns, untouched, no_bins, no_bins)
    return Program(network, n_classes=n_classes, jit=True, encoder=encoder)
