"""Figures of a search: its history, trade-offs, importances, and alpha by sampler."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from remix_study.metrics import is_maximized, short_name
from remix_study.report.figures import (
    FAINT,
    INK,
    PANEL_SIZE,
    alpha_axis,
    figure,
    render,
    strategy_color,
)
from remix_study.report.formatting import label_with_direction
from remix_study.report.page_model import Picture
from remix_study.results.search import SearchSummary
from remix_study.results.search_frames import SearchTrial
from remix_study.study.configurations import strategy_of

_COLORS = {
    "natural": strategy_color("baseline"),
    "balanced": strategy_color("remix"),
    "balanced-dataset": strategy_color("balance"),
    "smote": strategy_color("smote"),
}
_KINDS = {"complete": "o", "misses a constraint": "x", "pruned": "v"}


def pictures(name: str, summary: SearchSummary) -> list[Picture]:
    """All figures of a problem's search for which there are trials."""
    objectives = summary.comparison.objectives
    figures = [_history(f"{name}-history-{metric}", summary, metric) for metric in objectives]
    if len(objectives) > 1:
        figures.append(_front(f"{name}-front", summary))
    if summary.importances:
        figures.append(_importances(f"{name}-importances", summary))
    if any("alpha" in trial.parameters for trial in summary.complete):
        figures += [_alphas(f"{name}-alpha-{metric}", summary, metric) for metric in objectives]
    return figures


def _history(name: str, summary: SearchSummary, metric: str) -> Picture:
    place = summary.comparison.objectives.index(metric)
    trials = summary.result.trials
    positions = {trial.number: position for position, trial in enumerate(trials, start=1)}
    running_best = np.maximum if is_maximized(metric) else np.minimum
    with figure(*PANEL_SIZE) as fig:
        axes = fig.add_subplot()
        for kind, marker in _KINDS.items():
            kind_trials = [trial for trial in trials if _kind(trial) == kind]
            if kind_trials:
                color = "#999999" if marker != "o" else strategy_color("balance")
                x, y = (
                    [positions[t.number] for t in kind_trials],
                    [t.values[place] for t in kind_trials],
                )
                axes.plot(x, y, marker, ms=4, color=color, label=kind, clip_on=False)
        choosable = [trial for trial in trials if trial.state == "COMPLETE" and trial.is_feasible]
        if choosable:
            course = running_best.accumulate([trial.values[place] for trial in choosable])
            x = [positions[trial.number] for trial in choosable]
            axes.step(x, course, where="post", color=strategy_color("remix"), lw=1.5, label="best")
        for reference, trial in summary.references.items():
            if trial.number in positions and trial in trials:
                axes.annotate(
                    "baseline" if reference == "baseline" else "ReMix",
                    (positions[trial.number], trial.values[place]),
                    textcoords="offset points",
                    xytext=(4, 5),
                    fontsize=8,
                    color=INK,
                )
            else:
                axes.axhline(trial.values[place], color=FAINT, lw=1, zorder=0)
        axes.set_xlabel("trial, in the order of the search")
        axes.set_ylabel(f"validation {label_with_direction(metric)}")
        _legend(axes)
        alt = f"Validation {short_name(metric)} of each trial, and the best so far."
        return Picture(name, "", alt, *render(fig))


def _kind(trial: SearchTrial) -> str:
    if trial.state == "PRUNED":
        return "pruned"
    return "complete" if trial.is_feasible else "misses a constraint"


def _front(name: str, summary: SearchSummary) -> Picture:
    """Draw all trials by the first two objectives, with the Pareto front on both parts."""
    first_metric, second_metric = summary.comparison.objectives[:2]
    front = set(summary.front)
    with figure(*PANEL_SIZE) as fig:
        axes = fig.add_subplot()
        missing = [trial for trial in summary.complete if not trial.is_feasible]
        if missing:
            axes.plot(
                [trial.values[0] for trial in missing],
                [trial.values[1] for trial in missing],
                "x", ms=4, color="#bbbbbb", label="misses a constraint",
            )  # fmt: skip
        others = [trial for trial in summary.complete if trial.is_feasible and trial not in front]
        if others:
            axes.plot(
                [trial.values[0] for trial in others],
                [trial.values[1] for trial in others],
                "o", ms=3.5, color="#bbbbbb", label="others",
            )  # fmt: skip
        for trial in summary.front:
            test = [
                float(summary.score(trial, m, "test").mean())
                for m in (first_metric, second_metric)
            ]
            x, y = (trial.values[0], test[0]), (trial.values[1], test[1])
            axes.plot(x, y, color=FAINT, lw=1, zorder=1)
            axes.plot(*test, "s", ms=4.5, color=strategy_color("remix"), zorder=3,
                      label="front on test" if trial is summary.front[0] else None)  # fmt: skip
        axes.plot(
            [trial.values[0] for trial in summary.front],
            [trial.values[1] for trial in summary.front],
            "o-", ms=5, lw=1, color=strategy_color("balance"), label="front",
        )  # fmt: skip
        axes.set_xlabel(label_with_direction(first_metric))
        axes.set_ylabel(label_with_direction(second_metric))
        _legend(axes)
        metrics = f"{short_name(first_metric)} and {short_name(second_metric)}"
        alt = f"Trade-offs between {metrics}, validation and test."
        return Picture(name, "", alt, *render(fig))


def _importances(name: str, summary: SearchSummary) -> Picture:
    metrics = list(summary.importances)
    names = sorted(
        {name for shares in summary.importances.values() for name in shares},
        key=lambda parameter: (
            -max(shares.get(parameter, 0.0) for shares in summary.importances.values())
        ),
    )
    colors = (strategy_color("balance"), strategy_color("remix"), strategy_color("cost"))
    with figure(*PANEL_SIZE) as fig:
        axes = fig.add_subplot()
        height = 0.8 / len(metrics)
        for number, metric in enumerate(metrics):
            heights = np.arange(len(names)) + (number - (len(metrics) - 1) / 2) * height
            shares = [summary.importances[metric].get(parameter, 0.0) for parameter in names]
            axes.barh(
                heights, shares, height * 0.9, color=colors[number % 3], label=short_name(metric)
            )
        axes.set_yticks(np.arange(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlabel("share in reaching the best trials (PED-ANOVA)")
        axes.tick_params(axis="y", length=0)
        _legend(axes)
        return Picture(name, "", "Importance of each parameter.", *render(fig))


def _alphas(name: str, summary: SearchSummary, metric: str) -> Picture:
    place = summary.comparison.objectives.index(metric)
    trials = [trial for trial in summary.complete if "alpha" in trial.parameters]
    samplers = list(dict.fromkeys(_sampler(trial) for trial in trials))
    with figure(*PANEL_SIZE) as fig:
        axes = fig.add_subplot()
        for sampler in samplers:
            sampler_trials = [trial for trial in trials if _sampler(trial) == sampler]
            axes.plot(
                [trial.parameters["alpha"] for trial in sampler_trials],
                [trial.values[place] for trial in sampler_trials],
                "o", ms=4.5, color=_COLORS.get(sampler, "#999999"), label=sampler, clip_on=False,
            )  # fmt: skip
        alpha_axis(axes, [0.0, *_ticks([trial.parameters["alpha"] for trial in trials])])
        axes.set_ylabel(f"validation {label_with_direction(metric)}")
        _legend(axes)
        alt = f"Validation {short_name(metric)} against alpha, by sampler."
        return Picture(name, "", alt, *render(fig))


def _sampler(trial: SearchTrial) -> str:
    return strategy_of(trial.parameters).sampler


def _ticks(alphas: Sequence[float]) -> list[float]:
    """Round numbers up to the largest alpha."""
    ticks = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
    top = max(alphas)
    return [tick for tick in ticks if tick <= top] + [next(t for t in (*ticks, top) if t >= top)]


def _legend(axes: Axes) -> None:
    """Draw a legend above the panel."""
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.1, borderpad=0.2,
        handlelength=1.4, columnspacing=1.1, fontsize=8,
    )  # fmt: skip
