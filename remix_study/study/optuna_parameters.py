"""Configurations as Optuna holds them: suggested by it, or planned and only stored by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from remix_study.batches.losses import LOSSES
from remix_study.batches.mixing import MIXINGS
from remix_study.batches.samplers import SAMPLERS, SMOTE_SAMPLERS
from remix_study.batches.strategies import DEFAULT_STRATEGIES, STRATEGIES, takes_alpha
from remix_study.errors import StudyFileError
from remix_study.study.configurations import Parameters, encoded
from remix_study.studyfile.search_space import HIGHEST_ALPHA, Choice, Domain, SearchSpace

if TYPE_CHECKING:
    from optuna.trial import Trial

Choices = Mapping[str, tuple[str, ...]]


def all_choices() -> dict[str, tuple[str, ...]]:
    """Names of all strategies, and of all parts of strategies, in this version of the package."""
    return {
        "strategy": tuple(STRATEGIES),
        "sampler": tuple(SAMPLERS),
        "mixing": tuple(MIXINGS),
        "loss": tuple(LOSSES),
    }


def suggest(trial: Trial, space: SearchSpace, *, everything: bool = False) -> Parameters:
    """Let Optuna choose a configuration; see :func:`walk`."""
    return walk(space, lambda name, domain: _suggest(trial, name, domain), everything=everything)


def walk(
    space: SearchSpace, choose: Callable[[str, Domain], Any], *, everything: bool = False
) -> Parameters:
    """Build a configuration by choosing one parameter after the other.

    Alpha is chosen only where something is mixed, and ``mixing`` not with SMOTE, whose rows are
    blends already.

    Args:
        space: What may vary.
        choose: Returns a value of a domain, given the parameter's name and the domain.
        everything: Whether to choose every parameter in each case, for algorithms without
            conditional parameters; those without effect are left out of the result.

    Returns:
        Those of the chosen parameters that have an effect.
    """
    parameters: Parameters = {}

    def add(name: str, domain: Domain, *, has_effect: bool = True) -> Any:
        value = choose(name, domain) if has_effect or everything else None
        if has_effect:
            parameters[name] = value
        return value

    if space.parts:
        parts = {"sampler": "natural", "mixing": "none"}
        for name in ("sampler", "mixing", "loss"):
            if name in space.parts:
                has_effect = not (name == "mixing" and parts["sampler"] in SMOTE_SAMPLERS)
                value = add(name, space.parts[name], has_effect=has_effect)
                parts |= {name: value} if has_effect else {}
        is_mixed, alpha = parts["mixing"] != "none", space.alpha_of("")
    else:
        strategy = add("strategy", Choice(space.strategy or DEFAULT_STRATEGIES))
        is_mixed, alpha = takes_alpha(strategy), space.alpha_of(strategy)
    has_alpha = is_mixed and alpha is not None
    if domain := alpha if has_alpha else any_alpha(space):
        add("alpha", domain, has_effect=has_alpha)
    for name, domain in space.settings.items():
        add(name, domain)
    return parameters


def any_alpha(space: SearchSpace) -> Domain | None:
    """The domain of alpha of the first strategy that has one, None without any."""
    mixing = [name for name in space.strategy or DEFAULT_STRATEGIES if takes_alpha(name)]
    domains = [space.alpha_of(name) for name in ([""] if space.parts else mixing)]
    return next((domain for domain in domains if domain is not None), None)


def _suggest(trial: Trial, name: str, domain: Domain) -> Any:
    if isinstance(domain, Choice):
        return trial.suggest_categorical(name, [encoded(value) for value in domain.values])
    if domain.integer:
        return trial.suggest_int(name, int(domain.low), int(domain.high), log=domain.log)
    return trial.suggest_float(name, domain.low, domain.high, log=domain.log)


def distributions(
    parameters: Mapping[str, Any], space: SearchSpace, choices: Choices
) -> dict[str, BaseDistribution]:
    """Optuna's distributions for a planned configuration.

    Optuna fixes the choices of a categorical parameter with the first trial. So that more
    configurations can be added, ``strategy`` and its parts offer all names that the package had
    when the study began, and lists of numbers become ranges.

    Args:
        parameters: The configuration.
        space: Its search space.
        choices: Names of strategies and parts as the study began.

    Raises:
        StudyFileError: A name that the package did not have when the study began.
    """
    by_name: dict[str, BaseDistribution] = {}
    for name in parameters:
        if name == "alpha":
            by_name[name] = FloatDistribution(0.0, HIGHEST_ALPHA)
        elif name in choices:
            if parameters[name] not in choices[name]:
                raise StudyFileError(
                    f'search.space.{name}: "{parameters[name]}" came with a later version of the '
                    "package than the study began with; give the study another name"
                )
            by_name[name] = CategoricalDistribution(choices[name])
        else:
            by_name[name] = _distribution(space.settings[name])
    return by_name


def _distribution(domain: Domain) -> BaseDistribution:
    assert isinstance(domain, Choice)
    kind = kind_of(domain)
    if kind == "integers":
        return IntDistribution(min(domain.values), max(domain.values))
    if kind == "numbers":
        return FloatDistribution(min(domain.values), max(domain.values))
    return CategoricalDistribution([encoded(value) for value in domain.values])


def kind_of(choice: Choice) -> str:
    """Kind of a grid's list: ``integers``, ``numbers`` or ``names``; only names are fixed."""
    types = {type(value) for value in choice.values}
    if types == {int}:
        return "integers"
    return "numbers" if types == {float} else "names"
