"""The headline on variants of its problems, whose rows are drawn or split differently."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from remix_study.metrics import PUBLISHED_METRICS, is_maximized
from remix_study.paper.published import REMIX
from remix_study.results.comparison import Comparison
from remix_study.results.intervals import paired_interval
from remix_study.results.problem_choice import VariantPair, variant_pairs
from remix_study.results.rank_sums import KINDS, Ranking, RankTable, published_ranks

BASELINE = "baseline"


@dataclass(frozen=True, eq=False)
class VariantComparison:
    """A variant of problems compared with the plain ones.

    Attributes:
        name: one of `variants.VARIANTS`.
        pairs: the problems that both have.
        plain: ranks of the published methods on the plain problems; the methods of `other`.
        other: ranks of the published methods on the variant's problems.
        lines: one line a problem, method and metric: `dataset`, `plain` and `other` (mean test
            scores), `change` (positive is better under the variant), `spread_plain` and
            `spread_other` (see :func:`repeat_sd`).
        gains: one line a problem and metric: ReMix's gain over the baseline, `plain` and `other`
            with the ends of their corrected intervals; positive is better.
    """

    name: str
    pairs: tuple[VariantPair, ...]
    plain: RankTable
    other: RankTable
    lines: pd.DataFrame
    gains: pd.DataFrame

    def rankings(self) -> list[tuple[Ranking, Ranking]]:
        """Pairs of rankings of each kind and metric, plain and under the variant."""
        variant_rankings = {
            (ranking.kind, ranking.metric): ranking for ranking in self.other.rankings
        }
        return [
            (ranking, variant_rankings[ranking.kind, ranking.metric])
            for ranking in self.plain.rankings
            if (ranking.kind, ranking.metric) in variant_rankings
        ]


def compare_variants(comparisons: Sequence[Comparison]) -> tuple[VariantComparison, ...]:
    """Compare every variant that has problems in common with the plain ones."""
    return tuple(
        _compare_variant(name, problem_pairs)
        for name, problem_pairs in variant_pairs(comparisons).items()
    )


def repeat_sd(scores: pd.Series[float]) -> float:
    """Standard deviation over repeats of a repeat's mean over its folds; NaN with one repeat.

    Args:
        scores: indexed by (repeat, fold).
    """
    return float(scores.groupby(level="repeat").mean().std(ddof=1)) if len(scores) else math.nan


def _compare_variant(name: str, problem_pairs: tuple[VariantPair, ...]) -> VariantComparison:
    plain, variant = _shared_rankings(problem_pairs)
    lines, gains = [], []
    for pair in problem_pairs:
        facts = {
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
            for method in plain.methods:
                if method.label in labels:
                    lines.append(facts | _score_line(pair, method.label, metric))
            if {BASELINE, REMIX} <= labels:
                gains.append(facts | _gain_line(pair, metric))
    return VariantComparison(
        name, problem_pairs, plain, variant, pd.DataFrame(lines), pd.DataFrame(gains)
    )


def _shared_rankings(problem_pairs: Sequence[VariantPair]) -> tuple[RankTable, RankTable]:
    """Rank plain and variant problems with the methods that are complete in both."""
    plain = published_ranks([pair.plain for pair in problem_pairs])
    variant = published_ranks([pair.varied for pair in problem_pairs])
    shared = {kind: _method_labels(plain, kind) & _method_labels(variant, kind) for kind in KINDS}

    def only(comparison: Comparison) -> Comparison:
        methods = tuple(
            method for method in comparison.methods if method.label in shared[comparison.kind]
        )
        return replace(comparison, methods=methods)

    ranked = (
        published_ranks([only(pair.plain) for pair in problem_pairs]),
        published_ranks([only(pair.varied) for pair in problem_pairs]),
    )
    incomplete = tuple(dict.fromkeys((*plain.incomplete, *variant.incomplete)))
    return replace(ranked[0], incomplete=incomplete), ranked[1]


def _method_labels(ranked: RankTable, kind: str) -> set[str]:
    return {
        str(label)
        for ranking in ranked.rankings
        if ranking.kind == kind
        for label in ranking.sums.index
    }


def _score_line(pair: VariantPair, label: str, metric: str) -> dict[str, object]:
    plain, variant = pair.plain.score(label, metric), pair.varied.score(label, metric)
    sign = 1 if is_maximized(metric) else -1
    return {
        "row": label,
        "metric": metric,
        "plain": float(plain.mean()),
        "other": float(variant.mean()),
        "change": sign * float(variant.mean() - plain.mean()),
        "spread_plain": repeat_sd(plain),
        "spread_other": repeat_sd(variant),
    }


def _gain_line(pair: VariantPair, metric: str) -> dict[str, object]:
    line: dict[str, object] = {"metric": metric}
    for side, comparison in (("plain", pair.plain), ("other", pair.varied)):
        better, worse = comparison.score(REMIX, metric), comparison.score(BASELINE, metric)
        if not is_maximized(metric):
            better, worse = worse, better
        gain = paired_interval(better, worse, comparison.ratio)
        line |= {side: gain.mean, f"{side}_low": gain.low, f"{side}_high": gain.high}
    return line
