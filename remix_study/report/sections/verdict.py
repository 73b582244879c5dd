"""The verdict section: for each problem what must be known first, then the answers."""

from __future__ import annotations

from collections.abc import Sequence

from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.metrics import short_name
from remix_study.report.folding import crowded, fold
from remix_study.report.formatting import counted, listing, number, plain, sentence
from remix_study.report.page_model import Block, Section
from remix_study.report.sections.decision import RELATIONS, answers, headline
from remix_study.report.sections.verdict_tables import (
    choice_table,
    difference_table,
    glance_table,
    table,
    table_of_choices,
)
from remix_study.results.probability_quality import Relation
from remix_study.results.verdict import FEW_FOLDS, FEW_ROWS, Verdict

# With more problems than this the tables of each are folded away.
SHOWN_OPEN = 2
LEAD = (
    "Differences are paired by fold, with corrected 95 % intervals in brackets. “Not told apart” "
    "means that the interval holds zero: these folds cannot show a difference, which is no proof "
    "that there is none."
)


def section(verdicts: Sequence[Verdict]) -> Section:
    """The section at the top of the page."""
    shown = [verdict for verdict in verdicts if verdict.comparison.methods]
    blocks: list[Block] = []
    planned = [verdict for verdict in shown if verdict.remix is not None]
    if len(planned) > 1:
        blocks.append(Block(text=tally_lines(planned), tables=(glance_table(planned),)))
    folded = "The differences behind this" if len(shown) > SHOWN_OPEN else ""
    own = [_block(verdict, folded) for verdict in shown]
    blocks += map(fold, own) if crowded(shown) else own
    if not shown:
        blocks = [Block(text=("No point is complete yet, so there is nothing to judge.",))]
    found = table(shown)
    files = {"verdict": found} if len(found) else {}
    chosen = table_of_choices(shown)
    files |= {"choices": chosen} if len(chosen) else {}
    return Section("verdict", "Verdict", LEAD, tuple(blocks), files)


def tally_lines(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """How often ReMix is better and worse than the baseline and than balancing alone."""
    sentences = []
    for metric in dict.fromkeys(m for v in verdicts for m in v.comparison.objectives):
        parts = []
        for name, words in (
            ("baseline", "the baseline"),
            ("balance", "balancing without mixing"),
        ):
            found = [
                relation
                for verdict in verdicts
                if (rival := verdict.rival(name)) and (relation := rival.relation(metric))
            ]
            if found:
                parts.append(f"against {words} {_tally(found)}")
        if parts:
            sentences.append(sentence(f"ReMix on {short_name(metric)}: {'; '.join(parts)}"))
    return tuple(sentences)


def _tally(found: Sequence[Relation]) -> str:
    n = len(found)
    counts = [(name, found.count(wanted)) for wanted, name in RELATIONS if wanted in found]
    if len(counts) == 1:
        return f"{counts[0][0]} on {'both' if n == 2 else f'all {n}'} problems"
    return f"{listing([f'{name} on {count}' for name, count in counts])} of {n} problems"


def _block(verdict: Verdict, folded: str) -> Block:
    comparison = verdict.comparison
    tables = [difference_table(verdict)] if verdict.rivals else []
    if verdict.selections and comparison.is_grid:
        tables.append(choice_table(verdict))
    return Block(
        title=f"{comparison.title}, {comparison.imbalance_name}",
        warnings=_warnings(verdict),
        headline=headline(verdict),
        answers=answers(verdict),
        tables=tuple(tables),
        folded=folded,
    )


def _warnings(verdict: Verdict) -> tuple[str, ...]:
    comparison = verdict.comparison
    found = []
    missing = int(comparison.info["planned"]) - int(comparison.info["complete"])
    if missing > 0:
        found.append(f"Without {counted(missing, 'point')} still to run: this may change.")
    if comparison.planned_folds < FEW_FOLDS:
        found.append(
            f"Only {counted(comparison.planned_folds, 'fold')}: intervals are wide and little "
            "can be told apart. Ten repeats of two folds show far more."
        )
    least = verdict.least_test_rows
    if least < FEW_ROWS:
        found.append(
            f"Only {counted(least, 'row')} of the rarest class in the smallest test part: one row "
            f"moves its recall by {number(1 / max(least, 1), 2)}."
        )
    if verdict.remix is not None and verdict.remix.alpha != PUBLISHED_ALPHA:
        found.append(
            f"ReMix at alpha {plain(PUBLISHED_ALPHA)}, the published one, was not run: this "
            f"speaks of alpha {plain(verdict.remix.alpha or 0.0)}."
        )
    return tuple(found)
