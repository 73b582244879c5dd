"""What the engine needs of JAX; see :class:`remix_study.training.backend.Backend`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from numpy.typing import NDArray


def gather(array: Any, indices: Any) -> Any:
    """Return the rows of ``array`` at ``indices``, which must not be out of bounds."""
    return array.at[indices].get(mode="promise_in_bounds")


def gradient(
    function: Callable[[Any], tuple[Any, Any]], variables: tuple[Any, ...]
) -> tuple[Any, Any]:
    """Return the second result of ``function``, and the gradients of its first, a total."""
    (_, extra), gradients = jax.value_and_grad(function, has_aux=True)(variables)
    return extra, gradients


def barrier(arrays: list[Any]) -> list[Any]:
    """Return the arrays, which XLA then computes once, whatever uses them."""
    return list(jax.lax.optimization_barrier(arrays))


def compiled(function: Callable[..., Any], *, xla: bool) -> Callable[..., Any]:  # noqa: ARG001
    """Return the function compiled by XLA; JAX has no other compiler."""
    program: Callable[..., Any] = jax.jit(function)
    return program


def on_device(array: NDArray[Any]) -> Any:
    """Return an array of the same type; 64-bit types become 32-bit ones."""
    return jnp.array(array)


def has_accelerator() -> bool:
    """Whether JAX runs on another device than a CPU."""
    return bool(jax.default_backend() != "cpu")
