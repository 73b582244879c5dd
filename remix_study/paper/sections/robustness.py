"""The robustness section: the headline with rows drawn or split otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from remix_study.metrics import PUBLISHED_METRICS, short_name
from remix_study.paper.robustness import BASELINE, REMIX, Robustness, robustness
from remix_study.report.figures import FAINT, INK, figure, render, strategy_color
from remix_study.report.formatting import (
    MISSING,
    counted,
    listing,
    number,
    plain,
    sentence,
    signed,
)
from remix_study.report.page_model import Block, Cell, Head, Picture, Section, Table
from remix_study.report.sections.rank_sums import incomplete_methods
from remix_study.results.comparison import Comparison
from remix_study.results.ranking import Ranking
from remix_study.results.variants import BOTH, GROUPED, REDRAWN

TITLE = "Robustness"
LEAD = (
    "The headline on the same problems with one thing changed. A plain study downsamples once, "
    "so its repeats share the rare rows; and it splits rows without regard to what they belong "
    "to. Only problems that both have, and rows that are complete in both, are compared."
)
_TITLES = {
    REDRAWN: "Rare rows drawn anew for every repeat",
    GROUPED: "Groups kept together",
    BOTH: "Groups kept together, rare rows drawn anew for every repeat",
}
_SHORT = {REDRAWN: "redrawn", GROUPED: "grouped", BOTH: "both"}


def sections(comparisons: Sequence[Comparison]) -> tuple[Section, ...]:
    """The section of the page; none where no study has such problems beside plain ones."""
    found = robustness(comparisons)
    if not found:
        return ()
    files = {
        "robustness-ranks": pd.concat([_rank_lines(made) for made in found], ignore_index=True),
        "robustness-gains": pd.concat([made.gains for made in found], ignore_index=True),
        "robustness": pd.concat([made.lines for made in found], ignore_index=True),
    }
    blocks = tuple(_block(made) for made in found)
    return (
        Section("robustness", TITLE, LEAD, blocks, {k: v for k, v in files.items() if len(v)}),
    )


def _block(made: Robustness) -> Block:
    title = _TITLES[made.variant]
    left_out = incomplete_methods(made.plain.incomplete)
    if not made.plain.rankings:
        alone = "Fewer than two of the published rows are complete in both: nothing to compare."
        return Block(title=title, text=(*left_out, alone))
    text = (
        *left_out,
        *_ranks(made),
        *_gains(made),
        *(_falls(made) if made.variant != REDRAWN else ()),
        *(_spreads(made) if made.variant != GROUPED else ()),
    )
    pictures = (_picture(made),) if len(made.gains) else ()
    tables = [_rank_table(made)]
    if len(made.gains):
        tables.append(_gain_table(made))
    return Block(title=title, text=text, pictures=pictures, tables=tuple(tables))


def _order(ranking: Ranking) -> list[str]:
    return [str(name) for name in ranking.sums.sort_values(kind="stable").index]


def _ranks(made: Robustness) -> list[str]:
    found = []
    for before, after in made.rankings():
        where = f"{before.kind} problems, {short_name(before.metric)}"
        n = counted(len(before.means), "problem")
        if before.sums.equals(after.sums):
            found.append(sentence(f"{where} ({n}): all rank sums stay the same"))
            continue
        first, second = (_first(ranking) for ranking in (before, after))
        text = f"{where} ({n}): "
        if _order(before) == _order(after):
            text += f"the order stays {listing(_order(before))}"
        elif first == second:
            text += f"{first} stays first, the order behind it changes"
        else:
            text += f"first is {second} instead of {first}"
        if REMIX in before.sums:
            text += (
                f"; the rank sum of {REMIX} goes from {plain(float(before.sums[REMIX]))} to "
                f"{plain(float(after.sums[REMIX]))}"
            )
        found.append(sentence(text))
    return found


def _first(ranking: Ranking) -> str:
    best = ranking.sums[ranking.sums == ranking.sums.min()]
    return listing([str(name) for name in best.index])


def _gains(made: Robustness) -> list[str]:
    found = []
    for (kind, metric), own in _by_kind_and_metric(made.gains):
        kept = int(((own["plain"] > 0) == (own["other"] > 0)).sum())
        found.append(
            sentence(
                f"{kind} problems, {short_name(metric)}: ReMix's mean gain over the baseline is "
                f"{signed(own['other'].mean())} {made.variant} and {signed(own['plain'].mean())} "
                f"plain; its sign is the same on {kept} of {counted(len(own), 'problem')}"
            )
        )
    return found


def _falls(made: Robustness) -> list[str]:
    """How much of the plain scores comes from relatives of test rows in training."""
    found = []
    for metric in PUBLISHED_METRICS:
        own = made.lines[made.lines["metric"] == metric]
        for dataset, here in own.groupby("dataset", sort=False):
            means = here.groupby("row", sort=False)[["plain", "other", "change"]].mean()
            worse = int((here["change"] < 0).sum())
            parts = [
                f"{row} from {number(float(means['plain'][row]))} to "
                f"{number(float(means['other'][row]))}"
                for row in (BASELINE, REMIX)
                if row in means.index
            ]
            found.append(
                sentence(
                    f"groups kept together, {dataset}, {short_name(metric)}: "
                    f"{listing(parts) or 'no common row'}; worse for {worse} of "
                    f"{counted(len(here), 'problem and row', 'problems and rows')}, mean change "
                    f"{signed(here['change'].mean())}"
                )
            )
    return found


def _spreads(made: Robustness) -> list[str]:
    found = []
    for (kind, metric), own in _by_kind_and_metric(made.lines):
        before, after = own["spread_plain"].median(), own["spread_other"].median()
        ratio = (own["spread_other"] / own["spread_plain"].where(own["spread_plain"] > 0)).median()
        wider = int((own["spread_other"] > own["spread_plain"]).sum())
        found.append(
            sentence(
                f"{kind} problems, {short_name(metric)}: the standard deviation over repeats has "
                f"the median {number(after)} {made.variant} and {number(before)} plain, "
                f"the median ratio is {number(ratio, 2)}; it is larger for {wider} of "
                f"{counted(len(own), 'problem and row', 'problems and rows')}"
            )
        )
    return found


def _by_kind_and_metric(frame: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    if frame.empty:
        return []
    return [
        ((str(key[0]), str(key[1])), own)
        for key, own in frame.groupby(["kind", "metric"], sort=False)
        if isinstance(key, tuple)
    ]


def _picture(made: Robustness) -> Picture:
    """Dumbbells: ReMix's gain on each problem, plain and under the variant; last its spread."""
    problems = list(dict.fromkeys(made.gains["problem"]))
    own = made.lines[(made.lines["row"] == REMIX) & (made.lines["metric"] == "g_mean")]
    last = (
        ("spread_plain", "spread_other", f"sd of {REMIX}'s g-mean over repeats")
        if made.variant != GROUPED
        else ("plain", "other", f"g-mean of {REMIX}")
    )
    with figure(9.4, 1.3 + 0.24 * len(problems)) as drawn:
        axes = drawn.subplots(1, 3, sharey=True)
        for place, metric in zip(axes, PUBLISHED_METRICS, strict=False):
            gains = made.gains[made.gains["metric"] == metric].set_index("problem")
            place.axvline(0, color="#888888", lw=0.8, zorder=1)
            _dumbbells(place, gains.loc[problems, "plain"], gains.loc[problems, "other"])
            place.set_xlabel(f"gain in {short_name(metric)}")
        lines = own.set_index("problem").loc[problems]
        _dumbbells(axes[2], lines[last[0]], lines[last[1]])
        axes[2].set_xlabel(last[2])
        axes[0].set_yticks(range(len(problems)), problems)
        axes[0].set_ylim(len(problems) - 0.4, -0.6)
        color = strategy_color("remix")
        axes[0].plot([], [], ls="", marker="o", color=INK, markerfacecolor="white", label="plain")
        axes[0].plot([], [], ls="", marker="o", color=color, label=_SHORT[made.variant])
        drawn.legend(loc="outside upper left", ncols=2)
        svg, png = render(drawn)
    alt = (
        f"ReMix's gain over the baseline in g-mean and balanced Brier on each problem, plain and "
        f"{made.variant}, and {last[2]}."
    )
    return Picture(f"robustness-{made.variant.replace(' ', '-')}", "", alt, svg, png, wide=True)


def _dumbbells(axes: Axes, before: pd.Series, after: pd.Series) -> None:
    color = strategy_color("remix")
    for height, (first, second) in enumerate(zip(before, after, strict=True)):
        axes.axhline(height, color=FAINT, lw=0.4, zorder=0)
        axes.plot([first, second], [height, height], color=color, lw=1.4, alpha=0.5, zorder=2)
        axes.plot(first, height, marker="o", markersize=5, color=INK, markerfacecolor="white",
                  zorder=3)  # fmt: skip
        axes.plot(second, height, marker="o", markersize=5, color=color, zorder=4)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _rank_lines(made: Robustness) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "variant": made.variant,
                "kind": before.kind,
                "metric": before.metric,
                "row": row,
                "problems": len(before.means),
                "rank_sum_plain": rank_sum,
                "rank_sum_other": float(after.sums[str(row)]),
            }
            for before, after in made.rankings()
            for row, rank_sum in before.sums.items()
        ]
    )


def _rank_table(made: Robustness) -> Table:
    found = made.rankings()
    head = (
        Head("row"),
        *(
            Head(
                f"{before.kind}, {short_name(before.metric)}",
                counted(len(before.means), "problem"),
            )
            for before, _ in found
        ),
    )
    rows = []
    for row in made.plain.methods:
        cells = [Cell(row.label, kind="name", color=strategy_color(row.strategy))]
        for before, after in found:
            if row.label not in after.sums:
                cells.append(Cell(MISSING, kind=""))
                continue
            value = float(after.sums[row.label])
            kind = "best" if value == after.sums.min() else "number"
            cells.append(Cell(plain(value), f"plain {plain(float(before.sums[row.label]))}", kind))
        rows.append(tuple(cells))
    caption = f"Rank sums {made.variant}, below them those of the same problems plain"
    return Table(caption, (head,), tuple(rows))


def _gain_table(made: Robustness) -> Table:
    columns = [(kind, metric) for (kind, metric), _ in _by_kind_and_metric(made.gains)]
    head = (
        Head("data set"),
        *(Head(f"{kind}, {short_name(metric)}") for kind, metric in columns),
    )
    means = made.gains.groupby(["dataset", "kind", "metric"], sort=False)[
        ["plain", "other"]
    ].mean()
    rows = []
    for dataset in dict.fromkeys(made.gains["dataset"]):
        cells = [Cell(str(dataset), kind="name")]
        for kind, metric in columns:
            key = (dataset, kind, metric)
            if key not in means.index:
                cells.append(Cell(MISSING, kind=""))
                continue
            after, before = (float(means[name][key]) for name in ("other", "plain"))
            cells.append(Cell(signed(after), f"plain {signed(before)}"))
        rows.append(tuple(cells))
    caption = f"ReMix's mean gain over the baseline {made.variant}, by data set"
    return Table(caption, (head,), tuple(rows))
