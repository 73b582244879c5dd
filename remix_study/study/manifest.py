"""The manifest of a run: study file, data, versions, seed, command, machine."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from remix_study.study.tables import utc_now
from remix_study.study.task import Task
from remix_study.studyfile.outside_files import outside_file
from remix_study.version import __version__

_PACKAGES = ("keras", "tensorflow", "jax", "numpy", "optuna", "scikit-learn", "scipy", "pandas")


def manifest(task: Task, command: str) -> dict[str, Any]:
    """Describe a run of one task.

    Args:
        task: The task, with its data and folds.
        command: The command line, or the call in Python.
    """
    study, problem = task.study, task.problem
    return {
        "study": study.name,
        "problem": problem.name,
        "command": command,
        "started": utc_now(),
        "file": {"text": study.text, "sha256": study.sha256},
        "data": {
            "name": problem.dataset.name,
            "source": problem.dataset.source,
            "sha256": problem.dataset.sha256,
            "outside": outside_file(study, task.spec),
        },
        "seed": study.seed,
        "stack": task.stack,
        "remix_study": __version__,
        "python": platform.python_version(),
        "packages": {name: number for name in _PACKAGES if (number := package_version(name))},
        "backend": _backend(),
        "platform": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


def _backend() -> str:
    # Keras may also read its backend from a file of its own.
    keras = sys.modules.get("keras")
    return keras.config.backend() if keras else os.environ.get("KERAS_BACKEND", "tensorflow")


def package_version(name: str) -> str:
    """Version of an installed package, "" where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        # TensorFlow, for one, is also published under other names.
        return str(getattr(sys.modules.get(name), "__version__", ""))
