"""The engine of a study's model on a problem, and which of several are kept."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import numpy as np

from remix_study.models.augmentation import Augmentation
from remix_study.models.networks import Network
from remix_study.studyfile.schema import Model, Training
from remix_study.training.engine import Engine
from remix_study.training.members import FoldMembers
from remix_study.training.stacks import STACKED, can_stack, has_accelerator

# Engines that a task keeps. TensorFlow never gives back the 10 MB or so of a program that it has
# compiled: a search that compiled the programs of its widths again and again would grow by them.
_MOST_ENGINES = 32
# Above so many bytes of their arrays fewer are kept.
_MOST_BYTES = 1 << 28
_FEWEST_ENGINES = 3
# Stacks whose first weights an engine keeps, on the host and on the device with Adam's moments.
_KEPT_STACKS, _ARRAYS = 8, 4


def make_engine(
    folds: FoldMembers,
    model: Model,
    training: Training,
    network: Network,
    *,
    stack: int,
    augmentation: Augmentation | None,
    cores: int,
) -> Engine:
    """Make an engine, which compiles when it first trains.

    Args:
        folds: The problem and its members.
        model: What the study says of the network.
        training: Says whether networks without a member axis are mapped over members.
        network: What is trained.
        stack: Members in one program, where networks are mapped over them.
        augmentation: What strategies that augment do to images; None where none does.
        cores: Cores that training may use on a CPU; 0 for all that the process may use.
    """
    problem = folds.problem
    X, fill, centre, scale = folds.features()
    is_mapped = not network.is_stacked and can_stack(model, training)
    return Engine(
        replace(network, stack=stack, is_mapped=True) if is_mapped else network,
        X,
        problem.y,
        problem.K,
        fill,
        centre,
        scale,
        # XLA makes convolutions a hundred times as slow on a CPU, and cannot augment.
        jit=model.name == STACKED,
        augmentation=augmentation,
        nominal=folds.nominal,
        encoder=folds.encoder(model.features),
        row_weights=problem.weights,
        class_weights=problem.class_weights,
        cores=cores,
    )


def drop_oldest(engines: OrderedDict[str, Engine]) -> None:
    """Drop the engines that were used longest ago, where there are many or they take much."""
    while len(engines) > _MOST_ENGINES or (
        len(engines) > _FEWEST_ENGINES and sum(map(_bytes, engines.values())) > _MOST_BYTES
    ):
        engines.popitem(last=False)


def _bytes(engine: Engine) -> int:
    """Bytes of the arrays that an engine keeps; a CPU's engines share the rows."""
    network = engine.network
    networks = min(_KEPT_STACKS * network.stack, max(network.stack, len(engine.fill)))
    rows = 4 * int(np.prod(engine.data.X.shape)) if has_accelerator() else 0
    return rows + 4 * _ARRAYS * networks * network.parameters
