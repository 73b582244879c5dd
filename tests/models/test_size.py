"""The size of networks, by hand and as Keras builds them, and the memory of a training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from remix_study.data.memory import as_gigabytes
from remix_study.models.building import build_network
from remix_study.models.networks import build_cnn, build_mlp
from remix_study.models.size import (
    Layer,
    MemoryNeed,
    NetworkSize,
    TrainingSize,
    built_size,
    dense_size,
    memory_need,
)


@pytest.mark.parametrize(
    ("options", "shape", "n_classes"),
    [({}, (7,), 3), ({"hidden": [5, 4], "dropout": 0.0}, (3,), 2), ({"hidden": [6]}, (2,), 4)],
)
def test_a_dense_network_is_as_large_as_the_one_that_is_built(
    options: dict, shape: tuple[int, ...], n_classes: int
) -> None:
    size = dense_size(options, shape, n_classes)
    network = build_mlp(3, shape[0], n_classes, **options)
    assert size.parameters == network.parameters
    assert size.units == sum(layer.output.shape[2] for layer in network.infer.layers[1:])


def test_layers_by_hand() -> None:
    size = dense_size({"hidden": [5, 4]}, (3,), 2)
    assert size.layers == (
        Layer("dense", (5,), 20),
        Layer("dense", (4,), 24),
        Layer("dense", (2,), 10),
    )
    assert list(map(str, size.layers)) == ["dense 5 (20)", "dense 4 (24)", "dense 2 (10)"]
    assert (size.parameters, size.units) == (54, 11)


def test_a_built_network_names_its_layers() -> None:
    size = built_size(build_cnn((8, 8, 1), 2, filters=[4], dense=3))
    assert [str(layer) for layer in size.layers] == [
        "conv2d 6 x 6 x 4 (40)",
        "maxpooling2d 3 x 3 x 4",
        "flatten 36",
        "dense 3 (111)",
        "dense 2 (8)",
    ]
    assert (size.parameters, size.units) == (159, 144 + 36 + 36 + 3 + 2)


@pytest.mark.parametrize("name", ["dense", "batch_norm", "subclassed"])
def test_a_network_of_a_users_own(name: str) -> None:
    network = build_network(
        f"user_nets:{name}", stack=1, input_shape=(4,), n_classes=2, options={}
    )
    size = built_size(network)
    assert size.parameters == network.parameters == sum(each.parameters for each in size.layers)
    assert size.layers[-1].shape == (() if name == "subclassed" else (2,))


SMALL = TrainingSize(
    network=NetworkSize((Layer("dense", (2,), 22),), 22),
    rows=1000,
    training_rows=350,
    values=10,
    has_images=False,
    batch_size=50,
    folds=4,
    stack=2,
    stacks=1,
    has_smote=False,
)


def test_memory_by_hand() -> None:
    need = memory_need(SMALL)
    assert need.rows == 2 * 1000 * 10 * 4
    # Five copies of two networks, and the first weights and moments of two stacks of two.
    assert need.networks == 4 * 22 * (5 * 2 + 2 * 2 * 2)
    # A pass over 1,000 rows takes more than a batch; plans of the seven steps of an epoch.
    assert need.batches == 4 * 2 * 1000 * (2 * 10 + 2) + 96 * 7 * 2 * 50
    assert need.preparation == 20 * 10_000 + 4 * 4 * 22 + 150_000_000
    assert need.total == need.rows + need.networks + need.batches + need.preparation
    smote = memory_need(replace(SMALL, has_smote=True))
    assert smote.preparation - need.preparation == 4 * 4 * 350 * 10


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"rows": 10**9}, "preparation"),
        ({"rows": 10**9, "has_images": True, "batch_size": 2}, "rows"),
        ({"network": NetworkSize((Layer("dense", (9,), 10**9),), 10**9)}, "networks"),
        (
            {"batch_size": 10**6, "network": NetworkSize((Layer("dense", (10**4,), 9),), 9)},
            "batches",
        ),
    ],
)
def test_the_remedy_is_about_what_takes_most(change: dict, part: str) -> None:
    assert memory_need(replace(SMALL, **change)).remedy.startswith(f"most of it is for {part} (")


def test_no_part_shrinks_when_something_grows() -> None:
    need = memory_need(SMALL)
    for name in ("rows", "training_rows", "values", "folds", "stack", "stacks"):
        larger = memory_need(replace(SMALL, **{name: 2 * getattr(SMALL, name)}))
        for part in MemoryNeed.__dataclass_fields__:
            assert getattr(larger, part) >= getattr(need, part), (name, part)


def test_bytes_as_people_read_them() -> None:
    texts = [
        as_gigabytes(n) for n in (950, 1_500, 2_000_000, 18_540_000_000, np.int64(3 * 10**12))
    ]
    assert texts == ["0.95 kB", "1.5 kB", "2 MB", "18.5 GB", "3 TB"]
