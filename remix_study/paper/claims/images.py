"""Claims on images: C18 to C20 (Figure 6)."""

from __future__ import annotations

from remix_study.metrics import PUBLISHED_METRICS, short_name
from remix_study.paper.claims.evidence import Evidence
from remix_study.paper.claims.findings import Part, not_run, part
from remix_study.paper.claims.leads import across_kinds, beats, gains_of, lacks, leads
from remix_study.paper.claims.limits import within
from remix_study.paper.claims.rules import GAINING_RIVALS
from remix_study.paper.claims.score_matrix import ScoreMatrix


def remix_first_on_images(evidence: Evidence) -> list[Part]:
    """C18: ReMix without augmentation gains more than MixUp, class weights and SMOTE."""
    return [
        within(beats(board, metric, "remix", GAINING_RIVALS), board.problems)
        for board in evidence.images
        for metric in PUBLISHED_METRICS
    ]


def augmentation_order(evidence: Evidence) -> list[Part]:
    """C19: ReMix with augmentation first, augmentation alone second; multi-class reversed."""
    binary, multi = evidence.images
    return [
        within(_top_two(board, metric, top), board.problems)
        for board, top in (
            (binary, ("remix-aug", "augment")),
            (multi, ("augment", "remix-aug")),
        )
        for metric in PUBLISHED_METRICS
    ]


def image_gains_smaller(evidence: Evidence) -> list[Part]:
    """C20: ReMix's gain over the baseline is smaller on multi-class images."""
    boards = evidence.images
    problems = [comparison for board in boards for comparison in board.problems]
    found = []
    for metric in PUBLISHED_METRICS:
        lacking = lacks(boards, ("baseline", "remix"), [metric])
        if lacking:
            found.append(not_run(short_name(metric), lacking))
            continue
        numbers = {
            f"gain of remix, {board.name}": float(board.lead(metric, "remix", "baseline").mean())
            for board in boards
        }
        binary, multi = numbers.values()
        contrasts = across_kinds(boards, metric, "remix", ("remix",))
        made = part(short_name(metric), multi < binary, numbers, contrasts)
        found.append(within(made, problems))
    return found


def _top_two(board: ScoreMatrix, metric: str, top: tuple[str, str]) -> Part:
    rows = ("cost", "smote", "mixup", "remix", "augment", "remix-aug")
    name = f"{board.name}, {short_name(metric)}: {top[0]}, then {top[1]}"
    lacking = board.lacking(("baseline", *rows), [metric])
    if lacking:
        return not_run(name, lacking)
    gains = gains_of(board, metric, rows).mean()
    rest = [row for row in rows if row not in top]
    holds = gains[top[0]] > gains[top[1]] > gains[rest].max()
    contrasts = [leads(board, metric, *top)]
    contrasts += [leads(board, metric, top[1], row) for row in rest]
    numbers = {f"gain of {row}": float(gain) for row, gain in gains.items()}
    return part(name, bool(holds), numbers, contrasts, board.basis)
