"""Table 2 of Bellinger, Corizzo and Japkowicz as it was printed, for comparison only.

The column of the binary balanced Brier score adds up to 268, which no ranking of 18 problems and
five methods with average ties can give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from remix_study.results.comparison import Comparison
from remix_study.results.methods import PUBLISHED

STRATEGIES = tuple(strategy for strategy, _ in PUBLISHED)
"""Strategies of the five published methods, in the order of Table 2."""

METHODS = tuple(name if alpha is None else f"{name} ({alpha:g})" for name, alpha in PUBLISHED)
"""Labels of the five published methods, in the order of Table 2."""

REMIX = METHODS[-1]
"""Label of ReMix at the published alpha."""

RANK_SUMS: Mapping[tuple[str, str], tuple[float, ...]] = {
    ("binary", "g_mean"): (65, 70, 36, 77, 22),
    ("binary", "bbs"): (63, 66, 54, 63, 22),
    ("multi-class", "g_mean"): (31, 28, 24, 40, 12),
    ("multi-class", "bbs"): (38, 36, 30, 22, 9),
}
"""(kind, metric) -> the printed rank sums, in the order of `STRATEGIES`."""

PROBLEMS: Mapping[str, frozenset[tuple[str, float]]] = {
    "binary": frozenset(
        (dataset, ratio)
        for dataset, ratios in {
            "musk": (0.05, 0.025, 0.01),
            "segment": (0.05, 0.025, 0.01),
            "satimage": (0.05, 0.025, 0.01),
            "seizure": (0.05, 0.025, 0.01),
            "coil2000": (0.05, 0.025, 0.01),
            "ozone": (0.025, 0.01),
            "aps": (0.01,),
        }.items()
        for ratio in ratios
    ),
    "multi-class": frozenset(product(("seizure", "optdigits", "satimage"), (0.25, 0.1, 0.05))),
}
"""Kind -> its problems in Table 1, as (data set, imbalance ratio)."""


def problem_key(comparison: Comparison) -> tuple[str, float]:
    """The (data set, imbalance ratio) of a problem, as `PROBLEMS` has it."""
    return str(comparison.info["dataset"]), comparison.imbalance


def is_published(comparison: Comparison) -> bool:
    """Whether the problem is one of the paper's Table 1."""
    return problem_key(comparison) in PROBLEMS.get(comparison.kind, ())


def has_same_problems(kind: str, comparisons: Sequence[Comparison]) -> bool:
    """Whether the problems of a kind are exactly those of the paper."""
    keys = [problem_key(comparison) for comparison in comparisons if comparison.kind == kind]
    return len(keys) == len(PROBLEMS[kind]) and set(keys) == PROBLEMS[kind]
