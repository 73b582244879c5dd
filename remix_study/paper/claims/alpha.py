"""Claims on alpha: C12 to C17 (Figure 7), checked where a study ran ReMix at enough alphas.

Curves are means over the problems of a data set, without alpha 0, since the paper's range begins
at 0.01. Slopes are those of a straight line through the mean scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from remix_study.metrics import PUBLISHED_METRICS, better_sign, short_name
from remix_study.paper.claims import verdicts
from remix_study.paper.claims.evidence import Evidence, NotRun
from remix_study.paper.claims.verdicts import Contrast, Part, Subjects, claim, part_on
from remix_study.report.formatting import plain
from remix_study.results import alpha_grids
from remix_study.results.alpha_grids import AlphaGrid
from remix_study.results.comparison import Comparison
from remix_study.results.intervals import corrected_interval
from remix_study.results.rank_sums import TIE_DECIMALS
from remix_study.results.significance import ROPE

Grids = Sequence[AlphaGrid]

# The range the paper speaks of, both ends included.
ALPHA_RANGE = (0.01, 0.4)
# Above it, says the paper, performance can degrade.
MOST_ALPHA = 0.5
GOOD_ALPHA = 0.3
# A score lost by less than the region of practical equivalence is no loss.
SMALL_LOSS = ROPE


@claim("C12", "Sensitivity", "sensitivity", on=lambda e: _by_dataset(e, "g_mean"))
def stable(grids: Grids, all_grids: Grids) -> Part:
    """G-mean is stable for alpha between 0.01 and 0.4.

    On every problem the best and the worst mean in that range differ by no more than a
    corrected standard error; the ends are practically equal.
    """
    contrasts = _contrast_ends(all_grids, "g_mean", verdicts.EQUAL)
    numbers: dict[str, float] = {}
    holds = []
    for grid in grids:
        effects, ratio = grid.comparison.effects, grid.comparison.imbalance_name
        labels = [grid.labels[alpha] for alpha in grid.alphas_within(*ALPHA_RANGE)]
        scores = [score for label in labels if (score := effects.score(label, "g_mean"))]
        means = [score.mean for score in scores]
        spread = max(means) - min(means)
        # The largest of the errors of the alphas compared.
        error = max(score.interval.standard_error for score in scores)
        numbers |= {f"spread, {ratio}": spread, f"corrected SE, {ratio}": error}
        holds.append(spread <= error)
    return part_on(_problems(grids), all(holds), numbers, contrasts)


@claim("C13", "Sensitivity", "sensitivity", on=lambda e: _by_dataset(e, "bbs"))
def bbs_falls(grids: Grids, all_grids: Grids) -> Part:
    """Balanced Brier falls with alpha up to 0.4.

    The rank correlation of alpha and balanced Brier is below zero on every data set.
    """
    contrasts = _contrast_ends(all_grids, "bbs", verdicts.BETTER)
    alphas = sorted(set.intersection(*(set(grid.alphas_within(*ALPHA_RANGE)) for grid in grids)))
    means = [grid.scores("bbs", alphas).mean().to_numpy(dtype=np.float64) for grid in grids]
    curve = np.mean(means, axis=0).round(TIE_DECIMALS)
    is_flat = len(set(curve)) < 2
    correlation = math.nan if is_flat else float(stats.spearmanr(alphas, curve).statistic)
    numbers = {"rank correlation": correlation}
    return part_on(_problems(grids), correlation < 0, numbers, contrasts)


@claim("C14", "Sensitivity", "sensitivity", "slope", on=lambda e: _seizure(_curves(e, "seizure")))
def seizure_gains(grids: Grids, is_on_steepest: bool = False) -> Part:
    """Larger alpha helps on seizure, most at the most extreme ratio.

    The slope of g-mean over alpha from 0.01 to 0.4 is above zero at each ratio and largest at
    the most extreme one.
    """
    ratios = [grid.comparison.imbalance for grid in grids]
    slopes = dict(zip(ratios, _slopes(grids, "seizure"), strict=True))
    if not is_on_steepest:
        return part_on(_problems(grids), min(slopes.values()) > 0, _slope_numbers(grids))
    if len(slopes) < 2:
        raise NotRun("one ratio only")
    most_extreme = slopes.pop(min(slopes))
    return part_on(_problems(grids), most_extreme > max(slopes.values()))


def _seizure(grids: Grids) -> Subjects:
    if not grids:
        return {"seizure": [grids]}
    return {
        "seizure, rises": [grids],
        "seizure, most at the most extreme ratio": [grids, True],
    }


@claim(
    "C15", "Sensitivity", "sensitivity", "mean slope", on=lambda e: {"musk": [_curves(e, "musk")]}
)
def musk_drops(grids: Grids) -> Part:
    """Larger alpha lowers g-mean a little on musk.

    The mean slope of g-mean over alpha from 0.01 to 0.4 is below zero.
    """
    mean = float(np.mean(_slopes(grids, "musk")))
    return part_on(_problems(grids), mean < 0, {"mean slope": mean} | _slope_numbers(grids))


@claim("C16", "Demonstration, Figure 4", "sensitivity", on=lambda e: {"either metric": (e.grids,)})
def large_alpha_can_degrade(all_grids: Grids) -> Part:
    """Alpha above 0.5 can degrade performance.

    On some data set the larger alphas score worse, in either score, than the alpha up to 0.5
    that each fold's validation part chooses.
    """
    # The best in hindsight would win by chance alone, so each fold chooses by its validation part.
    grids = [
        grid for grid in all_grids if grid.alphas_within(0, MOST_ALPHA) and _alphas_above(grid)
    ]
    if not grids:
        raise NotRun(f"no study with ReMix above alpha {plain(MOST_ALPHA)}")
    numbers: dict[str, float] = {}
    contrasts = []
    for metric in PUBLISHED_METRICS:
        losses = _mean_by_dataset(grids, partial(_loss_above, metric=metric))
        numbers |= {f"loss in {short_name(metric)} on {name}": x for name, x in losses.items()}
        contrasts.append(Contrast(f"{short_name(metric)} up to {plain(MOST_ALPHA)}", losses))
    # "Can" needs one of the two: inferred from the contrast that supports the claim most.
    most_supportive = max(contrasts, key=lambda contrast: contrast.probability)
    return part_on(_problems(grids), max(numbers.values()) > 0, numbers, [most_supportive])


@claim(
    "C17",
    "Sensitivity",
    "sensitivity",
    "mean",
    on=lambda e: {short_name(metric): (e.grids, metric) for metric in PUBLISHED_METRICS},
)
def good_alpha(all_grids: Grids, metric: str) -> Part:
    """Alpha 0.3 is a good setting.

    In both scores it loses at most the region of practical equivalence against the alpha that
    each fold's validation part chooses.
    """
    grids = [grid for grid in all_grids if alpha_grids.grid_alpha(grid, GOOD_ALPHA) is not None]
    if not grids:
        raise NotRun(f"no study with enough alphas and {plain(GOOD_ALPHA)} among them")
    losses = _mean_by_dataset(
        grids, lambda g: float(alpha_grids.regret(g, metric, GOOD_ALPHA).mean())
    )
    mean = float(np.mean(losses))
    numbers = {"mean regret": mean} | {f"regret on {name}": x for name, x in losses.items()}
    contrast = Contrast(f"{plain(GOOD_ALPHA)} against the choice", -losses, verdicts.NOT_WORSE)
    return part_on(_problems(grids), mean <= SMALL_LOSS, numbers, [contrast])


def _by_dataset(evidence: Evidence, metric: str) -> Subjects:
    """Data set and metric -> the data set's grids and all grids."""
    grids, name = [grid for grid in evidence.grids if _has_curve(grid)], short_name(metric)
    if not grids:
        return {name: ([], [])}
    return {
        f"{dataset}, {name}": (g, grids)
        for dataset, g in alpha_grids.grids_by_dataset(grids).items()
    }


def _contrast_ends(
    grids: Grids, metric: str, agreeing: tuple[verdicts.Side, ...]
) -> list[Contrast]:
    """Contrast both ends of the range over all data sets; raises `NotRun` without a grid."""
    if not grids:
        raise NotRun("no study with ReMix at enough alphas")

    def rise(grid: AlphaGrid) -> float:
        means = grid.scores(metric, grid.alphas_within(*ALPHA_RANGE)).mean()
        return better_sign(metric) * float(means.iloc[-1] - means.iloc[0])

    name = "largest over smallest alpha from {} to {}".format(*map(plain, ALPHA_RANGE))
    return [Contrast(name, _mean_by_dataset(grids, rise), agreeing)]


def _loss_above(grid: AlphaGrid, metric: str) -> float:
    """How much worse the alphas above `MOST_ALPHA` are than each fold's choice of the others."""
    chosen = grid.chosen_scores(metric, grid.alphas_within(0, MOST_ALPHA))
    above = grid.scores(metric, _alphas_above(grid))
    return better_sign(metric) * float(chosen.mean() - above.mean().mean())


def _alphas_above(grid: AlphaGrid) -> list[float]:
    return [alpha for alpha in grid.labels if alpha > MOST_ALPHA]


def _mean_by_dataset(grids: Grids, value: Callable[[AlphaGrid], float]) -> pd.Series[float]:
    """Mean of a value over the problems of each data set."""
    by_dataset = alpha_grids.grids_by_dataset(grids)
    return pd.Series({name: float(np.mean([*map(value, g)])) for name, g in by_dataset.items()})


def _curves(evidence: Evidence, dataset: str) -> list[AlphaGrid]:
    grids = alpha_grids.grids_by_dataset(evidence.grids).get(dataset, [])
    return [grid for grid in grids if grid.comparison.kind == "binary" and _has_curve(grid)]


def _has_curve(grid: AlphaGrid) -> bool:
    """Whether enough alphas of the grid lie in the range that the paper speaks of."""
    return len(grid.alphas_within(*ALPHA_RANGE)) >= alpha_grids.LEAST_ALPHAS


def _slopes(grids: Grids, dataset: str) -> list[float]:
    """Slope of g-mean on each problem; raises `NotRun` without a grid."""
    if not grids:
        low, high = map(plain, ALPHA_RANGE)
        enough = f"{alpha_grids.LEAST_ALPHAS} alphas from {low} to {high}"
        raise NotRun(f"no binary problem of {dataset} with ReMix at {enough}")
    return [alpha_grids.slope(grid, "g_mean", ALPHA_RANGE) for grid in grids]


def _slope_numbers(grids: Grids) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for grid in grids:
        folds = alpha_grids.slopes_by_fold(grid, "g_mean", ALPHA_RANGE)
        interval = corrected_interval(folds, grid.comparison.ratio)
        ends = {"slope": interval.mean, "low": interval.low, "high": interval.high}
        numbers |= {f"{key}, {grid.comparison.imbalance_name}": x for key, x in ends.items()}
    return numbers


def _problems(grids: Grids) -> list[Comparison]:
    return [grid.comparison for grid in grids]
