"""Running a user's own code: what it raises is one line, what it sets for Keras is refused."""

from __future__ import annotations

import random
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from remix_study.errors import UsageError

_NEEDED: dict[str, Any] = {
    "keras.config.floatx": "float32",
    "keras.config.dtype_policy": "float32",
    "keras.config.image_data_format": "channels_last",
    "tf.config.run_functions_eagerly": False,
}


@contextmanager
def user_code(kind: str, name: str, doing: str) -> Iterator[None]:
    """Run a user's own code in a ``with`` block.

    Random generators have the same state afterwards as before, whatever the code draws or seeds.

    Args:
        kind: ``model`` or ``augmentation``, for messages.
        name: As the study file has it.
        doing: What fails if the code does: "imported" or "built".

    Raises:
        UsageError: The code raised something or ended the process, or changed a setting of Keras
            that all networks of the process have.
    """
    settings = _NEEDED | keras_settings()
    states = random.getstate(), np.random.get_state()
    try:
        yield
    except UsageError:
        raise
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        if isinstance(error, KeyboardInterrupt) and is_by_signal(error):
            raise
        # One line, whatever the code raises.
        reason = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
        raise UsageError(f'{kind} "{name}" cannot be {doing} ({reason})') from error
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
    for setting, value in keras_settings().items():
        if _shown(value) != _shown(settings[setting]):
            _restore(setting, settings[setting])
            raise UsageError(
                f'{kind} "{name}" sets {setting} to {_shown(value)} for the whole process while '
                f"it is {doing}: studies train with {_shown(settings[setting])}; leave that out, "
                "and give dtype to the layers that need it"
            )


def is_by_signal(error: KeyboardInterrupt) -> bool:
    """Whether a signal has raised it, or its handler, rather than code that was called."""
    if type(error) is not KeyboardInterrupt:
        return True
    # Python runs handlers in the main thread alone; its own one raises just this.
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def keras_settings() -> dict[str, Any]:
    """Settings that all networks of a process have, by name; none before Keras is loaded."""
    keras: Any = sys.modules.get("keras")
    # While it is imported it has no settings yet.
    if not hasattr(keras, "config"):
        return {}
    settings = {
        "keras.config.floatx": keras.config.floatx(),
        "keras.config.dtype_policy": keras.config.dtype_policy(),
        "keras.config.image_data_format": keras.config.image_data_format(),
    }
    if tensorflow := sys.modules.get("tensorflow"):
        settings["tf.config.run_functions_eagerly"] = tensorflow.config.functions_run_eagerly()
    return settings


def check_keras_settings() -> None:
    """Check that Keras is set as studies need it.

    Raises:
        UsageError: It computes in another precision, or eagerly; the message says where it is set.
    """
    for setting, value in keras_settings().items():
        if _shown(value) != _shown(_NEEDED[setting]):
            raise UsageError(
                f"Keras' setting {setting} is {_shown(value)}, and studies need "
                f"{_shown(_NEEDED[setting])}: set it so in this process, or in Keras' file "
                "~/.keras/keras.json"
            )


def _restore(setting: str, value: Any) -> None:
    import keras

    if setting == "tf.config.run_functions_eagerly":
        sys.modules["tensorflow"].config.run_functions_eagerly(value)
        return
    name = setting.rpartition(".")[2]
    getattr(keras.config, f"set_{name}")(value)


def _shown(value: Any) -> str:
    return str(getattr(value, "name", value))
