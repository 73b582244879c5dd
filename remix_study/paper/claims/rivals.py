"""Claims on single rows: C8, C11 and the two questions of our own, C24 and C25."""

from __future__ import annotations

from remix_study.metrics import CORE_METRICS, PUBLISHED_METRICS, short_name
from remix_study.paper.claims.evidence import Evidence
from remix_study.paper.claims.findings import NOT_BETTER, Part, contrast, not_run, part
from remix_study.paper.claims.leads import beats
from remix_study.paper.claims.rules import CALIBRATION, EXISTING_RESAMPLING, PUBLISHED_ROWS
from remix_study.paper.claims.score_matrix import ScoreMatrix


def weights_no_better(evidence: Evidence) -> list[Part]:
    """C8: class weights rank no better than the baseline on binary problems."""
    board = evidence.tabular[0]
    found = []
    for metric in PUBLISHED_METRICS:
        name = f"{board.name}, {short_name(metric)}"
        lacking = board.lacking(PUBLISHED_ROWS, [metric])
        if lacking:
            found.append(not_run(name, lacking))
            continue
        sums = board.rank_sums(metric, PUBLISHED_ROWS)
        lead = board.lead(metric, "cost", "baseline")
        numbers = {
            "rank sum of cost": float(sums["cost"]),
            "rank sum of baseline": float(sums["baseline"]),
            "mean gain of cost": float(lead.mean()),
        }
        contrasts = [contrast("cost over baseline", lead, board.datasets, NOT_BETTER)]
        holds = bool(sums["cost"] >= sums["baseline"])
        found.append(part(name, holds, numbers, contrasts, board.basis))
    return found


def resampling_does_not_calibrate(evidence: Evidence) -> list[Part]:
    """C11: resampling without mixing does not improve plain Brier or class-wise ECE."""
    return [
        _no_gain(board, row, metric)
        for board in evidence.tabular
        for row in EXISTING_RESAMPLING
        for metric in CALIBRATION
    ]


def mixing_adds(evidence: Evidence) -> list[Part]:
    """C24: ReMix is better than the same balancing without mixing."""
    return [
        beats(board, metric, "remix", ("balance",))
        for board in evidence.tabular
        for metric in CORE_METRICS
    ]


def beats_prior_shift(evidence: Evidence) -> list[Part]:
    """C25: ReMix is better than the baseline with logits shifted by the prior."""
    return [
        beats(board, metric, "remix", ("logit-adjusted",))
        for board in evidence.tabular
        for metric in CORE_METRICS
    ]


def _no_gain(board: ScoreMatrix, row: str, metric: str) -> Part:
    name = f"{board.name}, {row}, {short_name(metric)}"
    lacking = board.lacking(("baseline", row), [metric])
    if lacking:
        return not_run(name, lacking)
    lead = board.lead(metric, row, "baseline")
    contrasts = [contrast(f"{row} over baseline", lead, board.datasets, NOT_BETTER)]
    mean = float(lead.mean())
    return part(name, mean <= 0, {"mean gain": mean}, contrasts, board.basis)
