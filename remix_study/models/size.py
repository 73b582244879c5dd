"""How large a network is, and how much memory its training takes, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, prod
from typing import Any

from remix_study.data.memory import (
    accelerator_bytes,
    as_gigabytes,
    check_memory,
    free_bytes,
    machine_bytes,
)
from remix_study.models.building import resolved_options
from remix_study.models.networks import Network

# Bytes of a row of an epoch's plan: 16 for this epoch and the next, the rest while it is drawn.
_PLANNED_ROW = 96
# Rows of a forward pass, of tables and of images.
_PASS = (1024, 256)
_COMPILING = 150_000_000
# Stacks whose first values are kept between trials.
_KEPT = 8
_REMEDIES = {
    "rows": "take fewer rows or features",
    "networks": "lower model.hidden or training.stack",
    "batches": "lower training.batch_size, training.stack or model.hidden",
    "preparation": "take fewer rows or features, or leave SMOTE out",
}


@dataclass(frozen=True)
class Layer:
    """A layer of a network: its name, the shape of its output for one row, its parameters."""

    name: str
    shape: tuple[int, ...]
    parameters: int

    def __str__(self) -> str:
        """Such as ``dense 25 (925)``."""
        shape = " x ".join(map(str, self.shape))
        return f"{self.name} {shape}" + (f" ({self.parameters:,})" if self.parameters else "")


@dataclass(frozen=True)
class NetworkSize:
    """The layers of a network, and its trainable parameters."""

    layers: tuple[Layer, ...]
    parameters: int

    def __str__(self) -> str:
        """Such as ``64-32-2, 4,434 parameters``."""
        widths = "-".join("x".join(map(str, layer.shape)) for layer in self.layers)
        return f"{widths}, {self.parameters:,} parameters"

    @property
    def units(self) -> int:
        """Numbers that the layers put out for one row."""
        return sum(prod(layer.shape) for layer in self.layers)


def dense_size(
    options: Mapping[str, Any], input_shape: tuple[int, ...], n_classes: int
) -> NetworkSize:
    """The size of the network ``mlp``, without building it, which takes the memory of its weights.

    Args:
        options: Its options, as a study file has them.
        input_shape: Shape of one row.
        n_classes: Number of classes.
    """
    values = resolved_options("mlp", options, input_shape, n_classes)
    widths = (*input_shape, *values["hidden"], n_classes)
    layers = [Layer("dense", (units,), (inputs + 1) * units) for inputs, units in pairwise(widths)]
    parameters = sum(layer.parameters for layer in layers)
    return NetworkSize(tuple(layers), parameters)


def built_size(network: Network) -> NetworkSize:
    """The size of a network that has been built."""
    layers = []
    for layer in network.infer.layers:
        n_parameters = sum(prod(variable.shape) for variable in layer.trainable_variables)
        layers.append(Layer(type(layer).__name__.lower(), _output_shape(layer), n_parameters))
    layers = [layer for layer in layers if layer.name != "inputlayer"]
    return NetworkSize(tuple(layers), network.parameters)


def _output_shape(layer: Any) -> tuple[int, ...]:
    """Shape of a layer's output for one row; () where only a call would show it."""
    try:
        return tuple(int(side or 1) for side in layer.output.shape[1:])
    except (AttributeError, ValueError):
        # Layers of a model that is a class of its own.
        return ()


@dataclass(frozen=True)
class TrainingSize:
    """What the memory of a training depends on.

    Attributes:
        network: One network, with P parameters and U units.
        rows: Rows of the problem, n.
        training_rows: Rows that a fold trains on.
        values: Values in a row, d: features, or pixels times channels.
        has_images: Whether rows are images, whose values are bytes.
        batch_size: Rows of a batch, B.
        folds: Folds of a trial, F.
        stack: Networks in one program, M.
        stacks: Programs that train at a time, S.
        has_smote: Whether a strategy makes rows by SMOTE.
    """

    network: NetworkSize
    rows: int
    training_rows: int
    values: int
    has_images: bool
    batch_size: int
    folds: int
    stack: int
    stacks: int
    has_smote: bool


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes that a training takes beside the data set itself, estimated.

    Attributes:
        rows: The problem's rows, on the device.
        networks: Weights and what belongs to them, on the device.
        batches: Plans of an epoch, what layers hold of a batch or a pass, on the device.
        preparation: Rows while they are prepared, those that SMOTE keeps, first weights of all
            folds, and what compiling takes, on the host.
    """

    rows: int
    networks: int
    batches: int
    preparation: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.rows + self.networks + self.batches + self.preparation

    @property
    def remedy(self) -> str:
        """What takes most, and what to lower."""
        part = self._largest
        return f"most of it is for {part} ({as_gigabytes(getattr(self, part))}): {self.lower}"

    @property
    def lower(self) -> str:
        """What to lower to take less."""
        return _REMEDIES[self._largest]

    @property
    def _largest(self) -> str:
        return max(_REMEDIES, key=lambda part: int(getattr(self, part)))


def memory_need(size: TrainingSize) -> MemoryNeed:
    """Estimate what a training takes, at its largest.

    In the letters of :class:`TrainingSize`, and in numbers of 4 bytes where nothing else is said:

    - rows: n d (images: bytes), and as much again while they are copied;
    - networks: weights, the best of them, gradients and Adam's two moments, of M S networks; and
      first weights and moments, 2 M P, of the stacks of a trial, 8 at most;
    - batches: of M S networks the two rows of a blend, the blend and its gradient, 4 B d, and
      outputs and their gradients, 2 B U; or, if that is more, rows and outputs of a pass over
      1,024 rows (256 images); and the plans of an epoch, 96 bytes a row;
    - preparation: n d as float64 twice and once as float32; for SMOTE each fold's training rows;
      P for each of F folds; 150 MB for compiling.

    Measured on a CPU, trainings of 170 to 1,230 MB took 0.8 to 1.15 times what this says.
    """
    s, network = size, size.network
    networks, cells = s.stack * s.stacks, s.rows * s.values
    steps = max(1, s.training_rows // s.batch_size)
    batch, evaluated = networks * s.batch_size, networks * min(_PASS[s.has_images], s.rows)
    in_layers = max(
        batch * (4 * s.values + 2 * network.units), evaluated * (2 * s.values + network.units)
    )
    kept_stacks = min(_KEPT, ceil(s.folds / s.stack))
    return MemoryNeed(
        rows=2 * cells * (1 if s.has_images else 4),
        networks=4 * network.parameters * (5 * networks + 2 * s.stack * kept_stacks),
        batches=4 * in_layers + _PLANNED_ROW * steps * batch,
        preparation=(0 if s.has_images else 20 * cells)
        + (4 * s.folds * s.training_rows * s.values if s.has_smote else 0)
        + 4 * s.folds * network.parameters
        + _COMPILING,
    )


def check_need(need: MemoryNeed, name: str, *, has_accelerator: bool) -> list[str]:
    """Refuse a training that the machine does not hold.

    Args:
        need: What it takes.
        name: What is trained, to begin messages with.
        has_accelerator: Whether all but the preparation is on an accelerator.

    Returns:
        A note where less is free at present than it takes, else nothing.

    Raises:
        DataError: The machine or the accelerator has less; the message says what to lower.
    """
    on_machine, what = need, f"{name}: training would"
    if has_accelerator:
        on_machine, device = MemoryNeed(0, 0, 0, need.preparation), replace(need, preparation=0)
        limit = accelerator_bytes()
        if limit is not None:
            check_memory(device.total, what, limit, "the accelerator has", device.remedy)
    check_memory(on_machine.total, what, machine_bytes(), "the machine has", on_machine.remedy)
    free = free_bytes()
    if on_machine.total <= free:
        return []
    return [
        f"{name}: training takes about {as_gigabytes(on_machine.total)}, and "
        f"{as_gigabytes(free)} of memory are free; end other programs, or {on_machine.lower}"
    ]
