"""Claims on gains over the baseline: C3 to C7 (Figure 5), and on images C18 to C20 (Figure 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pandas as pd

from remix_study.metrics import PUBLISHED_METRICS, short_name
from remix_study.paper.claims.evidence import (
    Evidence,
    NotRun,
    ScoreMatrix,
    basis_of,
    in_metric,
    limits_of,
    named,
    order,
)
from remix_study.paper.claims.methods import better_part
from remix_study.paper.claims.verdicts import Contrast, Part, claim, contrasts_of, part_on
from remix_study.paper.table2 import STRATEGIES
from remix_study.report.formatting import plain

# Figure 5 has no bar of its own for the baseline: its gain over itself is zero.
GAINING_RIVALS = ("cost", "smote", "mixup")
GAINING = (*GAINING_RIVALS, "remix")
ON_IMAGES = (*GAINING, "augment", "remix-aug")
TOP_ON_IMAGES = (("remix-aug", "augment"), ("augment", "remix-aug"))
# "Much larger": half as much again is the least that the words can mean.
MUCH_LARGER = 1.5

Kinds = Sequence[ScoreMatrix]  # The matrices of binary and of multi-class problems


def _with_ratios(evidence: Evidence) -> dict[str, tuple[ScoreMatrix]]:
    """All problems of a kind in a metric, then those of each ratio."""
    groups = {}
    for matrix in in_metric(evidence.tabular, *PUBLISHED_METRICS):
        if matrix.missing(*STRATEGIES):
            groups[matrix.name] = (matrix,)
            continue
        for group, problems in ({"all": matrix} | matrix.by_ratio()).items():
            groups[f"{matrix.name}, {group}"] = (problems,)
    return groups


@claim("C3", "Figure 5", "gains", "remix", on=_with_ratios)
def remix_gains_most(matrix: ScoreMatrix) -> Part:
    """ReMix gains most over the baseline, in g-mean and in balanced Brier.

    Its mean gain is the largest of the published rows over all problems and at each imbalance
    ratio.
    """
    part = _order_part(matrix, ["remix"], GAINING)
    n_datasets = len({c.dataset for c in matrix.problems})
    return replace(part, basis=f"{len(matrix.problems)} problems of {n_datasets} data sets")


@claim("C4", "Results", "gains", "remix", on=lambda e: {short_name("g_mean"): [e.tabular]})
def remix_binary_greatest(kinds: Kinds) -> Part:
    """The greatest gains in g-mean are those of ReMix on binary problems.

    Its mean gain there is the largest of all rows on both kinds.
    """
    _require_both(kinds, *STRATEGIES)
    gains = {
        f"{strategy}, {matrix.kind}": float(gain)
        for matrix in kinds
        for strategy, gain in matrix.gains(*GAINING).mean().items()
    }
    remix_gain = gains.pop("remix, binary")
    leads = contrasts_of(kinds[0], kinds[0].leads(*order(["remix"], GAINING)))
    contrasts = (*leads, *_contrast_kinds(kinds, GAINING))
    bases = [f"{basis_of(matrix.problems)} ({matrix.kind})" for matrix in kinds]
    holds = remix_gain > max(gains.values())
    return Part(
        "", holds, {"remix, binary": remix_gain} | gains, contrasts, basis=" and ".join(bases)
    )


@claim(
    "C5",
    "Results, binary",
    "gains",
    "gain",
    on=lambda e: {f"{e.tabular[0].name} of {s}": (e.tabular[0], s) for s in ("remix", "smote")},
)
def gains_decline(matrix: ScoreMatrix, strategy: str) -> Part:
    """The g-mean gains of ReMix and SMOTE decline as the imbalance grows.

    The mean gain never rises from one ratio to the next more extreme one and is lower at the
    last.
    """
    matrix.require("baseline", strategy)
    ratios = matrix.by_ratio()
    if len(ratios) < 2:
        raise NotRun("fewer than two imbalance ratios")
    gains = {ratio: m.gains(strategy) for ratio, m in ratios.items()}
    means = [gain[strategy].mean() for gain in gains.values()]
    numbers = {f"gain at {ratio}": mean for ratio, mean in zip(ratios, means, strict=True)}
    numbers |= {f"g-mean at {ratio}": m.means[strategy].mean() for ratio, m in ratios.items()}
    holds = all(later <= earlier for earlier, later in pairwise(means)) and means[-1] < means[0]
    # Inferred from the data sets that have both ends.
    mildest, *_, harshest = (matrix.by_dataset(gain)[strategy] for gain in gains.values())
    name = "gain at the mildest over that at the most extreme ratio"
    contrast = Contrast(name, (mildest - harshest).dropna())
    return part_on(matrix.problems, holds, numbers, [contrast])


@claim("C6", "Results", "gains", "ratio", on=lambda e: named(e.tabular, "bbs"))
def remix_calibrates_much_more(matrix: ScoreMatrix) -> Part:
    """ReMix improves balanced Brier much more than the others do.

    Its mean gain is at least 1.5 times that of the runner-up.
    """
    matrix.require(*STRATEGIES)
    gains = matrix.gains(*GAINING)
    means = gains.mean()
    runner_up = means.drop("remix").max()
    numbers = {f"gain of {strategy}": gain for strategy, gain in means.items()}
    if runner_up > 0:
        numbers["ratio to the runner-up"] = means["remix"] / runner_up
    bars = MUCH_LARGER * gains[list(GAINING_RIVALS)].clip(lower=0)
    surplus = bars.rsub(gains["remix"], axis=0)
    surplus.columns = [f"remix over {plain(MUCH_LARGER)} times {rival}" for rival in bars]
    holds = means["remix"] > 0 and means["remix"] >= MUCH_LARGER * runner_up
    return part_on(matrix.problems, holds, numbers, contrasts_of(matrix, surplus))


@claim(
    "C7",
    "Discussion, multi-class",
    "gains",
    on=lambda e: {
        f"{short_name(metric)}, {what}": (in_metric(e.tabular, metric), what)
        for metric in PUBLISHED_METRICS
        for what in ("gains", "mean ranks")
    },
)
def advantage_smaller(kinds: Kinds, what: str) -> Part:
    """The advantage of ReMix is smaller on multi-class problems.

    Its lead over the best other published row is smaller there, in mean gain and in mean rank.
    """
    _require_both(kinds, *STRATEGIES)
    if what == "mean ranks":
        ranks = [matrix.rank_sums() / len(matrix.problems) for matrix in kinds]
        leads = [mean.drop("remix").min() - mean["remix"] for mean in ranks]
        return _smaller_part("lead", kinds, leads)
    gains = [matrix.gains(*GAINING) for matrix in kinds]
    leads = [_lead(gain.mean().to_frame().T).item() for gain in gains]
    # Inferred from the data sets that have both kinds of problems.
    binary, multi = (_lead(m.by_dataset(g)) for m, g in zip(kinds, gains, strict=True))
    contrast = Contrast("lead on binary over lead on multi-class", (binary - multi).dropna())
    return _smaller_part("lead", kinds, leads, [contrast])


@claim("C18", "Figure 6", "gains", on=lambda e: named(e.images, *PUBLISHED_METRICS))
def remix_first_on_images(matrix: ScoreMatrix) -> Part:
    """On images ReMix gains more than MixUp, class weights and SMOTE.

    Its mean gains in g-mean and balanced Brier are larger than each of theirs.
    """
    return better_part(matrix, *GAINING_RIVALS)


@claim(
    "C19",
    "Figure 6",
    "gains",
    on=lambda e: {
        f"{matrix.name}: {top[0]}, then {top[1]}": (matrix, top)
        for kind, top in zip(e.images, TOP_ON_IMAGES, strict=True)
        for matrix in in_metric([kind], *PUBLISHED_METRICS)
    },
)
def augmentation_order(matrix: ScoreMatrix, top: Sequence[str]) -> Part:
    """On binary images ReMix with augmentation is first and augmentation alone second; on
    multi-class images the other way round.

    The two largest mean gains are theirs, in that order, in both scores.
    """
    return _order_part(matrix, top, ON_IMAGES)


@claim(
    "C20",
    "Figure 6",
    "gains",
    on=lambda e: {
        short_name(metric): [in_metric(e.images, metric)] for metric in PUBLISHED_METRICS
    },
)
def image_gains_smaller(kinds: Kinds) -> Part:
    """The gains are smaller on multi-class images.

    The mean gain of ReMix is smaller there, in both scores.
    """
    _require_both(kinds, "baseline", "remix")
    gains = [matrix.gains("remix")["remix"].mean() for matrix in kinds]
    part = _smaller_part("gain of remix", kinds, gains, _contrast_kinds(kinds, ["remix"]))
    return replace(part, limits=limits_of([c for m in kinds for c in m.problems]))


def _order_part(matrix: ScoreMatrix, top: Sequence[str], strategies: Sequence[str]) -> Part:
    """A part that holds where the top strategies gain most, in this order."""
    matrix.require("baseline", *strategies)
    by_problem = matrix.gains(*strategies)
    gains = by_problem.mean()
    pairs = order(top, strategies)
    holds = all(gains[better] > gains[worse] for better, worse in pairs)
    numbers = {f"gain of {strategy}": gain for strategy, gain in gains.items()}
    leads = pd.DataFrame({f"{a} over {b}": by_problem[a] - by_problem[b] for a, b in pairs})
    return part_on(matrix.problems, holds, numbers, contrasts_of(matrix, leads))


def _smaller_part(
    number: str, kinds: Kinds, values: Sequence[float], contrasts: Sequence[Contrast] = ()
) -> Part:
    """A part that holds where a number is smaller on multi-class than on binary problems."""
    binary, multi = map(float, values)
    numbers = {f"{number}, {kinds[0].kind}": binary, f"{number}, {kinds[1].kind}": multi}
    return Part("", multi < binary, numbers, tuple(contrasts))


def _lead(gains: pd.DataFrame) -> pd.Series[float]:
    """ReMix's lead over the best of its rivals in each line, the baseline among them."""
    return gains["remix"] - gains[list(GAINING_RIVALS)].max(axis=1).clip(lower=0)


def _contrast_kinds(kinds: Kinds, rivals: Sequence[str]) -> list[Contrast]:
    """Contrast ReMix's gain on binary problems with rivals' on multi-class ones, by data set."""
    first, second = (matrix.by_dataset(matrix.gains(*rivals)) for matrix in kinds)
    shared = [name for name in first.index if name in second.index]
    name = "remix on binary over {} on multi-class"
    return [
        Contrast(name.format(rival), first.loc[shared, "remix"] - second.loc[shared, rival])
        for rival in rivals
    ]


def _require_both(kinds: Kinds, *strategies: str) -> None:
    missing = [reason for matrix in kinds if (reason := matrix.missing(*strategies))]
    if missing:
        raise NotRun("; ".join(missing))
