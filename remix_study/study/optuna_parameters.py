"""Points as Optuna holds them: suggested by it, or planned and only written down by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from remix_study.batches.losses import LOSSES
from remix_study.batches.mixing import MIXINGS
from remix_study.batches.samplers import SAMPLERS, SMOTE_SAMPLERS
from remix_study.batches.strategies import DEFAULT_STRATEGIES, STRATEGIES, takes_alpha
from remix_study.errors import StudyFileError
from remix_study.study.configurations import Parameters, encoded
from remix_study.studyfile.search_space import HIGHEST_ALPHA, Choice, Domain, SearchSpace

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

Choices = Mapping[str, tuple[str, ...]]


def all_choices() -> dict[str, tuple[str, ...]]:
    """Every name that a strategy or a part of one can have in this version of the package."""
    return {
        "strategy": tuple(STRATEGIES),
        "sampler": tuple(SAMPLERS),
        "mixing": tuple(MIXINGS),
        "loss": LOSSES,
    }


def suggest(trial: Trial, space: SearchSpace, *, everything: bool = False) -> Parameters:
    """Let Optuna choose a point; see :func:`walk`."""
    return walk(space, lambda name, domain: _suggest(trial, name, domain), everything=everything)


def walk(
    space: SearchSpace, ask: Callable[[str, Domain], Any], *, everything: bool = False
) -> Parameters:
    """Put a point together by asking for one parameter after the other.

    Alpha is asked only where something is mixed, and ``mixing`` not of SMOTE, whose rows are
    blends already.

    Args:
        space: What may vary.
        ask: Answers with a value of the domain.
        everything: Ask for every parameter in each case, for algorithms that know no
            conditions; what then has no meaning is left out of the point.

    Returns:
        The point: what has a meaning of that which was asked.
    """
    point: Parameters = {}

    def part(name: str, domain: Domain, *, meant: bool = True) -> Any:
        value = ask(name, domain) if meant or everything else None
        if meant:
            point[name] = value
        return value

    if space.parts:
        drawn = {"sampler": "natural", "mixing": "none"}
        for name in ("sampler", "mixing", "loss"):
            if name in space.parts:
                meant = not (name == "mixing" and drawn["sampler"] in SMOTE_SAMPLERS)
                value = part(name, space.parts[name], meant=meant)
                drawn |= {name: value} if meant else {}
        mixes, alpha = drawn["mixing"] != "none", space.alpha_of("")
    else:
        strategy = part("strategy", Choice(space.strategy or DEFAULT_STRATEGIES))
        mixes, alpha = takes_alpha(strategy), space.alpha_of(strategy)
    meant = mixes and alpha is not None
    if domain := alpha if meant else any_alpha(space):
        part("alpha", domain, meant=meant)
    for name, domain in space.settings.items():
        part(name, domain)
    return point


def any_alpha(space: SearchSpace) -> Domain | None:
    """The domain of alpha, whichever strategy is asked first."""
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
    """Optuna's distributions for a planned point.

    Optuna fixes the choices of a categorical parameter with the first trial, so ``strategy`` and
    its parts offer all that the package knew when the study began, and lists of numbers become
    ranges: that is what lets points be added.

    Args:
        parameters: The point.
        space: Where it comes from.
        choices: Names of strategies and parts as the study began.

    Raises:
        StudyFileError: A name that the package did not know when the study began.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    found: dict[str, BaseDistribution] = {}
    for name in parameters:
        if name == "alpha":
            found[name] = FloatDistribution(0.0, HIGHEST_ALPHA)
        elif name in choices:
            if parameters[name] not in choices[name]:
                raise StudyFileError(
                    f'search.space.{name}: "{parameters[name]}" came with a later version of the '
                    "package than the study began with; give the study another name"
                )
            found[name] = CategoricalDistribution(choices[name])
        else:
            found[name] = _distribution(space.settings[name])
    return found


def _distribution(domain: Domain) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    assert isinstance(domain, Choice)
    kind = kind_of(domain)
    if kind == "integers":
        return IntDistribution(min(domain.values), max(domain.values))
    if kind == "numbers":
        return FloatDistribution(min(domain.values), max(domain.values))
    return CategoricalDistribution([encoded(value) for value in domain.values])


def kind_of(choice: Choice) -> str:
    """What a grid's list holds: ``integers``, ``numbers`` or ``names``; only names are fixed."""
    types = {type(value) for value in choice.values}
    if types == {int}:
        return "integers"
    return "numbers" if types == {float} else "names"
