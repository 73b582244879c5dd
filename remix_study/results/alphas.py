"""Distance between alphas, and which of a strategy's alphas is nearest to the published one."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from typing import Protocol, TypeVar

from remix_study.batches.strategies import PUBLISHED_ALPHA


class HasAlpha(Protocol):
    """A method with an alpha, None where its strategy does not mix."""

    @property
    def alpha(self) -> float | None:
        """Parameter of the mixing coefficient's distribution."""


Key = TypeVar("Key", bound=Hashable)
Method = TypeVar("Method", bound=HasAlpha)


def alpha_distance(alpha: float | None, target: float = PUBLISHED_ALPHA) -> float:
    """Distance on the logarithmic scale on which alphas are compared: ``|log(alpha / target)|``.

    Args:
        alpha: Alpha of a method.
        target: The alpha to be near to, above 0.

    Returns:
        The distance; 0 for a method that does not mix (alpha None or 0).
    """
    return abs(math.log(alpha / target)) if alpha else 0.0


def nearest_alphas(
    methods: Iterable[tuple[Key, Method]], target: float = PUBLISHED_ALPHA
) -> dict[Key, Method]:
    """Select for each key the method whose alpha is nearest, the first among equals.

    Args:
        methods: Methods, each with the key (such as its strategy) of which one is selected.
        target: The alpha to be near to, above 0.

    Returns:
        Key -> method, in the order in which keys come first.
    """
    nearest: dict[Key, Method] = {}
    for key, method in methods:
        distance = alpha_distance(method.alpha, target)
        if key not in nearest or distance < alpha_distance(nearest[key].alpha, target):
            nearest[key] = method
    return nearest
