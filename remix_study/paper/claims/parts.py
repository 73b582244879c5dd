"""Parts of a claim with their numbers and two verdicts, and the verdicts of the whole claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from remix_study.paper.claims.rules import LEAST_DATASETS
from remix_study.results.rank_tests import SURE
from remix_study.results.significance import Posterior, signed_rank_posterior

Descriptive = Literal["holds", "does not hold", "not run"]
Inferential = Literal["supported", "contradicted", "undecided", "not run", "not tested"]
Side = Literal["better", "equal", "worse"]

BETTER: tuple[Side, ...] = ("better",)
EQUAL: tuple[Side, ...] = ("equal",)
NOT_BETTER: tuple[Side, ...] = ("equal", "worse")
NOT_WORSE: tuple[Side, ...] = ("better", "equal")


@dataclass(frozen=True, eq=False)
class Contrast:
    """One difference that a part of a claim is about, by data set.

    Attributes:
        name: what is compared.
        differences: indexed by data set, the mean over its problems.
        agreeing: sides of the posterior that agree with the claim.
        posterior: None with fewer than `LEAST_DATASETS` data sets.
    """

    name: str
    differences: pd.Series[float]
    agreeing: tuple[Side, ...]
    posterior: Posterior | None

    @property
    def probability(self) -> float:
        """Posterior probability that the claim is right; NaN without a posterior."""
        if self.posterior is None:
            return float("nan")
        return sum(float(getattr(self.posterior, side)) for side in self.agreeing)

    @property
    def verdict(self) -> Inferential:
        """Whether the posterior supports or contradicts the claim with more than `SURE`."""
        if self.probability > SURE:
            return "supported"
        if 1 - self.probability > SURE:
            return "contradicted"
        return "undecided"


@dataclass(frozen=True, eq=False)
class Part:
    """One statement of a claim, about one metric on one kind of problem or data set.

    Attributes:
        name: the metric, kind of problem or data set.
        numbers: name -> value of what was computed.
        descriptive: verdict by the point estimates.
        contrasts: differences by data set for the inferential verdict; empty without one.
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
        """Verdict by the posteriors of the contrasts."""
        if self.descriptive == "not run":
            return "not run"
        if not self.contrasts:
            return "not tested"
        return combine_inferential([contrast.verdict for contrast in self.contrasts])


def checked_part(
    name: str,
    holds: bool,
    numbers: Mapping[str, float],
    contrasts: Sequence[Contrast] = (),
    basis: str = "",
) -> Part:
    """A part with a descriptive verdict."""
    return Part(
        name, dict(numbers), "holds" if holds else "does not hold", tuple(contrasts), basis=basis
    )


def not_run(name: str, missing: str) -> Part:
    """A part without a verdict; `missing` says in words what was not run."""
    return Part(name, {}, "not run", missing=missing)


def problem_contrast(
    name: str,
    differences: pd.Series[float],
    datasets: Mapping[str, str],
    agreeing: tuple[Side, ...] = BETTER,
) -> Contrast:
    """Average the problems of each data set, then take the posterior over data sets.

    Args:
        name: what is compared.
        differences: indexed by problem.
        datasets: problem -> its data set.
        agreeing: sides of the posterior that agree with the claim.
    """
    names = [datasets[str(problem)] for problem in differences.index]
    return dataset_contrast(name, differences.groupby(names, sort=False).mean(), agreeing)


def dataset_contrast(
    name: str, differences: pd.Series[float], agreeing: tuple[Side, ...] = BETTER
) -> Contrast:
    """Take the posterior of differences that are indexed by data set."""
    has_enough = len(differences) >= LEAST_DATASETS
    posterior = signed_rank_posterior(differences.to_numpy(dtype=float)) if has_enough else None
    return Contrast(name, differences, agreeing, posterior)


def combine_descriptive(parts: Sequence[Part]) -> Descriptive:
    """Combine parts: a claim does not hold if one part does not, and holds if all do."""
    verdicts = [part.descriptive for part in parts]
    if "does not hold" in verdicts:
        return "does not hold"
    return "not run" if "not run" in verdicts or not verdicts else "holds"


def combine_inferential(verdicts: Sequence[Inferential]) -> Inferential:
    """Combine verdicts: contradicted if one is, supported if all that were tested are."""
    tested = [verdict for verdict in verdicts if verdict != "not tested"]
    order: tuple[Inferential, ...] = ("contradicted", "not run", "undecided", "supported")
    return next((verdict for verdict in order if verdict in tested), "not tested")
