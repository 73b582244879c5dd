"""The verdict section: warnings, headline and answers of each problem."""

from __future__ import annotations

from collections.abc import Sequence

from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.metrics import short_name
from remix_study.report.folding import fold, has_many_problems
from remix_study.report.formatting import counted, listing, number, plain, sentence
from remix_study.report.page_model import Block, Section
from remix_study.report.sections.decision import RELATIONS, answers, headline
from remix_study.report.sections.verdict_tables import (
    choice_frame,
    choice_table,
    difference_table,
    glance_table,
    table,
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
    table_title = "The differences behind this" if len(shown) > SHOWN_OPEN else ""
    problem_blocks = [_block(verdict, table_title) for verdict in shown]
    blocks += map(fold, problem_blocks) if has_many_problems(shown) else problem_blocks
    if not shown:
        blocks = [Block(text=("No point is complete yet, so there is nothing to judge.",))]
    differences = table(shown)
    files = {"verdict": differences} if len(differences) else {}
    choices = choice_frame(shown)
    files |= {"choices": choices} if len(choices) else {}
    return Section("verdict", "Verdict", LEAD, tuple(blocks), files)


def tally_lines(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """Say how often ReMix is better and worse than the baseline and than balancing alone."""
    sentences = []
    for metric in dict.fromkeys(m for v in verdicts for m in v.comparison.objectives):
        parts = []
        for name, rival_name in (
            ("baseline", "the baseline"),
            ("balance", "balancing without mixing"),
        ):
            relations = [
                relation
                for verdict in verdicts
                if (rival := verdict.rival(name)) and (relation := rival.relation(metric))
            ]
            if relations:
                parts.append(f"against {rival_name} {_tally(relations)}")
        if parts:
            sentences.append(sentence(f"ReMix on {short_name(metric)}: {'; '.join(parts)}"))
    return tuple(sentences)


def _tally(relations: Sequence[Relation]) -> str:
    n = len(relations)
    counts = [
        (name, relations.count(relation)) for relation, name in RELATIONS if relation in relations
    ]
    if len(counts) == 1:
        return f"{counts[0][0]} on {'both' if n == 2 else f'all {n}'} problems"
    return f"{listing([f'{name} on {count}' for name, count in counts])} of {n} problems"


def _block(verdict: Verdict, table_title: str) -> Block:
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
        folded=table_title,
    )


def _warnings(verdict: Verdict) -> tuple[str, ...]:
    comparison = verdict.comparison
    warnings = []
    missing = int(comparison.info["planned"]) - int(comparison.info["complete"])
    if missing > 0:
        warnings.append(f"Without {counted(missing, 'point')} still to run: this may change.")
    if comparison.planned_folds < FEW_FOLDS:
        warnings.append(
            f"Only {counted(comparison.planned_folds, 'fold')}: intervals are wide and little "
            "can be told apart. Ten repeats of two folds show far more."
        )
    fewest = verdict.least_test_rows
    if fewest < FEW_ROWS:
        warnings.append(
            f"Only {counted(fewest, 'row')} of the rarest class in the smallest test part: one "
            f"row moves its recall by {number(1 / max(fewest, 1), 2)}."
        )
    if verdict.remix is not None and verdict.remix.alpha != PUBLISHED_ALPHA:
        warnings.append(
            f"ReMix at alpha {plain(PUBLISHED_ALPHA)}, the published one, was not run: this "
            f"speaks of alpha {plain(verdict.remix.alpha or 0.0)}."
        )
    return tuple(warnings)
