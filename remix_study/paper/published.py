"""Table 2 of Bellinger, Corizzo and Japkowicz as it was printed, for comparison only.

Nothing else is computed from these numbers. The column of the binary balanced Brier score adds up
to 268, which no ranking of 18 problems and five rows with average ties can give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from remix_study.results.comparison import Comparison

# In the order of PUBLISHED in ranks.py: baseline, cost, smote, mixup, remix.
RANK_SUMS: Mapping[tuple[str, str], tuple[float, ...]] = {
    ("binary", "g_mean"): (65, 70, 36, 77, 22),
    ("binary", "bbs"): (63, 66, 54, 63, 22),
    ("multi-class", "g_mean"): (31, 28, 24, 40, 12),
    ("multi-class", "bbs"): (38, 36, 30, 22, 9),
}
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
    "multi-class": frozenset(
        (dataset, ratio)
        for dataset in ("seizure", "optdigits", "satimage")
        for ratio in (0.25, 0.1, 0.05)
    ),
}


def same_problems(kind: str, comparisons: Sequence[Comparison]) -> bool:
    """Whether these are the paper's problems of a kind, by data set and imbalance ratio."""
    here = [(str(c.info["dataset"]), c.imbalance) for c in comparisons if c.kind == kind]
    return len(here) == len(PROBLEMS[kind]) and set(here) == PROBLEMS[kind]
