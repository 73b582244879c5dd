"""Claims on gains over the baseline: C3 to C7 (Figure 5)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pandas as pd

from remix_study.metrics import PUBLISHED_METRICS, short_name
from remix_study.paper.claims.evidence import Evidence
from remix_study.paper.claims.findings import Part, contrast, not_run, of_datasets, part
from remix_study.paper.claims.leads import across_kinds, by_dataset, gains_of, lacks, leads
from remix_study.paper.claims.rules import GAINING_RIVALS, MUCH_LARGER, PUBLISHED_ROWS, RIVALS
from remix_study.paper.claims.score_matrix import ScoreMatrix
from remix_study.report.formatting import plain

GAINING = (*GAINING_RIVALS, "remix")


def remix_gains_most(evidence: Evidence) -> list[Part]:
    """C3: ReMix has the largest mean gain, over all problems and at each imbalance ratio."""
    found = []
    for board in evidence.tabular:
        for metric in PUBLISHED_METRICS:
            name = f"{board.name}, {short_name(metric)}"
            lacking = board.lacking(("baseline", *GAINING), [metric])
            if lacking:
                found.append(not_run(name, lacking))
                continue
            gains = gains_of(board, metric, GAINING)
            found.append(_gains_most(f"{name}, all", board, gains))
            for ratio, problems in board.by_ratio().items():
                here = f"{name}, IR {plain(ratio)}"
                found.append(_gains_most(here, board, gains.loc[problems]))
    return found


def remix_binary_greatest(evidence: Evidence) -> list[Part]:
    """C4: of all rows on both kinds, ReMix on binary problems has the greatest g-mean gain."""
    boards = evidence.tabular
    lacking = lacks(boards, ("baseline", *GAINING), ["g_mean"])
    if lacking:
        return [not_run(short_name("g_mean"), lacking)]
    means = {
        (board.name, row): float(gain)
        for board in boards
        for row, gain in gains_of(board, "g_mean", GAINING).mean().items()
    }
    own = means.pop((boards[0].name, "remix"))
    contrasts = [leads(boards[0], "g_mean", "remix", row) for row in GAINING_RIVALS]
    contrasts += across_kinds(boards, "g_mean", "remix", GAINING)
    numbers = {f"remix, {boards[0].name}": own} | {
        f"{row}, {k}": v for (k, row), v in means.items()
    }
    basis = " and ".join(f"{board.basis} ({board.name})" for board in boards)
    return [part(short_name("g_mean"), own > max(means.values()), numbers, contrasts, basis)]


def gains_decline(evidence: Evidence) -> list[Part]:
    """C5: the g-mean gains of ReMix and SMOTE fall as binary problems get more extreme.

    The mean gain at each ratio may not rise from one to the next more extreme one and must be
    lower at the last than at the first. Inferred from the data sets that have both.
    """
    board = evidence.tabular[0]
    return [_declines(board, row) for row in ("remix", "smote")]


def remix_calibrates_much_more(evidence: Evidence) -> list[Part]:
    """C6: ReMix's balanced Brier gain is at least `MUCH_LARGER` times any other's."""
    found = []
    for board in evidence.tabular:
        name = f"{board.name}, {short_name('bbs')}"
        lacking = board.lacking(("baseline", *GAINING), ["bbs"])
        if lacking:
            found.append(not_run(name, lacking))
            continue
        gains = gains_of(board, "bbs", GAINING)
        means = gains.mean()
        best = float(means[list(GAINING_RIVALS)].max())
        own = float(means["remix"])
        numbers = {f"gain of {row}": float(gain) for row, gain in means.items()}
        if best > 0:
            numbers["ratio to the runner-up"] = own / best
        contrasts = [
            contrast(
                f"remix over {plain(MUCH_LARGER)} times {row}",
                gains["remix"] - MUCH_LARGER * gains[row].clip(lower=0),
                board.datasets,
            )
            for row in GAINING_RIVALS
        ]
        holds = own > 0 and own >= MUCH_LARGER * best
        found.append(part(name, holds, numbers, contrasts, board.basis))
    return found


def advantage_smaller(evidence: Evidence) -> list[Part]:
    """C7: ReMix's lead over the best other published row is smaller on multi-class problems.

    In mean gain and in mean rank. Inferred from the data sets that have both kinds of problems.
    """
    found = []
    boards = evidence.tabular
    for metric in PUBLISHED_METRICS:
        found.append(_smaller(boards, metric))
        name = f"{short_name(metric)}, mean ranks"
        lacking = lacks(boards, PUBLISHED_ROWS, [metric])
        if lacking:
            found.append(not_run(name, lacking))
            continue
        numbers = {}
        for board in boards:
            ranks = board.rank_sums(metric, PUBLISHED_ROWS) / len(board.problems)
            best = float(ranks[list(RIVALS)].min())
            numbers[f"lead, {board.name}"] = best - float(ranks["remix"])
        binary, multi = numbers.values()
        found.append(part(name, multi < binary, numbers))
    return found


def _gains_most(name: str, board: ScoreMatrix, gains: pd.DataFrame) -> Part:
    means = gains.mean()
    contrasts = [
        contrast(f"remix over {row}", gains["remix"] - gains[row], board.datasets)
        for row in GAINING_RIVALS
    ]
    numbers = {f"gain of {row}": float(gain) for row, gain in means.items()}
    holds = bool((means.drop("remix") < means["remix"]).all())
    sets = len({board.datasets[str(problem)] for problem in gains.index})
    basis = f"{len(gains)} problems of {sets} data sets"
    return part(name, holds, numbers, contrasts, basis)


def _declines(board: ScoreMatrix, row: str) -> Part:
    name = f"{board.name}, {short_name('g_mean')} of {row}"
    lacking = board.lacking(("baseline", row), ["g_mean"])
    ratios = board.by_ratio()
    if lacking or len(ratios) < 2:
        return not_run(name, lacking or "fewer than two imbalance ratios")
    gains = board.lead("g_mean", row, "baseline")
    scores = board.means("g_mean", [row])[row]
    means = [float(gains[problems].mean()) for problems in ratios.values()]
    numbers = {f"gain at IR {plain(r)}": m for r, m in zip(ratios, means, strict=True)}
    numbers |= {
        f"g-mean at IR {plain(r)}": float(scores[problems].mean())
        for r, problems in ratios.items()
    }
    steps = [later <= earlier for earlier, later in pairwise(means)]
    mildest, harshest = ratios[max(ratios)], ratios[min(ratios)]
    ends = [
        gains[problems].groupby([board.datasets[p] for p in problems], sort=False).mean()
        for problems in (mildest, harshest)
    ]
    fall = (ends[0] - ends[1]).dropna()
    contrasts = [of_datasets("gain at the mildest over that at the most extreme ratio", fall)]
    holds = all(steps) and means[-1] < means[0]
    return part(name, holds, numbers, contrasts, board.basis)


def _smaller(boards: Sequence[ScoreMatrix], metric: str) -> Part:
    name = f"{short_name(metric)}, gains"
    lacking = lacks(boards, PUBLISHED_ROWS, [metric])
    if lacking:
        return not_run(name, lacking)
    numbers = {}
    leads_by_set = []
    for board in boards:
        gains = gains_of(board, metric, GAINING)
        means = gains.mean()
        best = max(0.0, float(means[list(GAINING_RIVALS)].max()))
        numbers[f"lead, {board.name}"] = float(means["remix"]) - best
        by_set = by_dataset(board, metric, set(GAINING))
        rival = by_set[list(GAINING_RIVALS)].max(axis=1).clip(lower=0)
        leads_by_set.append(by_set["remix"] - rival)
    binary, multi = numbers.values()
    paired = (leads_by_set[0] - leads_by_set[1]).dropna()
    contrasts = [of_datasets("lead on binary over lead on multi-class", paired)]
    return part(name, multi < binary, numbers, contrasts)
