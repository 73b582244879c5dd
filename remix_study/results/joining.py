"""Joining methods of one problem that were run in several studies.

Studies that split and train a problem in the same way differ only in their strategies: fold by
fold their methods saw the same rows of data, so they can be compared as if they were of one study.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from remix_study.results.comparison import Comparison
from remix_study.results.methods import method_order

# Sections of a study's definition that decide, besides its strategy, how a method is trained.
_RECIPE_SECTIONS = ("cv", "problem", "model", "training", "augmentation")


def training_recipe(comparison: Comparison) -> str | None:
    """Text that is equal for two problems which were split and trained alike.

    Returns:
        JSON; None if it is not known, and for a search or a grid that varies more than
        strategies, whose methods were not all trained alike.
    """
    definition = comparison.definition
    if definition is None or not comparison.is_grid:
        return None
    if any(method.settings for method in comparison.methods):
        return None
    recipe = {name: definition.get(name) for name in _RECIPE_SECTIONS}
    recipe["seed"] = definition["study"]["seed"]
    # The number of networks in one program changes no more than last digits.
    training = recipe["training"] or {}
    recipe["training"] = {key: value for key, value in training.items() if key != "stack"}
    return json.dumps(recipe, sort_keys=True)


def has_alpha_curve(comparison: Comparison) -> bool:
    """Whether some strategy was run at several alphas, which are not compared as rivals."""
    families = [method.family for method in comparison.methods if method.alpha]
    return len(set(families)) < len(families)


def join_methods(first: Comparison, others: Sequence[Comparison]) -> Comparison:
    """Add the methods of other comparisons of the same problem to the first one.

    Args:
        first: the comparison whose name and study the joined one has; where two have a method of
            one label, the earlier one's counts.
        others: comparisons of the same recipe.

    Returns:
        The joined comparison, its methods in the order of tables.
    """
    if not others:
        return first
    methods = list(first.methods)
    contributions = [(first, list(first.methods))]
    for other in others:
        labels = {method.label for method in methods}
        added = [method for method in other.methods if method.label not in labels]
        contributions.append((other, added))
        methods += added
    comparisons = [comparison for comparison, _ in contributions]
    scores = {
        key: pd.concat(
            [
                c.scores[key][[m.label for m in added if m.label in c.scores[key]]]
                for c, added in contributions
                if key in c.scores
            ],
            axis=1,
        ).sort_index()
        for key in dict.fromkeys(key for c in comparisons for key in c.scores)
    }
    folds = pd.concat([c.folds for c in comparisons], ignore_index=True)
    return replace(
        first,
        info=dict(first.info) | _total_counts(comparisons),
        methods=tuple(sorted(methods, key=method_order)),
        folds=folds[folds["run"].isin([method.run for method in methods])],
        scores=scores,
    )


def _total_counts(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Planned, complete and failed configurations of all comparisons together."""
    names = ("planned", "complete", "failed")
    return {name: sum(int(c.info[name]) for c in comparisons) for name in names}
