"""Claims on alpha: C12 to C17 (Figure 7), wherever a study ran ReMix at enough alphas.

Curves are means over the problems of a data set; the zero of alpha is no part of them, since the
paper's range begins at 0.01. Slopes are those of a straight line through the mean scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from remix_study.metrics import PUBLISHED_METRICS, is_maximized, short_name
from remix_study.paper.claims.evidence import Evidence
from remix_study.paper.claims.findings import (
    BETTER,
    EQUAL,
    NOT_WORSE,
    Contrast,
    Part,
    Side,
    not_run,
    of_datasets,
    part,
)
from remix_study.paper.claims.limits import within
from remix_study.paper.claims.rules import (
    ALPHA_RANGE,
    GOOD_ALPHA,
    LEAST_ALPHAS,
    MOST_ALPHA,
    SMALL_LOSS,
)
from remix_study.report.formatting import counted, plain
from remix_study.results.alpha_grids import (
    Grid,
    at,
    datasets,
    regret,
    slope,
    slopes_by_fold,
)
from remix_study.results.intervals import (
    TIE_DECIMALS,
    corrected_interval,
    corrected_standard_error,
)

Shape = Callable[[Sequence[Grid], str], tuple[bool, dict[str, float]]]
Inference = Callable[[Mapping[str, Sequence[Grid]], str], Contrast]


def stable(evidence: Evidence) -> list[Part]:
    """C12: within the range, no two alphas' mean g-means differ by more than a corrected SE.

    The standard error is the largest of the alphas compared; one part a data set, which holds
    where it does on each of its problems.
    """
    return _by_dataset(evidence, "g_mean", _stable, _ends(EQUAL))


def bbs_falls(evidence: Evidence) -> list[Part]:
    """C13: the rank correlation of alpha and balanced Brier is below zero within the range."""
    return _by_dataset(evidence, "bbs", _falls, _ends(BETTER))


def seizure_gains(evidence: Evidence) -> list[Part]:
    """C14: on seizure g-mean rises with alpha at each ratio, most at the most extreme one."""
    own = [grid for grid in _binary(evidence.grids) if grid.dataset == "seizure"]
    if not own:
        return [not_run("seizure", _none("seizure"))]
    slopes = {grid.comparison.imbalance: slope(grid, "g_mean", ALPHA_RANGE) for grid in own}
    numbers = _slope_numbers(own)
    least = min(slopes)
    rises = part("seizure, rises", min(slopes.values()) > 0, numbers, (), _basis(own))
    if len(slopes) < 2:
        return [rises, not_run("seizure, most at the most extreme ratio", "one ratio only")]
    others = [value for ratio, value in slopes.items() if ratio != least]
    most = part(
        "seizure, most at the most extreme ratio", slopes[least] > max(others), {}, (), _basis(own)
    )
    return [rises, most]


def musk_drops(evidence: Evidence) -> list[Part]:
    """C15: on musk the mean g-mean over its problems falls with alpha."""
    own = [grid for grid in _binary(evidence.grids) if grid.dataset == "musk"]
    if not own:
        return [not_run("musk", _none("musk"))]
    mean = float(np.mean([slope(grid, "g_mean", ALPHA_RANGE) for grid in own]))
    numbers = {"mean slope": mean} | _slope_numbers(own)
    return [part("musk", mean < 0, numbers, (), _basis(own))]


def large_alpha_can_degrade(evidence: Evidence) -> list[Part]:
    """C16: on some data set, alphas above `MOST_ALPHA` score worse than the best up to it.

    The best is chosen in each fold by its own validation part, since the best in hindsight would
    win by chance alone; it is held against the mean over the larger alphas. "Can" needs one data
    set in one metric; inferred over all data sets in either.
    """
    able = [
        grid
        for grid in evidence.grids
        if grid.within(0, MOST_ALPHA) and any(alpha > MOST_ALPHA for alpha in grid.labels)
    ]
    if not able:
        return [not_run("either metric", f"no study with ReMix above alpha {plain(MOST_ALPHA)}")]
    numbers: dict[str, float] = {}
    contrasts = []
    for metric in PUBLISHED_METRICS:
        sign = 1.0 if is_maximized(metric) else -1.0
        losses = {}
        for dataset, own in datasets(able).items():
            losses[dataset] = float(
                np.mean(
                    [
                        sign
                        * (
                            grid.chosen(metric, grid.within(0, MOST_ALPHA)).mean()
                            - grid.scores(metric, [a for a in grid.labels if a > MOST_ALPHA])
                            .mean()
                            .mean()
                        )
                        for grid in own
                    ]
                )
            )
        numbers |= {
            f"loss in {short_name(metric)} on {name}": loss for name, loss in losses.items()
        }
        contrasts.append(
            of_datasets(f"{short_name(metric)} up to {plain(MOST_ALPHA)}", pd.Series(losses))
        )
    # One of the two is enough for "can": the one that speaks most for the claim is inferred from.
    best = max(contrasts, key=_most_probable)
    made = part("either metric", max(numbers.values()) > 0, numbers, [best], _basis(able))
    return [within(made, [grid.comparison for grid in able])]


def good_alpha(evidence: Evidence) -> list[Part]:
    """C17: alpha 0.3 loses no more than `SMALL_LOSS` against each fold's own choice.

    Over the mean of the data sets, in g-mean and in balanced Brier.
    """
    able = [grid for grid in evidence.grids if at(grid, GOOD_ALPHA) is not None]
    found = []
    for metric in PUBLISHED_METRICS:
        if not able:
            missing = f"no study with enough alphas and {plain(GOOD_ALPHA)} among them"
            found.append(not_run(short_name(metric), missing))
            continue
        regrets = {
            dataset: float(np.mean([regret(grid, metric, GOOD_ALPHA).mean() for grid in own]))
            for dataset, own in datasets(able).items()
        }
        mean = float(np.mean(list(regrets.values())))
        numbers = {"mean regret": mean}
        numbers |= {f"regret on {name}": value for name, value in regrets.items()}
        lead = of_datasets(
            f"{plain(GOOD_ALPHA)} against the choice", -pd.Series(regrets), NOT_WORSE
        )
        made = part(short_name(metric), mean <= SMALL_LOSS, numbers, [lead], _basis(able))
        found.append(within(made, [grid.comparison for grid in able]))
    return found


def _stable(own: Sequence[Grid], metric: str) -> tuple[bool, dict[str, float]]:
    numbers, holds = {}, []
    for grid in own:
        scores = grid.scores(metric, grid.within(*ALPHA_RANGE))
        means = scores.mean()
        spread = float(means.max() - means.min())
        error = max(
            corrected_standard_error(scores[alpha], grid.comparison.ratio) for alpha in scores
        )
        numbers[f"spread, {grid.comparison.imbalance_name}"] = spread
        numbers[f"corrected SE, {grid.comparison.imbalance_name}"] = error
        holds.append(spread <= error)
    return all(holds), numbers


def _falls(own: Sequence[Grid], metric: str) -> tuple[bool, dict[str, float]]:
    shared = sorted(set.intersection(*(set(grid.within(*ALPHA_RANGE)) for grid in own)))
    means = [grid.scores(metric, shared).mean().to_numpy(dtype=np.float64) for grid in own]
    curve = np.mean(means, axis=0).round(TIE_DECIMALS)
    if len(set(curve)) < 2:
        return False, {"rank correlation": float("nan")}
    found = float(stats.spearmanr(shared, curve).statistic)
    return found < 0, {"rank correlation": found}


def _ends(agreeing: tuple[Side, ...]) -> Inference:
    def made(own_by_dataset: Mapping[str, Sequence[Grid]], metric: str) -> Contrast:
        sign = 1.0 if is_maximized(metric) else -1.0
        changes = {}
        for dataset, own in own_by_dataset.items():
            found = []
            for grid in own:
                alphas = grid.within(*ALPHA_RANGE)
                ends = grid.scores(metric, [alphas[0], alphas[-1]]).mean().to_numpy(dtype=float)
                found.append(sign * (ends[1] - ends[0]))
            changes[dataset] = float(np.mean(found))
        low, high = ALPHA_RANGE
        name = f"largest over smallest alpha from {plain(low)} to {plain(high)}"
        return of_datasets(name, pd.Series(changes), agreeing)

    return made


def _by_dataset(evidence: Evidence, metric: str, check: Shape, infer: Inference) -> list[Part]:
    able = [grid for grid in evidence.grids if len(grid.within(*ALPHA_RANGE)) >= LEAST_ALPHAS]
    if not able:
        return [not_run(short_name(metric), "no study with ReMix at enough alphas")]
    by_dataset = datasets(able)
    shared = infer(by_dataset, metric)
    found = []
    for dataset, own in by_dataset.items():
        holds, numbers = check(own, metric)
        made = part(f"{dataset}, {short_name(metric)}", holds, numbers, [shared], _basis(own))
        found.append(within(made, [grid.comparison for grid in own]))
    return found


def _binary(found: Sequence[Grid]) -> list[Grid]:
    return [
        grid
        for grid in found
        if grid.comparison.kind == "binary" and len(grid.within(*ALPHA_RANGE)) >= LEAST_ALPHAS
    ]


def _slope_numbers(own: Sequence[Grid]) -> dict[str, float]:
    numbers = {}
    for grid in own:
        where = grid.comparison.imbalance_name
        folds = slopes_by_fold(grid, "g_mean", ALPHA_RANGE)
        interval = corrected_interval(folds, grid.comparison.ratio)
        numbers[f"slope, {where}"] = interval.mean
        numbers[f"low, {where}"] = interval.low
        numbers[f"high, {where}"] = interval.high
    return numbers


def _most_probable(made: Contrast) -> float:
    return made.probability if made.posterior else -1.0


def _none(dataset: str) -> str:
    low, high = ALPHA_RANGE
    return (
        f"no binary problem of {dataset} with ReMix at {LEAST_ALPHAS} alphas "
        f"from {plain(low)} to {plain(high)}"
    )


def _basis(own: Sequence[Grid]) -> str:
    sets = len({grid.dataset for grid in own})
    return f"{counted(len(own), 'problem')} of {counted(sets, 'data set')}"
