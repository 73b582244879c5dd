"""Check every claim of the paper against the problems of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from remix_study.paper.claims.claims import CLAIMS, Claim
from remix_study.paper.claims.evidence import Evidence
from remix_study.paper.claims.parts import (
    Contrast,
    Descriptive,
    Inferential,
    Part,
    combine_descriptive,
    combine_inferential,
)
from remix_study.paper.claims.rules import RIVALS
from remix_study.paper.claims.score_matrix import score_matrices
from remix_study.results.comparison import Comparison
from remix_study.results.significance import smallest_p

ELSEWHERE = "shown by report --demonstration"


@dataclass(frozen=True, eq=False)
class CheckedClaim:
    """A claim with its verdicts on the problems of a report.

    Attributes:
        claim: the claim and its rule.
        parts: its statements; empty where another report shows it.
    """

    claim: Claim
    parts: tuple[Part, ...]

    @property
    def descriptive(self) -> Descriptive | str:
        """Verdict by the point estimates; `ELSEWHERE` if another report shows the claim."""
        return combine_descriptive(self.parts) if self.claim.check else ELSEWHERE

    @property
    def inferential(self) -> Inferential:
        """Verdict by the posteriors over data sets."""
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
        contrasts = [c for part in self.parts for c in part.contrasts if c.posterior is not None]
        return min(contrasts, key=lambda contrast: contrast.probability, default=None)


@dataclass(frozen=True)
class SmallestP:
    """Smallest p-value that a test over the data sets of a kind can give.

    Attributes:
        kind: of problem.
        datasets: how many there are.
        least_p: smallest two-sided p-value of an exact signed-rank test.
        least_adjusted: the same after Holm against the four other published methods.
    """

    kind: str
    datasets: int
    least_p: float
    least_adjusted: float


def check_claims(comparisons: Sequence[Comparison]) -> tuple[CheckedClaim, ...]:
    """Check every claim on these problems, in the order of the claims."""
    evidence = Evidence(comparisons)
    return tuple(
        CheckedClaim(claim, tuple(claim.check(evidence)) if claim.check else ())
        for claim in CLAIMS
    )


def smallest_p_values(comparisons: Sequence[Comparison]) -> tuple[SmallestP, ...]:
    """Smallest possible p-values by kind of problem; without kinds that have no data set."""
    values = []
    for matrix in score_matrices(comparisons, "tabular"):
        n = len(set(matrix.datasets.values()))
        if n:
            p = smallest_p(n)
            values.append(SmallestP(matrix.name, n, p, min(1.0, p * len(RIVALS))))
    return tuple(values)


def claim_table(checked: Sequence[CheckedClaim]) -> pd.DataFrame:
    """Verdicts as a table, one line a claim."""
    return pd.DataFrame(
        [
            {
                "claim": result.claim.id,
                "text": result.claim.text,
                "place": result.claim.place,
                "check": result.claim.rule,
                "descriptive": result.descriptive,
                "inferential": result.inferential,
                "parts": len(result.parts),
                "parts_that_hold": sum(part.descriptive == "holds" for part in result.parts),
                "parts_not_run": sum(part.descriptive == "not run" for part in result.parts),
                "missing": "; ".join(result.missing),
                "limits": "; ".join(result.limits),
            }
            for result in checked
        ]
    )


def part_table(checked: Sequence[CheckedClaim]) -> pd.DataFrame:
    """Parts as a table, one line a claim, part and number."""
    return pd.DataFrame(
        [
            {
                "claim": result.claim.id,
                "part": part.name,
                "basis": part.basis,
                "descriptive": part.descriptive,
                "inferential": part.inferential,
                "number": name,
                "value": value,
                "missing": part.missing,
            }
            for result in checked
            for part in result.parts
            for name, value in (part.numbers or {"": float("nan")}).items()
        ]
    )


def contrast_table(checked: Sequence[CheckedClaim]) -> pd.DataFrame:
    """Contrasts as a table, one line a claim, part and difference, with the posterior."""
    return pd.DataFrame(
        [
            {
                "claim": result.claim.id,
                "part": part.name,
                "difference": contrast.name,
                "datasets": len(contrast.differences),
                "mean": float(contrast.differences.mean()),
                "better": contrast.posterior.better if contrast.posterior else float("nan"),
                "equal": contrast.posterior.equal if contrast.posterior else float("nan"),
                "worse": contrast.posterior.worse if contrast.posterior else float("nan"),
                "agreeing": " or ".join(contrast.agreeing),
                "probability": contrast.probability,
                "verdict": contrast.verdict,
            }
            for result in checked
            for part in result.parts
            for contrast in part.contrasts
        ]
    )
