"""Points of a search space: planned for a grid, suggested by Optuna for a search."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from remix_study.batches.mixing import MIXINGS
from remix_study.batches.samplers import SAMPLERS
from remix_study.batches.strategies import (
    DEFAULT_ALPHA,
    LOSSES,
    STRATEGIES,
    Strategy,
    compose,
    make_strategy,
    strategy_names,
    takes_alpha,
)
from remix_study.config import Model, Study, Training
from remix_study.errors import StudyFileError, UsageError
from remix_study.metrics import METRICS
from remix_study.space import Choice, Domain, Range, SearchSpace
from remix_study.studyfile import check_model, override

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

Parameters = dict[str, Any]
HIGHEST_ALPHA = 100.0


@dataclass(frozen=True)
class Setting:
    """What a point means for one problem."""

    strategy: Strategy
    training: Training
    model: Model


def key(parameters: Mapping[str, Any]) -> str:
    """A point's identity: equal for equal parameters, whatever their order."""
    return json.dumps(dict(sorted(parameters.items())))


def check_study(study: Study) -> None:
    """Check the names in a study file that only the rest of the package knows.

    Raises:
        StudyFileError: An unknown metric, strategy, sampler, mixing, loss or training value.
    """
    try:
        _check(study)
    except UsageError as error:
        raise StudyFileError(f"{study.source}: search.space: {error}") from error
    except StudyFileError as error:
        raise StudyFileError(f"{study.source}: {error}") from error


def _check(study: Study) -> None:
    for name in study.objectives:
        if name not in METRICS:
            raise StudyFileError(
                f'study.objectives: "{name}" is no metric; known: {", ".join(METRICS)}'
            )
    space = study.search.space
    for name in [*space.strategy, *filter(None, space.alpha)]:
        if name not in STRATEGIES:
            raise StudyFileError(
                f'search.space: "{name}" is no strategy; known: {", ".join(STRATEGIES)}'
            )
    for name in filter(None, space.alpha):
        if not takes_alpha(name):
            raise StudyFileError(f"search.space.alpha.{name}: {name} does not mix")
    known = {"sampler": tuple(SAMPLERS), "mixing": tuple(MIXINGS), "loss": LOSSES}
    for part, choice in space.parts.items():
        for name in choice.values:
            if name not in known[part]:
                raise StudyFileError(
                    f'search.space.{part}: "{name}" is unknown; known: {", ".join(known[part])}'
                )
    # Every bound and every listed value must be one that the study file itself could give.
    for name, domain in space.settings.items():
        ends = domain.values if isinstance(domain, Choice) else (domain.low, domain.high)
        for value in ends:
            integer = isinstance(domain, Range) and domain.integer
            setting_of({name: int(value) if integer else value}, study.training, study.model)


def setting_of(parameters: Mapping[str, Any], training: Training, model: Model) -> Setting:
    """What a trial's parameters mean, on top of a problem's training keys and the model's.

    Raises:
        StudyFileError: A value that the study file could not hold either.
        UsageError: Parts that do not go together.
    """
    strategy = make_strategy("baseline")
    if "strategy" in parameters:
        strategy = make_strategy(parameters["strategy"], parameters.get("alpha"))
    elif parameters.keys() & {"sampler", "mixing", "loss"}:
        strategy = compose(
            parameters.get("sampler", "natural"),
            parameters.get("mixing", "none"),
            parameters.get("alpha"),
            parameters.get("loss", "cross-entropy"),
        )
    own = {k: v for k, v in parameters.items() if k in Training.__struct_fields__}
    options = {k[6:]: _decoded(v) for k, v in parameters.items() if k.startswith("model.")}
    if own:
        training = override(training, own)
    if options:
        model = msgspec.structs.replace(model, options=model.options | options)
        check_model(model)
    return Setting(strategy, training, model)


def grid_points(space: SearchSpace) -> list[Parameters]:
    """All points of a grid, each once, in the order of the file.

    ReMix at alpha 0 is ``balance`` and MixUp at alpha 0 is ``baseline``: one point each.
    """
    settings = [
        [(name, _encoded(value)) for value in domain.values]
        for name, domain in space.settings.items()
        if isinstance(domain, Choice)
    ]
    points: dict[str, Parameters] = {}
    for base in _part_points(space) if space.parts else _strategy_points(space):
        for extra in itertools.product(*settings):
            point = base | dict(extra)
            points.setdefault(key(point), point)
    return list(points.values())


def _strategy_points(space: SearchSpace) -> Iterator[Parameters]:
    for name in space.strategy or strategy_names():
        for alpha in _alphas(space.alpha_of(name)) if takes_alpha(name) else (None,):
            strategy = make_strategy(name, alpha)
            point: Parameters = {"strategy": strategy.name}
            yield point | ({"alpha": strategy.alpha} if strategy.mixes else {})


def _part_points(space: SearchSpace) -> Iterator[Parameters]:
    def values(part: str, default: str) -> tuple[str, ...]:
        return space.parts[part].values if part in space.parts else (default,)

    grid = itertools.product(
        values("sampler", "natural"), values("mixing", "none"), values("loss", "cross-entropy")
    )
    for sampler, mixing, loss in grid:
        if sampler == "smote" and mixing != "none":
            continue
        for alpha in _alphas(space.alpha_of("")) if mixing != "none" else (None,):
            strategy = compose(sampler, mixing, alpha, loss)
            point: Parameters = {"sampler": sampler, "mixing": strategy.mixing, "loss": loss}
            yield point | ({"alpha": strategy.alpha} if strategy.mixes else {})


def _alphas(domain: Domain | None) -> tuple[float, ...]:
    return domain.values if isinstance(domain, Choice) else (DEFAULT_ALPHA,)


def suggest(trial: Trial, space: SearchSpace) -> Parameters:
    """Let Optuna choose a point; alpha is asked only where something is mixed.

    SMOTE's rows are blends already, so ``mixing`` is not asked where it was drawn.
    """
    point: Parameters = {}

    def ask(name: str, domain: Domain) -> Any:
        point[name] = trial._suggest(name, _domain_distribution(domain))
        return point[name]

    if space.parts:
        drawn = {"sampler": "natural", "mixing": "none"}
        for part in ("sampler", "mixing", "loss"):
            if part in space.parts and not (part == "mixing" and drawn["sampler"] == "smote"):
                drawn[part] = ask(part, space.parts[part])
        mixes, alpha = drawn["mixing"] != "none", space.alpha_of("")
    else:
        name = ask("strategy", Choice(space.strategy or strategy_names()))
        mixes, alpha = takes_alpha(name), space.alpha_of(name)
    if mixes and alpha is not None:
        ask("alpha", alpha)
    for name, domain in space.settings.items():
        ask(name, domain)
    return point


def distributions(
    parameters: Mapping[str, Any], space: SearchSpace, strategies: tuple[str, ...]
) -> dict[str, BaseDistribution]:
    """Optuna's distributions for a planned point.

    Optuna fixes the choices of a categorical parameter with the first trial, so ``strategy``
    offers all that the study knew when it began: that is what lets points be added.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    found: dict[str, BaseDistribution] = {}
    for name in parameters:
        if name == "strategy":
            found[name] = CategoricalDistribution(strategies)
        elif name == "alpha":
            found[name] = FloatDistribution(0.0, HIGHEST_ALPHA)
        elif name in ("sampler", "mixing", "loss"):
            everything = {"sampler": tuple(SAMPLERS), "mixing": tuple(MIXINGS), "loss": LOSSES}
            found[name] = CategoricalDistribution(everything[name])
        else:
            found[name] = _domain_distribution(space.settings[name])
    return found


def _domain_distribution(domain: Domain) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(domain, Choice):
        return CategoricalDistribution(tuple(_encoded(value) for value in domain.values))
    if domain.integer:
        return IntDistribution(int(domain.low), int(domain.high), log=domain.log)
    return FloatDistribution(domain.low, domain.high, log=domain.log)


def _encoded(value: Any) -> Any:
    """A value as Optuna can hold it: widths (128, 64) become "128-64"."""
    return "-".join(map(str, value)) if isinstance(value, tuple) else value


def _decoded(value: Any) -> Any:
    if isinstance(value, str) and value.replace("-", "").isdigit():
        return [int(width) for width in value.split("-")]
    return list(value) if isinstance(value, tuple) else value
