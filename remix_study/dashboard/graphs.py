"""Figures of a study as Plotly graphs: dictionaries in the form that Plotly draws."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.metrics import short_name
from remix_study.report.figures import strategy_color
from remix_study.report.formatting import label_with_direction, plain
from remix_study.results.calibration import NATURAL, MethodReliability
from remix_study.results.rank_sums import RankTable
from remix_study.results.sensitivity import SensitivityCurve

# Decimals of a number; further ones are invisible and would fill the database.
_DECIMALS = 5


@dataclass(frozen=True)
class Graph:
    """A figure as ``save_plotly_graph_object`` takes it.

    Attributes:
        name: Id of letters, digits, hyphens and underscores.
        data: Plotly's traces.
        layout: Plotly's layout.
    """

    name: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]

    def to_json(self) -> str:
        """The figure as JSON; equal figures give equal texts."""
        return json.dumps({"data": self.data, "layout": self.layout}, allow_nan=False)


def sensitivity_graph(metric: str, curves: Sequence[SensitivityCurve]) -> Graph:
    """An objective against alpha on a square-root axis, with a line for each mixing strategy."""
    traces = []
    alphas = sorted({point.alpha for curve in curves for point in curve.points})
    for curve in curves:
        points = [point for point in curve.points if math.isfinite(point.score.mean)]
        errors = [point.score.interval.standard_error for point in points]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": _text(curve.family),
                "x": _numbers([math.sqrt(point.alpha) for point in points]),
                "y": _numbers([point.score.mean for point in points]),
                "error_y": {"type": "data", "array": _numbers(errors), "thickness": 1},
                "text": [f"alpha {plain(point.alpha)}" for point in points],
                "hovertemplate": "%{text}: %{y:.4f}<extra>%{fullData.name}</extra>",
                "line": {"color": strategy_color(curve.family)},
            }
        )
    axis = {
        "title": {"text": "alpha (square-root scale)"},
        "tickvals": _numbers([math.sqrt(alpha) for alpha in alphas]),
        "ticktext": [plain(alpha) for alpha in alphas],
        "zeroline": False,
    }
    title = f"Sensitivity to alpha: {short_name(metric)} on validation rows"
    return Graph(
        f"sensitivity-{metric}",
        traces,
        _layout(title, axis, {"title": {"text": _text(label_with_direction(metric))}}),
    )


def ranks_graph(rank_table: RankTable, kind: str, objectives: Sequence[str]) -> Graph | None:
    """Mean rank of every method over the problems of a kind; None where nothing is ranked."""
    traces = []
    n_problems = 0
    for ranking in rank_table.rankings:
        if ranking.kind != kind or ranking.metric not in objectives:
            continue
        n_problems = len(ranking.ranks)
        mean_ranks = ranking.sums / n_problems
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": short_name(ranking.metric),
                "x": _numbers(mean_ranks.to_list()),
                "y": [_text(str(label)) for label in mean_ranks.index],
                "hovertemplate": "%{y}: %{x:.2f}<extra>%{fullData.name}</extra>",
            }
        )
    if not traces:
        return None
    problems = "one problem" if n_problems == 1 else f"{n_problems} problems"
    return Graph(
        "ranks",
        traces,
        _layout(
            f"Mean rank of validation means over {problems}",
            {"title": {"text": "mean rank (1 is best)"}, "rangemode": "tozero"},
            # The first method on top, and room for its name.
            {"autorange": "reversed", "automargin": True, "type": "category"},
        ),
    )


def calibration_graph(reliabilities: Sequence[MethodReliability]) -> Graph | None:
    """Reliability of rare classes at the natural class shares, with a line for each method."""
    if not reliabilities:
        return None
    diagonal = {
        "type": "scatter",
        "mode": "lines",
        "name": "calibrated",
        "x": [0, 1],
        "y": [0, 1],
        "line": {"color": "#999999", "dash": "dot", "width": 1},
        "hoverinfo": "skip",
    }
    traces: list[dict[str, Any]] = [diagonal]
    for reliability in reliabilities:
        bins, method = reliability.by_view[NATURAL], reliability.method
        is_filled = bins.counts > 0
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": _text(method.label),
                "x": _numbers(bins.forecast[is_filled]),
                "y": _numbers(bins.observed[is_filled]),
                "text": [f"{count:,} forecasts" for count in bins.counts[is_filled].tolist()],
                "hovertemplate": "forecast %{x:.3f}, came %{y:.3f}, %{text}"
                "<extra>%{fullData.name}</extra>",
                "line": {"color": strategy_color(method.strategy)},
            }
        )
    return Graph(
        "calibration",
        traces,
        _layout(
            "Calibration of rare classes on validation rows",
            {"title": {"text": "mean forecast"}, "range": [-0.02, 1.02]},
            {"title": {"text": "share that came true"}, "range": [-0.02, 1.02]},
        ),
    )


def _layout(title: str, x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": {"text": title, "font": {"size": 15}},
        "xaxis": x,
        "yaxis": y,
        "legend": {"font": {"size": 11}},
        "margin": {"t": 50, "r": 20},
    }


def _numbers(values: Sequence[float] | NDArray[np.float64]) -> list[float]:
    return [round(float(value), _DECIMALS) if math.isfinite(value) else 0.0 for value in values]


def _text(name: str) -> str:
    """Escape a name for Plotly, which interprets a few tags."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
