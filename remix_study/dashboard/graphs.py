"""Our figures as Plotly graphs: the JSON that Plotly draws, made of plain dictionaries."""

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

# Further digits are invisible and would fill the database.
_DIGITS = 5


@dataclass(frozen=True)
class Graph:
    """What ``save_plotly_graph_object`` takes for a figure.

    Attributes:
        name: Its id: letters, digits, hyphens and underscores.
        data: Traces.
        layout: Layout.
    """

    name: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]

    def to_json(self) -> str:
        """The figure as JSON; the same figure gives the same text."""
        return json.dumps({"data": self.data, "layout": self.layout}, allow_nan=False)


def sensitivity_graph(metric: str, curves: Sequence[SensitivityCurve]) -> Graph:
    """An objective against alpha on a square-root axis, a line for each mixing strategy."""
    traces = []
    alphas = sorted({point.alpha for curve in curves for point in curve.points})
    for curve in curves:
        points = [point for point in curve.points if math.isfinite(point.score.mean)]
        errors = [point.score.standard_error for point in points]
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


def ranks_graph(ranked: RankTable, kind: str, objectives: Sequence[str]) -> Graph | None:
    """Mean rank of every row over the problems of a kind; None where nothing can be ranked."""
    traces = []
    problems = 0
    for ranking in ranked.rankings:
        if ranking.kind != kind or ranking.metric not in objectives:
            continue
        problems = len(ranking.ranks)
        means = ranking.sums / problems
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": short_name(ranking.metric),
                "x": _numbers(means.to_list()),
                "y": [_text(str(row)) for row in means.index],
                "hovertemplate": "%{y}: %{x:.2f}<extra>%{fullData.name}</extra>",
            }
        )
    if not traces:
        return None
    over = "one problem" if problems == 1 else f"{problems} problems"
    return Graph(
        "ranks",
        traces,
        _layout(
            f"Mean rank of validation means over {over}",
            {"title": {"text": "mean rank (1 is best)"}, "rangemode": "tozero"},
            # The first row on top, and room for its name.
            {"autorange": "reversed", "automargin": True, "type": "category"},
        ),
    )


def calibration_graph(rows: Sequence[MethodReliability]) -> Graph | None:
    """Reliability of the rare classes' forecasts at the natural class shares, a line a row."""
    if not rows:
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
    for row in rows:
        found = row.by_view[NATURAL]
        filled = found.counts > 0
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": _text(row.method.label),
                "x": _numbers(found.forecast[filled]),
                "y": _numbers(found.observed[filled]),
                "text": [f"{count:,} forecasts" for count in found.counts[filled].tolist()],
                "hovertemplate": "forecast %{x:.3f}, came %{y:.3f}, %{text}"
                "<extra>%{fullData.name}</extra>",
                "line": {"color": strategy_color(row.method.strategy)},
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
    return [round(float(value), _DIGITS) if math.isfinite(value) else 0.0 for value in values]


def _text(name: str) -> str:
    """A name that Plotly shows as it is: it reads a few tags, and nothing else."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
