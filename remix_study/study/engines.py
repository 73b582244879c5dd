"""The engine of a study's model on a problem."""

from __future__ import annotations

from dataclasses import replace

from remix_study.models.augmentation import Augmentation
from remix_study.models.networks import Network
from remix_study.studyfile.schema import Model, Training
from remix_study.training.engine import Engine
from remix_study.training.members import FoldMembers
from remix_study.training.stacks import STACKED, can_stack


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
