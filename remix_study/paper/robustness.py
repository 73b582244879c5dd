"""The headline again with rows drawn or split otherwise: ranks, gains, scores and spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.metrics import PUBLISHED_METRICS, is_maximized
from remix_study.results.comparison import Comparison
from remix_study.results.intervals import paired_interval
from remix_study.results.rank_sums import KINDS, RankTable, published_ranks
from remix_study.results.ranking import Ranking
from remix_study.results.variants import VariantPair, variant_pairs

BASELINE = "baseline"
REMIX = f"remix ({PUBLISHED_ALPHA:g})"


@dataclass(frozen=True, eq=False)
class Robustness:
    """One variant beside the plain problems.

    Attributes:
        variant: one of `variants.VARIANTS`.
        pairs: the problems that both have.
        plain: ranks of the published rows on the plain problems, the same rows as in `other`.
        other: ranks of them on the variant's problems.
        lines: one line a problem, row and metric: `dataset`, `plain` and `other` (mean test
            scores), `change` (positive is better under the variant), `spread_plain` and
            `spread_other` (see `spread`).
        gains: one line a problem and metric: what ReMix gains over the baseline, `plain` and
            `other` with the ends of their corrected intervals; positive is better.
    """

    variant: str
    pairs: tuple[VariantPair, ...]
    plain: RankTable
    other: RankTable
    lines: pd.DataFrame
    gains: pd.DataFrame

    def rankings(self) -> list[tuple[Ranking, Ranking]]:
        """Each kind and metric, plain and under the variant."""
        found = {(r.kind, r.metric): r for r in self.other.rankings}
        return [
            (r, found[r.kind, r.metric])
            for r in self.plain.rankings
            if (r.kind, r.metric) in found
        ]


def robustness(comparisons: Sequence[Comparison]) -> tuple[Robustness, ...]:
    """Every variant that has problems in common with the plain ones."""
    return tuple(_compare(name, own) for name, own in variant_pairs(comparisons).items())


def spread(scores: pd.Series[float]) -> float:
    """Standard deviation over repeats of a repeat's mean over its folds; NaN with one repeat.

    Args:
        scores: indexed by (repeat, fold).
    """
    return float(scores.groupby(level="repeat").mean().std(ddof=1)) if len(scores) else math.nan


def _compare(name: str, own: tuple[VariantPair, ...]) -> Robustness:
    plain, other = _shared_rows(own)
    lines, gains = [], []
    for pair in own:
        about = {
            "variant": name,
            "kind": pair.plain.kind,
            "dataset": str(pair.plain.info["dataset"]),
            "problem": pair.plain.problem,
        }
        labels = {
            str(label)
            for ranking in plain.rankings
            if ranking.kind == pair.plain.kind
            for label in ranking.sums.index
        }
        for metric in PUBLISHED_METRICS:
            for row in plain.methods:
                if row.label in labels:
                    lines.append(about | _line(pair, row.label, metric))
            if {BASELINE, REMIX} <= labels:
                gains.append(about | _gain(pair, metric))
    return Robustness(name, own, plain, other, pd.DataFrame(lines), pd.DataFrame(gains))


def _shared_rows(own: Sequence[VariantPair]) -> tuple[RankTable, RankTable]:
    """Both rankings, of the rows that are complete in both; else rank sums would not compare."""
    first = published_ranks([pair.plain for pair in own])
    second = published_ranks([pair.varied for pair in own])
    kept = {kind: _labels(first, kind) & _labels(second, kind) for kind in KINDS}

    def only(comparison: Comparison) -> Comparison:
        rows = tuple(row for row in comparison.methods if row.label in kept[comparison.kind])
        return replace(comparison, methods=rows)

    ranked = (
        published_ranks([only(pair.plain) for pair in own]),
        published_ranks([only(pair.varied) for pair in own]),
    )
    incomplete = tuple(dict.fromkeys((*first.incomplete, *second.incomplete)))
    return replace(ranked[0], incomplete=incomplete), ranked[1]


def _labels(ranked: RankTable, kind: str) -> set[str]:
    return {str(label) for r in ranked.rankings if r.kind == kind for label in r.sums.index}


def _line(pair: VariantPair, label: str, metric: str) -> dict[str, object]:
    plain, other = pair.plain.score(label, metric), pair.varied.score(label, metric)
    sign = 1 if is_maximized(metric) else -1
    return {
        "row": label,
        "metric": metric,
        "plain": float(plain.mean()),
        "other": float(other.mean()),
        "change": sign * float(other.mean() - plain.mean()),
        "spread_plain": spread(plain),
        "spread_other": spread(other),
    }


def _gain(pair: VariantPair, metric: str) -> dict[str, object]:
    made: dict[str, object] = {"metric": metric}
    for name, comparison in (("plain", pair.plain), ("other", pair.varied)):
        better, worse = comparison.score(REMIX, metric), comparison.score(BASELINE, metric)
        if not is_maximized(metric):
            better, worse = worse, better
        found = paired_interval(better, worse, comparison.ratio)
        made |= {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}
    return made
