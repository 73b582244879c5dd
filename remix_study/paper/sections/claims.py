"""The claims section: what the paper says and whether it holds on these problems."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import pandas as pd

from remix_study.paper import SENTENCES
from remix_study.paper.claims import check_claims
from remix_study.paper.claims.evidence import evidence_of, is_image, is_reduced
from remix_study.paper.claims.verdicts import ELSEWHERE, LEAST_DATASETS, CheckedClaim, Part
from remix_study.paper.table2 import PROBLEMS, STRATEGIES, is_published, problem_key
from remix_study.report.page_model import Block, Cell, Head, Section, Table, has_many_problems
from remix_study.report.page_tables import Column, line_table, text_column
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
_MEAN, _BY_DATASET = Head("in the mean", kind="verdict"), Head("by data set", kind="verdict")


def sections(comparisons: Sequence[Comparison]) -> tuple[Section, ...]:
    """The section of the page; none without planned runs on the paper's problems or images."""
    concerns_paper = any(is_image(c) or is_published(c) for c in comparisons if c.is_grid)
    return (section(comparisons),) if concerns_paper else ()


def section(comparisons: Sequence[Comparison]) -> Section:
    """The section of the page: a table of the claims, then each claim with its parts."""
    checked = check_claims(comparisons)
    bounds = [bound for bound in smallest_p_values(comparisons) if bound.least_adjusted > LEVEL]
    facts = (checked, _reduction_notes(comparisons), _problem_counts(comparisons), bounds)
    summary = SENTENCES.paragraphs("claims.summary", *facts)
    details = [
        Block(
            collapsed=f"{result.claim.id}: {result.claim.text}",
            text=(result.claim.rule,),
            tables=(_parts_of(result),),
        )
        for result in checked
        if any(not part.missing for part in result.parts)
    ]
    files = {
        "claims": claim_table(checked),
        "claims-parts": part_table(checked),
        "claims-differences": contrast_table(checked),
    }
    lead = SENTENCES.text("claims.lead", SURE, ROPE, LEAST_DATASETS)
    overview = Block(text=summary, tables=(_overview(checked),), folded="The claims, one by one")
    blocks = (overview, *details)
    # A study of a few problems is not about the paper as a whole.
    is_folded = not has_many_problems(comparisons)
    return Section("claims", TITLE, lead, blocks, files, is_folded=is_folded)


def smallest_p_values(comparisons: Sequence[Comparison]) -> list[Record]:
    """Smallest two-sided p-values of exact signed-rank tests over the data sets of a kind.

    Adjusted is after Holm against the four other published methods. Kinds without any data set are
    left out.
    """
    matrices = evidence_of(comparisons).tabular
    counts = {matrix.kind: len({c.dataset for c in matrix.problems}) for matrix in matrices}
    n_rivals = len(STRATEGIES) - 1
    bounds = [(kind, n, smallest_p(n)) for kind, n in counts.items() if n]
    return [
        Record(kind=kind, datasets=n, least_p=p, least_adjusted=min(1.0, p * n_rivals))
        for kind, n, p in bounds
    ]


def _problem_counts(comparisons: Sequence[Comparison]) -> list[tuple[str, int, int]]:
    """(kind, how many of the paper's problems the report has, how many there are), if not all."""
    keys = {kind: {problem_key(c) for c in comparisons if c.kind == kind} for kind in KINDS}
    return [
        (kind, len(keys[kind] & PROBLEMS[kind]), len(PROBLEMS[kind]))
        for kind in KINDS
        if not keys[kind] >= PROBLEMS[kind]
    ]


def _reduction_notes(comparisons: Sequence[Comparison]) -> list[str]:
    """Notes of data sets and studies on reduced problems, each once; none on a single problem."""
    notes = [(c.problem, note) for c in comparisons if is_reduced(c) for note in c.info["notes"]]
    return list(dict.fromkeys(note for name, note in notes if not note.startswith(f"{name}:")))


def _overview(checked: Sequence[CheckedClaim]) -> Table:
    def name(result: CheckedClaim) -> Cell:
        return Cell(result.claim.id, result.claim.place, "name", link=result.claim.section)

    def numbers(result: CheckedClaim) -> Cell:
        # The first parts with the numbers that the claim is about; the details have all.
        parts = [part for part in result.parts if not part.missing]
        detail = SENTENCES.phrase("claims.short_numbers", result, parts, SHOWN_PARTS)
        return Cell("", detail, "text")

    def descriptive(result: CheckedClaim) -> Cell:
        if result.descriptive == ELSEWHERE:
            return Cell("see the demonstration", ELSEWHERE, "verdict")
        detail = SENTENCES.phrase("claims.descriptive_detail", result)
        return _verdict(result.descriptive, detail)

    def inferential(result: CheckedClaim) -> Cell:
        detail = SENTENCES.phrase("claims.inferential_detail", result)
        return _verdict(result.inferential, detail)

    claim = Head("what the paper says, and the check", kind="text")
    columns: Sequence[Column[CheckedClaim]] = (
        Column("claim", name),
        Column(claim, lambda result: Cell(result.claim.text, result.claim.rule, "text")),
        Column(Head("our numbers", kind="text"), numbers),
        Column(_MEAN, descriptive),
        Column(_BY_DATASET, inferential),
    )
    return line_table("The claims and both verdicts", checked, columns)


def _parts_of(result: CheckedClaim) -> Table:
    def numbers(part: Part) -> str:
        return part.missing or SENTENCES.phrase("claims.numbers", part.numbers)

    def name(part: Part) -> Cell:
        return Cell(part.name, ", ".join(filter(None, (part.basis, part.limits))), "name")

    columns: Sequence[Column[Part]] = (
        Column("part", name),
        text_column("numbers", numbers),
        Column(_MEAN, lambda part: _verdict(part.descriptive)),
        Column(_BY_DATASET, lambda part: _verdict(part.inferential)),
        text_column("posterior of the claim", partial(SENTENCES.phrase, "claims.posteriors")),
    )
    return line_table(f"{result.claim.id}, {result.claim.place}", result.parts, columns)


def _verdict(verdict: str, detail: str = "") -> Cell:
    return Cell(verdict, detail, f"verdict {_MARKS.get(verdict, '')}".strip())


def claim_table(checked: Sequence[CheckedClaim]) -> pd.DataFrame:
    """Verdicts as a table, one line a claim."""

    return frame_of(
        checked,
        """claim=claim.id text=claim.text place=claim.place check=claim.rule descriptive
        inferential parts parts_that_hold parts_not_run missing limits""",
        parts=lambda result: len(result.parts),
        parts_that_hold=lambda result: sum(part.holds for part in result.parts),
        parts_not_run=lambda result: sum(bool(part.missing) for part in result.parts),
        missing=lambda result: "; ".join(result.missing),
        limits=lambda result: "; ".join(result.limits),
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
        """claim part=part.name basis=part.basis descriptive=part.descriptive
        inferential=part.inferential number value missing=part.missing""",
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
        """claim part difference=contrast.name datasets mean better=contrast.posterior.better
        equal=contrast.posterior.equal worse=contrast.posterior.worse agreeing
        probability=contrast.probability verdict=contrast.verdict""",
        datasets=lambda line: len(line.contrast.differences),
        mean=lambda line: float(line.contrast.differences.mean()),
        agreeing=lambda line: " or ".join(line.contrast.agreeing),
    )
