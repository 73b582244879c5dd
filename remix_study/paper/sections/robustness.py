"""The robustness section: the headline on variants of its problems, drawn or split differently."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd
from matplotlib.axes import Axes

from remix_study.metrics import PUBLISHED_METRICS, better_sign, is_maximized, short_name
from remix_study.paper import SENTENCES
from remix_study.paper.table2 import REMIX
from remix_study.report import figures, page_tables
from remix_study.report.figures import INK, Picture, figure
from remix_study.report.formatting import counted, plain, signed
from remix_study.report.page_model import Block, Cell, Head, Section, Table
from remix_study.report.page_tables import Column, line_table, method_cell
from remix_study.report.sections.rank_sums import incomplete_methods
from remix_study.results.columns import Record, frame_of
from remix_study.results.comparison import Comparison
from remix_study.results.effects import Difference
from remix_study.results.methods import Method
from remix_study.results.problem_choice import BOTH, GROUPED, REDRAWN, VariantPair, variant_pairs
from remix_study.results.rank_sums import IncompleteMethod, Ranking, published_ranks

BASELINE = "baseline"
_COLOR = figures.strategy_color("remix")
_TITLES = {
    REDRAWN: "Rare rows drawn anew for every repeat",
    GROUPED: "Groups kept together",
    BOTH: "Groups kept together, rare rows drawn anew for every repeat",
}
_PROBLEM = "variant kind=problem.kind dataset=problem.dataset problem=problem.problem "


@dataclass(frozen=True, eq=False)
class VariantComparison:
    """A variant of problems compared with the plain ones.

    Attributes:
        methods: the published methods that are complete in both.
        ranks: rankings of the same methods on the same problems, (plain, under the variant),
            one pair a kind of problem and metric.
        lines: one line a problem, method and metric: mean test scores, their change (positive is
            better under the variant) and spread (see :func:`repeat_sd`).
        gains: one line a problem and metric: ReMix's gain over the baseline, positive is better.
    """

    name: str
    methods: tuple[Method, ...]
    incomplete: tuple[IncompleteMethod, ...]
    ranks: tuple[tuple[Ranking, Ranking], ...]
    lines: pd.DataFrame
    gains: pd.DataFrame

    @property
    def is_redrawn(self) -> bool:
        return self.name != GROUPED

    @property
    def is_grouped(self) -> bool:
        return self.name != REDRAWN

    def mean_gains(self) -> list[Record]:
        """ReMix's mean gain by kind and metric, and the problems on which its sign stays."""
        return _summaries(
            self.gains,
            ["kind", "metric"],
            same_sign=lambda gains: ((gains["plain"] > 0) == (gains["other"] > 0)).sum(),
            problems=len,
        )

    def changes(self) -> list[Record]:
        """Mean change by metric and data set, the scores that fall, and means of two methods."""
        return _summaries(
            self.lines,
            ["metric", "dataset"],
            mean=lambda lines: lines["change"].mean(),
            worse=lambda lines: (lines["change"] < 0).sum(),
            lines=len,
            methods=lambda lines: _summaries(lines[lines["row"].isin((BASELINE, REMIX))], ["row"]),
        )

    def spreads(self) -> list[Record]:
        """Medians of the standard deviation over repeats, and of its ratio, by kind and metric."""
        return _summaries(
            self.lines,
            ["kind", "metric"],
            median_plain=lambda lines: lines["spread_plain"].median(),
            median_other=lambda lines: lines["spread_other"].median(),
            ratio=lambda lines: (
                lines["spread_other"] / lines["spread_plain"].where(lines["spread_plain"] > 0)
            ).median(),
            wider=lambda lines: (lines["spread_other"] > lines["spread_plain"]).sum(),
            lines=len,
        )


def sections(comparisons: Sequence[Comparison]) -> tuple[Section, ...]:
    """The section of the page; none if no study has variants of plain problems."""
    variants = compare_variants(comparisons)
    if not variants:
        return ()
    files = {
        "robustness-ranks": _rank_frame(variants),
        "robustness-gains": pd.concat([variant.gains for variant in variants], ignore_index=True),
        "robustness": pd.concat([variant.lines for variant in variants], ignore_index=True),
    }
    lead, blocks = SENTENCES.text("robustness.lead"), tuple(map(_block, variants))
    return (Section("robustness", "Robustness", lead, blocks, files, is_folded=True),)


def compare_variants(comparisons: Sequence[Comparison]) -> tuple[VariantComparison, ...]:
    """Compare every variant that has problems in common with the plain ones."""
    return tuple(_compare_variant(*item) for item in variant_pairs(comparisons).items())


def repeat_sd(scores: pd.Series[float]) -> float:
    """Standard deviation over repeats of their means, of scores by (repeat, fold); NaN of one."""
    return float(scores.groupby(level="repeat").mean().std(ddof=1)) if len(scores) else math.nan


def _compare_variant(name: str, pairs: Sequence[VariantPair]) -> VariantComparison:
    """Compare with the methods that are complete in both."""
    sides = [[pair.plain for pair in pairs], [pair.varied for pair in pairs]]
    all_ranks = [published_ranks(side) for side in sides]
    shared = set.intersection(
        *({(r.kind, label) for r in t.rankings for label in r.sums.index} for t in all_ranks)
    )

    def shared_methods(c: Comparison) -> Comparison:
        return replace(c, methods=tuple(m for m in c.methods if (c.kind, m.label) in shared))

    plain_ranks, varied_ranks = (published_ranks([*map(shared_methods, side)]) for side in sides)
    labels = {r.kind: [str(label) for label in r.sums.index] for r in plain_ranks.rankings}
    remix = {kind: [REMIX] for kind, names in labels.items() if {BASELINE, REMIX} <= set(names)}
    return VariantComparison(
        name,
        plain_ranks.methods,
        tuple(dict.fromkeys(method for ranks in all_ranks for method in ranks.incomplete)),
        tuple(zip(plain_ranks.rankings, varied_ranks.rankings, strict=True)),
        frame_of(
            _records(name, pairs, labels, Comparison.score),
            _PROBLEM + "row metric plain other change spread_plain spread_other",
            plain=lambda line: line.plain.mean(),
            other=lambda line: line.other.mean(),
            change=lambda line: line.sign * (line.other.mean() - line.plain.mean()),
            spread_plain=lambda line: repeat_sd(line.plain),
            spread_other=lambda line: repeat_sd(line.other),
        ),
        frame_of(
            _records(name, pairs, remix, _gain),
            _PROBLEM
            + """metric plain=plain.mean plain_low=plain.interval.low
            plain_high=plain.interval.high other=other.mean other_low=other.interval.low
            other_high=other.interval.high""",
        ),
    )


def _records(
    name: str,
    pairs: Sequence[VariantPair],
    labels: Mapping[str, Sequence[str]],
    value: Callable[[Comparison, str, str], object],
) -> list[Record]:
    """One record a problem, metric and label of its kind, with the values on both sides."""
    return [
        Record(
            variant=name,
            problem=pair.plain,
            metric=metric,
            sign=better_sign(metric),
            row=label,
            plain=value(pair.plain, label, metric),
            other=value(pair.varied, label, metric),
        )
        for pair in pairs
        for metric in PUBLISHED_METRICS
        for label in labels.get(pair.plain.kind, ())
    ]


def _gain(comparison: Comparison, label: str, metric: str) -> Difference | None:
    """The method minus the baseline, with the sign that makes positive better."""
    labels = (label, BASELINE) if is_maximized(metric) else (BASELINE, label)
    return comparison.effects.difference(*labels, metric)


def _summaries(
    frame: pd.DataFrame, keys: list[str], **facts: Callable[[pd.DataFrame], object]
) -> list[Record]:
    """The means of `plain` and `other`, and more facts, of each group that shares the keys."""
    return [
        Record(
            **dict(zip(keys, key, strict=True)),
            plain=group["plain"].mean(),
            other=group["other"].mean(),
            **{name: fact(group) for name, fact in facts.items()},
        )
        for key, group in (frame.groupby(keys, sort=False) if len(frame) else ())
    ]


def _block(variant: VariantComparison) -> Block:
    has_gains = len(variant.gains) > 0
    text = SENTENCES.paragraphs("robustness.block", variant, REMIX)
    return Block(
        title=_TITLES[variant.name],
        text=(*incomplete_methods(variant.incomplete), *text),
        pictures=(_picture(variant),) if has_gains else (),
        tables=(
            *((_rank_table(variant),) if variant.ranks else ()),
            *((_gain_table(variant),) if has_gains else ()),
        ),
    )


def _picture(variant: VariantComparison) -> Picture:
    """Draw ReMix's gains on each problem, plain and under the variant, and its spread."""
    gains, lines = variant.gains, variant.lines
    problems = list(dict.fromkeys(gains["problem"]))
    remix = lines[(lines["row"] == REMIX) & (lines["metric"] == "g_mean")].set_index("problem")
    right = f"sd of {REMIX}'s g-mean over repeats" if variant.is_redrawn else f"g-mean of {REMIX}"
    columns = ["spread_plain", "spread_other"] if variant.is_redrawn else ["plain", "other"]
    with figure(9.4, 1.3 + 0.24 * len(problems)) as fig:
        axes = fig.subplots(1, 3, sharey=True)
        for ax, metric in zip(axes, PUBLISHED_METRICS, strict=False):
            ax.axvline(0, color="#888888", lw=0.8, zorder=1)
            of_metric = gains[gains["metric"] == metric].set_index("problem")
            _dumbbells(ax, of_metric.loc[problems, ["plain", "other"]])
            ax.set_xlabel(f"gain in {short_name(metric)}")
        _dumbbells(axes[2], remix.loc[problems, columns])
        axes[2].set_xlabel(right)
        figures.name_lines(axes[0], problems)
        short = "both" if variant.name == BOTH else variant.name
        figures.dot_legend(fig, axes[0], {"plain": (INK, "white"), short: (_COLOR, _COLOR)})
    alt = (
        f"ReMix's gain over the baseline in g-mean and balanced Brier on each problem, plain and "
        f"{variant.name}, and {right}."
    )
    return figures.picture_of(fig, f"robustness-{variant.name.replace(' ', '-')}", alt, wide=True)


def _dumbbells(axes: Axes, values: pd.DataFrame) -> None:
    figures.rule_lines(axes, len(values))
    for height, ends in enumerate(values.to_numpy()):
        axes.plot(ends, [height, height], color=_COLOR, lw=1.4, alpha=0.5, zorder=2)
        axes.plot(ends[0], height, marker="o", markersize=5, color=INK,
                  markerfacecolor="white", zorder=3)  # fmt: skip
        axes.plot(ends[1], height, marker="o", markersize=5, color=_COLOR, zorder=4)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _rank_frame(variants: Sequence[VariantComparison]) -> pd.DataFrame:
    return frame_of(
        (
            Record(variant=variant.name, plain=plain, varied=varied, row=str(label))
            for variant in variants
            for plain, varied in variant.ranks
            for label in plain.sums.index
        ),
        "variant kind=plain.kind metric=plain.metric row problems rank_sum_plain rank_sum_other",
        problems=lambda line: len(line.plain.means),
        rank_sum_plain=lambda line: line.plain.sums[line.row],
        rank_sum_other=lambda line: line.varied.sums[line.row],
    )


def _rank_table(variant: VariantComparison) -> Table:
    def rank_column(before: Ranking, after: Ranking) -> Column[Method]:
        def cell(method: Method) -> Cell:
            if method.label not in after.sums:
                return page_tables.ABSENT
            kind = "best" if method.label in after.leaders else "number"
            rank_sum, plain_sum = (plain(r.sums[method.label]) for r in (after, before))
            return Cell(rank_sum, f"plain {plain_sum}", kind)

        head = f"{before.kind}, {short_name(before.metric)}"
        return Column(Head(head, counted(len(before.means), "problem")), cell)

    return line_table(
        f"Rank sums {variant.name}, below them those of the same problems plain",
        variant.methods,
        (Column[Method]("method", method_cell), *(rank_column(*pair) for pair in variant.ranks)),
    )


def _gain_table(variant: VariantComparison) -> Table:
    return page_tables.cross_table(
        f"ReMix's mean gain over the baseline {variant.name}, by data set",
        _summaries(variant.gains, ["dataset", "kind", "metric"]),
        corner="data set",
        row=lambda line: Cell(line.dataset, kind="name"),
        column=lambda line: Head(f"{line.kind}, {short_name(line.metric)}"),
        cell=lambda line: Cell(signed(line.other), f"plain {signed(line.plain)}"),
    )
