"""Claims on images: C18 to C20 (Figure 6)."""

from __future__ import annotations

from remix_study.metrics import PUBLISHED_METRICS, short_name
from remix_study.paper.claims.evidence import Evidence
from remix_study.paper.claims.leads import (
    better_than_part,
    gains_over_baseline,
    kind_contrasts,
    lead_contrast,
    missing_on_any,
)
from remix_study.paper.claims.limits import with_limits
from remix_study.paper.claims.parts import Part, checked_part, not_run
from remix_study.paper.claims.rules import GAINING_RIVALS
from remix_study.paper.claims.score_matrix import ScoreMatrix


def remix_first_on_images(evidence: Evidence) -> list[Part]:
    """C18: ReMix without augmentation gains more than MixUp, class weights and SMOTE."""
    return [
        with_limits(better_than_part(matrix, metric, "remix", GAINING_RIVALS), matrix.problems)
        for matrix in evidence.images
        for metric in PUBLISHED_METRICS
    ]


def augmentation_order(evidence: Evidence) -> list[Part]:
    """C19: ReMix with augmentation first, augmentation alone second; multi-class reversed."""
    binary, multi = evidence.images
    return [
        with_limits(_top_two_part(matrix, metric, top), matrix.problems)
        for matrix, top in (
            (binary, ("remix-aug", "augment")),
            (multi, ("augment", "remix-aug")),
        )
        for metric in PUBLISHED_METRICS
    ]


def image_gains_smaller(evidence: Evidence) -> list[Part]:
    """C20: ReMix's gain over the baseline is smaller on multi-class images."""
    matrices = evidence.images
    problems = [comparison for matrix in matrices for comparison in matrix.problems]
    parts = []
    for metric in PUBLISHED_METRICS:
        reason = missing_on_any(matrices, ("baseline", "remix"), [metric])
        if reason:
            parts.append(not_run(short_name(metric), reason))
            continue
        numbers = {
            f"gain of remix, {matrix.name}": float(matrix.lead(metric, "remix", "baseline").mean())
            for matrix in matrices
        }
        binary, multi = numbers.values()
        contrasts = kind_contrasts(matrices, metric, "remix", ("remix",))
        checked = checked_part(short_name(metric), multi < binary, numbers, contrasts)
        parts.append(with_limits(checked, problems))
    return parts


def _top_two_part(matrix: ScoreMatrix, metric: str, top: tuple[str, str]) -> Part:
    strategies = ("cost", "smote", "mixup", "remix", "augment", "remix-aug")
    name = f"{matrix.name}, {short_name(metric)}: {top[0]}, then {top[1]}"
    reason = matrix.missing(("baseline", *strategies), [metric])
    if reason:
        return not_run(name, reason)
    gains = gains_over_baseline(matrix, metric, strategies).mean()
    rest = [strategy for strategy in strategies if strategy not in top]
    holds = gains[top[0]] > gains[top[1]] > gains[rest].max()
    contrasts = [lead_contrast(matrix, metric, *top)]
    contrasts += [lead_contrast(matrix, metric, top[1], strategy) for strategy in rest]
    numbers = {f"gain of {strategy}": float(gain) for strategy, gain in gains.items()}
    return checked_part(name, bool(holds), numbers, contrasts, matrix.basis)
