"""The Keras backend: choosing and loading it, and what the engine needs of it."""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from remix_study.data.aligned import aligned
from remix_study.data.memory import few_collections, pool_tensors, share_heap
from remix_study.errors import UsageError
from remix_study.models.user_code import check_keras_settings
from remix_study.training.jax_on_accelerators import keep_compiled_programs, options_for_loops

Function = Callable[..., Any]

_STDERR = 2


class Backend(Protocol):
    """What the engine needs of TensorFlow or JAX."""

    def gather(self, array: Any, indices: Any) -> Any:
        """Return the rows of ``array`` at ``indices``, which must not be out of bounds."""

    def gradient(self, function: Function, variables: Any) -> tuple[Any, Any]:
        """Return the second result of ``function``, and the gradients of its first, a total."""

    def barrier(self, arrays: list[Any]) -> list[Any]:
        """Return the arrays, each computed once; within a program compiled by XLA only."""

    def compiled(self, function: Function, *, xla: bool) -> Function:
        """Return the function, compiled anew for each set of shapes that it is called with."""

    maps_members: bool
    """Whether :meth:`map_members` can map any network."""

    def map_members(self, function: Function) -> Function:
        """Return the function mapped over the first axis of all its arguments."""

    def on_device(self, array: NDArray[Any]) -> Any:
        """Return the array on the program's device; with JAX, 64-bit types become 32-bit ones."""

    def argument(self, array: NDArray[Any]) -> Any:
        """Return a small array as a compiled function takes it soonest, for one call."""

    def begin_copy_to_host(self, array: Any) -> None:
        """Copy an array to the host meanwhile, so that NumPy need not wait for it later."""

    def shared(self, array: NDArray[Any]) -> Any:
        """Return the array on that device; on a CPU its memory, which must not change."""

    def has_accelerator(self) -> bool:
        """Whether that device is no CPU."""


class _TensorFlow(Backend):
    maps_members = False

    def __init__(self) -> None:
        import tensorflow as tf
        from tensorflow.compiler.tf2xla.ops.gen_xla_ops import xla_optimization_barrier

        self._tf, self._barrier = tf, xla_optimization_barrier
        # Without growth one process would take all memory of every accelerator it sees. A process
        # that has used its devices already has decided for itself.
        for device in tf.config.list_physical_devices("GPU"):
            with suppress(RuntimeError):
                tf.config.experimental.set_memory_growth(device, True)

    def gather(self, array: Any, indices: Any) -> Any:
        return self._tf.gather(array, indices)

    def gradient(self, function: Function, variables: Any) -> tuple[Any, Any]:
        with self._tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            total, extra = function(variables)
        zero = self._tf.UnconnectedGradients.ZERO
        return extra, tape.gradient(total, variables, unconnected_gradients=zero)

    def barrier(self, arrays: list[Any]) -> list[Any]:
        return list(self._barrier(arrays))

    def compiled(self, function: Function, *, xla: bool) -> Function:
        graph = self._tf.function(function, jit_compile=xla, autograph=False)
        return _FlatCalls(graph, self._tf.nest.flatten)

    def map_members(self, function: Function) -> Function:
        # Knows neither convolutions nor random numbers without state.
        raise NotImplementedError

    def on_device(self, array: NDArray[Any]) -> Any:
        return self._tf.constant(array)

    argument = on_device

    def begin_copy_to_host(self, array: Any) -> None:
        """Nothing: TensorFlow has no such call."""

    def shared(self, array: NDArray[Any]) -> Any:
        if self.has_accelerator():
            return self.on_device(array)
        return self._tf.experimental.dlpack.from_dlpack(_Writable.view(array).__dlpack__())

    def has_accelerator(self) -> bool:
        return bool(self._tf.config.list_logical_devices("GPU"))


class _FlatCalls:
    """A ``tf.function`` whose second call with arguments of the same shapes skips most checks.

    TensorFlow looks at the type of each argument in Python, in every call: a millisecond for
    fifty of them, longer than the steps of a small table take, and in one thread at a time.
    """

    def __init__(self, graph: Any, flatten: Callable[[Any], list[Any]]) -> None:
        self._graph, self._flatten = graph, flatten
        self._concrete: dict[tuple[Any, ...], Any] = {}

    def __call__(self, *arguments: Any) -> Any:
        leaves = self._flatten(arguments)
        try:
            shapes = tuple(
                None if leaf is None else (leaf._shape_tuple(), leaf._datatype_enum())
                for leaf in leaves
            )
        except AttributeError:
            # Not all of them are tensors with values.
            return self._graph(*arguments)
        if shapes not in self._concrete:
            # Not by a call: TensorFlow warns where many calls of a function compile it.
            self._concrete[shapes] = self._graph.get_concrete_function(*arguments)
        concrete = self._concrete[shapes]
        arrays = [leaf for leaf in leaves if leaf is not None]
        return concrete._call_flat(arrays, concrete.captured_inputs)


class _Jax(Backend):
    maps_members = True

    def __init__(self) -> None:
        import jax

        self._jax = jax
        self._options: dict[str, str] | None = None
        if self.has_accelerator():
            keep_compiled_programs(jax)
            self._options = options_for_loops(jax)

    def gather(self, array: Any, indices: Any) -> Any:
        return array.at[indices].get(mode="promise_in_bounds")

    def gradient(self, function: Function, variables: Any) -> tuple[Any, Any]:
        (_, extra), gradients = self._jax.value_and_grad(function, has_aux=True)(variables)
        return extra, gradients

    def barrier(self, arrays: list[Any]) -> list[Any]:
        return list(self._jax.lax.optimization_barrier(arrays))

    def compiled(self, function: Function, *, xla: bool) -> Function:  # noqa: ARG002
        # JAX has no compiler but XLA.
        program: Function = self._jax.jit(function, compiler_options=self._options)
        return program

    def map_members(self, function: Function) -> Function:
        mapped: Function = self._jax.vmap(function)
        return mapped

    def on_device(self, array: NDArray[Any]) -> Any:
        if self.has_accelerator():
            # Without a program that copies, which would be compiled for every shape.
            return self._jax.device_put(np.array(array))
        return self._jax.numpy.array(array)

    def argument(self, array: NDArray[Any]) -> Any:
        return array

    def begin_copy_to_host(self, array: Any) -> None:
        array.copy_to_host_async()

    def shared(self, array: NDArray[Any]) -> Any:
        return self._jax.device_put(aligned(array))

    def has_accelerator(self) -> bool:
        return bool(self._jax.default_backend() != "cpu")


class _Writable:
    """The memory of an aligned array that may be read-only, which DLPack refuses to hand over."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array
        self.__array_interface__ = {
            **array.__array_interface__,
            "data": (array.ctypes.data, False),
        }

    @classmethod
    def view(cls, array: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(cls(aligned(array)))


# Each is made once, when Keras is first used: importing its library takes seconds.
_BACKENDS = {"tensorflow": cache(_TensorFlow), "jax": cache(_Jax)}


def backend() -> Backend:
    """Return the functions for the Keras backend in use, which is imported now if need be.

    Raises:
        UsageError: It is neither TensorFlow nor JAX.
    """
    import keras

    name = keras.backend.backend()
    if name not in _BACKENDS:
        raise UsageError(
            f'KERAS_BACKEND is "{name}"; set it to "tensorflow" (the default) or "jax"'
        )
    return _BACKENDS[name]()


def load_networks() -> None:
    """Import Keras with its backend, which takes seconds.

    Raises:
        UsageError: Keras is set to a backend that cannot run studies.
    """
    share_heap()
    pool_tensors()
    try:
        with few_collections():
            backend()
        check_keras_settings()
        count_cores()
    except (ImportError, ValueError) as error:
        # Keras reads its backend's name from KERAS_BACKEND, or from a file of its own.
        raise UsageError(
            f"Keras cannot be loaded ({error}); set KERAS_BACKEND to tensorflow (the default) or "
            "jax, and install that package"
        ) from error


def count_cores() -> None:
    """Let joblib count the cores for scikit-learn, as it does once a process, in silence.

    Where the system does not tell, it warns and prints a part of a traceback.
    """
    from joblib import cpu_count

    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        cpu_count(only_physical_cores=True)


@contextmanager
def hidden_stderr() -> Iterator[None]:
    """Hide what is written to standard error, by C++ libraries too; show it if the block fails.

    TensorFlow writes about devices and settings before its own switch for silence is read.
    """
    sys.stderr.flush()
    try:
        stderr = os.dup(_STDERR)
    except OSError:
        # Standard error is closed: there is nothing to hide.
        yield
        return
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), _STDERR)
        try:
            yield
        except Exception:
            os.dup2(stderr, _STDERR)
            captured.seek(0)
            with open(_STDERR, "wb", closefd=False) as shown:
                shutil.copyfileobj(captured, shown)
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, _STDERR)
            os.close(stderr)
