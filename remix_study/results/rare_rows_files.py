"""Curves over the number of rare rows as files have them: a table, and ``decision.json``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from remix_study.results.rare_rows import FURTHEST, RareRows


def table(problems: Sequence[RareRows]) -> pd.DataFrame:
    """Table of all mean scores: one line a problem, metric, method and share."""
    lines: list[Any] = [
        {
            "study": part.comparison.study,
            "problem": part.comparison.problem,
            "metric": metric,
            "method": curve.form.label,
            "share": ratio,
            "rare_rows": round(ratio * part.n_rare),
            "mean": interval.mean,
            "low": interval.low,
            "high": interval.high,
            "folds": interval.folds,
            "fitted": curve.at(ratio),
        }
        for part in problems
        for metric, curves in part.curves.items()
        for curve in curves
        for ratio, interval in zip(curve.ratios, curve.intervals, strict=True)
    ]
    return pd.DataFrame(lines)


def as_json(part: RareRows) -> dict[str, Any]:
    """The curves and what they say, as ``decision.json`` has them."""

    def finite(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return {
        "rare_rows": part.n_rare,
        "worth": {
            metric: {
                curve.form.label: {
                    "ratio": finite(curve.worth.ratio),
                    "low": finite(curve.worth.low),
                    "high": finite(curve.worth.high),
                    "more_than": FURTHEST if curve.worth.ratio == math.inf else None,
                    "reason": curve.worth.reason,
                }
                for curve in curves
                if curve.worth
            }
            for metric, curves in part.worths.items()
        },
        "to_tell_apart": [
            {
                "method": apart.label,
                "metric": apart.metric,
                "more_rare_rows": part.rows(apart.times) if apart.times < math.inf else None,
                "repeats": apart.repeats,
            }
            for apart in part.apart
        ],
    }
