"""What is compared on a problem: methods, that is strategies at one alpha and one setting."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pandas as pd

from remix_study.batches.strategies import PUBLISHED_ALPHA, STRATEGIES
from remix_study.results.columns import grouped
from remix_study.study.times import parse_time

Key = TypeVar("Key", bound=Hashable)

STRATEGY_KEYS = ("strategy", "sampler", "mixing", "alpha", "loss", "estimator")
"""Parameters of a trial that make its strategy; all others are settings."""

STRATEGY_ORDER = (
    *("baseline", "cost", "smote", "mixup", "balance", "augment", "remix", "remix-aug"),
    "logit-adjusted",
)
"""Order of strategies in tables and figures; others follow by name."""

SIMPLEST_FIRST = ("baseline", "cost", "logit-adjusted", "balance", "smote", "mixup", "remix")
"""Strategies from the one that is cheapest to run and to explain to the most expensive one."""

PUBLISHED: tuple[tuple[str, float | None], ...] = (
    ("baseline", None),
    ("cost", None),
    ("smote", None),
    ("mixup", PUBLISHED_ALPHA),
    ("remix", PUBLISHED_ALPHA),
)
"""Strategy and alpha of the methods of the paper's Table 2, in its order."""


@dataclass(frozen=True)
class Method:
    """A strategy at one fixed alpha and one setting, trained once on every fold.

    Attributes:
        label: unique within its problem, such as "remix (0.1)".
        strategy: its name; "" for a composed one.
        parts: sampler, mixing and loss.
        alpha: mixing parameter; None where the strategy does not mix.
        settings: what else the study varies, such as "learning_rate 0.01"; "" if nothing.
        values: the trial's values: mean validation scores, one an objective.
        capacity: trainable parameters of the networks of a fold; 0 where they are not known.
        seconds: training time; an equal share of it where `has_shared_time`, since it trained in
            one program with other trials.
        parameters: of its trial, by the names of a study file.
    """

    label: str
    run: int
    strategy: str
    parts: tuple[str, str, str]
    alpha: float | None
    settings: str
    values: tuple[float, ...]
    seconds: float
    study: str = ""
    has_shared_time: bool = False
    capacity: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def family(self) -> str:
        """Name without alpha: the strategy, or the parts of a composed one joined by " + "."""
        return self.strategy or " + ".join(
            part for part in self.parts if part not in ("none", "cross-entropy")
        )

    @property
    def mixing(self) -> str:
        """How drawn rows are mixed; "none" where they are not."""
        return self.parts[1]

    @property
    def loss(self) -> str:
        return self.parts[2]

    @property
    def is_estimator(self) -> bool:
        """Whether it is a reference estimator; all others are networks."""
        return self.parts[0] == "none"

    @property
    def is_augmented(self) -> bool:
        """Whether its images were augmented, which `parts` do not tell."""
        strategy = STRATEGIES.get(self.strategy)
        return strategy is not None and strategy.augment


def method_order(method: Method) -> tuple[int, str, str, float, str]:
    """Sort key of methods: known strategies first, then by name, settings and alpha."""
    strategy, alpha = method.strategy, method.alpha
    place = STRATEGY_ORDER.index(strategy) if strategy in STRATEGY_ORDER else len(STRATEGY_ORDER)
    return place, method.family, method.settings, -1.0 if alpha is None else alpha, method.label


def is_same_alpha(first: float | None, second: float | None) -> bool:
    """Whether two alphas are equal but for rounding; None, no mixing, equals only None."""
    if first is None or second is None:
        return first is second
    return math.isclose(first, second)


def is_published(method: Method) -> bool:
    """Whether a method is one of the five of the paper's Table 2."""
    return (method.strategy, method.alpha) in PUBLISHED


def alpha_distance(alpha: float | None, target: float = PUBLISHED_ALPHA) -> float:
    """Distance of alphas, ``|log(alpha / target)|``; 0 for a method that does not mix."""
    return abs(math.log(alpha / target)) if alpha else 0.0


def remix_method(methods: Iterable[Method]) -> Method | None:
    """The ReMix method that a page speaks of: at the published alpha, or else nearest to it."""
    candidates = [
        method
        for method in methods
        if method.alpha
        and not method.is_augmented
        and (method.strategy == "remix" or method.parts == ("balanced", "beta", "cross-entropy"))
    ]
    return min(candidates, key=lambda method: alpha_distance(method.alpha), default=None)


def nearest_alphas(
    methods: Iterable[tuple[Key, Method]], target: float = PUBLISHED_ALPHA
) -> dict[Key, Method]:
    """Select for each key, such as the strategy, the method whose alpha is nearest to a target.

    Of equals the first is selected.
    """
    by_key = grouped(methods, lambda pair: pair[0])
    return {
        key: min((m for _, m in pairs), key=lambda method: alpha_distance(method.alpha, target))
        for key, pairs in by_key.items()
    }


def methods_of_runs(runs: pd.DataFrame, *, grid: bool) -> tuple[Method, ...]:
    """Make the methods of one problem from its `StudyFrames.runs`, in the order of `method_order`.

    Without a grid Optuna suggested the configurations; labels then end with the trial's number,
    such as "remix (0.1) #12".
    """
    records = runs.sort_values("trial").to_dict("records")
    settings = (
        _settings([record["parameters"] for record in records]) if grid else [""] * len(runs)
    )
    methods: dict[str, Method] = {}
    for record, setting in zip(records, settings, strict=True):
        label = str(record["row"])
        if setting and f", {setting.split()[0]} " not in label:  # else it says so already
            label = f"{label}, {setting}"
        if not grid:
            label = f"{label} #{record['trial']}"
        alpha = float(record["alpha"])
        method = Method(
            label=label,
            run=int(record["run"]),
            strategy=str(record["strategy"]),
            parts=(str(record["sampler"]), str(record["mixing"]), str(record["loss"])),
            alpha=None if math.isnan(alpha) else alpha,
            settings=setting,
            values=tuple(float(value) for value in record["values"]),
            seconds=float(record["seconds"]),
            study=str(record["study"]),
            has_shared_time=_has_shared_time(record),
            parameters=record["parameters"],
            capacity=int(record.get("network_parameters", 0)),
        )
        # A configuration that was run twice counts once: its seeds do not depend on the trial.
        methods.setdefault(label, method)
    return tuple(sorted(methods.values(), key=method_order))


def _has_shared_time(record: Mapping[Any, Any]) -> bool:
    """Whether a trial trained in one program with others.

    Databases of the first schema do not tell; there its seconds are then a share of the time that
    passed, half of it at most.
    """
    n_trials = record.get("trials_in_program", math.nan)
    if not math.isnan(n_trials):
        return bool(n_trials > 1)
    if not {"started", "finished"} <= record.keys():
        return False
    started, finished = (parse_time(record[name]) for name in ("started", "finished"))
    return float(record["seconds"]) < 0.75 * (finished - started).total_seconds()


def _settings(parameters: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each configuration sets besides its strategy, if configurations differ in it."""
    keys = dict.fromkeys(key for each in parameters for key in each if key not in STRATEGY_KEYS)
    varied = [key for key in keys if len({repr(each.get(key)) for each in parameters}) > 1]
    return [
        ", ".join(f"{key} {each[key]}" for key in varied if key in each) for each in parameters
    ]
