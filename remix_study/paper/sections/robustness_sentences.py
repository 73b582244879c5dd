"""Sentences on variants of the headline's problems: ranks, gains, scores and their spread."""

from __future__ import annotations

import pandas as pd

from remix_study.metrics import PUBLISHED_METRICS, short_name
from remix_study.paper.published import REMIX
from remix_study.paper.robustness import BASELINE, VariantComparison
from remix_study.report.formatting import counted, listing, number, plain, sentence, signed
from remix_study.results.rank_sums import Ranking


def rank_lines(variant: VariantComparison) -> list[str]:
    """Say how the order of the published methods changes under the variant."""
    lines = []
    for before, after in variant.rankings():
        place = f"{before.kind} problems, {short_name(before.metric)}"
        n_problems = counted(len(before.means), "problem")
        if before.sums.equals(after.sums):
            lines.append(sentence(f"{place} ({n_problems}): all rank sums stay the same"))
            continue
        plain_leaders, variant_leaders = (_leaders(ranking) for ranking in (before, after))
        text = f"{place} ({n_problems}): "
        if _method_order(before) == _method_order(after):
            text += f"the order stays {listing(_method_order(before))}"
        elif plain_leaders == variant_leaders:
            text += f"{plain_leaders} stays first, the order behind it changes"
        else:
            text += f"first is {variant_leaders} instead of {plain_leaders}"
        if REMIX in before.sums:
            text += (
                f"; the rank sum of {REMIX} goes from {plain(float(before.sums[REMIX]))} to "
                f"{plain(float(after.sums[REMIX]))}"
            )
        lines.append(sentence(text))
    return lines


def gain_lines(variant: VariantComparison) -> list[str]:
    """Say how ReMix's mean gain over the baseline changes under the variant."""
    lines = []
    for (kind, metric), gains in by_kind_and_metric(variant.gains):
        n_kept = int(((gains["plain"] > 0) == (gains["other"] > 0)).sum())
        lines.append(
            sentence(
                f"{kind} problems, {short_name(metric)}: ReMix's mean gain over the baseline is "
                f"{signed(gains['other'].mean())} {variant.name} and "
                f"{signed(gains['plain'].mean())} plain; its sign is the same on {n_kept} of "
                f"{counted(len(gains), 'problem')}"
            )
        )
    return lines


def fall_lines(variant: VariantComparison) -> list[str]:
    """Say how much scores fall if relatives of test rows are kept out of training."""
    lines = []
    for metric in PUBLISHED_METRICS:
        scores = variant.lines[variant.lines["metric"] == metric]
        for dataset, dataset_scores in scores.groupby("dataset", sort=False):
            means = dataset_scores.groupby("row", sort=False)[["plain", "other", "change"]].mean()
            n_worse = int((dataset_scores["change"] < 0).sum())
            parts = [
                f"{method} from {number(float(means['plain'][method]))} to "
                f"{number(float(means['other'][method]))}"
                for method in (BASELINE, REMIX)
                if method in means.index
            ]
            lines.append(
                sentence(
                    f"groups kept together, {dataset}, {short_name(metric)}: "
                    f"{listing(parts) or 'no common row'}; worse for {n_worse} of "
                    f"{counted(len(dataset_scores), 'problem and row', 'problems and rows')}, "
                    f"mean change {signed(dataset_scores['change'].mean())}"
                )
            )
    return lines


def spread_lines(variant: VariantComparison) -> list[str]:
    """Say how the standard deviation over repeats changes under the variant."""
    lines = []
    for (kind, metric), scores in by_kind_and_metric(variant.lines):
        before, after = scores["spread_plain"].median(), scores["spread_other"].median()
        ratio = (
            scores["spread_other"] / scores["spread_plain"].where(scores["spread_plain"] > 0)
        ).median()
        n_wider = int((scores["spread_other"] > scores["spread_plain"]).sum())
        lines.append(
            sentence(
                f"{kind} problems, {short_name(metric)}: the standard deviation over repeats has "
                f"the median {number(after)} {variant.name} and {number(before)} plain, "
                f"the median ratio is {number(ratio, 2)}; it is larger for {n_wider} of "
                f"{counted(len(scores), 'problem and row', 'problems and rows')}"
            )
        )
    return lines


def by_kind_and_metric(frame: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """Split a frame of the variant by kind of problem and metric."""
    if frame.empty:
        return []
    return [
        ((str(key[0]), str(key[1])), group)
        for key, group in frame.groupby(["kind", "metric"], sort=False)
        if isinstance(key, tuple)
    ]


def _method_order(ranking: Ranking) -> list[str]:
    return [str(name) for name in ranking.sums.sort_values(kind="stable").index]


def _leaders(ranking: Ranking) -> str:
    best = ranking.sums[ranking.sums == ranking.sums.min()]
    return listing([str(name) for name in best.index])
