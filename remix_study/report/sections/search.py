"""The search section: what was chosen, what it is worth, and how the search went."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from remix_study.metrics import is_maximized, short_name
from remix_study.report import figures
from remix_study.report.figures import Picture, strategy_color
from remix_study.report.formatting import heading, label_with_direction
from remix_study.report.page_model import Block, Cell, Head, Listing, Section, Table
from remix_study.report.page_tables import Column, line_table, metric_columns, score_cell
from remix_study.report.recommended_study import python_text, study_text
from remix_study.report.sentences import SENTENCES
from remix_study.results.columns import grouped
from remix_study.results.comparison import Comparison
from remix_study.results.importances import table
from remix_study.results.search import OuterScores, SearchSummary, search_summaries
from remix_study.results.search_frames import SearchResult, StoredTrial
from remix_study.results.search_tables import (
    table_of_choices,
    table_of_outer_scores,
    table_of_trials,
)
from remix_study.study.configurations import strategy_of
from remix_study.studyfile.schema import Training

_SAMPLER_COLORS = {
    "natural": strategy_color("baseline"),
    "balanced": strategy_color("remix"),
    "balanced-dataset": strategy_color("balance"),
    "smote": strategy_color("smote"),
}
_OBJECTIVE_COLORS = tuple(map(strategy_color, ("balance", "remix", "cost")))
_Value = Callable[[StoredTrial], float]
_GREY, _LIGHT_GREY = "#999999", "#bbbbbb"
_ALPHA_TICKS = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


def sections(
    comparisons: Sequence[Comparison],
    searches: Sequence[SearchResult],
    manifests: Sequence[Mapping[str, Any]],
) -> list[Section]:
    """The section of the page; none without a search."""
    summaries = search_summaries(comparisons, searches)
    if not summaries:
        return []
    study_files = {(m["study"], m["problem"]): m["file"]["text"] for m in manifests if "file" in m}
    blocks = []
    for place, summary in enumerate(summaries, start=1):
        blocks += _blocks(f"search-{place}", summary)
        if summary.recommended:
            blocks.append(_recommended_block(summary, summary.recommended, study_files))
    files = {
        "search-trials": table_of_trials(summaries),
        "search-choices": table_of_choices(summaries),
        "search-outer": table_of_outer_scores(summaries),
        "search-importances": table([(s.comparison, s.importances) for s in summaries]),
    }
    # After a grid the decision has its trials beside all others.
    is_folded = all(summary.result.follows_grid for summary in summaries)
    lead = SENTENCES.text("search.lead")
    return [Section("search", "Search", lead, tuple(blocks), files, is_folded=is_folded)]


def _blocks(name: str, summary: SearchSummary) -> list[Block]:
    """What was chosen, and folded below it how the search went."""
    title = summary.comparison.full_title
    if not summary.chosen:
        return [Block(title=title, text=SENTENCES.paragraphs("search.nothing"))]
    tables = (_choice_table(summary), *([_outer_table(summary)] if summary.outer else []))
    return [
        Block(
            title=title,
            warnings=SENTENCES.paragraphs("search.warnings", summary),
            headline=SENTENCES.text("search.headline", summary),
            text=SENTENCES.paragraphs("search.outer", summary),
            pictures=_alpha_pictures(name, summary),
            tables=tables,
            folded="The chosen trials in numbers",
        ),
        Block(
            collapsed=f"How the search on {summary.comparison.name} went",
            text=SENTENCES.paragraphs("search.block", summary),
            pictures=_pictures(name, summary),
        ),
    ]


def _recommended_block(
    summary: SearchSummary, trial: StoredTrial, study_files: Mapping[tuple[str, str], str]
) -> Block:
    comparison = summary.comparison
    text = study_files.get((comparison.study, comparison.problem))
    training = summary.result.definition.get("training") or {}
    keys = {key: training[key] for key in Training.__struct_fields__ if key in training}
    listings = [Listing("In Python, for a model of your own", python_text(trial.parameters, keys))]
    if text is not None:
        recommended_study = study_text(text, comparison.info, trial.parameters)
        listings.insert(0, Listing("As a study file", recommended_study))
    return Block(
        collapsed=f"Recommended for {comparison.name}: trial {trial.number}, ready to paste",
        listings=tuple(listings),
    )


def _choice_table(summary: SearchSummary) -> Table:
    """References, chosen and recommended trials with both scores in each objective."""
    objectives = summary.comparison.objectives

    def score_column(metric: str, part: str) -> Column[tuple[str, StoredTrial]]:
        return Column(part, lambda shown: score_cell(summary.score(shown[1], metric, part)))

    def name(shown: tuple[str, StoredTrial]) -> Cell:
        choice, trial = shown
        return Cell(f"{choice}: trial {trial.number}", trial.label, "name")

    return line_table(
        "Means over folds; chosen and recommended trials are optimistic in both columns",
        summary.shown_trials,
        (
            Column("trial", name),
            *(score_column(m, part) for m in objectives for part in ("validation", "test")),
        ),
        groups=(Head(""), *(Head(heading(metric), span=2) for metric in objectives)),
    )


def _outer_table(summary: SearchSummary) -> Table:
    scores = summary.outer[0].scores

    def name(outer: OuterScores) -> Cell:
        choice = outer.choice
        words = choice if choice == "baseline" else f"searched by {short_name(choice)}"
        return Cell(words, "; ".join(dict.fromkeys(outer.labels)), "name")

    return line_table(
        SENTENCES.phrase("search.outer_caption", next(iter(scores.values()))),
        summary.outer,
        (
            Column("choice", name),
            *metric_columns(scores, lambda outer, metric: score_cell(outer.scores.get(metric))),
        ),
    )


@contextmanager
def _panel(pictures: list[Picture], name: str, alt: str) -> Iterator[Axes]:
    """Axes to draw into, which become a picture in the list."""
    with figures.figure(*figures.PANEL_SIZE) as fig:
        axes = fig.add_subplot()
        yield axes
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.1,
            borderpad=0.2, handlelength=1.4, columnspacing=1.1, fontsize=8,
        )  # fmt: skip
    pictures.append(figures.picture_of(fig, name, alt))


def _alpha_pictures(name: str, summary: SearchSummary) -> tuple[Picture, ...]:
    """Each objective against alpha, where there are trials that mix."""
    pictures: list[Picture] = []
    mixed = [trial for trial in summary.complete if "alpha" in trial.parameters]
    for metric in summary.comparison.objectives if mixed else ():
        alt = f"Validation {short_name(metric)} against alpha, by sampler."
        with _panel(pictures, f"{name}-alpha-{metric}", alt) as axes:
            _draw_alphas(axes, mixed, _validation_mean(summary, metric), metric)
    return tuple(pictures)


def _pictures(name: str, summary: SearchSummary) -> tuple[Picture, ...]:
    """How the search went: its history, trade-offs and importances."""
    objectives = summary.comparison.objectives
    pictures: list[Picture] = []
    for metric in objectives:
        alt = f"Validation {short_name(metric)} of each trial, and the best so far."
        with _panel(pictures, f"{name}-history-{metric}", alt) as axes:
            _draw_history(axes, summary, metric)
    if len(objectives) > 1:
        metrics = " and ".join(map(short_name, objectives[:2]))
        alt = f"Trade-offs between {metrics}, validation and test."
        with _panel(pictures, f"{name}-front", alt) as axes:
            _draw_front(axes, summary)
    if summary.importances:
        with _panel(pictures, f"{name}-importances", "Importance of each parameter.") as axes:
            _draw_importances(axes, summary.importances)
    return tuple(pictures)


def _dots(
    axes: Axes, trials: Sequence[StoredTrial], x: _Value, y: _Value, marks: str, **style: Any
) -> None:
    if trials:
        axes.plot([x(trial) for trial in trials], [y(trial) for trial in trials], marks, **style)


def _draw_history(axes: Axes, summary: SearchSummary, metric: str) -> None:
    trials = summary.result.trials
    positions = {trial: float(position) for position, trial in enumerate(trials, start=1)}
    at, value = positions.__getitem__, _validation_mean(summary, metric)
    choosable = [trial for trial in trials if trial.is_choosable]
    missing = [trial for trial in summary.complete if not trial.is_feasible]
    pruned = [trial for trial in trials if not trial.is_complete]
    _dots(axes, choosable, at, value, "o", ms=4, color=strategy_color("balance"),
          label="complete", clip_on=False)  # fmt: skip
    _dots(axes, missing, at, value, "x", ms=4, color=_GREY, label="misses a constraint",
          clip_on=False)  # fmt: skip
    _dots(axes, pruned, at, value, "v", ms=4, color=_GREY, label="pruned", clip_on=False)
    if choosable:
        running_best = np.maximum if is_maximized(metric) else np.minimum
        axes.step([at(trial) for trial in choosable],
                  running_best.accumulate([value(trial) for trial in choosable]),
                  where="post", color=strategy_color("remix"), lw=1.5, label="best")  # fmt: skip
    for strategy, trial in summary.references.items():
        if trial in positions:
            axes.annotate(
                "baseline" if strategy == "baseline" else "ReMix", (at(trial), value(trial)),
                textcoords="offset points", xytext=(4, 5), fontsize=8, color=figures.INK,
            )  # fmt: skip
        else:
            axes.axhline(value(trial), color=figures.FAINT, lw=1, zorder=0)
    axes.set_xlabel("trial, in the order of the search")
    axes.set_ylabel(f"validation {label_with_direction(metric)}")


def _validation_mean(summary: SearchSummary, metric: str) -> _Value:
    place = summary.comparison.objectives.index(metric)
    return lambda trial: trial.values[place]


def _draw_front(axes: Axes, summary: SearchSummary) -> None:
    """Draw all trials by the first two objectives, with the Pareto front on both parts."""
    metrics = summary.comparison.objectives[:2]
    x, y = (_validation_mean(summary, metric) for metric in metrics)
    missing = [trial for trial in summary.complete if not trial.is_feasible]
    others = [t for t in summary.complete if t.is_feasible and t not in summary.front]
    _dots(axes, missing, x, y, "x", ms=4, color=_LIGHT_GREY, label="misses a constraint")
    _dots(axes, others, x, y, "o", ms=3.5, color=_LIGHT_GREY, label="others")
    for trial in summary.front:
        scores = [summary.score(trial, metric, "test") for metric in metrics]
        test = [score.mean for score in scores if score]
        axes.plot(*zip(trial.values[:2], test, strict=True), color=figures.FAINT, lw=1, zorder=1)
        axes.plot(*test, "s", ms=4.5, color=strategy_color("remix"), zorder=3,
                  label="front on test" if trial is summary.front[0] else None)  # fmt: skip
    _dots(axes, summary.front, x, y, "o-", ms=5, lw=1, color=strategy_color("balance"),
          label="front")  # fmt: skip
    axes.set_xlabel(label_with_direction(metrics[0]))
    axes.set_ylabel(label_with_direction(metrics[1]))


def _draw_importances(axes: Axes, importances: Mapping[str, Mapping[str, float]]) -> None:
    names = dict.fromkeys(name for shares in importances.values() for name in shares)
    largest = {name: max(s.get(name, 0.0) for s in importances.values()) for name in names}
    parameters = sorted(largest, key=lambda parameter: -largest[parameter])
    height = 0.8 / len(importances)
    for number, (metric, shares) in enumerate(importances.items()):
        axes.barh(
            np.arange(len(parameters)) + (number - (len(importances) - 1) / 2) * height,
            [shares.get(parameter, 0.0) for parameter in parameters],
            height * 0.9,
            color=_OBJECTIVE_COLORS[number % len(_OBJECTIVE_COLORS)],
            label=short_name(metric),
        )
    axes.set_yticks(np.arange(len(parameters)), parameters)
    axes.invert_yaxis()
    axes.set_xlabel("share in reaching the best trials (PED-ANOVA)")
    axes.tick_params(axis="y", length=0)


def _draw_alphas(axes: Axes, trials: Sequence[StoredTrial], value: _Value, metric: str) -> None:
    by_sampler = grouped(trials, lambda trial: strategy_of(trial.parameters).sampler)
    for sampler, group in by_sampler.items():
        _dots(axes, group, _alpha, value, "o", ms=4.5, label=sampler, clip_on=False,
              color=_SAMPLER_COLORS.get(sampler, _GREY))  # fmt: skip
    top = max(map(_alpha, trials))
    # Round numbers, the last at or above the largest alpha.
    ticks = [tick for tick in _ALPHA_TICKS if tick <= top]
    figures.alpha_axis(axes, [0.0, *ticks, next(t for t in (*_ALPHA_TICKS, top) if t >= top)])
    axes.set_ylabel(f"validation {label_with_direction(metric)}")


def _alpha(trial: StoredTrial) -> float:
    return float(trial.parameters["alpha"])
