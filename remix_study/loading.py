"""Loading Keras and its backend: seconds long, and noisy."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from remix_study.errors import UsageError

_STDERR = 2


def load_networks() -> None:
    """Import Keras with its backend.

    Raises:
        UsageError: Keras is set to a backend that cannot run studies.
    """
    try:
        from remix_study.training.program import backend
    except (ImportError, ValueError) as error:
        # Keras reads its backend's name from KERAS_BACKEND, or from a file of its own.
        raise UsageError(
            f"Keras cannot be loaded ({error}); studies run on KERAS_BACKEND=tensorflow, the "
            "default, and on jax"
        ) from error
    backend()


@contextmanager
def hushed() -> Iterator[None]:
    """Hide what is written to standard error, by C++ libraries too; show it if the block fails.

    TensorFlow speaks of devices that it did not find and of settings that nobody asked about,
    before its own switch for silence is read.
    """
    sys.stderr.flush()
    try:
        own = os.dup(_STDERR)
    except OSError:
        # Standard error is closed: nothing to hide.
        yield
        return
    with tempfile.TemporaryFile() as heard:
        os.dup2(heard.fileno(), _STDERR)
        try:
            yield
        except Exception:
            os.dup2(own, _STDERR)
            heard.seek(0)
            with open(_STDERR, "wb", closefd=False) as shown:
                shutil.copyfileobj(heard, shown)
            raise
        finally:
            sys.stderr.flush()
            os.dup2(own, _STDERR)
            os.close(own)
