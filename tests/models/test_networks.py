"""The paper's network for images: layers, initial weights and the images that it takes."""

from __future__ import annotations

import numpy as np
import pytest

from remix_study.errors import UsageError
from remix_study.models.building import build_network, resolved_options


def test_has_the_layers_and_initial_weights_of_the_paper():
    """32 and 64 filters, 64 units, Keras' padding; weights from each kernel's own fans."""
    network = build_network("cnn", stack=9, input_shape=(32, 32, 3), n_classes=10, options={})
    assert network.stack == 1
    kinds = [type(layer).__name__ for layer in network.train.layers]
    assert kinds == ["Conv2D", "MaxPooling2D"] * 2 + ["Flatten", "Dense", "Dense"]
    assert network.parameters == 896 + 18_496 + (6 * 6 * 64 * 64 + 64) + 650
    weights = network.initial_weights(5)
    for kernel, fans in zip(weights[::2], (9 * 35, 9 * 96, 2304 + 64, 74), strict=True):
        limit = np.sqrt(6 / fans)
        assert 0.95 * limit < np.abs(kernel).max() <= limit
        assert abs(kernel.mean()) < 0.1 * limit
    assert all((bias == 0).all() for bias in weights[1::2])
    assert not np.array_equal(weights[0], network.initial_weights(6)[0])


@pytest.mark.parametrize(
    ("options", "n_classes", "widths"),
    [
        ({}, 2, (128, 64)),
        # int(2 (36 + 6) / 3), int(2 (36 + 6) / 0.75), int(2 (36 + 2) / 3)
        ({"hidden": "paper"}, 6, (28, 28, 28)),
        ({"hidden": "authors"}, 6, (112, 112, 112)),
        ({"hidden": "authors"}, 2, (25, 25, 25)),
        ({"hidden": [5, 4]}, 2, (5, 4)),
    ],
)
def test_widths_of_the_dense_network(options, n_classes, widths):
    assert resolved_options("mlp", options, (36,), n_classes)["hidden"] == widths
    arguments = {"stack": 2, "input_shape": (36,), "n_classes": n_classes, "options": options}
    network = build_network("mlp", **arguments)
    assert tuple(layer.output.shape[2] for layer in network.infer.layers[1:-1]) == widths


def test_small_images_are_padded_and_smaller_ones_refused():
    options = {"stack": 1, "n_classes": 2}
    for side, padding in ((10, "valid"), (9, "same"), (4, "same")):
        network = build_network("cnn", input_shape=(32, side, 1), options={}, **options)
        assert network.train.layers[0].padding == padding
    with pytest.raises(UsageError, match="images of 8 x 3 are too small for 2 convolutions"):
        build_network("cnn", input_shape=(8, 3, 1), options={}, **options)
    with pytest.raises(UsageError, match=r'of 8 x 8 are too small .* padding "valid"'):
        build_network("cnn", input_shape=(8, 8, 1), options={"padding": "valid"}, **options)
    for name, shape, word in (("mlp", (8, 8, 1), "cnn"), ("cnn", (64,), "mlp")):
        with pytest.raises(
            UsageError, match=f'model "{name}" takes .* set model.name to "{word}"'
        ):
            build_network(name, input_shape=shape, options={}, **options)
