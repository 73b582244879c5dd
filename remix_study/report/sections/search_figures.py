"""Figures of a search: its course, its trade-offs, what mattered, and alpha by sampler."""

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


def pictures(name: str, found: SearchSummary) -> list[Picture]:
    """Every figure of a problem's search that its trials allow."""
    objectives = found.comparison.objectives
    made = [_history(f"{name}-history-{metric}", found, metric) for metric in objectives]
    if len(objectives) > 1:
        made.append(_front(f"{name}-front", found))
    if found.importances:
        made.append(_importances(f"{name}-importances", found))
    if any("alpha" in trial.parameters for trial in found.complete):
        made += [_alphas(f"{name}-alpha-{metric}", found, metric) for metric in objectives]
    return made


def _history(name: str, found: SearchSummary, metric: str) -> Picture:
    at = found.comparison.objectives.index(metric)
    trials = found.result.trials
    places = {trial.number: place for place, trial in enumerate(trials, start=1)}
    best = np.maximum if is_maximized(metric) else np.minimum
    with figure(*PANEL_SIZE) as made:
        axes = made.add_subplot()
        for words, marker in _KINDS.items():
            own = [trial for trial in trials if _kind(trial) == words]
            if own:
                color = "#999999" if marker != "o" else strategy_color("balance")
                x, y = [places[t.number] for t in own], [t.values[at] for t in own]
                axes.plot(x, y, marker, ms=4, color=color, label=words, clip_on=False)
        firm = [trial for trial in trials if trial.state == "COMPLETE" and trial.feasible]
        if firm:
            course = best.accumulate([trial.values[at] for trial in firm])
            x = [places[trial.number] for trial in firm]
            axes.step(x, course, where="post", color=strategy_color("remix"), lw=1.5, label="best")
        for mark, trial in found.references.items():
            if trial.number in places and trial in trials:
                axes.annotate(
                    "baseline" if mark == "baseline" else "ReMix",
                    (places[trial.number], trial.values[at]),
                    textcoords="offset points",
                    xytext=(4, 5),
                    fontsize=8,
                    color=INK,
                )
            else:
                axes.axhline(trial.values[at], color=FAINT, lw=1, zorder=0)
        axes.set_xlabel("trial, in the order of the search")
        axes.set_ylabel(f"validation {label_with_direction(metric)}")
        _legend(axes)
        alt = f"Validation {short_name(metric)} of each trial, and the best so far."
        return Picture(name, "", alt, *render(made))


def _kind(trial: SearchTrial) -> str:
    if trial.state == "PRUNED":
        return "pruned"
    return "complete" if trial.feasible else "misses a constraint"


def _front(name: str, found: SearchSummary) -> Picture:
    """The first two objectives: all trials, and those that no other beats, on both parts."""
    first, second = found.comparison.objectives[:2]
    front = set(found.front)
    with figure(*PANEL_SIZE) as made:
        axes = made.add_subplot()
        missing = [trial for trial in found.complete if not trial.feasible]
        if missing:
            axes.plot(
                [trial.values[0] for trial in missing],
                [trial.values[1] for trial in missing],
                "x", ms=4, color="#bbbbbb", label="misses a constraint",
            )  # fmt: skip
        rest = [trial for trial in found.complete if trial.feasible and trial not in front]
        if rest:
            axes.plot(
                [trial.values[0] for trial in rest],
                [trial.values[1] for trial in rest],
                "o", ms=3.5, color="#bbbbbb", label="others",
            )  # fmt: skip
        for trial in found.front:
            test = [float(found.score(trial, m, "test").mean()) for m in (first, second)]
            x, y = (trial.values[0], test[0]), (trial.values[1], test[1])
            axes.plot(x, y, color=FAINT, lw=1, zorder=1)
            axes.plot(*test, "s", ms=4.5, color=strategy_color("remix"), zorder=3,
                      label="front on test" if trial is found.front[0] else None)  # fmt: skip
        axes.plot(
            [trial.values[0] for trial in found.front],
            [trial.values[1] for trial in found.front],
            "o-", ms=5, lw=1, color=strategy_color("balance"), label="front",
        )  # fmt: skip
        axes.set_xlabel(label_with_direction(first))
        axes.set_ylabel(label_with_direction(second))
        _legend(axes)
        metrics = f"{short_name(first)} and {short_name(second)}"
        alt = f"Trade-offs between {metrics}, validation and test."
        return Picture(name, "", alt, *render(made))


def _importances(name: str, found: SearchSummary) -> Picture:
    metrics = list(found.importances)
    names = sorted(
        {name for shares in found.importances.values() for name in shares},
        key=lambda n: -max(shares.get(n, 0.0) for shares in found.importances.values()),
    )
    colors = (strategy_color("balance"), strategy_color("remix"), strategy_color("cost"))
    with figure(*PANEL_SIZE) as made:
        axes = made.add_subplot()
        height = 0.8 / len(metrics)
        for at, metric in enumerate(metrics):
            places = np.arange(len(names)) + (at - (len(metrics) - 1) / 2) * height
            shares = [found.importances[metric].get(n, 0.0) for n in names]
            axes.barh(places, shares, height * 0.9, color=colors[at % 3], label=short_name(metric))
        axes.set_yticks(np.arange(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlabel("share in reaching the best trials (PED-ANOVA)")
        axes.tick_params(axis="y", length=0)
        _legend(axes)
        return Picture(name, "", "Importance of each parameter.", *render(made))


def _alphas(name: str, found: SearchSummary, metric: str) -> Picture:
    at = found.comparison.objectives.index(metric)
    own = [trial for trial in found.complete if "alpha" in trial.parameters]
    samplers = list(dict.fromkeys(_sampler(trial) for trial in own))
    with figure(*PANEL_SIZE) as made:
        axes = made.add_subplot()
        for sampler in samplers:
            here = [trial for trial in own if _sampler(trial) == sampler]
            axes.plot(
                [trial.parameters["alpha"] for trial in here],
                [trial.values[at] for trial in here],
                "o", ms=4.5, color=_COLORS.get(sampler, "#999999"), label=sampler, clip_on=False,
            )  # fmt: skip
        alpha_axis(axes, [0.0, *_ticks([trial.parameters["alpha"] for trial in own])])
        axes.set_ylabel(f"validation {label_with_direction(metric)}")
        _legend(axes)
        alt = f"Validation {short_name(metric)} against alpha, by sampler."
        return Picture(name, "", alt, *render(made))


def _sampler(trial: SearchTrial) -> str:
    return strategy_of(trial.parameters).sampler


def _ticks(alphas: Sequence[float]) -> list[float]:
    """Round numbers up to the largest alpha."""
    known = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
    top = max(alphas)
    return [tick for tick in known if tick <= top] + [next(t for t in (*known, top) if t >= top)]


def _legend(axes: Axes) -> None:
    """A legend above the panel, out of the way of the points."""
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.1, borderpad=0.2,
        handlelength=1.4, columnspacing=1.1, fontsize=8,
    )  # fmt: skip
