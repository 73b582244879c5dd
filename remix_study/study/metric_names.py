"""Names of metrics that versions 1 and 2 of the tables wrote, as the present version has them.

``average_precision`` was the mean over both classes of a binary problem. That mean is
``average_precision_macro`` since version 3, and ``average_precision`` the rare class's alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

OLD_METRIC, NEW_METRIC = "average_precision", "average_precision_macro"
_OLD_SHORT, _NEW_SHORT = "AP", "macro AP"

# The attribute in which Optuna has the short names of a study's objectives.
_METRIC_NAMES = "study:metric_names"
# A metric, or a constraint on it such as "average_precision >= 0.3".
_OLD = re.compile(rf"{OLD_METRIC}(?=\s*[<>]|\Z)")
# Keys of a trial's attributes, each with what precedes a constraint.
_CONSTRAINT = re.compile(r"(constraints:|constraint )(.*)")


def new_name(text: str) -> str:
    """The present name of a metric, or a constraint with it."""
    return NEW_METRIC + text[len(OLD_METRIC) :] if _OLD.match(text) else text


def new_key(key: str) -> str:
    """The present key of a trial's attribute, which may name an objective or a constraint."""
    if key == f"validation {_OLD_SHORT}":
        return f"validation {_NEW_SHORT}"
    match = _CONSTRAINT.fullmatch(key)
    return match[1] + new_name(match[2]) if match else key


def new_attribute(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of Optuna's attributes of a study or a trial; other rows as they are."""
    key = row.get("key")
    if key is None:
        return dict(row)
    if key != _METRIC_NAMES:
        return {**row, "key": new_key(key)}
    names = json.loads(row["value_json"])
    names = [_NEW_SHORT if name == _OLD_SHORT else name for name in names]
    return {**row, "value_json": json.dumps(names)}


def _new_sections(sections: Mapping[str, Any]) -> dict[str, Any]:
    """Sections of a study file with present names."""
    changed = {name: _new_facts(sections[name]) for name in ("study", "search")}
    return {**sections, **changed}


def _new_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of a problem or of a run, or a section, with present names of metrics."""
    changed: dict[str, Any] = {
        key: [new_name(text) for text in facts[key]]
        for key in ("objectives", "constraints")
        if key in facts
    }
    if "chosen_by" in facts:
        changed["chosen_by"] = new_name(facts["chosen_by"])
    return {**facts, **changed}


def _new_summary(content: Mapping[str, Any]) -> dict[str, Any]:
    """A summary with present names of the metrics that its corrections are scored in."""
    corrected = {
        label: {**entry, "scores": {new_name(m): v for m, v in entry["scores"].items()}}
        for label, entry in content["corrected"].items()
    }
    return {**content, "corrected": corrected}


NEW_CONTENT: Mapping[str, Mapping[str, Callable[[Any], Any]]] = {
    "remix_studies": {
        "definition": _new_sections,
        "settings": _new_sections,
        "facts": _new_facts,
    },
    "remix_runs": {"facts": _new_facts},
    "remix_summaries": {"content": _new_summary},
}
"""Table -> column of JSON -> what makes present content of that of versions 1 and 2."""
