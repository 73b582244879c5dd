"""The paper's claims and whether they hold here: one rule a claim, fixed before the full run.

In: the problems of a report. Out: for each claim parts with numbers and two verdicts, by the
order of the means and by data set. Read `verdicts` first, which says what those are; `methods`,
`gains` and `alpha` declare the claims, each with its rule, and `evidence` is what they are checked
on.
"""

from __future__ import annotations

from collections.abc import Sequence

from remix_study.paper.claims import alpha, gains, methods
from remix_study.paper.claims.evidence import evidence_of
from remix_study.paper.claims.verdicts import CheckedClaim, Claim
from remix_study.results.comparison import Comparison

BOUNDARY = Claim(
    "C21",
    "ReMix pushes the boundary out and makes the probabilities smoother.",
    "Share of the plane that is called minority, and mean gradient of the probability.",
    "Figure 1",
    section="",
    check=None,
)
_DECLARED = [
    value
    for module in (methods, gains, alpha)
    for value in vars(module).values()
    if isinstance(value, Claim)
]
CLAIMS = tuple(sorted([*_DECLARED, BOUNDARY], key=lambda claim: int(claim.id[1:])))
"""The claims in the order of the page."""


def check_claims(comparisons: Sequence[Comparison]) -> tuple[CheckedClaim, ...]:
    """Check every claim on these problems, in the order of the claims."""
    evidence = evidence_of(comparisons)
    return tuple(
        CheckedClaim(claim, tuple(claim.check(evidence)) if claim.check else ())
        for claim in CLAIMS
    )
