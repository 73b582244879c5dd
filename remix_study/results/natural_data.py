"""What mixing added to balancing on other tables, which a page quotes beside its own numbers.

The numbers are those of reports/natural: binary tables as imbalanced as they are, each source
counted once, networks of the default widths.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from remix_study.results.comparison import Comparison

MANY_RARE_ROWS = 100
"""Tables with more rows of the rare class than this are one group, all others another."""

_FILE = "mixing_on_natural_data.csv"
_WIDTH = "128-64"


@dataclass(frozen=True)
class Gain:
    """Mean over sources of what mixing gained, positive where it is better, and its 95 % interval.

    `word` is that of the posterior over sources: better, worse, practically equal, cannot tell.
    """

    mean: float
    low: float
    high: float
    word: str


@dataclass(frozen=True)
class MixingElsewhere:
    """ReMix at alpha 0.1 against balanced batches, on a group of tables.

    Attributes:
        group: What they share, such as "up to 100 rare rows".
        tables: Their number.
        sources: Sources that these were made from.
        gains: Metric -> gain; of g-mean, balanced Brier and Brier score.
    """

    group: str
    tables: int
    sources: int
    gains: Mapping[str, Gain]


def mixing_elsewhere(comparison: Comparison) -> MixingElsewhere | None:
    """The evidence for tables with as many rare rows; None where the problem is of another kind.

    It speaks of two classes and of dense networks for tables.
    """
    network = (comparison.definition or {}).get("model", {}).get("name")
    if comparison.kind != "binary" or network != "mlp":
        return None
    is_rich = min(comparison.info["counts"].values()) > MANY_RARE_ROWS
    return _groups()[f"{'more than' if is_rich else 'up to'} {MANY_RARE_ROWS} rare rows"]


@cache
def _groups() -> Mapping[str, MixingElsewhere]:
    groups: dict[str, MixingElsewhere] = {}
    lines = files("remix_study.results").joinpath(_FILE).read_text(encoding="utf-8").splitlines()
    for line in csv.DictReader(lines):
        if line["width"] == _WIDTH:
            mean, low, high = (float(line[name]) for name in ("mean", "low", "high"))
            gain = Gain(mean, low, high, line["verdict"])
            group = line["group"]
            before = groups.get(group)
            gains = {**(before.gains if before else {}), line["metric"]: gain}
            counts = int(line["tables"]), int(line["sources"])
            groups[group] = MixingElsewhere(group, *counts, gains)
    return groups
