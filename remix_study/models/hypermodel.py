"""KerasTuner's hypermodels, ``build(hp)``: what they let vary, and when.

A hypermodel says what may vary by asking for it while it builds a model. It is built with one
discrete value after another, and what it asks for then shows under which values each
hyperparameter is in use: in ``conditional_scope``, after an ``if``, or in a loop.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from remix_study.errors import UsageError, join_names
from remix_study.models.hyperparameters import HyperParameters
from remix_study.studyfile.search_space import Choice, Condition, Domain

Build = Callable[[Any], Any]

# Values of a hyperparameter on which others may depend; one with more is only checked at random.
_MOST_VALUES = 10
# Random configurations that are built to check what was found.
_N_CHECKED = 12
_LOSSES = ("CategoricalCrossentropy", "SparseCategoricalCrossentropy")


@dataclass
class TunedSpace:
    """What a hypermodel lets vary.

    Attributes:
        domains: By name, each after those that it depends on.
        conditions: Of those that are not always in use.
        defaults: A value for everything that it asks for.
        has_rate: Whether it is compiled with a learning rate.
    """

    domains: dict[str, Domain] = field(default_factory=dict)
    conditions: dict[str, tuple[Condition, ...]] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    has_rate: bool = False


def hypermodel_of(builder: Any) -> Build | None:
    """The function ``build(hp)`` of a hypermodel: of a function, a class or its instance.

    None where it is a builder of another kind.
    """
    if isinstance(builder, type) and callable(getattr(builder, "build", None)):
        builder = builder()
    function = getattr(builder, "build", builder)
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return None
    return function if names == ["hp"] else None


def build_hypermodel(name: str, build: Build, values: Mapping[str, Any]) -> Any:
    """Build its model with values by name, and defaults for the others.

    Raises:
        UsageError: It asks for something that is not known here, or cannot be built.
    """
    return _build(name, build, HyperParameters(f'model "{name}"', values))


def _build(name: str, build: Build, hp: HyperParameters) -> Any:
    try:
        return build(hp)
    except UsageError:
        raise
    except Exception as error:
        # The user's own code, which may raise anything.
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UsageError(f'model "{name}" cannot be built with {hp.values}: {reason}') from error


def explore(name: str, build: Build, fixed: Mapping[str, Any]) -> TunedSpace:
    """Find what a hypermodel asks for, and under which values of what.

    Args:
        name: The model's name, for messages.
        build: Builds it.
        fixed: Values by name of hyperparameters that do not vary.

    Raises:
        UsageError: It asks for something that is not known here, or in a way that values of
            single hyperparameters do not explain, or is compiled with other things than Adam.
    """
    runs: dict[str, HyperParameters] = {}
    space = TunedSpace()

    def ask(values: Mapping[str, Any]) -> dict[str, Domain]:
        key = json.dumps(values, sort_keys=True)
        if key not in runs:
            runs[key] = HyperParameters(f'model "{name}"', {**values, **fixed})
            space.has_rate |= rate_of(name, _build(name, build, runs[key])) is not None
            for parameter, value in runs[key].values.items():
                space.defaults.setdefault(parameter, value)
        return {k: domain for k, domain in runs[key].domains.items() if k not in fixed}

    queue: list[tuple[dict[str, Any], tuple[str, ...]]] = [({}, tuple(ask({})))]
    while queue:
        base, names = queue.pop(0)
        new = {k: domain for k, domain in ask(base).items() if k in names}
        _add(space, new, base, ask, queue)
    if unknown := [key for key in fixed if key not in space.defaults]:
        raise UsageError(
            f'model "{name}" asks for no hyperparameter "{unknown[0]}"; it has '
            f"{join_names(space.defaults)}"
        )
    _check_at_random(name, space, ask)
    return space


def _add(
    space: TunedSpace,
    new: Mapping[str, Domain],
    base: Mapping[str, Any],
    ask: Callable[[Mapping[str, Any]], dict[str, Domain]],
    queue: list[tuple[dict[str, Any], tuple[str, ...]]],
) -> None:
    """Add what is asked for with the values of ``base``, and queue what depends on it."""
    conditions: dict[str, list[Condition]] = {child: [] for child in new}
    later: dict[Condition, list[str]] = {}
    for parent, domain in new.items():
        values = _discrete_values(domain)
        by_value = {value: ask({**base, parent: value}) for value in values}
        for child in dict.fromkeys(k for domains in by_value.values() for k in domains):
            condition = Condition(parent, tuple(v for v in values if child in by_value[v]))
            if child in new and len(condition.values) < len(values):
                conditions[child].append(condition)
            elif child not in new and child not in space.domains:
                later.setdefault(condition, []).append(child)
    for child in sorted(new, key=lambda key: len(conditions[key])):
        space.domains[child] = new[child]
        if conditions[child]:
            earlier = space.conditions.get(child, ())
            space.conditions[child] = (*earlier, *conditions[child])
    for condition, children in later.items():
        unconditioned = tuple(child for child in children if child not in space.conditions)
        for child in unconditioned:
            space.conditions[child] = (condition,)
        queue.append(({**base, condition.parent: condition.values[0]}, unconditioned))


def _discrete_values(domain: Domain) -> tuple[Any, ...]:
    """The values of a domain on which others may depend; none where there are many."""
    if isinstance(domain, Choice):
        values = domain.values
    elif domain.integer and domain.high - domain.low < _MOST_VALUES:
        values = tuple(range(int(domain.low), int(domain.high) + 1))
    else:
        values = ()
    return values if len(values) <= _MOST_VALUES else ()


def _check_at_random(
    name: str, space: TunedSpace, ask: Callable[[Mapping[str, Any]], dict[str, Domain]]
) -> None:
    """Refuse a hypermodel whose hyperparameters differ in one of some random configurations."""
    rng = np.random.default_rng(0)
    for _ in range(_N_CHECKED):
        values: dict[str, Any] = {}
        for key, domain in space.domains.items():
            if all(values.get(c.parent) in c.values for c in space.conditions.get(key, ())):
                if isinstance(domain, Choice):
                    values[key] = domain.values[rng.integers(len(domain.values))]
                else:
                    drawn = rng.uniform(domain.low, domain.high)
                    values[key] = round(drawn) if domain.integer else drawn
        domains = ask(values)
        for key in {*domains, *values}:
            if key not in domains or key not in values or domains[key] != space.domains[key]:
                raise UsageError(
                    f'model "{name}": when hyperparameter "{key}" is in use, or its bounds, '
                    "depend on several others; let each depend on one, or ask for it always"
                )


@lru_cache(1024)
def _compiled_rate(name: str, builder: Any, options: str) -> float | None:
    build = hypermodel_of(builder)
    assert build is not None
    return rate_of(name, build_hypermodel(name, build, json.loads(options)))


def compiled_rate(name: str, builder: Any, values: Mapping[str, Any]) -> float | None:
    """The learning rate of the Adam that a hypermodel compiles with; None if it does not compile.

    Raises:
        UsageError: As :func:`rate_of`.
    """
    return _compiled_rate(name, builder, json.dumps(values, sort_keys=True))


def rate_of(name: str, model: Any) -> float | None:
    """The learning rate in ``compile``; None where a model is not compiled.

    Raises:
        UsageError: It is compiled with something else that would change its training.
    """
    import keras

    if not getattr(model, "compiled", False):
        return None
    where, remedy = f'model "{name}": compile', "only Adam's learning_rate is taken from compile"
    optimizer, compiled = model.optimizer, model.get_compile_config()
    if type(optimizer) is not keras.optimizers.Adam:
        raise UsageError(f"{where}: optimizer {type(optimizer).__name__}; {remedy}")
    config, plain = optimizer.get_config(), keras.optimizers.Adam().get_config()
    for key, value in config.items():
        if key not in ("learning_rate", "name") and value != plain[key]:
            raise UsageError(f"{where}: Adam's {key} = {value!r}; {remedy}")
    if isinstance(config["learning_rate"], Mapping):
        raise UsageError(f"{where}: a schedule of learning rates; {remedy}")
    loss = keras.losses.get(compiled["loss"])
    kind, smoothing = type(loss).__name__, getattr(loss, "label_smoothing", 0)
    kind = getattr(loss, "__name__", kind).title().replace("_", "") if kind == "function" else kind
    if kind not in _LOSSES or smoothing:
        raise UsageError(
            f"{where}: loss {compiled['loss']!r}; write categorical_crossentropy, since the "
            "strategies of a study say how classes are weighted"
        )
    for key in ("loss_weights", "weighted_metrics"):
        if compiled.get(key):
            raise UsageError(f"{where}: {key}; {remedy}")
    # A float32, as short as it was written.
    return float(str(np.float32(config["learning_rate"])))
