"""Save and load fitted estimators of scikit-learn by skops, without pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from remix_study.errors import UsageError
from remix_study.training.backend import count_cores

TRUSTED = (
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
"""Types beside those that skops trusts by itself, which the built-in estimators hold."""


def save_estimator(estimator: Any, path: Path) -> None:
    """Write a fitted estimator.

    Raises:
        UsageError: It holds a type that a file without pickle cannot be trusted with.
    """
    import skops.io

    try:
        skops.io.dump(estimator, path)
        untrusted = set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED)
    except Exception as error:
        # Types of other packages may raise anything here.
        reason = " ".join(str(error).split())[:200]
        raise UsageError(
            f"{type(estimator).__name__} cannot be saved without pickle ({reason}); choose "
            "another method by --method, or save it by its own package"
        ) from error
    if untrusted:
        raise UsageError(
            f"{type(estimator).__name__} holds {min(untrusted)}, which is not among the types "
            "that are loaded; choose another method by --method, or save it by its own package"
        )


def load_estimator(path: Path) -> Any:
    """Load an estimator; UsageError where the file is damaged or holds other types."""
    import skops.io

    count_cores()
    try:
        return skops.io.load(path, trusted=list(TRUSTED))
    except Exception as error:
        # A damaged file may raise anything.
        raise UsageError(f"{path}: cannot be loaded ({error}); fit it again") from error
