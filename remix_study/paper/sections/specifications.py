"""The section on the specification curve: what holds at which network and other free choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from remix_study.metrics import PUBLISHED_METRICS, better_sign, short_name
from remix_study.paper import SENTENCES
from remix_study.paper.specifications import (
    LEAST_SPECIFICATIONS,
    PLANNED,
    Choice,
    Curve,
    Specification,
    claim_verdict,
    curves,
    specifications,
)
from remix_study.paper.table2 import STRATEGIES
from remix_study.report import figures
from remix_study.report.figures import Picture, figure, strategy_color
from remix_study.report.formatting import counted, plain, thousands
from remix_study.report.page_model import Block, Cell, Head, Section, Table
from remix_study.report.page_tables import Column, line_table, text_column
from remix_study.results.columns import Record, frame_of, grouped
from remix_study.results.comparison import Comparison
from remix_study.results.rank_sums import KINDS

SHOWN_METRICS = (*PUBLISHED_METRICS, "brier", "cwece")
# The data set of which this project has a part alone; sums of ranks are shown without it, too.
PARTIAL_DATASET = "aps"
_MARKS = {"holds": "better", "contradicted": "worse", "cannot be told": ""}


def sections(
    comparisons: Sequence[Comparison], headline: Sequence[Comparison] = ()
) -> tuple[Section, ...]:
    """The section of the page; none without specifications."""
    specs = specifications(comparisons, headline)
    if not specs:
        return ()
    checked = curves(specs)
    by_claim = grouped(checked, lambda curve: curve.claim.id)
    verdicts = {claim: claim_verdict(of_claim) for claim, of_claim in by_claim.items()}
    answer = Block(
        text=SENTENCES.paragraphs("specifications.answer", verdicts, by_claim, _firsts(specs)),
        pictures=(_rank_picture(specs),),
        tables=(_claim_table(checked),),
    )
    widths = [s for s in specs if not s.choice.change and s.choice.alpha == Choice().alpha]
    ranks = Block(
        title="Ranks at each specification",
        text=SENTENCES.paragraphs("specifications.ranks", _has_partial(specs)),
        tables=tuple(table for kind in KINDS for table in _rank_tables(kind, specs)),
        folded="The numbers behind the figure",
    )
    capacity = Block(
        title="Gains and calibration against the number of parameters",
        text=SENTENCES.paragraphs("specifications.capacity"),
        pictures=(_gain_picture(widths),),
    )
    files = {
        "specification-claims": _claim_frame(checked),
        "specification-ranks": _rank_frame(specs),
        "specification-scores": _score_frame(specs),
    }
    facts = [
        Record(kind=kind, run=sum(s.kind == kind for s in specs), planned=planned)
        for kind, planned in PLANNED.items()
    ]
    lead = SENTENCES.text("specifications.lead", facts, LEAST_SPECIFICATIONS)
    blocks = (answer, ranks, capacity)
    return (Section("specifications", "The specification curve", lead, blocks, files),)


def _firsts(specs: Sequence[Specification]) -> list[Record]:
    """By kind and metric: strategy -> the specifications at which its rank sum is the lowest."""
    firsts = []
    for kind in KINDS:
        of_kind = [spec for spec in specs if spec.kind == kind]
        for metric in PUBLISHED_METRICS:
            leaders = [(name, s) for s in of_kind for name in s.rankings[metric].leaders]
            names = {
                strategy: [spec.choice.name for _, spec in pairs]
                for strategy, pairs in grouped(leaders, lambda pair: pair[0]).items()
            }
            ordered = dict(sorted(names.items(), key=lambda item: -len(item[1])))
            if of_kind:
                firsts.append(
                    Record(kind=kind, metric=metric, leaders=ordered, total=len(of_kind))
                )
    return firsts


def _has_partial(specs: Sequence[Specification]) -> bool:
    return any(c.dataset == PARTIAL_DATASET for spec in specs for c in spec.problems)


def _rank_picture(specs: Sequence[Specification]) -> Picture:
    """Mean ranks of the five methods, a panel a kind and metric, a line a specification."""
    by_kind = grouped(specs, lambda spec: spec.kind)
    heights = [len(by_kind.get(kind, ())) for kind in KINDS]
    with figure(9.4, 1.5 + 0.24 * sum(heights)) as fig:
        panels = fig.subplots(2, 2, sharex=True, height_ratios=[max(1, h) for h in heights])
        for row, kind in zip(panels, KINDS, strict=True):
            for axes, metric in zip(row, PUBLISHED_METRICS, strict=True):
                _rank_panel(axes, by_kind.get(kind, ()), metric)
                axes.set_title(f"{kind}, {short_name(metric)}")
            row[1].tick_params(labelleft=False)
        for axes in panels[1]:
            axes.set_xlabel("mean rank (1 is the best)")
        figures.legend_below(fig, panels[0][0], len(STRATEGIES))
    alt = "Mean ranks of the five published methods at each specification."
    return figures.picture_of(fig, "specification-curve", alt, wide=True)


def _rank_panel(axes: Axes, specs: Sequence[Specification], metric: str) -> None:
    figures.rule_lines(axes, len(specs))
    for strategy in STRATEGIES:
        ranks = [spec.rankings[metric].mean_ranks[strategy] for spec in specs]
        is_remix = strategy == "remix"
        axes.plot(ranks, range(len(ranks)), ls="-" if is_remix else "", lw=0.8, marker="o",
                  markersize=6 if is_remix else 4.5, color=strategy_color(strategy),
                  label=strategy, zorder=4 if is_remix else 3)  # fmt: skip
    figures.name_lines(axes, [spec.choice.name for spec in specs])
    axes.set_xlim(0.8, 5.2)


def _gain_picture(specs: Sequence[Specification]) -> Picture:
    """Mean gains over the baseline against capacity, a panel a kind and metric."""
    rivals = (*STRATEGIES[1:], "balance")
    with figure(9.4, 5.2) as fig:
        panels = fig.subplots(2, len(SHOWN_METRICS), sharex="row")
        for row, kind in zip(panels, KINDS, strict=True):
            of_kind = _on_shared_problems([s for s in specs if s.kind == kind])
            for axes, metric in zip(row, SHOWN_METRICS, strict=True):
                axes.axhline(0, color="#888888", lw=0.8)
                for strategy in rivals:
                    gains = [s.gain(strategy, metric, better_sign(metric)) for s in of_kind]
                    axes.plot([s.capacity for s in of_kind], gains, marker="o", markersize=4,
                              lw=1.4, color=strategy_color(strategy), label=strategy)  # fmt: skip
                axes.set_xscale("log")
                ticks = [s.capacity for s in (of_kind[:1] + of_kind[-1:])]
                axes.set_xticks(ticks, [thousands(round(tick)) for tick in ticks])
                axes.minorticks_off()
                axes.set_title(f"{kind}, {short_name(metric)}", fontsize=8.5)
            row[0].set_ylabel("mean gain (up is better)")
        for axes in panels[1]:
            axes.set_xlabel("trainable parameters")
        figures.legend_below(fig, panels[0][0], len(rivals))
    alt = "Mean gain of each method over the baseline against the number of parameters."
    return figures.picture_of(fig, "specification-capacity", alt, wide=True)


def _on_shared_problems(specs: Sequence[Specification]) -> list[Specification]:
    """The specifications on the problems of the one with fewest, the smallest network first."""
    if not specs:
        return []
    fewest = min(specs, key=lambda spec: len(spec.problems)).problems
    return sorted((spec.on(fewest) for spec in specs), key=lambda spec: spec.capacity)


def _claim_table(checked: Sequence[Curve]) -> Table:
    def name(curve: Curve) -> Cell:
        return Cell(curve.claim.id, curve.name, "name")

    first_of_claim = {curve.claim.id: curve for curve in reversed(checked)}

    def claim_text(curve: Curve) -> str:
        return curve.claim.text if first_of_claim[curve.claim.id] is curve else ""

    def verdict(curve: Curve) -> Cell:
        return Cell(curve.verdict, kind=f"verdict {_MARKS[curve.verdict]}".strip())

    def in_means(curve: Curve) -> Cell:
        return Cell(f"{curve.n_holding} of {len(curve.parts)}")

    def by_dataset(curve: Curve) -> Cell:
        counts = (curve.count(word) for word in ("supported", "undecided", "contradicted"))
        return Cell(" / ".join(map(str, counts)))

    columns: Sequence[Column[Curve]] = (
        Column("claim", name),
        text_column("what the paper says", claim_text),
        Column(Head("over all specifications", kind="verdict"), verdict),
        Column("holds in the means at", in_means),
        Column(Head("by data set", "supported / undecided / contradicted"), by_dataset),
        text_column(
            "where the means say otherwise", partial(SENTENCES.phrase, "specifications.turning")
        ),
    )
    return line_table("The claims over their specifications", checked, columns)


@dataclass(frozen=True)
class _RankLine:
    """A line of a table of ranks; `reference` is that of the kind, on the line's own problems."""

    name: str
    spec: Specification
    reference: Specification | None = None


def _rank_tables(kind: str, specs: Sequence[Specification]) -> list[Table]:
    """The tables of one kind of problems, one a metric."""
    of_kind = [spec for spec in specs if spec.kind == kind]
    reference = next((spec for spec in of_kind if spec.choice.is_reference), None)
    lines = [
        _RankLine(
            spec.choice.name,
            spec,
            reference.on(spec.problems) if reference and not spec.choice.is_reference else None,
        )
        for spec in of_kind
    ]
    if reference and _has_partial([reference]):
        name = f"{reference.choice.name}, without aps"
        lines.append(_RankLine(name, reference.without(PARTIAL_DATASET)))
    has_partial = _has_partial(of_kind)
    return [
        line_table(
            SENTENCES.phrase("specifications.caption", kind, metric, has_partial),
            lines,
            (Column("choice", _rank_name), *(_rank_column(s, metric) for s in STRATEGIES)),
        )
        for metric in PUBLISHED_METRICS
    ]


def _rank_name(line: _RankLine) -> Cell:
    return Cell(line.name, counted(len(line.spec.problems), "problem"), "name")


def _rank_column(strategy: str, metric: str) -> Column[_RankLine]:
    def cell(line: _RankLine) -> Cell:
        detail = ""
        if line.reference:
            detail = f"reference {plain(line.reference.rankings[metric].sums[strategy])}"
        ranking = line.spec.rankings[metric]
        kind = "best" if strategy in ranking.leaders else "number"
        return Cell(plain(ranking.sums[strategy]), detail, kind)

    return Column(strategy, cell)


def _claim_frame(checked: Sequence[Curve]) -> pd.DataFrame:
    return frame_of(
        (
            Record(curve=curve, specification=name, part=part)
            for curve in checked
            for name, part in curve.parts.items()
        ),
        """claim=curve.claim.id part=curve.name over_all=curve.verdict specification
        descriptive=part.descriptive inferential=part.inferential basis=part.basis""",
    )


def _rank_frame(specs: Sequence[Specification]) -> pd.DataFrame:
    lines = [(spec, "all") for spec in specs]
    lines += [
        (spec.without(PARTIAL_DATASET), f"without {PARTIAL_DATASET}")
        for spec in specs
        if _has_partial([spec])
    ]
    return frame_of(
        (
            Record(spec=spec, datasets=datasets, ranking=ranking, strategy=strategy)
            for spec, datasets in lines
            for ranking in spec.rankings.values()
            for strategy in STRATEGIES
        ),
        """kind=spec.kind specification=spec.choice.name datasets problems metric=ranking.metric
        strategy rank_sum""",
        problems=lambda line: len(line.spec.problems),
        rank_sum=lambda line: line.ranking.sums[line.strategy],
    )


def _score_frame(specs: Sequence[Specification]) -> pd.DataFrame:
    return frame_of(
        (
            Record(spec=spec, strategy=strategy, metric=metric)
            for spec in specs
            for metric in SHOWN_METRICS
            for strategy in (*STRATEGIES[1:], "balance")
        ),
        """kind=spec.kind specification=spec.choice.name problems parameters=spec.capacity
        metric strategy mean_gain""",
        problems=lambda line: len(line.spec.problems),
        mean_gain=lambda line: line.spec.gain(
            line.strategy, line.metric, better_sign(line.metric)
        ),
    )
