"""What each problem of a report is there for: the headline, or one of the studies beside it.

Ranks, gains, claims and verdicts speak of the main problems alone, each once. What repeats a main
problem with one thing changed answers a question about the headline and has a section of its own:
counted in it, the same rows of data would count twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from remix_study.batches.strategies import STRATEGIES
from remix_study.results.comparison import Comparison
from remix_study.results.joining import has_alpha_curve, join_methods, training_recipe
from remix_study.results.rank_sums import PUBLISHED
from remix_study.results.variants import headline_problems

# Strategies that repeat what the authors' public repository does otherwise than the paper says.
AUTHORS_CODE_STRATEGIES = frozenset(name for name in STRATEGIES if name.endswith("-repo"))
_REPO_SCORE = "brier_repo"
# What a check of the headline may change, and what it must share with the main problem.
_CHANGED = ("model", "training", "augmentation")
_SHARED = ("cv", "problem")


@dataclass(frozen=True)
class Check:
    """A main problem, and the same problem and splits trained otherwise.

    Attributes:
        changes: setting as a study file names it -> (in the main study, in the check).
    """

    main: Comparison
    varied: Comparison
    changes: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True)
class StudyRoles:
    """The problems of a report by what they are for.

    Attributes:
        main: problems of the main studies; studies of one recipe are joined to one comparison
            a problem.
        headline: the same problems with the rows that gains, claims and verdicts speak of: those
            of the main study where it has ReMix and the baseline itself, so that no study added
            later changes a verdict.
        curves: problems of the main ones again, with several alphas of a strategy.
        variants: rows drawn or split otherwise.
        checks: trained otherwise.
        authors_code_aside: as the authors' public repository does it.
    """

    main: tuple[Comparison, ...]
    headline: tuple[Comparison, ...]
    curves: tuple[Comparison, ...]
    variants: tuple[Comparison, ...]
    checks: tuple[Check, ...]
    authors_code_aside: tuple[Comparison, ...]

    @property
    def beside_main(self) -> tuple[Comparison, ...]:
        """What has a section of its own, in its order."""
        return (*self.variants, *(made.varied for made in self.checks), *self.authors_code_aside)

    @property
    def authors_code(self) -> tuple[Comparison, ...]:
        """What is trained as the authors' repository does, aside or alone in the report."""
        return self.authors_code_aside or tuple(c for c in self.main if _reenacts(c))

    @property
    def studies_aside(self) -> dict[str, tuple[str, ...]]:
        """Role -> names of the studies in it, for the roles beside the headline that are taken.

        The roles are "curves", "variants", "checks" and "reenacted".
        """
        by_role = {
            "curves": self.curves,
            "variants": self.variants,
            "checks": tuple(check.varied for check in self.checks),
            "reenacted": self.authors_code_aside,
        }
        return {
            role: tuple(dict.fromkeys(c.study for c in comparisons))
            for role, comparisons in by_role.items()
            if comparisons
        }


def study_roles(comparisons: Sequence[Comparison]) -> StudyRoles:
    """Tell the main problems from those beside them.

    A study stands aside only where there is something to stand beside: alone it is the headline.
    """
    repo = {c.study for c in comparisons if _reenacts(c)}
    reenacted = tuple(c for c in comparisons if c.study in repo)
    rest = tuple(c for c in comparisons if c.study not in repo)
    if not rest:
        rest, reenacted = reenacted, ()
    plain = headline_problems(rest)
    sizes = Counter(c.study for c in plain)
    main: list[Comparison] = []
    heads: list[Comparison] = []
    curves: list[Comparison] = []
    checks: list[Check] = []
    for here in _by_problem(plain):
        groups = sorted(_by_recipe(here), key=lambda own: -max(sizes[c.study] for c in own))
        joined: Comparison | None = None
        for own in groups:
            first, *others = sorted(own, key=_worth, reverse=True)
            together = join_methods(first, [c for c in others if not has_alpha_curve(c)])
            check = _check(joined, together) if joined else None
            if check is None:
                main.append(together)
                heads.append(first if _stands_alone(first) else together)
                curves += [c for c in others if has_alpha_curve(c)]
                joined = joined or together
            else:
                checks.append(check)
    return StudyRoles(
        _named(_in_order(main, plain)),
        _named(_in_order(heads, plain)),
        _in_order(curves, plain),
        tuple(c for c in rest if c not in plain),
        tuple(checks),
        reenacted,
    )


def _reenacts(comparison: Comparison) -> bool:
    began = comparison.info.get("definition")
    head = began.get("study", {}) if isinstance(began, Mapping) else {}
    return _REPO_SCORE in head.get("extra_metrics", ()) or any(
        row.strategy in AUTHORS_CODE_STRATEGIES for row in comparison.methods
    )


def _by_problem(plain: Sequence[Comparison]) -> list[list[Comparison]]:
    found: dict[tuple[str, str], list[Comparison]] = {}
    for c in plain:
        found.setdefault((c.kind, c.problem), []).append(c)
    return list(found.values())


def _by_recipe(here: Sequence[Comparison]) -> list[list[Comparison]]:
    """Comparisons that can be joined; one without a recipe by itself."""
    found: dict[object, list[Comparison]] = {}
    for c in here:
        found.setdefault(training_recipe(c) or id(c), []).append(c)
    return list(found.values())


def _worth(comparison: Comparison) -> tuple[int, bool]:
    """The study of the published rows gives a joined problem its name."""
    rows = sum((row.strategy, row.alpha) in PUBLISHED for row in comparison.methods)
    return rows, not has_alpha_curve(comparison)


def _stands_alone(comparison: Comparison) -> bool:
    """Whether the study has what a verdict compares."""
    return {PUBLISHED[0], PUBLISHED[-1]} <= {
        (row.strategy, row.alpha) for row in comparison.methods
    }


def _check(main: Comparison, other: Comparison) -> Check | None:
    """The other one as a check of the main one; None where their folds are not the same."""
    if training_recipe(main) is None or training_recipe(other) is None:
        return None
    first, second = main.info["definition"], other.info["definition"]
    if first["study"]["seed"] != second["study"]["seed"]:
        return None
    if any(first.get(name) != second.get(name) for name in _SHARED):
        return None
    before, after = (
        {
            f"{name}.{key}": value
            for name in _CHANGED
            for key, value in (began.get(name) or {}).items()
            if (name, key) != ("training", "stack")
        }
        for began in (first, second)
    )
    changes = {
        name: (before.get(name), after.get(name))
        for name in (*before, *(name for name in after if name not in before))
        if before.get(name) != after.get(name)
    }
    return Check(main, other, changes)


def _in_order(found: Sequence[Comparison], plain: Sequence[Comparison]) -> tuple[Comparison, ...]:
    places = {(c.study, c.kind, c.problem): at for at, c in enumerate(plain)}
    return tuple(sorted(found, key=lambda c: places[c.study, c.kind, c.problem]))


def _named(main: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """Each by its problem alone where that tells it from the other main ones."""
    times = Counter(c.problem for c in main)
    return tuple(replace(c, name=c.problem) if times[c.problem] == 1 else c for c in main)
