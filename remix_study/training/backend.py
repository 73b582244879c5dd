"""The Keras backend: choosing and loading it, and what the engine needs of it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from numpy.typing import NDArray

from remix_study.errors import UsageError

Function = Callable[..., Any]

_STDERR = 2


class Backend(Protocol):
    """The functions of the module ``tensorflow_backend`` or ``jax_backend``."""

    def gather(self, array: Any, indices: Any) -> Any:
        """Return the rows of ``array`` at ``indices``."""

    def gradient(self, function: Function, variables: Any) -> tuple[Any, Any]:
        """Return the second result of ``function``, and the gradients of its first, a total."""

    def barrier(self, arrays: list[Any]) -> list[Any]:
        """Return the arrays, each computed once; within a program compiled by XLA only."""

    def compiled(self, function: Function, *, xla: bool) -> Function:
        """Return the function, compiled anew for each set of shapes that it is called with."""

    def on_device(self, array: NDArray[Any]) -> Any:
        """Return the array on the device where the program runs."""

    def has_accelerator(self) -> bool:
        """Whether that device is no CPU."""


def backend() -> Backend:
    """Return the functions for the Keras backend in use, which is imported now if need be.

    Raises:
        UsageError: It is neither TensorFlow nor JAX.
    """
    import keras

    name = keras.backend.backend()
    if name == "tensorflow":
        from remix_study.training import tensorflow_backend

        return tensorflow_backend
    if name == "jax":
        from remix_study.training import jax_backend

        return jax_backend
    raise UsageError(f'KERAS_BACKEND is "{name}"; set it to "tensorflow" (the default) or "jax"')


def load_networks() -> None:
    """Import Keras with its backend, which takes seconds.

    Raises:
        UsageError: Keras is set to a backend that cannot run studies.
    """
    try:
        backend()
    except (ImportError, ValueError) as error:
        # Keras reads its backend's name from KERAS_BACKEND, or from a file of its own.
        raise UsageError(
            f"Keras cannot be loaded ({error}); set KERAS_BACKEND to tensorflow (the default) or "
            "jax, and install that package"
        ) from error


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
