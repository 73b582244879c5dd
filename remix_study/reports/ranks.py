"""Rank sums over problems, in the layout of Bellinger et al., Table 2.

A row is a strategy at one fixed alpha, never the best of its grid: picking the best would
compare a choice made on test rows with rows that had none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from remix_study.reports.comparison import Comparison, Row, row_order
from remix_study.reports.document import Block, Cell, Head, Section, Table
from remix_study.reports.figures import strategy_color
from remix_study.reports.statistics import rank_rows, rank_sums
from remix_study.reports.words import (
    MISSING,
    counted,
    label,
    listing,
    maximize,
    number,
    plain,
    sentence,
)

PUBLISHED = (
    ("baseline", None),
    ("cost", None),
    ("smote", None),
    ("mixup", 0.1),
    ("remix", 0.1),
)
PUBLISHED_METRICS = ("g_mean", "bbs")
# Balanced Brier rewards any shift of the prior, so the measures that punish it stand beside it.
METRICS = ("g_mean", "bbs", "brier", "log_loss", "cwece")
KINDS = ("binary", "multi-class")
LEAD = (
    "Each row is ranked on each problem by its mean test score over the folds: rank 1 is the "
    "best, ties share the average rank. A low rank sum is good. A row is a strategy at one fixed "
    "alpha, never the best of its grid."
)


@dataclass(frozen=True, eq=False)
class Ranking:
    """One metric of one kind of problem, ranked.

    Attributes:
        kind: "binary" or "multi-class".
        metric: what was ranked.
        means: (problems, rows) mean test scores.
        ranks: (problems, rows).
        sums: (rows,) rank sums; their total has been checked.
    """

    kind: str
    metric: str
    means: pd.DataFrame
    ranks: pd.DataFrame
    sums: pd.Series[float]


@dataclass(frozen=True, eq=False)
class RankTable:
    """The rankings of one set of rows, and what was left out of it, in sentences."""

    rows: tuple[Row, ...]
    rankings: tuple[Ranking, ...]
    notes: tuple[str, ...]


def eligible(comparisons: Sequence[Comparison]) -> tuple[tuple[Comparison, ...], tuple[str, ...]]:
    """The problems that can be ranked, each once, and sentences on those that cannot."""
    notes = []
    searched = [c.name for c in comparisons if not c.is_grid]
    if searched:
        notes.append(
            f"{listing(searched)}: Optuna chose the points, so no row stands at one fixed alpha "
            "on every problem; not ranked."
        )
    planned = [c for c in comparisons if c.is_grid]
    empty = [c.name for c in planned if not c.rows]
    if empty:
        notes.append(f"{listing(empty)}: no point is complete yet; not ranked.")
    chosen: dict[str, Comparison] = {}
    for comparison in planned:
        if not comparison.rows:
            continue
        before = chosen.get(comparison.problem)
        if before is not None:
            best = max((before, comparison), key=lambda c: len(c.rows))
            chosen[comparison.problem] = best
            notes.append(
                f"{comparison.problem} is in more than one study; ranked from {best.study}."
            )
        else:
            chosen[comparison.problem] = comparison
    return tuple(chosen.values()), tuple(notes)


def published(comparisons: Sequence[Comparison]) -> RankTable:
    """The five published rows ranked alone; where one is missing, those that are common."""
    return _rank(
        comparisons, PUBLISHED_METRICS, lambda row: (row.strategy, row.alpha) in PUBLISHED
    )


def everything(comparisons: Sequence[Comparison]) -> RankTable:
    """All rows that are complete on every problem of a kind."""
    return _rank(comparisons, METRICS, lambda _: True)


def table(ranked: RankTable) -> pd.DataFrame:
    """One line a kind, metric and row: rank sum, mean rank, number of problems."""
    return pd.DataFrame(
        [
            {
                "kind": ranking.kind,
                "metric": ranking.metric,
                "row": row,
                "rank_sum": rank_sum,
                "mean_rank": rank_sum / len(ranking.ranks),
                "problems": len(ranking.ranks),
                "rows_ranked": len(ranking.sums),
            }
            for ranking in ranked.rankings
            for row, rank_sum in ranking.sums.items()
        ]
    )


def table_by_problem(ranked: RankTable) -> pd.DataFrame:
    """One line a problem, metric and row: the mean and its rank."""
    return pd.DataFrame(
        [
            {
                "kind": ranking.kind,
                "metric": ranking.metric,
                "problem": problem,
                "row": row,
                "mean": ranking.means.loc[problem, row],
                "rank": ranking.ranks.loc[problem, row],
            }
            for ranking in ranked.rankings
            for problem in ranking.ranks.index
            for row in ranking.ranks.columns
        ]
    )


def layout(ranked: RankTable) -> pd.DataFrame:
    """The paper's layout: rows are strategies, columns the metrics of each kind."""
    wide = pd.DataFrame({"row": [row.label for row in ranked.rows]})
    for ranking in ranked.rankings:
        column = f"{ranking.kind} {label(ranking.metric)}"
        wide[column] = wide["row"].map(ranking.sums)
    return wide


def section(comparisons: Sequence[Comparison]) -> Section:
    """The section of the page with the five published rows first, then all."""
    usable, notes = eligible(comparisons)
    blocks: list[Block] = []
    if notes:
        blocks.append(Block(text=notes))
    if not usable:
        return Section("ranks", "Ranks", LEAD, tuple(blocks))
    five, every = published(usable), everything(usable)
    files: dict[str, pd.DataFrame] = {}
    blocks.append(_published_block(five, usable))
    if five.rankings:
        files["ranks-published"] = layout(five)
    if every.rankings:
        parts = [
            (
                replace(every, rankings=own),
                f"Rank sums of all rows on {counted(len(own[0].ranks), f'{kind} problem')}, "
                "mean rank below",
            )
            for kind in KINDS
            if (own := tuple(r for r in every.rankings if r.kind == kind))
        ]
        blocks.append(
            Block(
                title="All rows",
                text=(
                    *every.notes,
                    "A rank sum depends on which rows compete: many alphas of one strategy push "
                    "each other and the rest apart. Read it beside the table of the published "
                    "five.",
                ),
                tables=tuple(
                    _page_table(part, caption, mean=True, grouped=False) for part, caption in parts
                ),
            )
        )
        files |= {"ranks": table(every), "ranks-by-problem": table_by_problem(every)}
    return Section("ranks", "Ranks", LEAD, tuple(blocks), files)


def _rank(
    comparisons: Sequence[Comparison],
    metrics: Sequence[str],
    wanted: Callable[[Row], bool],
) -> RankTable:
    """Rank the wanted rows that are complete on every problem of a kind, in each metric."""
    rankings: list[Ranking] = []
    notes: list[str] = []
    rows: dict[str, Row] = {}
    for kind in KINDS:
        here = [c for c in comparisons if c.kind == kind]
        candidates = {row.label: row for c in here for row in c.rows if wanted(row)}
        complete, left_out = _complete(here, candidates, metrics)
        if here:
            notes += [f"{kind} problems: {note}" for note in left_out]
        if not here or len(complete) < 2:
            continue
        rows |= complete
        for metric in metrics:
            means = pd.DataFrame(
                {name: [float(c.score(name, metric).mean()) for c in here] for name in complete},
                index=[c.problem for c in here],
            )
            ranks = rank_rows(means, maximize=maximize(metric))
            rankings.append(Ranking(kind, metric, means, ranks, rank_sums(ranks)))
    ordered = tuple(sorted(rows.values(), key=row_order))
    return RankTable(ordered, tuple(rankings), tuple(notes))


def _complete(
    here: Sequence[Comparison], candidates: Mapping[str, Row], metrics: Sequence[str]
) -> tuple[dict[str, Row], list[str]]:
    """The rows with every fold of every problem, and a sentence on each row left out."""
    complete: dict[str, Row] = {}
    notes: list[str] = []
    for row in sorted(candidates.values(), key=row_order):
        absent = [c.problem for c in here if row.label not in {other.label for other in c.rows}]
        partial = [
            f"{short} of {counted(c.planned_folds, 'fold')} of {c.problem}"
            for c in here
            if c.problem not in absent
            and (short := max(c.missing_folds(row.label, metric) for metric in metrics))
        ]
        if absent:
            notes.append(f"{row.label} is left out, it was not run on {_some(absent)}.")
        elif partial:
            notes.append(f"{row.label} is left out, it has no score in {listing(partial)}.")
        else:
            complete[row.label] = row
    return complete, notes


def _some(names: Sequence[str], most: int = 4) -> str:
    if len(names) <= most:
        return listing(names)
    return listing([*names[:most], f"{len(names) - most} more"])


def _published_block(five: RankTable, usable: Sequence[Comparison]) -> Block:
    text = list(five.notes)
    present = {(row.strategy, row.alpha) for c in usable for row in c.rows}
    absent = [_published_name(*row) for row in PUBLISHED if row not in present]
    if absent:
        text.insert(
            0,
            f"Of the five published rows this study has no {listing(absent)}; "
            "the others are ranked alone.",
        )
    if not five.rankings:
        text.append("Fewer than two of the five published rows are complete: nothing to rank.")
        return Block(title="The published five", text=tuple(text))
    text += _sizes(five, usable)
    caption = "Rank sums, the layout of Table 2 of the paper"
    return Block(
        title="The published five",
        text=tuple(text),
        tables=(_page_table(five, caption, mean=False),),
    )


def _published_name(strategy: str, alpha: float | None) -> str:
    return strategy if alpha is None else f"{strategy} ({plain(alpha)})"


def _sizes(ranked: RankTable, usable: Sequence[Comparison]) -> tuple[str, ...]:
    sentences = []
    for kind in dict.fromkeys(ranking.kind for ranking in ranked.rankings):
        here = [c for c in usable if c.kind == kind]
        datasets = {str(c.info["dataset"]) for c in here}
        text = f"{kind}: {counted(len(here), 'problem')} from {counted(len(datasets), 'data set')}"
        if len(here) == 1:
            text += ", so a rank sum is no more than one order"
        elif len(datasets) < len(here):
            text += "; problems made from one data set are not independent of each other"
        sentences.append(sentence(text))
    return tuple(sentences)


def _page_table(ranked: RankTable, caption: str, *, mean: bool, grouped: bool = True) -> Table:
    kinds = list(dict.fromkeys(ranking.kind for ranking in ranked.rankings))
    by_kind = {kind: [r for r in ranked.rankings if r.kind == kind] for kind in kinds}
    groups = [
        Head(kind, counted(len(by_kind[kind][0].ranks), "problem"), len(by_kind[kind]))
        for kind in kinds
    ]
    measures = [Head(label(r.metric)) for kind in kinds for r in by_kind[kind]]
    rows = []
    for row in ranked.rows:
        if all(row.label not in ranking.sums for ranking in ranked.rankings):
            continue
        cells = [Cell(row.label, kind="name", color=strategy_color(row.strategy))]
        cells += [_sum_cell(r, row, mean=mean) for kind in kinds for r in by_kind[kind]]
        rows.append(tuple(cells))
    total = [Cell("total", "N k (k + 1) / 2", kind="name")]
    for kind in kinds:
        for ranking in by_kind[kind]:
            n, k = ranking.ranks.shape
            total.append(Cell(plain(float(ranking.sums.sum())), f"{n} × {k} × {k + 1} / 2"))
    return Table(
        caption,
        (*([(Head(""), *groups)] if grouped else []), (Head("row"), *measures)),
        tuple(rows),
        (tuple(total),),
    )


def _sum_cell(ranking: Ranking, row: Row, *, mean: bool) -> Cell:
    if row.label not in ranking.sums:
        return Cell(MISSING, kind="")
    value = float(ranking.sums[row.label])
    best = value == ranking.sums.min()
    detail = number(value / len(ranking.ranks), 2) if mean else ""
    return Cell(plain(value), detail, "best" if best else "number")
