"""Check every claim against the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from remix_study.paper.claims.claims import CLAIMS, Claim
from remix_study.paper.claims.evidence import Evidence
from remix_study.paper.claims.findings import (
    Contrast,
    Descriptive,
    Inferential,
    Part,
    all_of,
    holds_of,
)
from remix_study.paper.claims.rules import RIVALS
from remix_study.paper.claims.score_matrix import both_kinds
from remix_study.results.comparison import Comparison
from remix_study.results.friedman import smallest_p

ELSEWHERE = "shown by report --demonstration"


@dataclass(frozen=True, eq=False)
class Checked:
    """A claim with what was found.

    Attributes:
        claim: what was checked.
        parts: its statements; empty where another report shows it.
    """

    claim: Claim
    parts: tuple[Part, ...]

    @property
    def descriptive(self) -> Descriptive | str:
        return holds_of(self.parts) if self.claim.check else ELSEWHERE

    @property
    def inferential(self) -> Inferential:
        return all_of([made.inferential for made in self.parts])

    @property
    def missing(self) -> tuple[str, ...]:
        """What was not run, each thing once."""
        return tuple(dict.fromkeys(made.missing for made in self.parts if made.missing))

    @property
    def limits(self) -> tuple[str, ...]:
        """What the parts rest on where it is less than the paper's images, each thing once."""
        return tuple(dict.fromkeys(made.limits for made in self.parts if made.limits))

    @property
    def hardest(self) -> Contrast | None:
        """Of all differences the one whose posterior speaks least for the claim."""
        tested = [c for made in self.parts for c in made.contrasts if c.posterior is not None]
        return min(tested, key=lambda made: made.probability, default=None)


@dataclass(frozen=True)
class Bound:
    """What no test over this many data sets can show.

    Attributes:
        kind: of problem.
        datasets: how many there are.
        least_p: smallest two-sided p-value of an exact signed-rank test.
        least_adjusted: the same after Holm against the four other published rows.
    """

    kind: str
    datasets: int
    least_p: float
    least_adjusted: float


def check_claims(comparisons: Sequence[Comparison]) -> tuple[Checked, ...]:
    """Every claim in its order, with the verdicts that follow from these problems."""
    evidence = Evidence(comparisons)
    return tuple(
        Checked(claim, tuple(claim.check(evidence)) if claim.check else ()) for claim in CLAIMS
    )


def bounds(comparisons: Sequence[Comparison]) -> tuple[Bound, ...]:
    """What the data sets of each kind of problem are too few for."""
    found = []
    for board in both_kinds(comparisons, "tabular"):
        n = len(set(board.datasets.values()))
        if n:
            least = smallest_p(n)
            found.append(Bound(board.name, n, least, min(1.0, least * len(RIVALS))))
    return tuple(found)


def table(checked: Sequence[Checked]) -> pd.DataFrame:
    """One line a claim."""
    return pd.DataFrame(
        [
            {
                "claim": made.claim.id,
                "text": made.claim.text,
                "place": made.claim.place,
                "check": made.claim.rule,
                "descriptive": made.descriptive,
                "inferential": made.inferential,
                "parts": len(made.parts),
                "parts_that_hold": sum(p.descriptive == "holds" for p in made.parts),
                "parts_not_run": sum(p.descriptive == "not run" for p in made.parts),
                "missing": "; ".join(made.missing),
                "limits": "; ".join(made.limits),
            }
            for made in checked
        ]
    )


def table_of_parts(checked: Sequence[Checked]) -> pd.DataFrame:
    """One line a claim, part and number."""
    return pd.DataFrame(
        [
            {
                "claim": made.claim.id,
                "part": own.name,
                "basis": own.basis,
                "descriptive": own.descriptive,
                "inferential": own.inferential,
                "number": name,
                "value": value,
                "missing": own.missing,
            }
            for made in checked
            for own in made.parts
            for name, value in (own.numbers or {"": float("nan")}).items()
        ]
    )


def table_of_contrasts(checked: Sequence[Checked]) -> pd.DataFrame:
    """One line a claim, part and difference: the posterior and whether it agrees."""
    return pd.DataFrame(
        [
            {
                "claim": made.claim.id,
                "part": own.name,
                "difference": found.name,
                "datasets": len(found.differences),
                "mean": float(found.differences.mean()),
                "better": found.posterior.better if found.posterior else float("nan"),
                "equal": found.posterior.equal if found.posterior else float("nan"),
                "worse": found.posterior.worse if found.posterior else float("nan"),
                "agreeing": " or ".join(found.agreeing),
                "probability": found.probability,
                "verdict": found.verdict,
            }
            for made in checked
            for own in made.parts
            for found in own.contrasts
        ]
    )
