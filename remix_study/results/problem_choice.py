"""Which problems are ranked and judged: each once, and its variants are paired with it.

Variants of a problem, the same rows drawn or split otherwise, show whether results on the plain
problem are robust. They are not ranked or averaged together with it, since the same rows would
count twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from remix_study.results.columns import grouped
from remix_study.results.comparison import Comparison
from remix_study.results.methods import is_published

PLAIN, REDRAWN, GROUPED, BOTH = "plain", "redrawn", "grouped", "grouped and redrawn"
VARIANTS = (PLAIN, REDRAWN, GROUPED, BOTH)
"""How rows are drawn and split. Redrawn: every repeat draws the rare rows anew. Grouped: rows of
one group are in the same part."""

# Reasons why problems are not ranked, or not from every study that has them.
SEARCHED, NO_TRIALS, SEVERAL_STUDIES = "searched", "no trials", "studies"


@dataclass(frozen=True)
class ProblemNote:
    """What became of problems that are not ranked, or not from every study.

    Attributes:
        reason: `SEARCHED`: Optuna chose the configurations, so that methods differ between
            problems; `NO_TRIALS`: nothing is complete; `SEVERAL_STUDIES`: only one study's is
            ranked.
        study: the study that they are ranked from; "" for the other reasons.
    """

    reason: str
    problems: tuple[str, ...]
    study: str = ""


@dataclass(frozen=True)
class VariantPair:
    """A problem as it is, and the same under a variant."""

    plain: Comparison
    varied: Comparison


def problem_variant(comparison: Comparison) -> str:
    """How the rows of a problem were drawn and split, one of `VARIANTS`."""
    # Studies that were run before there were variants have NaN here.
    redrawn = comparison.info.get("redraw", False) == True  # noqa: E712
    by_group = comparison.info.get("grouped", False) == True  # noqa: E712
    return VARIANTS[int(redrawn) + 2 * int(by_group)]


def headline_problems(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """Select the problems that are ranked and judged, in their order.

    A variant is left out if its plain problem is among the comparisons; if not, it is kept as the
    problem itself.
    """
    places = [VARIANTS.index(problem_variant(c)) for c in comparisons]
    placed = list(zip(comparisons, places, strict=True))
    by_problem = grouped(placed, lambda pair: _unvaried(pair[0]))
    first = {key: min(place for _, place in pairs) for key, pairs in by_problem.items()}
    return tuple(c for c, place in placed if place == first[_unvaried(c)])


def variant_pairs(comparisons: Sequence[Comparison]) -> dict[str, tuple[VariantPair, ...]]:
    """Variant -> its problems, each with the plain one; all others are left out."""
    usable = grouped((c for c in comparisons if c.is_grid and c.methods), problem_variant)
    # Of two studies with the same problem, the one with more methods, as for ranks.
    plain = {
        key: max(group, key=lambda c: len(c.methods))
        for key, group in grouped(usable.pop(PLAIN, []), _unvaried).items()
    }
    pairs = {
        variant: tuple(
            VariantPair(plain[key], group[0])
            for key, group in grouped(usable.get(variant, []), _unvaried).items()
            if key in plain
        )
        for variant in VARIANTS
    }
    return {variant: problems for variant, problems in pairs.items() if problems}


def _unvaried(comparison: Comparison) -> tuple[str, str, str]:
    """Equal for a plain problem and its variants."""
    return comparison.title, comparison.kind, f"{comparison.imbalance:g}"


def rankable(
    comparisons: Sequence[Comparison],
) -> tuple[tuple[Comparison, ...], tuple[ProblemNote, ...]]:
    """Select from main problems those that can be ranked, and note what became of the others.

    Of a problem that several studies have, the one with most published methods is taken, then
    the one with most methods: a grid of alphas has many methods and nothing to rank them with.
    """
    planned = [c for c in comparisons if c.is_grid]
    complete = [c for c in planned if c.methods]
    unranked = {
        SEARCHED: [c for c in comparisons if not c.is_grid],
        NO_TRIALS: [c for c in planned if not c.methods],
    }
    notes = [
        ProblemNote(reason, tuple(c.name for c in problems))
        for reason, problems in unranked.items()
        if problems
    ]
    by_problem = grouped(complete, lambda c: c.problem)
    selected = {problem: max(group, key=_priority) for problem, group in by_problem.items()}
    repeated = dict.fromkeys(c.problem for c in complete if c is not by_problem[c.problem][0])
    by_study = grouped(repeated, lambda problem: selected[problem].study)
    notes += [
        ProblemNote(SEVERAL_STUDIES, tuple(names), study) for study, names in by_study.items()
    ]
    return tuple(selected.values()), tuple(notes)


def _priority(comparison: Comparison) -> tuple[int, int]:
    return sum(map(is_published, comparison.methods)), len(comparison.methods)
