"""What a rule finds: parts with numbers and two verdicts, and how verdicts add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from remix_study.paper.claims.rules import LEAST_DATASETS, SURE
from remix_study.results.signed_rank import Posterior, signed_rank_posterior

Descriptive = Literal["holds", "does not hold", "not run"]
Inferential = Literal["supported", "contradicted", "undecided", "not run", "not tested"]
Side = Literal["better", "equal", "worse"]

BETTER: tuple[Side, ...] = ("better",)
EQUAL: tuple[Side, ...] = ("equal",)
NOT_BETTER: tuple[Side, ...] = ("equal", "worse")
NOT_WORSE: tuple[Side, ...] = ("better", "equal")


@dataclass(frozen=True, eq=False)
class Contrast:
    """One difference that a statement is about, by data set.

    Attributes:
        name: what is compared.
        differences: one a data set, problems averaged first.
        agreeing: which sides of the posterior the statement names.
        posterior: None with fewer than `LEAST_DATASETS` data sets.
    """

    name: str
    differences: pd.Series[float]
    agreeing: tuple[Side, ...]
    posterior: Posterior | None

    @property
    def probability(self) -> float:
        """Posterior probability of the statement; NaN without a posterior."""
        if self.posterior is None:
            return float("nan")
        return sum(float(getattr(self.posterior, side)) for side in self.agreeing)

    @property
    def verdict(self) -> Inferential:
        if self.probability > SURE:
            return "supported"
        if 1 - self.probability > SURE:
            return "contradicted"
        return "undecided"


@dataclass(frozen=True, eq=False)
class Part:
    """One statement of a claim.

    Attributes:
        name: which metric, kind of problem or data set.
        numbers: what was computed: name -> value.
        descriptive: of the point estimates.
        contrasts: what is inferred from; empty where nothing is tested.
        missing: what was not run, in words; "" otherwise.
        basis: how many problems and data sets it rests on, in words.
        limits: where it rests on less than the paper's images, on what; "" otherwise.
    """

    name: str
    numbers: Mapping[str, float]
    descriptive: Descriptive
    contrasts: tuple[Contrast, ...] = ()
    missing: str = ""
    basis: str = ""
    limits: str = ""

    @property
    def inferential(self) -> Inferential:
        if self.descriptive == "not run":
            return "not run"
        if not self.contrasts:
            return "not tested"
        return all_of([contrast.verdict for contrast in self.contrasts])


def part(
    name: str,
    holds: bool,
    numbers: Mapping[str, float],
    contrasts: Sequence[Contrast] = (),
    basis: str = "",
) -> Part:
    """A part that could be checked."""
    return Part(
        name, dict(numbers), "holds" if holds else "does not hold", tuple(contrasts), basis=basis
    )


def not_run(name: str, missing: str) -> Part:
    """A part that could not, with what it lacks."""
    return Part(name, {}, "not run", missing=missing)


def contrast(
    name: str,
    differences: pd.Series[float],
    datasets: Mapping[str, str],
    agreeing: tuple[Side, ...] = BETTER,
) -> Contrast:
    """Average the problems of each data set, then take the posterior over data sets.

    Args:
        name: what is compared.
        differences: by problem.
        datasets: problem -> its data set.
        agreeing: the sides that the statement names.
    """
    own = [datasets[str(problem)] for problem in differences.index]
    return of_datasets(name, differences.groupby(own, sort=False).mean(), agreeing)


def of_datasets(
    name: str, differences: pd.Series[float], agreeing: tuple[Side, ...] = BETTER
) -> Contrast:
    """A contrast of differences that stand one a data set."""
    enough = len(differences) >= LEAST_DATASETS
    posterior = signed_rank_posterior(differences.to_numpy(dtype=float)) if enough else None
    return Contrast(name, differences, agreeing, posterior)


def holds_of(parts: Sequence[Part]) -> Descriptive:
    """A claim fails where a part does, and holds where all parts do."""
    found = [made.descriptive for made in parts]
    if "does not hold" in found:
        return "does not hold"
    return "not run" if "not run" in found or not found else "holds"


def all_of(found: Sequence[Inferential]) -> Inferential:
    """Contradicted where one is, supported where all are that could be tested."""
    tested = [verdict for verdict in found if verdict != "not tested"]
    order: tuple[Inferential, ...] = ("contradicted", "not run", "undecided", "supported")
    return next((verdict for verdict in order if verdict in tested), "not tested")
