"""Initial trials of a search: the references, so that no search ends below them unnoticed."""

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


def initial_configurations(study: Study, training: Training) -> dict[str, Parameters]:
    """Parameters of the references that a search space contains.

    Keys that the search varies have the study file's values, or the nearest ones of the space.

    Args:
        study: Its search space, algorithm and model.
        training: The problem's training keys.

    Returns:
        Name -> parameters as Optuna is to hold them, baseline first.
    """
    references = {}
    everything = study.search.algorithm in UNCONDITIONAL
    for name in REFERENCES:
        parameters: Parameters = {}
        values = _reference_values(name, training, study.model)

        def suggest(
            key: str, domain: Domain, parameters: Parameters = parameters, values: Any = values
        ) -> Any:
            parameters[key] = _nearest(domain, values.get(key))
            return parameters[key]

        configuration = walk(study.search.space, suggest, everything=everything)
        if strategy_of(configuration).name == name:
            references[name] = parameters
    return references


def outer_choices(study: Study, training: Training) -> tuple[str, ...]:
    """What is scored on each outer fold: the choice by each objective, and the baseline."""
    has_baseline = "baseline" in initial_configurations(study, training)
    return (*study.objectives, *(("baseline",) if has_baseline else ()))


def reference_space(names: tuple[str, ...]) -> SearchSpace:
    """The space of a grid of references, for those that a search space lacks."""
    mixing = [name for name in names if make_strategy(name).has_mixing]
    alpha: dict[str, Domain] = {name: Choice((make_strategy(name).alpha,)) for name in mixing}
    return SearchSpace(strategy=names, alpha=alpha)


def _reference_values(name: str, training: Training, model: Model) -> dict[str, Any]:
    """Value of every key that a search may vary, for a reference."""
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
    """The value of a domain nearest to a given one; its first value where none is comparable."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(domain, Range):
        number = min(max(float(value), domain.low), domain.high) if is_number else domain.low
        return round(number) if domain.integer else number
    if isinstance(value, list):
        value = tuple(value)
    if is_number and all(isinstance(v, int | float) for v in domain.values):
        return min(domain.values, key=lambda candidate: abs(candidate - value))
    return encoded(value if value in domain.values else domain.values[0])
