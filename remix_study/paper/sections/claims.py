"""The claims section: what the paper says and whether it holds on these problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from remix_study.paper.claims.check import (
    ELSEWHERE,
    CheckedClaim,
    check_claims,
    claim_table,
    contrast_table,
    part_table,
    smallest_p_values,
)
from remix_study.paper.claims.limits import reduction_notes
from remix_study.paper.claims.parts import Part
from remix_study.paper.claims.rules import LEAST_DATASETS
from remix_study.paper.claims.score_matrix import is_image
from remix_study.paper.published import PROBLEMS, is_published, problem_key
from remix_study.report.formatting import MISSING, counted, listing, number, plain, sentence
from remix_study.report.page_model import Block, Cell, Head, Section, Table
from remix_study.results.comparison import Comparison
from remix_study.results.rank_sums import KINDS
from remix_study.results.rank_tests import SURE
from remix_study.results.significance import LEVEL, ROPE

TITLE = "The paper’s claims"
LEAD = (
    "Two verdicts each, by rules that were written before the paper's 27 tabular problems were "
    "first run; a first run of the alphas on musk and seizure (C12 to C17) had been seen by then. "
    "Descriptive: the "
    "order or sign of the mean test scores; a claim holds where every part of it does. "
    "Inferential: scores are averaged over the problems of a data set, and a Bayesian "
    "signed-rank test asks whether the claim is true of data sets; it is supported or "
    f"contradicted where the posterior probability exceeds {plain(SURE)}, undecided otherwise. "
    f"Differences within {plain(ROPE)} count as equal, so a claim of a difference can hold in the "
    f"mean and still be contradicted. With fewer than {LEAST_DATASETS} data sets nothing is "
    "inferred."
)
_MARKS = {
    "holds": "better",
    "supported": "better",
    "does not hold": "worse",
    "contradicted": "worse",
}
# Of the numbers of a claim, the table on the page shows this many parts.
SHOWN_PARTS = 4


def concerns_paper(comparisons: Sequence[Comparison]) -> bool:
    """Whether planned configurations were run on problems of the paper or on its images."""
    return any(is_image(c) or is_published(c) for c in comparisons if c.is_grid)


def section(comparisons: Sequence[Comparison]) -> Section:
    """The section of the page: a table of the claims, then each claim with its parts."""
    checked = check_claims(comparisons)
    blocks = [
        Block(text=_summary_lines(checked, comparisons), tables=(_page_table(checked),)),
        *_detail_blocks(checked),
    ]
    files = {"claims": claim_table(checked), "claims-parts": part_table(checked)}
    contrasts = contrast_table(checked)
    if len(contrasts):
        files["claims-differences"] = contrasts
    return Section("claims", TITLE, LEAD, tuple(blocks), files)


def _summary_lines(
    checked: Sequence[CheckedClaim], comparisons: Sequence[Comparison]
) -> tuple[str, ...]:
    lines = []
    for words, name in (
        ("Hold", "holds"),
        ("Do not hold", "does not hold"),
        ("Were not run, or not in full", "not run"),
    ):
        ids = [result.claim.id for result in checked if result.descriptive == name]
        if ids:
            lines.append(f"{words}: {listing(ids)}.")
    for words, name in (
        ("Supported by data set", "supported"),
        ("Contradicted by data set", "contradicted"),
        ("Undecided by data set", "undecided"),
    ):
        ids = [result.claim.id for result in checked if result.inferential == name]
        if ids:
            lines.append(f"{words}: {listing(ids)}.")
    ids = [result.claim.id for result in checked if result.limits]
    if ids:
        why = "; ".join(note.rstrip(".") for note in reduction_notes(comparisons))
        lines.append(sentence(f"Of less than the paper’s images speak {listing(ids)}: {why}"))
    partial = [
        f"{count} of the {len(PROBLEMS[kind])} {kind} ones"
        for kind in KINDS
        if (count := _problem_count(kind, comparisons)) < len(PROBLEMS[kind])
    ]
    if partial:
        lines.append(sentence(f"Of the paper’s problems this report has {listing(partial)}"))
    limits = [
        f"{counted(bound.datasets, f'{bound.kind} data set')} can give no smaller exact two-sided "
        f"p-value than {bound.least_p:.2g}, after Holm against the four other published rows "
        f"{bound.least_adjusted:.2g}"
        for bound in smallest_p_values(comparisons)
        if bound.least_adjusted > LEVEL
    ]
    if limits:
        lines.append(
            sentence(
                f"{'; '.join(limits)}: no single comparison by data set could be significant, "
                "whatever the scores. The posterior is a milder judge, since its prior weighs "
                "half a data set: a few that agree are enough for it"
            )
        )
    return tuple(lines)


def _problem_count(kind: str, comparisons: Sequence[Comparison]) -> int:
    keys = {problem_key(c) for c in comparisons if c.kind == kind}
    return len(keys & PROBLEMS[kind])


def _page_table(checked: Sequence[CheckedClaim]) -> Table:
    head = (
        Head("claim"),
        Head("what the paper says, and the check", kind="text"),
        Head("our numbers", kind="text"),
        Head("in the mean", kind="verdict"),
        Head("by data set", kind="verdict"),
    )
    rows = tuple(
        (
            Cell(result.claim.id, result.claim.place, "name", link=result.claim.section),
            Cell(result.claim.text, result.claim.rule, kind="text"),
            Cell("", _number_lines(result), kind="text"),
            _descriptive_cell(result),
            _inferential_cell(result),
        )
        for result in checked
    )
    return Table("The claims and both verdicts", (head,), rows)


def _number_lines(result: CheckedClaim) -> str:
    """The first parts with the numbers that the claim is about; the details have all."""
    parts = [part for part in result.parts if not part.missing]
    lines = []
    for part in parts[:SHOWN_PARTS]:
        numbers = {
            name: value for name, value in part.numbers.items() if result.claim.about in name
        }
        lines.append(f"{part.name}: {_join_numbers(numbers or part.numbers)}")
    if len(parts) > SHOWN_PARTS:
        lines.append(f"{len(parts) - SHOWN_PARTS} more parts below")
    return ". ".join(lines)


def _descriptive_cell(result: CheckedClaim) -> Cell:
    if result.descriptive == ELSEWHERE:
        return Cell("see the demonstration", ELSEWHERE, "verdict")
    if result.missing and result.descriptive == "not run":
        return Cell("not run", listing(result.missing), "verdict")
    n = len(result.parts)
    n_hold = sum(part.descriptive == "holds" for part in result.parts)
    details = [f"{n_hold} of {n} parts"] if n > 1 else []
    detail = "; ".join((*details, *result.limits))
    return Cell(str(result.descriptive), detail, _kind(str(result.descriptive)))


def _inferential_cell(result: CheckedClaim) -> Cell:
    hardest = result.hardest
    if result.inferential in ("not run", "not tested") or hardest is None:
        return Cell(result.inferential, kind="verdict")
    detail = f"least {number(hardest.probability, 2)}: {hardest.name}"
    return Cell(result.inferential, detail, _kind(result.inferential))


def _detail_blocks(checked: Sequence[CheckedClaim]) -> list[Block]:
    """The parts of each claim that was run, each claim in a folded block."""
    return [
        Block(
            collapsed=f"{result.claim.id}: {result.claim.text}",
            text=(result.claim.rule,),
            tables=(_part_table(result),),
        )
        for result in checked
        if any(part.descriptive != "not run" for part in result.parts)
    ]


def _part_table(result: CheckedClaim) -> Table:
    head = (
        Head("part"),
        Head("numbers", kind="text"),
        Head("in the mean", kind="verdict"),
        Head("by data set", kind="verdict"),
        Head("posterior of the claim", kind="text"),
    )
    rows = tuple(
        (
            Cell(part.name, ", ".join(filter(None, (part.basis, part.limits))), "name"),
            Cell(part.missing or _join_numbers(part.numbers), kind="text"),
            Cell(part.descriptive, kind=_kind(part.descriptive)),
            Cell(part.inferential, kind=_kind(part.inferential)),
            Cell(_join_posteriors(part), kind="text"),
        )
        for part in result.parts
    )
    return Table(f"{result.claim.id}, {result.claim.place}", (head,), rows)


def _kind(verdict: str) -> str:
    return f"verdict {_MARKS.get(verdict, '')}".strip()


def _join_numbers(numbers: Mapping[str, float]) -> str:
    items = [
        f"{name} {plain(value) if float(value).is_integer() else number(value, 3)}"
        for name, value in numbers.items()
    ]
    return "; ".join(items) or MISSING


def _join_posteriors(part: Part) -> str:
    items = [
        f"{contrast.name} {number(contrast.probability, 2)}"
        for contrast in part.contrasts
        if contrast.posterior is not None
    ]
    if items:
        return "; ".join(items)
    return "too few data sets" if part.contrasts else MISSING
