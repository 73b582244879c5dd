"""Compare ReMix with other training strategies on imbalanced data, in Optuna studies.

Attributes:
    run: Run a study on arrays, a data frame, or the data that its file names.
    ReMix: ReMix batches as a Keras data set, for any ``model.fit``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from remix_study.version import __version__

__all__ = ["ReMix", "__version__", "run"]

if TYPE_CHECKING:
    from remix_study.api import run
    from remix_study.batches.keras_dataset import ReMix


def __getattr__(name: str) -> Any:
    """Import the public names on first use: loading Keras takes seconds."""
    if name == "ReMix":
        from remix_study.batches.keras_dataset import ReMix

        return ReMix
    if name == "run":
        from remix_study.api import run

        return run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
