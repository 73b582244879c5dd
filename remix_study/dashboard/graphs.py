"""Figures: graphs of a study as dictionaries that Plotly draws, and the diagram of a trial."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.metrics import short_name
from remix_study.report.figures import figure, render_png, strategy_color
from remix_study.report.formatting import label_with_direction, plain
from remix_study.results.calibration import (
    BALANCED,
    CORRECTED,
    NATURAL,
    MethodReliability,
    method_reliability,
)
from remix_study.results.comparison import Comparison
from remix_study.results.methods import Method
from remix_study.results.probabilities import ProbabilityReader
from remix_study.results.rank_sums import RankTable
from remix_study.results.sensitivity import SensitivityCurve

Numbers = Sequence[float] | NDArray[np.float64]
# Decimals of a number; further ones are invisible and would fill the database.
_DECIMALS = 5
# Of lines of one strategy that differ in what else the study varies.
_DASHES = ("solid", "dash", "dot", "dashdot")
_VIEWS = (
    (NATURAL, "natural class shares", "-o"),
    (BALANCED, "classes weighted alike", "--s"),
    (CORRECTED, "corrected to the natural shares", ":^"),
)


@dataclass(frozen=True)
class Graph:
    """A figure as ``save_plotly_graph_object`` takes it: Plotly's traces and layout.

    Attributes:
        name: Id of letters, digits, hyphens and underscores.
    """

    name: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]

    def to_json(self) -> str:
        """The figure as JSON; equal figures give equal texts."""
        return json.dumps({"data": self.data, "layout": self.layout}, allow_nan=False)


def sensitivity_graph(metric: str, curves: Sequence[SensitivityCurve]) -> Graph:
    """An objective against alpha on a square-root axis, with a line for each mixing strategy."""
    traces: list[dict[str, Any]] = []
    for curve in curves:
        same_color = [trace for trace in traces if trace["legendgroup"] == curve.family]
        points = [point for point in curve.points if math.isfinite(point.score.mean)]
        intervals = [(point.score.mean, point.score.interval) for point in points]
        traces.append(
            _line(
                curve.label,
                curve.family,
                [math.sqrt(point.alpha) for point in points],
                [point.score.mean for point in points],
                [_text(point.score.method) for point in points],
                "%{text}<br>%{y:.4f}",
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": _numbers([interval.high - mean for mean, interval in intervals]),
                    "arrayminus": _numbers([mean - interval.low for mean, interval in intervals]),
                    "thickness": 1,
                },
                legendgroup=curve.family,
            )
        )
        traces[-1]["line"]["dash"] = _DASHES[len(same_color) % len(_DASHES)]
    alphas = sorted({point.alpha for curve in curves for point in curve.points})
    x_axis = {
        "title": {"text": "alpha (square-root scale)"},
        "tickvals": _numbers([math.sqrt(alpha) for alpha in alphas]),
        "ticktext": [plain(alpha) for alpha in alphas],
        "zeroline": False,
    }
    y_axis = {"title": {"text": _text(label_with_direction(metric))}}
    title = f"Sensitivity to alpha: {short_name(metric)} on validation rows"
    return Graph(f"sensitivity-{metric}", traces, _layout(title, x_axis, y_axis))


def ranks_graph(rank_table: RankTable, kind: str, objectives: Sequence[str]) -> Graph | None:
    """Mean rank of every method over the problems of a kind; None where nothing is ranked."""
    rankings = [r for r in rank_table.rankings if r.kind == kind and r.metric in objectives]
    if not rankings:
        return None
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": short_name(ranking.metric),
            "x": _numbers((ranking.sums / len(ranking.ranks)).to_list()),
            "y": [_text(str(label)) for label in ranking.sums.index],
            "hovertemplate": "%{y}<br>mean rank %{x:.2f}<extra>%{fullData.name}</extra>",
        }
        for ranking in rankings
    ]
    n_problems = len(rankings[-1].ranks)
    problems = "one problem" if n_problems == 1 else f"{n_problems} problems"
    x_axis = {"title": {"text": "mean rank (1 is best)"}, "rangemode": "tozero"}
    # The first method on top, and room for its name.
    y_axis = {"autorange": "reversed", "automargin": True, "type": "category"}
    title = f"Mean rank of validation means over {problems}"
    return Graph("ranks", traces, _layout(title, x_axis, y_axis))


def calibration_graph(reliabilities: Sequence[MethodReliability]) -> Graph | None:
    """Reliability of rare classes at the natural class shares, with a line for each method."""
    if not reliabilities:
        return None
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "calibrated",
            "x": [0, 1],
            "y": [0, 1],
            "line": {"color": "#999999", "dash": "dot", "width": 1},
            "hoverinfo": "skip",
        }
    ]
    for reliability in reliabilities:
        bins, method = reliability.by_view[NATURAL], reliability.method
        is_filled = bins.counts > 0
        traces.append(
            _line(
                method.label,
                method.strategy,
                bins.forecast[is_filled],
                bins.observed[is_filled],
                [f"{count:,} forecasts" for count in bins.counts[is_filled].tolist()],
                "%{fullData.name}<br>forecast %{x:.3f}, came %{y:.3f}, %{text}",
            )
        )
    x_axis = {"title": {"text": "mean forecast"}, "range": [-0.02, 1.02]}
    y_axis = {"title": {"text": "share that came true"}, "range": [-0.02, 1.02]}
    title = "Calibration of rare classes on validation rows"
    return Graph("calibration", traces, _layout(title, x_axis, y_axis))


def reliability_diagram(
    comparison: Comparison, method: Method, probabilities: ProbabilityReader | None
) -> bytes | None:
    """A PNG file: how often rare classes came against how often they were forecast.

    Returns:
        None where every fold failed or no probabilities are stored.
    """
    reliability = probabilities and method_reliability(comparison, method, probabilities)
    if reliability is None:
        return None
    with figure(4.2, 4.0) as drawing:
        axes = drawing.add_subplot()
        axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
        for view, name, style in _VIEWS:
            if view in reliability.by_view:
                bins = reliability.by_view[view]
                axes.plot(bins.forecast, bins.observed, style, label=name, markersize=4)
        axes.set(xlabel="mean forecast of a rare class", ylabel="share that came true",
                 xlim=(-0.02, 1.02), ylim=(-0.02, 1.02),
                 title=f"{method.label[:40]}, validation rows")  # fmt: skip
        axes.legend(loc="best")
        return render_png(drawing)


def _line(
    name: str, strategy: str, x: Numbers, y: Numbers, text: list[str], hover: str, **more: Any
) -> dict[str, Any]:
    """A trace of points and the line through them, in the colour of a strategy."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": _text(name),
        "x": _numbers(x),
        "y": _numbers(y),
        **more,
        "text": text,
        "hovertemplate": f"{hover}<extra>%{{fullData.name}}</extra>",
        "line": {"color": strategy_color(strategy)},
    }


def _layout(title: str, x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    return {
        # Below the toolbar, which appears over the upper edge.
        "title": {"text": title, "font": {"size": 15}, "x": 0.02, "y": 0.9, "yanchor": "top"},
        "xaxis": x,
        "yaxis": y,
        "legend": {"font": {"size": 11}},
        "margin": {"t": 90, "r": 20},
    }


def _numbers(values: Numbers) -> list[float]:
    return [round(float(value), _DECIMALS) if math.isfinite(value) else 0.0 for value in values]


def _text(name: str) -> str:
    """Escape a name for Plotly, which interprets a few tags."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
