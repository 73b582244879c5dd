"""Keys of a study file about metrics: costs of errors, floors, regions, metrics of one's own."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from remix_study.errors import StudyFileError, did_you_mean
from remix_study.metrics import BUILT_IN_METRICS, CLASS_METRICS, EXTRA_METRICS, Metric, add_metric
from remix_study.studyfile.validation import as_toml, convert, key_as_toml

# As many characters as the database has for a metric; names of scores of one class are taken.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,31}")
_FUNCTION = re.compile(r"[\w.]+:\w+")
_OF_ONE_CLASS = re.compile(r"(recall|brier)_\d+")
_COSTS = ("fn", "fp")


class Decision(Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of ``[decision]``.

    Attributes:
        costs: What errors cost: ``{ fn = 20, fp = 1 }`` for a missed row of the rare class and a
            false alarm, or for each class a table of what it costs to decide for another one,
            ``{ yes = { no = 20 }, no = { yes = 1 } }``. Methods are then chosen by what their
            decisions cost. They may change after training, unless ``cost`` is named as a metric.
        floor: What predicted classes must reach on validation rows, such as ``{ recall = 0.9 }``;
            the threshold is then the best one that does. It may change after training.
    """

    costs: dict[str, Any] = {}
    floor: dict[str, Annotated[float, Meta(gt=0, le=1)]] = {}


class ReportKeys(Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of ``[report]``, which may change after training.

    Attributes:
        rope: Half the width of a metric's region of practical equivalence, ``{ g_mean = 0.02 }``:
            differences within it are ones that nobody would act on. Of other metrics it is as
            ``docs/decision.md`` says.
    """

    rope: dict[str, Annotated[float, Meta(gt=0, le=1e9)]] = {}


class OwnMetric(Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of ``[metrics.NAME]``.

    Attributes:
        function: ``module:function``, called with the class codes (n,) and probabilities (n, K) of
            a fold's part, and with ``sample_weight`` (n,) in a study with row weights; it returns
            a number.
        direction: Whether more is better or less.
        worst: What a network that diverged is scored with under ``on_nan = "worst"``.
    """

    function: str
    direction: Literal["maximize", "minimize"]
    worst: float


def parse_decision(table: Mapping[str, Any]) -> Decision:
    """Parse ``[decision]``.

    Raises:
        StudyFileError: A key is unknown, a cost is missing or no number from 0, or a floor is of
            no metric of predicted classes.
    """
    decision = convert(table, Decision, "decision")
    _check_floor(decision, table)
    costs = decision.costs
    rows = [value for value in costs.values() if isinstance(value, dict)]
    if "costs" in table and (not costs or len(rows) not in (0, len(costs))):
        raise StudyFileError(
            "decision.costs: write { fn = 20, fp = 1 }, or a table for each class such as "
            "{ yes = { no = 20 }, no = { yes = 1 } }"
        )
    if costs and not rows:
        for key in costs:
            if key not in _COSTS:
                raise StudyFileError(
                    f"decision.costs.{key_as_toml(key)}: unknown key{did_you_mean(key, _COSTS)}"
                )
        for key in _COSTS:
            if key not in costs:
                raise StudyFileError(f"decision.costs.{key}: missing; write a number from 0")
    named = {key: row if isinstance(row, dict) else {"": row} for key, row in costs.items()}
    for key, row in named.items():
        for inner, cost in row.items():
            is_number = isinstance(cost, int | float) and not isinstance(cost, bool)
            if not is_number or not 0 <= cost <= sys.float_info.max:
                where = ".".join(("decision.costs", *map(key_as_toml, filter(None, (key, inner)))))
                raise StudyFileError(f"{where}: expected a number from 0 (found {as_toml(cost)})")
    if costs and not any(cost for row in named.values() for cost in row.values()):
        raise StudyFileError("decision.costs: all are 0; write what an error costs")
    return decision


def _check_floor(decision: Decision, table: Mapping[str, Any]) -> None:
    """Refuse a floor that is of no metric of predicted classes, or beside costs."""
    if decision.costs and decision.floor:
        raise StudyFileError("decision: costs and floor choose two thresholds; leave one out")
    if "floor" in table and len(decision.floor) != 1:
        raise StudyFileError("decision.floor: name one metric, such as { recall = 0.9 }")
    for name in decision.floor:
        if name not in CLASS_METRICS:
            hint = did_you_mean(name, sorted(CLASS_METRICS))
            raise StudyFileError(
                f"decision.floor.{key_as_toml(name)}: no metric of predicted classes{hint}"
            )


def parse_own_metrics(tables: Mapping[str, Any]) -> dict[str, OwnMetric]:
    """Parse ``[metrics.NAME]`` of each metric, and make its name known.

    Raises:
        StudyFileError: A name is taken or not allowed, or a table is wrong.
    """
    metrics = {}
    for name, table in tables.items():
        where = f"metrics.{key_as_toml(name)}"
        if name in (*BUILT_IN_METRICS, *EXTRA_METRICS) or _OF_ONE_CLASS.fullmatch(name):
            raise StudyFileError(f"{where}: this name is built in; give yours another one")
        if not _NAME.fullmatch(name):
            raise StudyFileError(
                f"{where}: name it by up to 32 letters, digits, dots and underscores, beginning "
                "with a letter"
            )
        if not isinstance(table, dict):
            raise StudyFileError(f"{where}: write it as a table, [{where}]")
        metrics[name] = convert(table, OwnMetric, where)
        if not _FUNCTION.fullmatch(metrics[name].function):
            raise StudyFileError(f'{where}.function: write it as "module:function"')
        if not math.isfinite(metrics[name].worst):
            raise StudyFileError(f"{where}.worst: expected a number that is finite")
    for name, keys in metrics.items():
        know_metric(name, keys.direction, keys.worst)
    return metrics


def know_metric(name: str, direction: Literal["maximize", "minimize"], worst: float) -> None:
    """Make the name and direction of a metric of a user's own known to tables and pages."""
    add_metric(Metric(name, name, direction, worst, name, (-math.inf, math.inf)))
