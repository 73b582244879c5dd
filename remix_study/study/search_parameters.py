"""Parameters of trials as Optuna holds them: suggested by it, fixed for references, or planned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from remix_study.batches.losses import LOSSES
from remix_study.batches.mixing import MIXINGS
from remix_study.batches.samplers import RATIO_SAMPLERS, SAMPLERS, SMOTE_SAMPLERS
from remix_study.batches.strategies import (
    DEFAULT_STRATEGIES,
    STRATEGIES,
    make_strategy,
    takes_alpha,
)
from remix_study.errors import StudyFileError
from remix_study.study.algorithms import UNCONDITIONAL
from remix_study.study.configurations import ESTIMATOR, Parameters, encoded, strategy_of
from remix_study.studyfile.estimators import BUILT_IN, Estimator
from remix_study.studyfile.features import FEATURE_KEYS
from remix_study.studyfile.model_options import DEFAULT_DROPOUT
from remix_study.studyfile.schema import Model, Search, Study, Training
from remix_study.studyfile.search_space import HIGHEST_ALPHA, Choice, Domain, Range, SearchSpace

if TYPE_CHECKING:
    from optuna.trial import Trial

REFERENCES = ("baseline", "remix")
"""Plain training, and ReMix at the alpha of the paper: no search ends below them unnoticed."""


def all_choices(estimators: Sequence[Estimator] = ()) -> dict[str, tuple[str, ...]]:
    """Names of all strategies, parts of strategies and estimators in this version of the package.

    ``estimators`` are those of the study, its own ones among them.
    """
    return {
        ESTIMATOR: tuple(dict.fromkeys((*BUILT_IN, *(e.name for e in estimators)))),
        "strategy": tuple(STRATEGIES),
        "sampler": tuple(SAMPLERS),
        "mixing": tuple(MIXINGS),
        "loss": tuple(LOSSES),
    }


def suggest(trial: Trial, search: Search) -> Parameters:
    """Let Optuna choose a configuration; returns those of its parameters that have an effect."""
    return walk(search, lambda name, domain: _suggest(trial, name, domain))


def effective(parameters: Mapping[str, Any], search: Search) -> Parameters:
    """Those of a trial's parameters that have an effect; KeyError where some are missing."""
    return walk(search, lambda name, _domain: parameters[name])


def walk(search: Search, choose: Callable[[str, Domain], Any]) -> Parameters:
    """Build a configuration by choosing one parameter after the other.

    Alpha is chosen only where something is mixed, ratio where batches are balanced, and ``mixing``
    not with SMOTE, whose rows are blends already. For algorithms without conditional parameters
    every parameter is chosen in each case, and those without effect are left out of the result.

    Args:
        search: The algorithm, and what may vary.
        choose: Returns a value of a domain, given the parameter's name and the domain.
    """
    space, parameters = search.space, Parameters()
    everything = search.algorithm in UNCONDITIONAL

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
        sampler = parts["sampler"]
    else:
        strategy = add("strategy", Choice(space.strategy or DEFAULT_STRATEGIES))
        is_mixed, alpha = takes_alpha(strategy), space.alpha_of(strategy)
        sampler = STRATEGIES[strategy].sampler
    has_alpha = is_mixed and alpha is not None
    if domain := alpha if has_alpha else any_alpha(space):
        add("alpha", domain, has_effect=has_alpha)
    if space.ratio is not None:
        add("ratio", space.ratio, has_effect=sampler in RATIO_SAMPLERS)
    for name, domain in space.settings.items():
        add(name, domain, has_effect=space.has_effect(name, parameters))
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
    parameters: Mapping[str, Any], space: SearchSpace, choices: Mapping[str, tuple[str, ...]]
) -> dict[str, BaseDistribution]:
    """Optuna's distributions for a planned configuration.

    Optuna fixes the choices of a categorical parameter with the first trial. So that more
    configurations can be added, ``strategy`` and its parts offer all names that the package had
    when the study began (``choices``), and lists of numbers become ranges.

    Raises:
        StudyFileError: A name that the package did not have when the study began.
    """
    by_name: dict[str, BaseDistribution] = {}
    for name, value in parameters.items():
        if name == "alpha":
            by_name[name] = FloatDistribution(0.0, HIGHEST_ALPHA)
        elif name == "ratio":
            by_name[name] = FloatDistribution(0.0, 1.0)
        elif name in choices:
            if value not in choices[name]:
                key = "search.estimators" if name == ESTIMATOR else f"search.space.{name}"
                raise StudyFileError(
                    f'{key}: "{value}" came with a later version of the '
                    "package than the study began with; give the study another name"
                )
            by_name[name] = CategoricalDistribution(choices[name])
        else:
            domain = space.settings[name]
            assert isinstance(domain, Choice)
            by_name[name] = _distribution(domain)
    return by_name


def _distribution(domain: Choice) -> BaseDistribution:
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


def initial_configurations(study: Study, training: Training) -> dict[str, Parameters]:
    """Parameters of the references that a search space contains, as Optuna is to hold them.

    Keys that the search varies have the values of the study file and of the problem's training
    keys, or the nearest ones of the space.

    Returns:
        Name -> parameters, baseline first.
    """
    references = {}
    for name in REFERENCES:
        values, parameters = _reference_values(name, training, study.model), Parameters()

        def choose(
            key: str, domain: Domain, parameters: Parameters = parameters, values: Any = values
        ) -> Any:
            parameters[key] = _nearest(domain, values.get(key))
            return parameters[key]

        if strategy_of(walk(study.search, choose)).name == name:
            references[name] = parameters
    return references


def outer_choices(study: Study, training: Training) -> tuple[str, ...]:
    """What is scored on each outer fold: the choice by each objective, and the baseline."""
    has_baseline = "baseline" in initial_configurations(study, training)
    return (*study.objectives, *(("baseline",) if has_baseline else ()))


def reference_space(names: tuple[str, ...]) -> SearchSpace:
    """The space of a grid of references, for those that a search space lacks; empty for none."""
    if not names:
        return SearchSpace(parts={"sampler": Choice(())})
    mixing = [name for name in names if make_strategy(name).has_mixing]
    alpha: dict[str, Domain] = {name: Choice((make_strategy(name).alpha,)) for name in mixing}
    return SearchSpace(strategy=names, alpha=alpha)


def _reference_values(name: str, training: Training, model: Model) -> dict[str, Any]:
    """Value of every key that a search may vary, for a reference."""
    strategy = make_strategy(name)
    options = {"dropout": DEFAULT_DROPOUT, "ensemble": model.ensemble} | model.options
    return {
        "strategy": name,
        "sampler": strategy.sampler,
        "mixing": strategy.mixing,
        "loss": strategy.loss,
        "alpha": make_strategy("remix").alpha,
        # Equal shares of two classes.
        "ratio": 0.5,
        **{key: getattr(training, key) for key in Training.__struct_fields__},
        **{f"model.{key}": value for key, value in options.items()},
        **{key: getattr(model.features, key.partition(".")[2]) for key in FEATURE_KEYS},
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
