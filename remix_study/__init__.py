"""Compare ReMix with other training strategies on imbalanced data, in Optuna studies.

Attributes:
    run: Run a study on arrays, a data frame, or the data that its file names; or plan one for a
        table.
    fit: Train what a study decided on all rows, and write it into a folder.
    load: A model that ``fit`` wrote.
    predict: The answers of such a model for the rows of a table.
    read_results: The trials and scores of a study as tidy data frames.
    ReMixClassifier: A network that is trained as a study's are, as a scikit-learn classifier.
    ReMix: ReMix batches as a Keras data set, for any ``model.fit``.
    ImbalanceMetrics: A Keras callback with g-mean, balanced Brier score and average precision.
    objective: A function of an Optuna trial that returns validation scores, for a study of yours.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from remix_study.version import __version__

__all__ = [
    "ImbalanceMetrics",
    "ReMix",
    "ReMixClassifier",
    "__version__",
    "fit",
    "load",
    "objective",
    "predict",
    "read_results",
    "run",
]

if TYPE_CHECKING:
    from remix_study.api import fit, run
    from remix_study.batches.keras_dataset import ReMix
    from remix_study.deploy.classifier import ReMixClassifier
    from remix_study.deploy.imbalance_metrics import ImbalanceMetrics
    from remix_study.deploy.loading import load, predict
    from remix_study.deploy.optuna_objective import objective
    from remix_study.results.tidy import read_results

_MODULES = {
    "ImbalanceMetrics": "remix_study.deploy.imbalance_metrics",
    "ReMix": "remix_study.batches.keras_dataset",
    "ReMixClassifier": "remix_study.deploy.classifier",
    "fit": "remix_study.api",
    "load": "remix_study.deploy.loading",
    "objective": "remix_study.deploy.optuna_objective",
    "predict": "remix_study.deploy.loading",
    "read_results": "remix_study.results.tidy",
    "run": "remix_study.api",
}


def __getattr__(name: str) -> Any:
    """Import the public names on first use: loading Keras takes seconds."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
