"""Load a saved network: Keras' own classes alone, whatever the file names."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.errors import UsageError
from remix_study.training.backend import hidden_stderr

# Modules whose classes a model may name; Keras imports any module that a file names.
_MODULES = (
    *("keras", "keras.layers", "keras.initializers", "keras.regularizers", "keras.constraints"),
    *("keras.src.models.functional", "keras.src.models.sequential", "keras.models"),
)
_DATA = ("__numpy__", "__tuple__", "__dict__", "__keras_tensor__", "slice")
# Layers that run other code than Keras' own.
_OTHER_CODE = ("Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper")


def load_network(path: Path) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """The outputs of a network.

    Raises:
        UsageError: Keras cannot load the file, or it names a class that could run other code.
    """
    with hidden_stderr():
        from keras.saving import load_model

    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
        for module, name in _classes(config):
            if name in _OTHER_CODE or not (module in _MODULES or name in _DATA):
                raise UsageError(
                    f"{path}: names {module}.{name}, which is no layer of Keras; fit it again"
                )
        model = load_model(path, compile=False, safe_mode=True)
    except UsageError:
        raise
    except Exception as error:
        # A damaged file may raise anything.
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"{path}: Keras cannot load it ({reason}); fit it again") from error
    return lambda inputs: np.asarray(model(inputs, training=False))


def _classes(node: Any) -> Iterator[tuple[str, str]]:
    """Module and name of every class that the description of a model names."""
    if isinstance(node, dict):
        if "class_name" in node:
            yield str(node.get("module")), str(node["class_name"])
        for value in node.values():
            yield from _classes(value)
    elif isinstance(node, list):
        for value in node:
            yield from _classes(value)
