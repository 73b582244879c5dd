"""What ReMix adds to a problem: against the baseline, and its mixing against balancing alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from remix_study.results.columns import grouped
from remix_study.results.comparison import Comparison
from remix_study.results.equivalence import Word, compare, if_enough, word_of
from remix_study.results.intervals import Interval
from remix_study.results.methods import Method, remix_method
from remix_study.results.regions import region_of

Rival = Literal["baseline", "balance"]
"""What ReMix is compared with: training as it is, and balanced batches that are not mixed."""

RIVALS: tuple[Rival, ...] = ("baseline", "balance")


@dataclass(frozen=True)
class RemixEffect:
    """ReMix minus one rival on the test parts of one problem, both as trained.

    Attributes:
        remix: The ReMix method: at the published alpha, or else nearest to it.
        rival: What is subtracted.
        words: Objective -> how ReMix compares.
        differences: Objective -> mean difference with its interval.
        has_trained_rival: Whether the rival's networks learned something; a difference to one
            that learned nothing is no gain.
    """

    remix: Method
    rival: Rival
    words: Mapping[str, Word]
    differences: Mapping[str, Interval]
    has_trained_rival: bool

    @property
    def by_word(self) -> dict[Word, list[str]]:
        """Word -> the objectives that it is said of."""
        return grouped(self.words, self.words.__getitem__)


def remix_effects(comparison: Comparison) -> tuple[RemixEffect, ...]:
    """Compare ReMix with each rival that was run; none for a search and without ReMix."""
    remix = remix_method(comparison.methods) if comparison.is_grid else None
    if remix is None:
        return ()
    effects = (_effect(comparison, remix, rival) for rival in RIVALS)
    return tuple(effect for effect in effects if effect is not None)


def _effect(comparison: Comparison, remix: Method, rival: Rival) -> RemixEffect | None:
    against = comparison.first_method(rival, remix.settings)
    if against is None:
        return None
    differences = comparison.effects.differences(remix.label, against.label, comparison.objectives)
    words = {
        metric: word_of(
            compare(
                comparison.score(remix.label, metric),
                comparison.score(against.label, metric),
                metric,
                comparison.ratio,
                difference.interval,
                region_of(comparison, metric),
            )
        )
        for metric, difference in differences.items()
    }
    if not words:
        return None
    return RemixEffect(
        remix=remix,
        rival=rival,
        words=words,
        differences={metric: if_enough(d.interval) for metric, d in differences.items()},
        has_trained_rival=comparison.untrained(against.label) is None,
    )


def tally(
    effects: Iterable[Sequence[RemixEffect]],
) -> dict[str, dict[Rival, Counter[Word]]]:
    """Count words over problems: objective -> rival -> word -> problems.

    Rivals that did not train are counted as "cannot tell": to beat them is no gain.
    """
    counts: dict[str, dict[Rival, Counter[Word]]] = {}
    for effect in (effect for of_problem in effects for effect in of_problem):
        for metric, word in effect.words.items():
            by_rival = counts.setdefault(metric, {})
            by_rival.setdefault(effect.rival, Counter())[
                word if effect.has_trained_rival else "cannot tell"
            ] += 1
    return counts
