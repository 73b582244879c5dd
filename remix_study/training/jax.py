"""What the engine needs of the JAX backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from numpy.typing import NDArray


def gather(array: Any, indices: Any) -> Any:
    """Rows of ``array`` at ``indices``, which are never out of bounds."""
    return array.at[indices].get(mode="promise_in_bounds")


def gradient(
    function: Callable[[Any], tuple[Any, Any]], variables: tuple[Any, ...]
) -> tuple[Any, Any]:
    """What ``function`` gives beside its total, and the total's gradients."""
    (_, beside), gradients = jax.value_and_grad(function, has_aux=True)(variables)
    return beside, gradients


def barrier(arrays: list[Any]) -> list[Any]:
    """The arrays, which XLA then computes once, whatever uses them."""
    return list(jax.lax.optimization_barrier(arrays))


def compiled(function: Callable[..., Any], *, xla: bool) -> Callable[..., Any]:  # noqa: ARG001
    """The function by XLA, which is all that JAX has."""
    program: Callable[..., Any] = jax.jit(function)
    return program


def on_device(array: NDArray[Any]) -> Any:
    """An array of the same type, 64-bit ones shortened to 32."""
    return jnp.array(array)


def accelerated() -> bool:
    """Whether JAX runs on something else than a CPU."""
    return bool(jax.default_backend() != "cpu")
