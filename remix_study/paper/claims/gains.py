"""Claims on gains over the baseline: C3 to C7 (Figure 5)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pandas as pd

from remix_study.metrics import PUBLISHED_METRICS, short_name
from remix_study.paper.claims.evidence import Evidence
from remix_study.paper.claims.leads import (
    gains_by_dataset,
    gains_over_baseline,
    kind_contrasts,
    lead_contrast,
    missing_on_any,
)
from remix_study.paper.claims.parts import (
    Part,
    checked_part,
    dataset_contrast,
    not_run,
    problem_contrast,
)
from remix_study.paper.claims.rules import (
    GAINING_RIVALS,
    MUCH_LARGER,
    RIVALS,
)
from remix_study.paper.claims.score_matrix import ScoreMatrix
from remix_study.paper.published import STRATEGIES
from remix_study.report.formatting import plain

GAINING = (*GAINING_RIVALS, "remix")


def remix_gains_most(evidence: Evidence) -> list[Part]:
    """C3: ReMix has the largest mean gain, over all problems and at each imbalance ratio."""
    parts = []
    for matrix in evidence.tabular:
        for metric in PUBLISHED_METRICS:
            name = f"{matrix.name}, {short_name(metric)}"
            reason = matrix.missing(("baseline", *GAINING), [metric])
            if reason:
                parts.append(not_run(name, reason))
                continue
            gains = gains_over_baseline(matrix, metric, GAINING)
            parts.append(_largest_gain_part(f"{name}, all", matrix, gains))
            for ratio, problems in matrix.by_ratio().items():
                part_name = f"{name}, IR {plain(ratio)}"
                parts.append(_largest_gain_part(part_name, matrix, gains.loc[problems]))
    return parts


def remix_binary_greatest(evidence: Evidence) -> list[Part]:
    """C4: of all strategies on both kinds, ReMix on binary problems gains most g-mean."""
    matrices = evidence.tabular
    reason = missing_on_any(matrices, ("baseline", *GAINING), ["g_mean"])
    if reason:
        return [not_run(short_name("g_mean"), reason)]
    means = {
        (matrix.name, strategy): float(gain)
        for matrix in matrices
        for strategy, gain in gains_over_baseline(matrix, "g_mean", GAINING).mean().items()
    }
    remix_gain = means.pop((matrices[0].name, "remix"))
    contrasts = [
        lead_contrast(matrices[0], "g_mean", "remix", strategy) for strategy in GAINING_RIVALS
    ]
    contrasts += kind_contrasts(matrices, "g_mean", "remix", GAINING)
    numbers = {f"remix, {matrices[0].name}": remix_gain} | {
        f"{strategy}, {kind}": gain for (kind, strategy), gain in means.items()
    }
    basis = " and ".join(f"{matrix.basis} ({matrix.name})" for matrix in matrices)
    return [
        checked_part(
            short_name("g_mean"), remix_gain > max(means.values()), numbers, contrasts, basis
        )
    ]


def gains_decline(evidence: Evidence) -> list[Part]:
    """C5: the g-mean gains of ReMix and SMOTE fall as binary problems get more extreme.

    The mean gain at each ratio may not rise from one to the next more extreme one and must be
    lower at the last than at the first. Inferred from the data sets that have both.
    """
    matrix = evidence.tabular[0]
    return [_decline_part(matrix, strategy) for strategy in ("remix", "smote")]


def remix_calibrates_much_more(evidence: Evidence) -> list[Part]:
    """C6: ReMix's balanced Brier gain is at least `MUCH_LARGER` times any other's."""
    parts = []
    for matrix in evidence.tabular:
        name = f"{matrix.name}, {short_name('bbs')}"
        reason = matrix.missing(("baseline", *GAINING), ["bbs"])
        if reason:
            parts.append(not_run(name, reason))
            continue
        gains = gains_over_baseline(matrix, "bbs", GAINING)
        means = gains.mean()
        runner_up = float(means[list(GAINING_RIVALS)].max())
        remix_gain = float(means["remix"])
        numbers = {f"gain of {strategy}": float(gain) for strategy, gain in means.items()}
        if runner_up > 0:
            numbers["ratio to the runner-up"] = remix_gain / runner_up
        contrasts = [
            problem_contrast(
                f"remix over {plain(MUCH_LARGER)} times {strategy}",
                gains["remix"] - MUCH_LARGER * gains[strategy].clip(lower=0),
                matrix.datasets,
            )
            for strategy in GAINING_RIVALS
        ]
        holds = remix_gain > 0 and remix_gain >= MUCH_LARGER * runner_up
        parts.append(checked_part(name, holds, numbers, contrasts, matrix.basis))
    return parts


def advantage_smaller(evidence: Evidence) -> list[Part]:
    """C7: ReMix's lead over the best other published strategy is smaller on multi-class problems.

    In mean gain and in mean rank. Inferred from the data sets that have both kinds of problems.
    """
    parts = []
    matrices = evidence.tabular
    for metric in PUBLISHED_METRICS:
        parts.append(_smaller_lead_part(matrices, metric))
        name = f"{short_name(metric)}, mean ranks"
        reason = missing_on_any(matrices, STRATEGIES, [metric])
        if reason:
            parts.append(not_run(name, reason))
            continue
        numbers = {}
        for matrix in matrices:
            ranks = matrix.rank_sums(metric, STRATEGIES) / len(matrix.problems)
            best_rival = float(ranks[list(RIVALS)].min())
            numbers[f"lead, {matrix.name}"] = best_rival - float(ranks["remix"])
        binary, multi = numbers.values()
        parts.append(checked_part(name, multi < binary, numbers))
    return parts


def _largest_gain_part(name: str, matrix: ScoreMatrix, gains: pd.DataFrame) -> Part:
    means = gains.mean()
    contrasts = [
        problem_contrast(
            f"remix over {strategy}", gains["remix"] - gains[strategy], matrix.datasets
        )
        for strategy in GAINING_RIVALS
    ]
    numbers = {f"gain of {strategy}": float(gain) for strategy, gain in means.items()}
    holds = bool((means.drop("remix") < means["remix"]).all())
    sets = len({matrix.datasets[str(problem)] for problem in gains.index})
    basis = f"{len(gains)} problems of {sets} data sets"
    return checked_part(name, holds, numbers, contrasts, basis)


def _decline_part(matrix: ScoreMatrix, strategy: str) -> Part:
    name = f"{matrix.name}, {short_name('g_mean')} of {strategy}"
    reason = matrix.missing(("baseline", strategy), ["g_mean"])
    ratios = matrix.by_ratio()
    if reason or len(ratios) < 2:
        return not_run(name, reason or "fewer than two imbalance ratios")
    gains = matrix.lead("g_mean", strategy, "baseline")
    scores = matrix.means("g_mean", [strategy])[strategy]
    means = [float(gains[problems].mean()) for problems in ratios.values()]
    numbers = {
        f"gain at IR {plain(ratio)}": mean for ratio, mean in zip(ratios, means, strict=True)
    }
    numbers |= {
        f"g-mean at IR {plain(ratio)}": float(scores[problems].mean())
        for ratio, problems in ratios.items()
    }
    never_rises = [later <= earlier for earlier, later in pairwise(means)]
    mildest, harshest = ratios[max(ratios)], ratios[min(ratios)]
    end_gains = [
        gains[problems].groupby([matrix.datasets[p] for p in problems], sort=False).mean()
        for problems in (mildest, harshest)
    ]
    decline = (end_gains[0] - end_gains[1]).dropna()
    contrasts = [
        dataset_contrast("gain at the mildest over that at the most extreme ratio", decline)
    ]
    holds = all(never_rises) and means[-1] < means[0]
    return checked_part(name, holds, numbers, contrasts, matrix.basis)


def _smaller_lead_part(matrices: Sequence[ScoreMatrix], metric: str) -> Part:
    name = f"{short_name(metric)}, gains"
    reason = missing_on_any(matrices, STRATEGIES, [metric])
    if reason:
        return not_run(name, reason)
    numbers = {}
    leads_by_dataset = []
    for matrix in matrices:
        gains = gains_over_baseline(matrix, metric, GAINING)
        means = gains.mean()
        best_rival = max(0.0, float(means[list(GAINING_RIVALS)].max()))
        numbers[f"lead, {matrix.name}"] = float(means["remix"]) - best_rival
        dataset_gains = gains_by_dataset(matrix, metric, set(GAINING))
        best_rivals = dataset_gains[list(GAINING_RIVALS)].max(axis=1).clip(lower=0)
        leads_by_dataset.append(dataset_gains["remix"] - best_rivals)
    binary, multi = numbers.values()
    lead_changes = (leads_by_dataset[0] - leads_by_dataset[1]).dropna()
    contrasts = [dataset_contrast("lead on binary over lead on multi-class", lead_changes)]
    return checked_part(name, multi < binary, numbers, contrasts)
