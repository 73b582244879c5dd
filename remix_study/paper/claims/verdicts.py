"""A claim, its parts with their numbers, and two verdicts.

A claim has parts, such as one metric on one kind of problem. Each part has two verdicts.

Descriptive: the order or sign of the point estimates. A part holds or does not hold; ties hold
no strict order. A claim holds where all its parts do, and fails where one does.

Inferential: by data set. Scores are averaged over the problems of a data set first, and a part
turns its statement into differences, each above zero where the statement is right. The Bayesian
signed-rank test gives the probabilities that a difference is practically better, equal or worse.
A statement names those of the three that agree with it; it is supported where they add up to more
than `SURE`, contradicted where the others do, undecided in between. A part with several
differences is supported where each is and contradicted where one is; so is a claim of its parts.

What was not run, or has failed folds, is named and yields no verdict. The constants of the rules
stand beside them with their reasons; none was chosen by looking at a result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from remix_study.paper.claims.evidence import Evidence, NotRun, ScoreMatrix, basis_of, limits_of
from remix_study.results.comparison import Comparison
from remix_study.results.rank_tests import SURE
from remix_study.results.significance import LEAST_UNITS, Posterior, signed_rank_posterior

# Two data sets that agree already give a posterior of 0.96, which says more of the prior than of
# them; three is what the paper has in its multi-class half.
LEAST_DATASETS = LEAST_UNITS
ELSEWHERE = "shown by report --demonstration"

Descriptive = Literal["holds", "does not hold", "not run"]
Inferential = Literal["supported", "contradicted", "undecided", "not run", "not tested"]
Side = Literal["better", "equal", "worse"]
Subjects = Mapping[str, Sequence[Any]]

BETTER: tuple[Side, ...] = ("better",)
EQUAL: tuple[Side, ...] = ("equal",)
NOT_BETTER: tuple[Side, ...] = ("equal", "worse")
NOT_WORSE: tuple[Side, ...] = ("better", "equal")


@dataclass(frozen=True, eq=False)
class Contrast:
    """One difference that a part of a claim is about, by data set, the mean over its problems.

    `agreeing` names the sides of the posterior that agree with the claim.
    """

    name: str
    differences: pd.Series[float]
    agreeing: tuple[Side, ...] = BETTER

    @property
    def is_tested(self) -> bool:
        """Whether there are enough data sets for a posterior."""
        return len(self.differences) >= LEAST_DATASETS

    @cached_property
    def posterior(self) -> Posterior:
        """Posterior of the difference; NaN with too few data sets."""
        if not self.is_tested:
            return Posterior(math.nan, math.nan, math.nan)
        return signed_rank_posterior(self.differences.to_numpy(dtype=float))

    @property
    def probability(self) -> float:
        """Posterior probability that the claim is right; NaN with too few data sets."""
        return sum(float(getattr(self.posterior, side)) for side in self.agreeing)

    @property
    def verdict(self) -> Inferential:
        """Whether the posterior supports or contradicts the claim with more than `SURE`."""
        if self.probability > SURE:
            return "supported"
        return "contradicted" if 1 - self.probability > SURE else "undecided"


@dataclass(frozen=True, eq=False)
class Part:
    """One statement of a claim, about one metric on one kind of problem or data set.

    Texts say what was not run, how many problems and data sets it rests on and, where these are
    less than the paper's images, on what.
    """

    name: str
    holds: bool = False
    numbers: Mapping[str, float] = field(default_factory=dict)
    contrasts: tuple[Contrast, ...] = ()
    missing: str = ""
    basis: str = ""
    limits: str = ""

    @property
    def descriptive(self) -> Descriptive:
        if self.missing:
            return "not run"
        return "holds" if self.holds else "does not hold"

    @property
    def inferential(self) -> Inferential:
        if self.missing:
            return "not run"
        return combine_inferential([contrast.verdict for contrast in self.contrasts])


def contrasts_of(
    matrix: ScoreMatrix, differences: pd.DataFrame, agreeing: tuple[Side, ...] = BETTER
) -> tuple[Contrast, ...]:
    """One contrast a column of differences (problems, columns), named as the column."""
    by_dataset = matrix.by_dataset(differences)
    return tuple(Contrast(str(name), by_dataset[name], agreeing) for name in by_dataset)


def part_on(
    problems: Sequence[Comparison],
    holds: bool | np.bool_,
    numbers: Mapping[str, float] | None = None,
    contrasts: Sequence[Contrast] = (),
) -> Part:
    """A part, still without a name, with its basis and limits in words, from its problems."""
    values = {key: float(value) for key, value in (numbers or {}).items()}
    basis, limits = basis_of(problems), limits_of(problems)
    return Part("", bool(holds), values, tuple(contrasts), basis=basis, limits=limits)


def combine_descriptive(parts: Sequence[Part]) -> Descriptive:
    """Combine parts: a claim does not hold if one part does not, and holds if all do."""
    verdicts = [part.descriptive for part in parts]
    if "does not hold" in verdicts:
        return "does not hold"
    return "not run" if "not run" in verdicts or not verdicts else "holds"


def combine_inferential(verdicts: Sequence[Inferential]) -> Inferential:
    """Combine verdicts: contradicted if one is, supported if all that were tested are."""
    order: tuple[Inferential, ...] = ("contradicted", "not run", "undecided", "supported")
    return next((verdict for verdict in order if verdict in verdicts), "not tested")


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and its rule.

    Attributes:
        place: where the paper makes it.
        section: anchor of the section of the page that shows the numbers.
        check: computes the parts, by a second argument those alone whose names it is true of; None
            where another report shows the claim.
        about: text in the names of the numbers that the short table shows; "" for all.
    """

    id: str
    text: str
    rule: str
    place: str
    section: str
    check: Callable[..., Sequence[Part]] | None
    about: str = ""


def claim(
    id: str, place: str, section: str, about: str = "", *, on: Callable[[Evidence], Subjects]
) -> Callable[[Callable[..., Part]], Claim]:
    """Declare a claim by its rule, whose docstring has the claim and, below it, the rule in words.

    `on` gives the name of each part -> arguments of the rule, which returns the part without its
    name or raises `NotRun`.
    """

    def declare(rule: Callable[..., Part]) -> Claim:
        def part(name: str, subject: Sequence[Any]) -> Part:
            try:
                return replace(rule(*subject), name=name)
            except NotRun as reason:
                return Part(name, missing=str(reason), limits=reason.limits)

        def check(
            evidence: Evidence, is_wanted: Callable[[str], bool] = lambda _: True
        ) -> list[Part]:
            subjects = on(evidence).items()
            return [part(name, subject) for name, subject in subjects if is_wanted(name)]

        text, _, words = (rule.__doc__ or "").partition("\n\n")
        return Claim(id, _in_line(text), _in_line(words), place, section, check, about)

    return declare


def _in_line(text: str) -> str:
    return " ".join(text.split())


@dataclass(frozen=True, eq=False)
class CheckedClaim:
    """A claim with its verdicts on the problems of a report; no parts if another one shows it."""

    claim: Claim
    parts: tuple[Part, ...]

    @property
    def descriptive(self) -> Descriptive | str:
        """Verdict by the point estimates; `ELSEWHERE` if another report shows the claim."""
        return combine_descriptive(self.parts) if self.claim.check else ELSEWHERE

    @property
    def inferential(self) -> Inferential:
        return combine_inferential([part.inferential for part in self.parts])

    @property
    def missing(self) -> tuple[str, ...]:
        """What was not run, in words, each reason once."""
        return tuple(dict.fromkeys(part.missing for part in self.parts if part.missing))

    @property
    def limits(self) -> tuple[str, ...]:
        """Where parts rest on fewer images or folds than the paper's, in words, each once."""
        return tuple(dict.fromkeys(part.limits for part in self.parts if part.limits))

    @property
    def hardest(self) -> Contrast | None:
        """The contrast with the least posterior probability of the claim."""
        contrasts = [c for part in self.parts for c in part.contrasts if c.is_tested]
        return min(contrasts, key=lambda contrast: contrast.probability, default=None)

    def shown_numbers(self, part: Part) -> Mapping[str, float]:
        """The numbers of a part that the claim is about; all where none is."""
        about = {name: value for name, value in part.numbers.items() if self.claim.about in name}
        return about or part.numbers
