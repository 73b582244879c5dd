"""The claims section: what the paper says, and what these problems say to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from remix_study.paper.claims.check import (
    ELSEWHERE,
    Checked,
    bounds,
    check_claims,
    table,
    table_of_contrasts,
    table_of_parts,
)
from remix_study.paper.claims.findings import Part
from remix_study.paper.claims.limits import reasons
from remix_study.paper.claims.rules import LEAST_DATASETS, ROPE, SURE
from remix_study.paper.claims.score_matrix import is_image
from remix_study.paper.published import PROBLEMS
from remix_study.report.formatting import MISSING, counted, listing, number, plain, sentence
from remix_study.report.page_model import Block, Cell, Head, Section, Table
from remix_study.results.comparison import Comparison
from remix_study.results.friedman import LEVEL
from remix_study.results.rank_sums import KINDS

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


def concerns(comparisons: Sequence[Comparison]) -> bool:
    """Whether planned points were run on problems that the paper speaks of.

    Those are its data sets, made as rare; what an algorithm chose is no row to compare.
    """
    return any(
        is_image(c) or (str(c.info["dataset"]), c.imbalance) in PROBLEMS.get(c.kind, ())
        for c in comparisons
        if c.is_grid
    )


def section(comparisons: Sequence[Comparison]) -> Section:
    """The section of the page: one table, and below it every part."""
    checked = check_claims(comparisons)
    blocks = [
        Block(text=_reading(checked, comparisons), tables=(_page_table(checked),)),
        *_details(checked),
    ]
    files = {"claims": table(checked), "claims-parts": table_of_parts(checked)}
    contrasts = table_of_contrasts(checked)
    if len(contrasts):
        files["claims-differences"] = contrasts
    return Section("claims", TITLE, LEAD, tuple(blocks), files)


def _reading(checked: Sequence[Checked], comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    lines = []
    for words, name in (
        ("Hold", "holds"),
        ("Do not hold", "does not hold"),
        ("Were not run, or not in full", "not run"),
    ):
        own = [made.claim.id for made in checked if made.descriptive == name]
        if own:
            lines.append(f"{words}: {listing(own)}.")
    for words, name in (
        ("Supported by data set", "supported"),
        ("Contradicted by data set", "contradicted"),
        ("Undecided by data set", "undecided"),
    ):
        own = [made.claim.id for made in checked if made.inferential == name]
        if own:
            lines.append(f"{words}: {listing(own)}.")
    own = [made.claim.id for made in checked if made.limits]
    if own:
        why = "; ".join(note.rstrip(".") for note in reasons(comparisons))
        lines.append(sentence(f"Of less than the paper’s images speak {listing(own)}: {why}"))
    short = [
        f"{there} of the {len(PROBLEMS[kind])} {kind} ones"
        for kind in KINDS
        if (there := _there(kind, comparisons)) < len(PROBLEMS[kind])
    ]
    if short:
        lines.append(sentence(f"Of the paper’s problems this report has {listing(short)}"))
    limits = [
        f"{counted(bound.datasets, f'{bound.kind} data set')} can give no smaller exact two-sided "
        f"p-value than {bound.least_p:.2g}, after Holm against the four other published rows "
        f"{bound.least_adjusted:.2g}"
        for bound in bounds(comparisons)
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


def _there(kind: str, comparisons: Sequence[Comparison]) -> int:
    here = {(str(c.info["dataset"]), c.imbalance) for c in comparisons if c.kind == kind}
    return len(here & PROBLEMS[kind])


def _page_table(checked: Sequence[Checked]) -> Table:
    head = (
        Head("claim"),
        Head("what the paper says, and the check", kind="text"),
        Head("our numbers", kind="text"),
        Head("in the mean", kind="verdict"),
        Head("by data set", kind="verdict"),
    )
    rows = tuple(
        (
            Cell(made.claim.id, made.claim.place, "name", link=made.claim.section),
            Cell(made.claim.text, made.claim.rule, kind="text"),
            Cell("", _short(made), kind="text"),
            _descriptive(made),
            _inferential(made),
        )
        for made in checked
    )
    return Table("The claims and both verdicts", (head,), rows)


def _short(made: Checked) -> str:
    """The first parts with the numbers that the claim is about; all stand further down."""
    shown = [part for part in made.parts if not part.missing]
    found = []
    for part in shown[:SHOWN_PARTS]:
        about = {name: value for name, value in part.numbers.items() if made.claim.about in name}
        found.append(f"{part.name}: {_numbers(about or part.numbers)}")
    if len(shown) > SHOWN_PARTS:
        found.append(f"{len(shown) - SHOWN_PARTS} more parts below")
    return ". ".join(found)


def _descriptive(made: Checked) -> Cell:
    if made.descriptive == ELSEWHERE:
        return Cell("see the demonstration", ELSEWHERE, "verdict")
    if made.missing and made.descriptive == "not run":
        return Cell("not run", listing(made.missing), "verdict")
    n = len(made.parts)
    held = sum(part.descriptive == "holds" for part in made.parts)
    details = [f"{held} of {n} parts"] if n > 1 else []
    detail = "; ".join((*details, *made.limits))
    return Cell(str(made.descriptive), detail, _look(str(made.descriptive)))


def _inferential(made: Checked) -> Cell:
    hardest = made.hardest
    if made.inferential in ("not run", "not tested") or hardest is None:
        return Cell(made.inferential, kind="verdict")
    detail = f"least {number(hardest.probability, 2)}: {hardest.name}"
    return Cell(made.inferential, detail, _look(made.inferential))


def _details(checked: Sequence[Checked]) -> list[Block]:
    """The parts of each claim that was run, folded away under one heading each."""
    return [
        Block(
            collapsed=f"{made.claim.id}: {made.claim.text}",
            text=(made.claim.rule,),
            tables=(_parts(made),),
        )
        for made in checked
        if any(part.descriptive != "not run" for part in made.parts)
    ]


def _parts(made: Checked) -> Table:
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
            Cell(part.missing or _numbers(part.numbers), kind="text"),
            Cell(part.descriptive, kind=_look(part.descriptive)),
            Cell(part.inferential, kind=_look(part.inferential)),
            Cell(_posteriors(part), kind="text"),
        )
        for part in made.parts
    )
    return Table(f"{made.claim.id}, {made.claim.place}", (head,), rows)


def _look(verdict: str) -> str:
    return f"verdict {_MARKS.get(verdict, '')}".strip()


def _numbers(numbers: Mapping[str, float]) -> str:
    found = [
        f"{name} {plain(value) if float(value).is_integer() else number(value, 3)}"
        for name, value in numbers.items()
    ]
    return "; ".join(found) or MISSING


def _posteriors(part: Part) -> str:
    found = [
        f"{made.name} {number(made.probability, 2)}"
        for made in part.contrasts
        if made.posterior is not None
    ]
    if found:
        return "; ".join(found)
    return "too few data sets" if part.contrasts else MISSING
