"""What every search begins with, so that it never ends below it unnoticed."""

from __future__ import annotations

from typing import Any

from remix_study.batches.strategies import make_strategy
from remix_study.study.algorithms import UNCONDITIONAL
from remix_study.study.configurations import Parameters, encoded, strategy_of
from remix_study.study.optuna_parameters import walk
from remix_study.studyfile.model_options import DEFAULT_DROPOUT
from remix_study.studyfile.schema import Model, Study, Training
from remix_study.studyfile.search_space import Choice, Domain, Range, SearchSpace

REFERENCES = ("baseline", "remix")
"""Plain training, and ReMix at the alpha of the paper."""


def first_points(study: Study, training: Training) -> dict[str, Parameters]:
    """Parameters of the references that a search space holds.

    Keys that the search frees have the study file's own values, or the nearest of the space.

    Args:
        study: Its search space, algorithm and model.
        training: The problem's training keys.

    Returns:
        Name -> parameters as Optuna is to hold them, baseline first.
    """
    found = {}
    for name in REFERENCES:
        asked: Parameters = {}
        own = _own_values(name, training, study.model)

        def ask(key: str, domain: Domain, asked: Parameters = asked, own: Any = own) -> Any:
            asked[key] = _nearest(domain, own.get(key))
            return asked[key]

        everything = study.search.algorithm in UNCONDITIONAL
        point = walk(study.search.space, ask, everything=everything)
        if strategy_of(point).name == name:
            found[name] = asked
    return found


def outer_choices(study: Study, training: Training) -> tuple[str, ...]:
    """What is scored on each outer fold: what every objective chose, and the baseline."""
    there = "baseline" in first_points(study, training)
    return (*study.objectives, *(("baseline",) if there else ()))


def reference_points(names: tuple[str, ...]) -> SearchSpace:
    """A grid of references, for those that a search space lacks."""
    mixing = [name for name in names if make_strategy(name).has_mixing]
    alpha: dict[str, Domain] = {name: Choice((make_strategy(name).alpha,)) for name in mixing}
    return SearchSpace(strategy=names, alpha=alpha)


def _own_values(name: str, training: Training, model: Model) -> dict[str, Any]:
    strategy = make_strategy(name)
    options = {"dropout": DEFAULT_DROPOUT} | model.options
    return {
        "strategy": name,
        "sampler": strategy.sampler,
        "mixing": strategy.mixing,
        "loss": strategy.loss,
        "alpha": make_strategy("remix").alpha,
        **{key: getattr(training, key) for key in Training.__struct_fields__},
        **{f"model.{key}": value for key, value in options.items()},
    }


def _nearest(domain: Domain, value: Any) -> Any:
    """The value of a domain that is nearest to a given one, the first where none is near."""
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(domain, Range):
        number = min(max(float(value), domain.low), domain.high) if numeric else domain.low
        return round(number) if domain.integer else number
    if isinstance(value, list):
        value = tuple(value)
    if numeric and all(isinstance(v, int | float) for v in domain.values):
        return min(domain.values, key=lambda other: abs(other - value))
    return encoded(value if value in domain.values else domain.values[0])
