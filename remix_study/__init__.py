"""Does ReMix help on my imbalanced data, with which sampler and alpha, and can I trust it?

Attributes:
    run: Run a study on arrays or a data frame, or on the data it names.
    ReMix: ReMix batches for anyone's own ``model.fit``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["ReMix", "__version__", "run"]

if TYPE_CHECKING:
    from remix_study.batches.keras_dataset import ReMix
    from remix_study.study.api import run


def __getattr__(name: str) -> Any:
    """Import on first use: Keras takes seconds to load, and not everybody needs it."""
    if name == "ReMix":
        from remix_study.batches.keras_dataset import ReMix

        return ReMix
    if name == "run":
        from remix_study.study.api import run

        return run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
