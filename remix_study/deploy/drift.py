"""How new rows differ from those that a model learned from: shares, ranges, unseen values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from remix_study.deploy.records import FeatureFile

# Columns that are shown; those with most rows that the model never saw come first.
_MOST_COLUMNS = 20


@dataclass(frozen=True)
class DriftLine:
    """One line of the comparison.

    Attributes:
        name: ``share of CLASS``, or a column.
        before: Of the rows that the model learned from: the share, or the range of the column.
        now: The same of the new rows.
        unseen: New rows with a category or value that the model never saw; "" for none.
    """

    name: str
    before: str
    now: str
    unseen: str = ""


def drift_of(
    shares_before: Mapping[str, float],
    shares_now: Mapping[str, float],
    before: FeatureFile,
    now: FeatureFile,
    marks: Iterable[str],
) -> tuple[DriftLine, ...]:
    """Compare rows.

    Args:
        shares_before: Class -> its share of the rows that the model learned from.
        shares_now: The same of the new rows.
        before: Features of the model, with their ranges.
        now: Features that the new rows make.
        marks: What of each new row the model never saw, as :mod:`saved_model` marks it.
    """
    counts: Counter[str] = Counter()
    n_rows = 0
    for mark in marks:
        n_rows += 1
        counts.update(text.partition(" ")[2] for text in filter(None, mark.split("; ")))
    earlier, later = _ranges(before), _ranges(now)
    columns = sorted(dict.fromkeys((*earlier, *counts)), key=lambda name: -counts[name])
    shares = [
        DriftLine(f"share of {name}", f"{share:.3f}", f"{shares_now[name]:.3f}")
        for name, share in shares_before.items()
    ]
    ranges = [
        DriftLine(
            name,
            earlier.get(name, ""),
            later.get(name, ""),
            f"{counts[name]} ({counts[name] / n_rows:.1%})" if counts[name] else "",
        )
        for name in columns[:_MOST_COLUMNS]
    ]
    return (*shares, *ranges)


def _ranges(features: FeatureFile) -> dict[str, str]:
    """Feature -> its range in words, of those that have one."""
    return {
        f.name: f"{f.low:.6g} to {f.high:.6g}"
        for f in features.features
        if f.low is not None and f.high is not None
    }
