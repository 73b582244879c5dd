"""Names of problems, classes and imbalance ratios in words, from a problem's facts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

RATIO_WORDS = "rare 1:"  # What the name of an imbalance ratio begins with


def problem_title(problem: Mapping[str, Any]) -> str:
    """The data set and its rare classes, as in "digits, class 3 against the rest"."""
    minority: Sequence[str] = problem["minority"]
    dataset = str(problem["dataset"])
    if not minority:
        return f"{dataset}, classes as they are"
    names = ", ".join(map(class_name, minority))
    rare = ("class " if len(minority) == 1 else "classes ") + names
    if problem["kind"] == "binary":
        return f"{dataset}, {rare} against the rest"
    return f"{dataset}, {rare} rare among {len(problem['classes'])}"


def class_name(name: str) -> str:
    """The name of a class as it stands in a sentence: in quotes if it has blanks."""
    return f"“{name}”" if " " in name else name


def ratio_name(ratio: float) -> str:
    """An imbalance ratio in words: 0.05 is "rare 1:20", one row of a rare class to 20 others."""
    return f"{RATIO_WORDS}{float(f'{1 / ratio:.3g}'):,.15g}"


def rare_classes(problem: Mapping[str, Any]) -> set[str]:
    """The classes that the study names, else the smallest."""
    counts: Mapping[str, int] = problem["counts"]
    return set(problem["minority"]) or {min(counts, key=lambda name: counts[name])}


def imbalance_name(problem: Mapping[str, Any]) -> str:
    """The ratio that a study asks for, or that of the data as they are."""
    imbalance = float(problem["imbalance"])
    if not math.isnan(imbalance):
        return ratio_name(imbalance)
    counts: Mapping[str, int] = problem["counts"]
    rare = rare_classes(problem)
    common = [count for name, count in counts.items() if name not in rare]
    ratio = min(counts[name] for name in rare) / max(common) if common else 0.0
    return f"as it is ({ratio_name(ratio)})" if ratio else "as it is"
