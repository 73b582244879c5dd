"""Roles of problems: those that are ranked and judged, and those that answer a question of them.

Ranks, gains, claims and verdicts are of the main problems alone, each once. Studies that split and
train a problem in the same way differ only in their strategies, so their methods are joined: fold
by fold they saw the same rows. A study that repeats a main problem with one thing changed is
supplementary: if it were ranked as well, the same rows of data would count twice.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from remix_study.batches.strategies import STRATEGIES
from remix_study.results.columns import grouped
from remix_study.results.comparison import Comparison
from remix_study.results.methods import PUBLISHED, Method, is_published, method_order
from remix_study.results.problem_choice import headline_problems

AUTHORS_CODE_STRATEGIES = frozenset(name for name in STRATEGIES if name.endswith("-repo"))
"""Strategies as the authors' public repository has them, where it differs from the paper."""

_AUTHORS_CODE_METRIC = "brier_repo"
# What makes the folds of a problem, and what is done on them.
_SPLIT, _TRAINED = ("seed", "cv", "problem"), ("model", "training", "augmentation")


@dataclass(frozen=True)
class StudyRoles:
    """The problems of a report by role.

    Attributes:
        main: problems of the main studies; studies of one recipe are joined to one comparison
            a problem.
        headline: the same problems, with the methods that gains, claims and verdicts are of:
            those of the main study if it has ReMix and the baseline itself, so that a study that
            is added later changes no verdict.
        curves: main problems again, with several alphas of a strategy.
        variants: problems with rows drawn or split otherwise.
        trained_otherwise: main problems again on the same folds, with another network or training.
        authors_code_aside: problems trained as the authors' public repository does it.
    """

    main: tuple[Comparison, ...]
    headline: tuple[Comparison, ...]
    curves: tuple[Comparison, ...]
    variants: tuple[Comparison, ...]
    trained_otherwise: tuple[Comparison, ...]
    authors_code_aside: tuple[Comparison, ...]

    @property
    def beside_main(self) -> tuple[Comparison, ...]:
        """Supplementary problems whose scores stand beside those of the main ones."""
        return (*self.variants, *self.trained_otherwise, *self.authors_code_aside)

    @property
    def authors_code(self) -> tuple[Comparison, ...]:
        """Problems trained as the authors' repository does it, supplementary or main ones."""
        return self.authors_code_aside or tuple(c for c in self.main if _is_authors_code(c))

    @property
    def studies_aside(self) -> dict[str, tuple[str, ...]]:
        """Role -> names of its supplementary studies; only roles that have some."""
        by_role = {
            "curves": self.curves,
            "variants": self.variants,
            "trained_otherwise": self.trained_otherwise,
            "authors_code": self.authors_code_aside,
        }
        return {
            role: tuple(dict.fromkeys(c.study for c in comparisons))
            for role, comparisons in by_role.items()
            if comparisons
        }


def study_roles(comparisons: Sequence[Comparison]) -> StudyRoles:
    """Give each problem of a report its role.

    A study is supplementary only to others: one that is alone in a report is the main one.
    """
    authors_studies = {c.study for c in comparisons if _is_authors_code(c)}
    authors_code = tuple(c for c in comparisons if c.study in authors_studies)
    rest = tuple(c for c in comparisons if c.study not in authors_studies)
    if not rest:
        rest, authors_code = authors_code, ()
    plain = headline_problems(rest)
    study_sizes = Counter(c.study for c in plain)
    main: list[Comparison] = []
    headline: list[Comparison] = []
    curves: list[Comparison] = []
    trained_otherwise: list[Comparison] = []
    for same_problem in grouped(plain, lambda c: (c.kind, c.problem)).values():
        by_recipe = grouped(same_problem, _recipe_key).values()
        first_main: Comparison | None = None
        for same_recipe in sorted(by_recipe, key=lambda g: -max(study_sizes[c.study] for c in g)):
            first, *others = sorted(same_recipe, key=_priority, reverse=True)
            joined = _join_methods(first, [c for c in others if not _has_alpha_curve(c)])
            if first_main is None or not _has_same_folds(first_main, joined):
                main.append(joined)
                methods = {(method.strategy, method.alpha) for method in first.methods}
                # Every verdict compares ReMix with the baseline.
                headline.append(first if {PUBLISHED[0], PUBLISHED[-1]} <= methods else joined)
                curves += [c for c in others if _has_alpha_curve(c)]
                first_main = first_main or joined
            else:
                trained_otherwise.append(joined)
    return StudyRoles(
        main=_with_short_names(_in_order(main, plain)),
        headline=_with_short_names(_in_order(headline, plain)),
        curves=_in_order(curves, plain),
        variants=tuple(c for c in rest if c not in plain),
        trained_otherwise=tuple(trained_otherwise),
        authors_code_aside=authors_code,
    )


def _is_authors_code(comparison: Comparison) -> bool:
    """Whether a study trains as the authors' repository does, by its metrics or strategies."""
    study = (comparison.definition or {}).get("study", {})
    return _AUTHORS_CODE_METRIC in study.get("extra_metrics", ()) or any(
        method.strategy in AUTHORS_CODE_STRATEGIES for method in comparison.methods
    )


def _recipe(comparison: Comparison) -> dict[str, Any] | None:
    """Settings that are equal for two problems which were split and trained alike.

    None if they are not known, and for a search or a grid that varies more than strategies, whose
    methods were not all trained alike.
    """
    definition = comparison.definition
    if definition is None or not comparison.is_grid or any(m.settings for m in comparison.methods):
        return None
    recipe = {name: definition.get(name) for name in ("cv", "problem", *_TRAINED)}
    # The number of networks in one program changes no more than last digits.
    training = (recipe["training"] or {}).items()
    recipe["training"] = {key: value for key, value in training if key != "stack"}
    return recipe | {"seed": definition["study"]["seed"]}


def _recipe_key(comparison: Comparison) -> object:
    """Equal for comparisons that can be joined; one without a known recipe is by itself."""
    recipe = _recipe(comparison)
    return id(comparison) if recipe is None else json.dumps(recipe, sort_keys=True)


def _priority(comparison: Comparison) -> tuple[int, bool]:
    """Order of studies of one recipe: the one with most published methods names the problem."""
    return sum(map(is_published, comparison.methods)), not _has_alpha_curve(comparison)


def _has_alpha_curve(comparison: Comparison) -> bool:
    """Whether some strategy was run at several alphas, which are not compared as rivals."""
    families = [method.family for method in comparison.methods if method.alpha]
    return len(set(families)) < len(families)


def _join_methods(first: Comparison, others: Sequence[Comparison]) -> Comparison:
    """Add the methods of comparisons of the same recipe; the earlier one of a label counts."""
    if not others:
        return first
    comparisons = (first, *others)
    methods: dict[str, Method] = {}
    added: list[list[str]] = []
    for comparison in comparisons:
        new = {m.label: m for m in comparison.methods if m.label not in methods}
        methods |= new
        added.append(list(new))
    scores = {
        key: pd.concat(
            [
                c.scores[key].filter(labels)
                for c, labels in zip(comparisons, added, strict=True)
                if key in c.scores
            ],
            axis=1,
        ).sort_index()
        for key in dict.fromkeys(key for c in comparisons for key in c.scores)
    }
    folds = pd.concat([c.folds for c in comparisons], ignore_index=True)
    counts = ("planned", "complete", "failed")
    totals = {name: sum(int(c.info[name]) for c in comparisons) for name in counts}
    return replace(
        first,
        info=dict(first.info) | totals,
        methods=tuple(sorted(methods.values(), key=method_order)),
        folds=folds[folds["run"].isin([method.run for method in methods.values()])],
        scores=scores,
    )


def _has_same_folds(main: Comparison, other: Comparison) -> bool:
    """Whether two problems have the same rows on the same folds, as far as that is known."""
    first, second = _recipe(main), _recipe(other)
    if first is None or second is None:
        return False
    return all(first[name] == second[name] for name in _SPLIT)


def _in_order(
    comparisons: Sequence[Comparison], order: Sequence[Comparison]
) -> tuple[Comparison, ...]:
    places = {(c.study, c.kind, c.problem): place for place, c in enumerate(order)}
    return tuple(sorted(comparisons, key=lambda c: places[c.study, c.kind, c.problem]))


def _with_short_names(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """Name each by its problem alone, if no other comparison has the same problem."""
    times = Counter(c.problem for c in comparisons)
    return tuple(replace(c, name=c.problem) if times[c.problem] == 1 else c for c in comparisons)
