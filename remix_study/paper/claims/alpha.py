"""Claims on alpha: C12 to C17 (Figure 7), checked where a study ran ReMix at enough alphas.

Curves are means over the problems of a data set, without alpha 0, since the paper's range begins
at 0.01. Slopes are those of a straight line through the mean scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from remix_study.metrics import PUBLISHED_METRICS, is_maximized, short_name
from remix_study.paper.claims.evidence import Evidence
from remix_study.paper.claims.limits import with_limits
from remix_study.paper.claims.parts import (
    BETTER,
    EQUAL,
    NOT_WORSE,
    Contrast,
    Part,
    Side,
    checked_part,
    dataset_contrast,
    not_run,
)
from remix_study.paper.claims.rules import (
    ALPHA_RANGE,
    GOOD_ALPHA,
    MOST_ALPHA,
    SMALL_LOSS,
)
from remix_study.report.formatting import counted, plain
from remix_study.results.alpha_grids import (
    LEAST_ALPHAS,
    AlphaGrid,
    grid_alpha,
    grids_by_dataset,
    regret,
    slope,
    slopes_by_fold,
)
from remix_study.results.intervals import (
    corrected_interval,
    corrected_standard_error,
)
from remix_study.results.rank_sums import TIE_DECIMALS

CheckShape = Callable[[Sequence[AlphaGrid], str], tuple[bool, dict[str, float]]]
MakeContrast = Callable[[Mapping[str, Sequence[AlphaGrid]], str], Contrast]


def stable(evidence: Evidence) -> list[Part]:
    """C12: within the range, no two alphas' mean g-means differ by more than a corrected SE.

    The standard error is the largest of the alphas compared; one part a data set, which holds
    where it does on each of its problems.
    """
    return _parts_by_dataset(evidence, "g_mean", _is_stable, _compare_ends(EQUAL))


def bbs_falls(evidence: Evidence) -> list[Part]:
    """C13: the rank correlation of alpha and balanced Brier is below zero within the range."""
    return _parts_by_dataset(evidence, "bbs", _is_falling, _compare_ends(BETTER))


def seizure_gains(evidence: Evidence) -> list[Part]:
    """C14: on seizure g-mean rises with alpha at each ratio, most at the most extreme one."""
    grids = [grid for grid in _binary_grids(evidence.grids) if grid.dataset == "seizure"]
    if not grids:
        return [not_run("seizure", _no_grid("seizure"))]
    slopes = {grid.comparison.imbalance: slope(grid, "g_mean", ALPHA_RANGE) for grid in grids}
    numbers = _slope_numbers(grids)
    most_extreme = min(slopes)
    rising = checked_part("seizure, rises", min(slopes.values()) > 0, numbers, (), _basis(grids))
    if len(slopes) < 2:
        return [rising, not_run("seizure, most at the most extreme ratio", "one ratio only")]
    other_slopes = [value for ratio, value in slopes.items() if ratio != most_extreme]
    steepest = checked_part(
        "seizure, most at the most extreme ratio",
        slopes[most_extreme] > max(other_slopes),
        {},
        (),
        _basis(grids),
    )
    return [rising, steepest]


def musk_drops(evidence: Evidence) -> list[Part]:
    """C15: on musk the mean g-mean over its problems falls with alpha."""
    grids = [grid for grid in _binary_grids(evidence.grids) if grid.dataset == "musk"]
    if not grids:
        return [not_run("musk", _no_grid("musk"))]
    mean = float(np.mean([slope(grid, "g_mean", ALPHA_RANGE) for grid in grids]))
    numbers = {"mean slope": mean} | _slope_numbers(grids)
    return [checked_part("musk", mean < 0, numbers, (), _basis(grids))]


def large_alpha_can_degrade(evidence: Evidence) -> list[Part]:
    """C16: on some data set, alphas above `MOST_ALPHA` score worse than the best up to it.

    The best is chosen in each fold by its own validation part, since the best in hindsight would
    win by chance alone; it is compared with the mean over the larger alphas. "Can" needs one data
    set in one metric; inferred over all data sets in either.
    """
    grids = [
        grid
        for grid in evidence.grids
        if grid.alphas_within(0, MOST_ALPHA) and any(alpha > MOST_ALPHA for alpha in grid.labels)
    ]
    if not grids:
        return [not_run("either metric", f"no study with ReMix above alpha {plain(MOST_ALPHA)}")]
    numbers: dict[str, float] = {}
    contrasts = []
    for metric in PUBLISHED_METRICS:
        sign = 1.0 if is_maximized(metric) else -1.0
        losses = {}
        for dataset, dataset_grids in grids_by_dataset(grids).items():
            losses[dataset] = float(
                np.mean(
                    [
                        sign
                        * (
                            grid.chosen_scores(metric, grid.alphas_within(0, MOST_ALPHA)).mean()
                            - grid.scores(metric, [a for a in grid.labels if a > MOST_ALPHA])
                            .mean()
                            .mean()
                        )
                        for grid in dataset_grids
                    ]
                )
            )
        numbers |= {
            f"loss in {short_name(metric)} on {name}": loss for name, loss in losses.items()
        }
        contrasts.append(
            dataset_contrast(f"{short_name(metric)} up to {plain(MOST_ALPHA)}", pd.Series(losses))
        )
    # "Can" needs one of the two: inferred from the contrast that supports the claim most.
    most_supportive = max(contrasts, key=_support)
    checked = checked_part(
        "either metric", max(numbers.values()) > 0, numbers, [most_supportive], _basis(grids)
    )
    return [with_limits(checked, [grid.comparison for grid in grids])]


def good_alpha(evidence: Evidence) -> list[Part]:
    """C17: alpha 0.3 loses no more than `SMALL_LOSS` against each fold's choice by validation.

    In the mean over data sets, in g-mean and in balanced Brier.
    """
    grids = [grid for grid in evidence.grids if grid_alpha(grid, GOOD_ALPHA) is not None]
    parts = []
    for metric in PUBLISHED_METRICS:
        if not grids:
            reason = f"no study with enough alphas and {plain(GOOD_ALPHA)} among them"
            parts.append(not_run(short_name(metric), reason))
            continue
        regrets = {
            dataset: float(
                np.mean([regret(grid, metric, GOOD_ALPHA).mean() for grid in dataset_grids])
            )
            for dataset, dataset_grids in grids_by_dataset(grids).items()
        }
        mean = float(np.mean(list(regrets.values())))
        numbers = {"mean regret": mean}
        numbers |= {f"regret on {name}": value for name, value in regrets.items()}
        lead = dataset_contrast(
            f"{plain(GOOD_ALPHA)} against the choice", -pd.Series(regrets), NOT_WORSE
        )
        checked = checked_part(
            short_name(metric), mean <= SMALL_LOSS, numbers, [lead], _basis(grids)
        )
        parts.append(with_limits(checked, [grid.comparison for grid in grids]))
    return parts


def _is_stable(grids: Sequence[AlphaGrid], metric: str) -> tuple[bool, dict[str, float]]:
    numbers, holds = {}, []
    for grid in grids:
        scores = grid.scores(metric, grid.alphas_within(*ALPHA_RANGE))
        means = scores.mean()
        spread = float(means.max() - means.min())
        error = max(
            corrected_standard_error(scores[alpha], grid.comparison.ratio) for alpha in scores
        )
        numbers[f"spread, {grid.comparison.imbalance_name}"] = spread
        numbers[f"corrected SE, {grid.comparison.imbalance_name}"] = error
        holds.append(spread <= error)
    return all(holds), numbers


def _is_falling(grids: Sequence[AlphaGrid], metric: str) -> tuple[bool, dict[str, float]]:
    alphas = sorted(set.intersection(*(set(grid.alphas_within(*ALPHA_RANGE)) for grid in grids)))
    means = [grid.scores(metric, alphas).mean().to_numpy(dtype=np.float64) for grid in grids]
    curve = np.mean(means, axis=0).round(TIE_DECIMALS)
    if len(set(curve)) < 2:
        return False, {"rank correlation": float("nan")}
    correlation = float(stats.spearmanr(alphas, curve).statistic)
    return correlation < 0, {"rank correlation": correlation}


def _compare_ends(agreeing: tuple[Side, ...]) -> MakeContrast:
    def infer(grids_by_dataset: Mapping[str, Sequence[AlphaGrid]], metric: str) -> Contrast:
        sign = 1.0 if is_maximized(metric) else -1.0
        changes = {}
        for dataset, grids in grids_by_dataset.items():
            gains = []
            for grid in grids:
                alphas = grid.alphas_within(*ALPHA_RANGE)
                ends = grid.scores(metric, [alphas[0], alphas[-1]]).mean().to_numpy(dtype=float)
                gains.append(sign * (ends[1] - ends[0]))
            changes[dataset] = float(np.mean(gains))
        low, high = ALPHA_RANGE
        name = f"largest over smallest alpha from {plain(low)} to {plain(high)}"
        return dataset_contrast(name, pd.Series(changes), agreeing)

    return infer


def _parts_by_dataset(
    evidence: Evidence, metric: str, check: CheckShape, infer: MakeContrast
) -> list[Part]:
    grids = [grid for grid in evidence.grids if _has_curve(grid)]
    if not grids:
        return [not_run(short_name(metric), "no study with ReMix at enough alphas")]
    by_dataset = grids_by_dataset(grids)
    shared_contrast = infer(by_dataset, metric)
    parts = []
    for dataset, dataset_grids in by_dataset.items():
        holds, numbers = check(dataset_grids, metric)
        checked = checked_part(
            f"{dataset}, {short_name(metric)}",
            holds,
            numbers,
            [shared_contrast],
            _basis(dataset_grids),
        )
        parts.append(with_limits(checked, [grid.comparison for grid in dataset_grids]))
    return parts


def _binary_grids(grids: Sequence[AlphaGrid]) -> list[AlphaGrid]:
    return [grid for grid in grids if grid.comparison.kind == "binary" and _has_curve(grid)]


def _has_curve(grid: AlphaGrid) -> bool:
    """Whether enough alphas of the grid lie in the range that the paper speaks of."""
    return len(grid.alphas_within(*ALPHA_RANGE)) >= LEAST_ALPHAS


def _slope_numbers(grids: Sequence[AlphaGrid]) -> dict[str, float]:
    numbers = {}
    for grid in grids:
        ratio = grid.comparison.imbalance_name
        folds = slopes_by_fold(grid, "g_mean", ALPHA_RANGE)
        interval = corrected_interval(folds, grid.comparison.ratio)
        numbers[f"slope, {ratio}"] = interval.mean
        numbers[f"low, {ratio}"] = interval.low
        numbers[f"high, {ratio}"] = interval.high
    return numbers


def _support(contrast: Contrast) -> float:
    return contrast.probability if contrast.posterior else -1.0


def _no_grid(dataset: str) -> str:
    low, high = ALPHA_RANGE
    return (
        f"no binary problem of {dataset} with ReMix at {LEAST_ALPHAS} alphas "
        f"from {plain(low)} to {plain(high)}"
    )


def _basis(grids: Sequence[AlphaGrid]) -> str:
    sets = len({grid.dataset for grid in grids})
    return f"{counted(len(grids), 'problem')} of {counted(sets, 'data set')}"
