"""Claims on single methods: C8, C11 and the questions C24 and C25, which this project adds."""

from __future__ import annotations

from remix_study.metrics import CORE_METRICS, PUBLISHED_METRICS, short_name
from remix_study.paper.claims.evidence import Evidence
from remix_study.paper.claims.leads import better_than_part
from remix_study.paper.claims.parts import (
    NOT_BETTER,
    Part,
    checked_part,
    not_run,
    problem_contrast,
)
from remix_study.paper.claims.rules import CALIBRATION, EXISTING_RESAMPLING
from remix_study.paper.claims.score_matrix import ScoreMatrix
from remix_study.paper.published import STRATEGIES


def weights_no_better(evidence: Evidence) -> list[Part]:
    """C8: class weights rank no better than the baseline on binary problems."""
    matrix = evidence.tabular[0]
    parts = []
    for metric in PUBLISHED_METRICS:
        name = f"{matrix.name}, {short_name(metric)}"
        reason = matrix.missing(STRATEGIES, [metric])
        if reason:
            parts.append(not_run(name, reason))
            continue
        sums = matrix.rank_sums(metric, STRATEGIES)
        lead = matrix.lead(metric, "cost", "baseline")
        numbers = {
            "rank sum of cost": float(sums["cost"]),
            "rank sum of baseline": float(sums["baseline"]),
            "mean gain of cost": float(lead.mean()),
        }
        contrasts = [problem_contrast("cost over baseline", lead, matrix.datasets, NOT_BETTER)]
        holds = bool(sums["cost"] >= sums["baseline"])
        parts.append(checked_part(name, holds, numbers, contrasts, matrix.basis))
    return parts


def resampling_does_not_calibrate(evidence: Evidence) -> list[Part]:
    """C11: resampling without mixing does not improve plain Brier or class-wise ECE."""
    return [
        _no_gain_part(matrix, strategy, metric)
        for matrix in evidence.tabular
        for strategy in EXISTING_RESAMPLING
        for metric in CALIBRATION
    ]


def mixing_adds(evidence: Evidence) -> list[Part]:
    """C24: ReMix is better than the same balancing without mixing."""
    return [
        better_than_part(matrix, metric, "remix", ("balance",))
        for matrix in evidence.tabular
        for metric in CORE_METRICS
    ]


def beats_prior_shift(evidence: Evidence) -> list[Part]:
    """C25: ReMix is better than the baseline with logits shifted by the prior."""
    return [
        better_than_part(matrix, metric, "remix", ("logit-adjusted",))
        for matrix in evidence.tabular
        for metric in CORE_METRICS
    ]


def _no_gain_part(matrix: ScoreMatrix, strategy: str, metric: str) -> Part:
    name = f"{matrix.name}, {strategy}, {short_name(metric)}"
    reason = matrix.missing(("baseline", strategy), [metric])
    if reason:
        return not_run(name, reason)
    lead = matrix.lead(metric, strategy, "baseline")
    contrasts = [problem_contrast(f"{strategy} over baseline", lead, matrix.datasets, NOT_BETTER)]
    mean = float(lead.mean())
    return checked_part(name, mean <= 0, {"mean gain": mean}, contrasts, matrix.basis)
