"""The measured rows as Markdown tables."""

from __future__ import annotations

from typing import Any

from reuse import GOALS


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows of the comparison as a Markdown table."""
    heads = {
        "config": "config",
        "variant": "variant",
        "ms_per_fold_epoch": "ms",
        "ms_range": "range",
        "cpu_ms_per_fold_epoch": "CPU ms",
        "ratio_to_loop": "x loop",
        "ratio_to_loop_range": "range",
        "cpu_ratio_to_loop": "x loop, CPU",
        "ratio_to_loop_trial": "x loop, 30-epoch trial",
        "ratio_to_engine": "/ engine",
        "ratio_to_engine_range": "range",
        "ratio_to_floor": "/ floor",
        "seconds_to_first_epoch": "first epoch, s",
        "peak_rss_mb": "peak MiB",
    }
    lines = ["| " + " | ".join(heads.values()) + " |", "|" + "---|" * len(heads)]
    for row in rows:
        cells = []
        for key in heads:
            value = row.get(key)
            if isinstance(value, list):
                value = " to ".join(f"{part:g}" for part in value)
            cells.append("" if value is None else str(value))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def reuse_table(reuse: dict[str, float]) -> str:
    """Return a Markdown table: each value, its goal, and whether it is met."""
    lines = ["| reuse | measured | goal |", "|---|---|---|"]
    for key, value in reuse.items():
        goal = GOALS.get(key)
        verdict = "" if goal is None else f"< {goal:g}: {'met' if value < goal else 'missed'}"
        lines.append(f"| {key} | {value:g} | {verdict} |")
    return "\n".join(lines)
