"""Configurations: those that a grid plans, what they mean, and which share a program."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Container, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from remix_study.batches.samplers import DEVICE_SAMPLERS, SMOTE_SAMPLERS
from remix_study.batches.strategies import (
    DEFAULT_STRATEGIES,
    PUBLISHED_ALPHA,
    STRATEGIES,
    Strategy,
    compose,
    make_strategy,
    takes_alpha,
)
from remix_study.errors import StudyFileError
from remix_study.models.custom import learning_rate_of
from remix_study.study.tables import configuration_key
from remix_study.studyfile.estimators import Estimator
from remix_study.studyfile.features import FEATURE_KEYS, Features
from remix_study.studyfile.model_options import check_model
from remix_study.studyfile.schema import Model, Study, Training
from remix_study.studyfile.search_space import (
    STRATEGY_PARTS,
    Choice,
    Domain,
    SearchSpace,
)
from remix_study.studyfile.training_keys import override
from remix_study.studyfile.validation import convert
from remix_study.training import stacks

Parameters = dict[str, Any]

ESTIMATOR = "estimator"
"""Parameter of a trial that fits a reference estimator: its name."""

MOST_CONFIGURATIONS = 100_000
"""Most configurations of a grid, all of which are planned before the first one trains."""

MAX_AUTO_STACK = 400
"""Most networks that ``stack = "auto"`` puts into one program on an accelerator."""


@dataclass(frozen=True)
class Configuration:
    """What the parameters of one trial mean for a problem.

    Attributes:
        strategy: How batches are drawn, mixed and weighted; of an estimator its name and loss.
        training: Training keys.
        model: The network.
        estimator: What is fitted in place of a network; None where a network is trained.
    """

    strategy: Strategy
    training: Training
    model: Model
    estimator: Estimator | None = None

    @property
    def epochs(self) -> int:
        """Largest number of epochs of a fold; an estimator is fitted once."""
        return 1 if self.estimator else self.training.epochs

    @property
    def networks(self) -> int:
        """Networks of a fold; an estimator counts as one."""
        return 1 if self.estimator else self.model.ensemble


def label_of(parameters: Mapping[str, Any]) -> str:
    """Name of a configuration in tables: its strategy, and the other keys that it sets."""
    extra = [
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in parameters.items()
        if name not in ("strategy", "alpha", *STRATEGY_PARTS, ESTIMATOR)
    ]
    return ", ".join([strategy_of(parameters).label, *extra])


def strategy_of(parameters: Mapping[str, Any]) -> Strategy:
    """The strategy that parameters name or compose; ``baseline`` where they do neither.

    A reference estimator draws no batches; the name of its strategy is its own.
    """
    if ESTIMATOR in parameters:
        return Strategy(parameters[ESTIMATOR], "none", "none", 0.0, "cross-entropy")
    alpha, ratio = parameters.get("alpha"), parameters.get("ratio")
    if "strategy" in parameters:
        return make_strategy(parameters["strategy"], alpha).with_ratio(ratio)
    sampler, mixing = parameters.get("sampler", "natural"), parameters.get("mixing", "none")
    loss = parameters.get("loss", "cross-entropy")
    return compose(sampler, mixing, alpha, loss).with_ratio(ratio)


def configuration_of(
    parameters: Mapping[str, Any],
    training: Training,
    model: Model,
    estimators: Sequence[Estimator] = (),
) -> Configuration:
    """What a trial's parameters mean, applied to a problem's training keys and the model.

    ``estimators`` are those of the study.

    Raises:
        StudyFileError: A value that the study file could not hold either.
        UsageError: Parts that do not exist or do not go together.
    """
    if ESTIMATOR in parameters:
        estimator = next(e for e in estimators if e.name == parameters[ESTIMATOR])
        strategy = replace(strategy_of(parameters), loss=estimator.loss)
        return Configuration(strategy, training, model, estimator)
    training_keys = {k: v for k, v in parameters.items() if k in Training.__struct_fields__}
    options = {k[6:]: _decoded(v) for k, v in parameters.items() if k.startswith("model.")}
    if (ensemble := options.pop("ensemble", None)) is not None:
        size = convert({"ensemble": ensemble}, Model, "search.space.model").ensemble
        model = msgspec.structs.replace(model, ensemble=size)
    if training_keys:
        training = override(training, training_keys)
    if options:
        model = msgspec.structs.replace(model, options=model.options | options)
        check_model(model)
    if features := {k[9:]: v for k, v in parameters.items() if k in FEATURE_KEYS}:
        table = msgspec.structs.asdict(model.features) | features
        changed = convert(table, Features, "search.space.features")
        model = msgspec.structs.replace(model, features=changed)
    if (rate := learning_rate_of(model)) is not None:
        training = override(training, {"learning_rate": rate})
    return Configuration(strategy_of(parameters), training, model)


def planned_configurations(study: Study) -> list[Parameters]:
    """The configurations of a grid, then the study's reference estimators."""
    estimators: list[Parameters] = [{ESTIMATOR: estimator.name} for estimator in study.estimators]
    return grid_configurations(study.search.space) + estimators


def grid_configurations(space: SearchSpace) -> list[Parameters]:
    """All configurations of a grid, each once, in the order of the file.

    ReMix at alpha 0 is ``balance`` and MixUp at alpha 0 is ``baseline``: each appears once.

    Raises:
        StudyFileError: There are more than ``MOST_CONFIGURATIONS``.
    """
    lists = [
        [(name, encoded(value)) for value in domain.values]
        for name, domain in space.settings.items()
        if isinstance(domain, Choice)
    ]
    paths = _composed_strategies(space) if space.parts else _named_strategies(space)
    # One more than may be shows that there are too many.
    strategies = list(itertools.islice(paths, MOST_CONFIGURATIONS + 1))
    size = len(strategies) * math.prod(map(len, lists))
    if size > MOST_CONFIGURATIONS:
        raise StudyFileError(
            f"search.space: {size:,} configurations or more, and {MOST_CONFIGURATIONS:,} are the "
            'most of a grid; list fewer values, or draw some by algorithm = "random" and trials'
        )
    configurations: dict[str, Parameters] = {}
    for strategy in strategies:
        for keys in itertools.product(*lists):
            parameters = strategy | dict(keys)
            configurations.setdefault(configuration_key(parameters), parameters)
    return list(configurations.values())


def _named_strategies(space: SearchSpace) -> Iterator[Parameters]:
    for name in space.strategy or DEFAULT_STRATEGIES:
        for alpha in _alphas(space.alpha_of(name)) if takes_alpha(name) else (None,):
            strategy = make_strategy(name, alpha)
            parameters: Parameters = {"strategy": strategy.name}
            parameters |= {"alpha": strategy.alpha} if strategy.has_mixing else {}
            yield from _with_ratios(parameters, strategy, space)


def _composed_strategies(space: SearchSpace) -> Iterator[Parameters]:
    def values(part: str, default: str) -> tuple[str, ...]:
        return space.parts[part].values if part in space.parts else (default,)

    grid = itertools.product(
        values("sampler", "natural"), values("mixing", "none"), values("loss", "cross-entropy")
    )
    for sampler, mixing, loss in grid:
        # SMOTE's rows are blends already.
        if sampler in SMOTE_SAMPLERS and mixing != "none":
            continue
        for alpha in _alphas(space.alpha_of("")) if mixing != "none" else (None,):
            strategy = compose(sampler, mixing, alpha, loss)
            parameters: Parameters = {
                "sampler": sampler,
                "mixing": strategy.mixing,
                "loss": loss,
            }
            parameters |= {"alpha": strategy.alpha} if strategy.has_mixing else {}
            yield from _with_ratios(parameters, strategy, space)


def _with_ratios(
    parameters: Parameters, strategy: Strategy, space: SearchSpace
) -> Iterator[Parameters]:
    """The parameters at each ratio of the space, where the strategy balances batches."""
    if strategy.takes_ratio and isinstance(space.ratio, Choice):
        yield from (parameters | {"ratio": ratio} for ratio in space.ratio.values)
    else:
        yield parameters


def _alphas(domain: Domain | None) -> tuple[float, ...]:
    return domain.values if isinstance(domain, Choice) else (PUBLISHED_ALPHA,)


def encoded(value: Any) -> Any:
    """A value as Optuna can store it: widths (128, 64) become "[128, 64]"."""
    return json.dumps(value) if isinstance(value, tuple) else value


def _decoded(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("["):
        return json.loads(value)
    return list(value) if isinstance(value, tuple) else value


def augmenting(space: SearchSpace) -> list[str]:
    """The strategies of a space that augment images."""
    return [name for name in space.strategy if name in STRATEGIES and STRATEGIES[name].augment]


def program_stack(
    study: Study,
    training: Training,
    members: int,
    on_device: Container[str] = DEVICE_SAMPLERS,
    *,
    is_shared: bool,
) -> int:
    """How many networks train in one program.

    A trial of twenty small networks leaves an accelerator idle most of the time: of a grid, as
    many trials share a stack as it holds. A network's numbers depend neither on its position in a
    stack nor on its neighbours: they are those of a trial alone in a stack of that size.

    Args:
        study: With the grid, where trials share programs.
        training: With the key ``stack``.
        members: Networks that one trial trains at a time.
        on_device: Samplers that can draw in a compiled program.
        is_shared: Whether several trials may share a program.
    """
    if training.stack == "auto" and stacks.has_accelerator() and is_shared:
        groups: Counter[Hashable] = Counter()
        for parameters in grid_configurations(study.search.space):
            configuration = configuration_of(parameters, training, study.model)
            groups[program_key(configuration, on_device)] += configuration.networks
        return members * max(1, min(max(groups.values()), MAX_AUTO_STACK // members))
    return stacks.stack_size(members) if training.stack in (0, "auto") else int(training.stack)


def program_key(
    configuration: Configuration, on_device: Container[str] = DEVICE_SAMPLERS
) -> tuple[Hashable, ...]:
    """Equal for configurations that may train side by side in one compiled program.

    Args:
        configuration: What to train.
        on_device: Samplers that can draw in a compiled program.
    """
    if configuration.estimator:
        return ESTIMATOR, configuration.estimator.name
    model = msgspec.to_builtins(configuration.model)
    # Rows that are drawn on the host would make those of all other trials be drawn there, too.
    drawn_together = configuration.strategy.sampler in on_device
    key = *stacks.program_key(configuration.strategy), drawn_together
    return json.dumps(model, sort_keys=True, default=str), configuration.training, key


def model_key(model: Model, masked: dict[str, bool] | None = None, *more: int) -> str:
    """Equal for networks that one engine trains."""
    options, features = model.options | (masked or {}), msgspec.to_builtins(model.features)
    return json.dumps([model.name, options, features, *more], default=str)
