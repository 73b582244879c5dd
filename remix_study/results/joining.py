"""Rows of one problem that were run in several studies, on the same splits and in the same way.

Such studies differ in nothing but their strategies, so their rows stand side by side: fold by
fold they saw the same rows of the data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from remix_study.results.comparison import Comparison
from remix_study.results.methods import method_order

# What decides how a row of a study is trained and scored, apart from its strategy.
_SHARED = ("cv", "problem", "model", "training", "augmentation")


def training_recipe(comparison: Comparison) -> str | None:
    """A text that two problems share where they were split and trained alike; None if unknown.

    A search, or a grid that varies more than strategies, has no recipe for all its rows.
    """
    began = comparison.info.get("definition")
    if not isinstance(began, Mapping) or not comparison.is_grid:
        return None
    if any(row.settings for row in comparison.methods):
        return None
    found = {name: began.get(name) for name in _SHARED} | {"seed": began["study"]["seed"]}
    # How many networks train together is a matter of last digits.
    found["training"] = {k: v for k, v in (found["training"] or {}).items() if k != "stack"}
    return json.dumps(found, sort_keys=True)


def has_alpha_curve(comparison: Comparison) -> bool:
    """Whether some strategy was run at several alphas, which are no rivals of each other."""
    families = [row.family for row in comparison.methods if row.alpha]
    return len(set(families)) < len(families)


def join_methods(first: Comparison, others: Sequence[Comparison]) -> Comparison:
    """The first one's problem with the rows that others add to it.

    Of a row that two studies have, the first one's counts.

    Args:
        first: the comparison whose name and study the joined one has.
        others: comparisons of the same recipe.
    """
    if not others:
        return first
    rows = list(first.methods)
    sources = [(first, list(first.methods))]
    for other in others:
        labels = {row.label for row in rows}
        added = [row for row in other.methods if row.label not in labels]
        sources.append((other, added))
        rows += added
    scores = {
        key: pd.concat(
            [
                c.scores[key][[row.label for row in own if row.label in c.scores[key]]]
                for c, own in sources
                if key in c.scores
            ],
            axis=1,
        ).sort_index()
        for key in dict.fromkeys(key for c, _ in sources for key in c.scores)
    }
    runs = [row.run for row in rows]
    folds = pd.concat([c.folds for c, _ in sources], ignore_index=True)
    return replace(
        first,
        info=dict(first.info) | _progress([c for c, _ in sources]),
        methods=tuple(sorted(rows, key=method_order)),
        folds=folds[folds["run"].isin(runs)],
        scores=scores,
    )


def _progress(sources: Sequence[Comparison]) -> dict[str, Any]:
    names = ("planned", "complete", "failed")
    return {name: sum(int(c.info[name]) for c in sources) for name in names}
