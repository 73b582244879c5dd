"""What the engine needs of TensorFlow; see :class:`remix_study.training.backend.Backend`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.compiler.tf2xla.ops.gen_xla_ops import xla_optimization_barrier

# Without growth one process would take all memory of every accelerator it sees. A process that
# has used its devices already has decided for itself.
for _device in tf.config.list_physical_devices("GPU"):
    with contextlib.suppress(RuntimeError):
        tf.config.experimental.set_memory_growth(_device, True)


def gather(array: Any, indices: Any) -> Any:
    """Return the rows of ``array`` at ``indices``."""
    return tf.gather(array, indices)


def gradient(
    function: Callable[[Any], tuple[Any, Any]], variables: tuple[Any, ...]
) -> tuple[Any, Any]:
    """Return the second result of ``function``, and the gradients of its first, a total."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(variables)
        total, extra = function(variables)
    gradients = tape.gradient(total, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return extra, gradients


def barrier(arrays: list[Any]) -> list[Any]:
    """Return the arrays, which XLA then computes once, whatever uses them."""
    return list(xla_optimization_barrier(arrays))


def compiled(function: Callable[..., Any], *, xla: bool) -> Callable[..., Any]:
    """Return the function as a graph, compiled by XLA if asked for."""
    graph: Callable[..., Any] = tf.function(function, jit_compile=xla, autograph=False)
    return graph


def on_device(array: NDArray[Any]) -> Any:
    """Return a tensor of the array's own type."""
    return tf.constant(array)


def has_accelerator() -> bool:
    """Whether TensorFlow runs on a GPU."""
    return bool(tf.config.list_logical_devices("GPU"))
