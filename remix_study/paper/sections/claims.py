"""The claims section: what the paper says and whether it holds on these problems."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from remix_study.paper.claims import check_claims
from remix_study.paper.claims.evidence import evidence_of, is_image, is_reduced
from remix_study.paper.claims.verdicts import ELSEWHERE, LEAST_DATASETS, CheckedClaim, Part
from remix_study.paper.published import PROBLEMS, STRATEGIES, is_published, problem_key
from remix_study.paper.sentences import SENTENCES
from remix_study.report.formatting import number
from remix_study.report.page_model import Block, Cell, Head, Section, Table
from remix_study.report.page_tables import Column, line_table
from remix_study.results.columns import Record, frame_of
from remix_study.results.comparison import Comparison
from remix_study.results.rank_sums import KINDS
from remix_study.results.rank_tests import SURE
from remix_study.results.significance import LEVEL, ROPE, smallest_p

TITLE = "The paper’s claims"
# Of the numbers of a claim, the table on the page shows this many parts.
SHOWN_PARTS = 4
_MARKS = {
    "holds": "better",
    "supported": "better",
    "does not hold": "worse",
    "contradicted": "worse",
}


def concerns_paper(comparisons: Sequence[Comparison]) -> bool:
    """Whether planned configurations were run on problems of the paper or on its images."""
    return any(is_image(c) or is_published(c) for c in comparisons if c.is_grid)


def section(comparisons: Sequence[Comparison]) -> Section:
    """The section of the page: a table of the claims, then each claim with its parts."""
    checked = check_claims(comparisons)
    counts = [
        (kind, len(keys & PROBLEMS[kind]), len(PROBLEMS[kind]))
        for kind in KINDS
        if not (keys := {problem_key(c) for c in comparisons if c.kind == kind}) >= PROBLEMS[kind]
    ]
    bounds = [bound for bound in smallest_p_values(comparisons) if bound.least_adjusted > LEVEL]
    text = SENTENCES.paragraphs(
        "claims.summary", checked, _reduction_notes(comparisons), counts, bounds
    )
    details = [
        Block(
            collapsed=f"{result.claim.id}: {result.claim.text}",
            text=(result.claim.rule,),
            tables=(_part_table(result),),
        )
        for result in checked
        if any(not part.missing for part in result.parts)
    ]
    files = {"claims": claim_table(checked), "claims-parts": part_table(checked)}
    contrasts = contrast_table(checked)
    if len(contrasts):
        files["claims-differences"] = contrasts
    lead = SENTENCES.text("claims.lead", SURE, ROPE, LEAST_DATASETS)
    blocks = (Block(text=text, tables=(_page_table(checked),)), *details)
    return Section("claims", TITLE, lead, blocks, files)


@dataclass(frozen=True)
class SmallestP:
    """Smallest p-value that a test over the data sets of a kind can give.

    Attributes:
        datasets: how many there are.
        least_p: smallest two-sided p-value of an exact signed-rank test.
        least_adjusted: the same after Holm against the four other published methods.
    """

    kind: str
    datasets: int
    least_p: float
    least_adjusted: float


def smallest_p_values(comparisons: Sequence[Comparison]) -> tuple[SmallestP, ...]:
    """Smallest possible p-values by kind of problem; without kinds that have no data set."""
    counts = {
        m.kind: len({c.dataset for c in m.problems}) for m in evidence_of(comparisons).tabular
    }
    return tuple(
        SmallestP(kind, n, p, min(1.0, p * (len(STRATEGIES) - 1)))
        for kind, n in counts.items()
        if n and (p := smallest_p(n))
    )


def _reduction_notes(comparisons: Sequence[Comparison]) -> list[str]:
    """Notes of data sets and studies on reduced problems, each once; none on a single problem."""
    notes = [
        note
        for c in comparisons
        if is_reduced(c)
        for note in c.info["notes"]
        if not note.startswith(f"{c.problem}:")
    ]
    return list(dict.fromkeys(notes))


def _page_table(checked: Sequence[CheckedClaim]) -> Table:
    return line_table(
        "The claims and both verdicts",
        checked,
        (
            Column(
                "claim", lambda r: Cell(r.claim.id, r.claim.place, "name", link=r.claim.section)
            ),
            Column(
                Head("what the paper says, and the check", kind="text"),
                lambda r: Cell(r.claim.text, r.claim.rule, "text"),
            ),
            Column(Head("our numbers", kind="text"), _numbers_cell),
            Column(Head("in the mean", kind="verdict"), _descriptive_cell),
            Column(Head("by data set", kind="verdict"), _inferential_cell),
        ),
    )


def _numbers_cell(result: CheckedClaim) -> Cell:
    """The first parts with the numbers that the claim is about; the details have all."""
    parts = [part for part in result.parts if not part.missing]
    detail = SENTENCES.phrase("claims.short_numbers", result, parts, SHOWN_PARTS)
    return Cell("", detail, "text")


def _descriptive_cell(result: CheckedClaim) -> Cell:
    if result.descriptive == ELSEWHERE:
        return Cell("see the demonstration", ELSEWHERE, "verdict")
    detail = SENTENCES.phrase("claims.descriptive_detail", result)
    return Cell(result.descriptive, detail, _kind(result.descriptive))


def _inferential_cell(result: CheckedClaim) -> Cell:
    detail = ""
    if result.hardest and result.inferential not in ("not run", "not tested"):
        detail = f"least {number(result.hardest.probability, 2)}: {result.hardest.name}"
    return Cell(result.inferential, detail, _kind(result.inferential) if detail else "verdict")


def _part_table(result: CheckedClaim) -> Table:
    columns: tuple[Column[Part], ...] = (
        Column(
            "part", lambda p: Cell(p.name, ", ".join(filter(None, (p.basis, p.limits))), "name")
        ),
        Column(
            Head("numbers", kind="text"),
            lambda p: Cell(
                p.missing or SENTENCES.phrase("claims.numbers", p.numbers), kind="text"
            ),
        ),
        Column(
            Head("in the mean", kind="verdict"),
            lambda p: Cell(p.descriptive, kind=_kind(p.descriptive)),
        ),
        Column(
            Head("by data set", kind="verdict"),
            lambda p: Cell(p.inferential, kind=_kind(p.inferential)),
        ),
        Column(
            Head("posterior of the claim", kind="text"),
            lambda p: Cell(SENTENCES.phrase("claims.posteriors", p), kind="text"),
        ),
    )
    return line_table(f"{result.claim.id}, {result.claim.place}", result.parts, columns)


def _kind(verdict: str) -> str:
    return f"verdict {_MARKS.get(verdict, '')}".strip()


def claim_table(checked: Sequence[CheckedClaim]) -> pd.DataFrame:
    """Verdicts as a table, one line a claim."""

    return frame_of(
        checked,
        {
            "claim": "claim.id",
            "text": "claim.text",
            "place": "claim.place",
            "check": "claim.rule",
            "descriptive": "descriptive",
            "inferential": "inferential",
            "parts": lambda result: len(result.parts),
            "parts_that_hold": lambda result: sum(part.holds for part in result.parts),
            "parts_not_run": lambda result: sum(bool(part.missing) for part in result.parts),
            "missing": lambda result: "; ".join(result.missing),
            "limits": lambda result: "; ".join(result.limits),
        },
    )


def part_table(checked: Sequence[CheckedClaim]) -> pd.DataFrame:
    """Parts as a table, one line a claim, part and number."""
    return frame_of(
        (
            Record(claim=result.claim.id, part=part, number=name, value=value)
            for result in checked
            for part in result.parts
            for name, value in (part.numbers or {"": math.nan}).items()
        ),
        {
            "claim": "claim",
            "part": "part.name",
            "basis": "part.basis",
            "descriptive": "part.descriptive",
            "inferential": "part.inferential",
            "number": "number",
            "value": "value",
            "missing": "part.missing",
        },
    )


def contrast_table(checked: Sequence[CheckedClaim]) -> pd.DataFrame:
    """Contrasts as a table, one line a claim, part and difference, with the posterior."""
    return frame_of(
        (
            Record(claim=result.claim.id, part=part.name, contrast=contrast)
            for result in checked
            for part in result.parts
            for contrast in part.contrasts
        ),
        {
            "claim": "claim",
            "part": "part",
            "difference": "contrast.name",
            "datasets": lambda line: len(line.contrast.differences),
            "mean": lambda line: float(line.contrast.differences.mean()),
            "better": "contrast.posterior.better",
            "equal": "contrast.posterior.equal",
            "worse": "contrast.posterior.worse",
            "agreeing": lambda line: " or ".join(line.contrast.agreeing),
            "probability": "contrast.probability",
            "verdict": "contrast.verdict",
        },
    )
