"""Further forms of a network in use: TensorFlow's SavedModel, and ONNX."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.deploy.records import EXPORTS
from remix_study.errors import UsageError
from remix_study.training.backend import hidden_stderr

_ONNX_PACKAGES = ("onnx", "onnxruntime", "tf2onnx")


def check_export(form: str, method: str, *, is_network: bool) -> None:
    """Refuse a form that cannot be written, before anything is trained.

    Args:
        form: What a user named.
        method: Label of the method.
        is_network: Whether it trains a network.

    Raises:
        UsageError: An unknown form, an estimator, another backend than TensorFlow, or packages
            that are missing.
    """
    import keras

    if form not in EXPORTS:
        raise UsageError(f'export "{form}" is not known; choose {" or ".join(EXPORTS)}')
    if not is_network:
        raise UsageError(f"{method} is no network: leave out the export, or name a network")
    if keras.backend.backend() != "tensorflow":
        raise UsageError(f"{form} is written by TensorFlow: set KERAS_BACKEND to tensorflow")
    lacking = [name for name in _ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    if form == "onnx" and lacking:
        raise UsageError(f'ONNX: {lacking[0]} is not installed; pip install "remix-study[onnx]"')


def write_form(
    network: Any, form: str, folder: Path
) -> Callable[[NDArray[np.float32]], NDArray[Any]]:
    """Write a form of a Keras network into a folder.

    Args:
        network: A model of stock layers with one input.
        form: A key of ``EXPORTS``.
        folder: Where to.

    Returns:
        The outputs (n, K) of what was written for inputs (n, ...), by its own runtime.
    """
    path = folder / EXPORTS[form]
    with hidden_stderr(), warnings.catch_warnings():
        # Keras asks NumPy for names that tf2onnx lacks.
        warnings.simplefilter("ignore", FutureWarning)
        if form == "onnx":
            # Keras exports what was called once.
            network(np.zeros((1, *network.input_shape[1:]), np.float32))
            network.export(path, format="onnx", verbose=False)
            return _onnx_outputs(path)
        network.export(path, format="tf_saved_model", verbose=False)
        import tensorflow

        loaded = tensorflow.saved_model.load(path)
    return lambda inputs: np.asarray(loaded.serve(inputs))


def _onnx_outputs(path: Path) -> Callable[[NDArray[np.float32]], NDArray[Any]]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    name = session.get_inputs()[0].name
    return lambda inputs: np.asarray(session.run(None, {name: inputs})[0])
