"""Configurations of a search space: which are equal, all of a finite one, how many are trained.

Two are equal where all that has an effect is: alpha has none where nothing is mixed, and ReMix at
alpha 0 is ``balance``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from msgspec.structs import replace

from remix_study.study.configurations import Parameters, encoded, strategy_of
from remix_study.study.search_parameters import walk
from remix_study.study.tables import configuration_key
from remix_study.studyfile.schema import Search
from remix_study.studyfile.search_space import STRATEGY_PARTS, Choice, Domain

_STRATEGY_KEYS = ("strategy", "alpha", *STRATEGY_PARTS)


class _Endless(Exception):
    """Raised on meeting a range of real numbers."""


def n_trials(search: Search) -> int:
    """Trials that complete a search: those asked for, or fewer where its space holds fewer."""
    n_trials = search.trials or 0
    configurations = list_configurations(search, n_trials)
    return n_trials if configurations is None else len(configurations)


def list_configurations(search: Search, most: int) -> list[Parameters] | None:
    """All configurations of a search space, each once, as Optuna holds them.

    Returns:
        None where there are more than ``most``: endlessly many with a range of real numbers.
    """
    configurations: dict[str, Parameters] = {}
    try:
        for parameters in _every_path(search):
            configurations.setdefault(identity(parameters), parameters)
            if len(configurations) > most:
                return None
    except _Endless:
        return None
    return list(configurations.values())


def identity(parameters: Mapping[str, Any]) -> str:
    """Equal for parameters that train the same, of which all have an effect."""
    strategy = tuple(item for item in parameters.items() if item[0] in _STRATEGY_KEYS)
    settings = {k: value for k, value in parameters.items() if k not in _STRATEGY_KEYS}
    return configuration_key(_strategy_facts(strategy) | settings)


@cache
def _strategy_facts(parameters: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    strategy = strategy_of(dict(parameters))
    alpha = strategy.alpha if strategy.has_mixing else 0.0
    parts = {name: getattr(strategy, name) for name in (*STRATEGY_PARTS, "augment")}
    return parts | {"alpha": float(alpha)}


def _every_path(search: Search) -> Iterator[Parameters]:
    """Every way to choose values; raises :class:`_Endless` at a range of real numbers."""
    # For an algorithm with conditional parameters those without effect are left out.
    search = replace(search, algorithm="random")
    position: list[int] = []
    while True:
        sizes: list[int] = []

        def choose(_name: str, domain: Domain, sizes: list[int] = sizes) -> Any:
            values = _values(domain)
            sizes.append(len(values))
            if len(sizes) > len(position):
                position.append(0)
            return values[position[len(sizes) - 1]]

        yield walk(search, choose)
        while position and position[-1] + 1 == sizes[len(position) - 1]:
            position.pop()
        if not position:
            return
        position[-1] += 1


def _values(domain: Domain) -> list[Any] | range:
    if isinstance(domain, Choice):
        return [encoded(value) for value in domain.values]
    if not domain.integer:
        raise _Endless
    return range(int(domain.low), int(domain.high) + 1)
