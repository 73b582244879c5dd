"""What a hypermodel of KerasTuner is built with: it answers, and notes what was asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from remix_study.errors import UsageError
from remix_study.studyfile.search_space import Choice, Domain, Range

_RESERVED = ("name", "ensemble")


@dataclass
class HyperParameters:
    """What a hypermodel is built with in place of KerasTuner's object of this name.

    Attributes:
        where: The start of messages.
        preset: Values by name; a hyperparameter that is not there has its default.
        domains: What the model asked for that may vary, in order.
        values: The value of everything that it asked for.
    """

    where: str
    preset: Mapping[str, Any] = field(default_factory=dict)
    domains: dict[str, Domain] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    _inactive: int = 0

    def Int(
        self,
        name: str,
        min_value: int,
        max_value: int,
        step: int | None = None,
        sampling: str = "linear",
        default: int | None = None,
        **parent: Any,
    ) -> Any:
        """A whole number from ``min_value`` to ``max_value``."""
        low, high = int(min_value), int(max_value)
        is_log = self._is_log(name, sampling)
        if step in (None, 1) and not (is_log and step):
            domain: Domain = Range(float(low), float(high), is_log, integer=True)
        else:
            domain = Choice(tuple(map(int, _steps(low, high, step, is_log))))
        return self._value(name, domain, low if default is None else int(default), parent)

    def Float(
        self,
        name: str,
        min_value: float,
        max_value: float,
        step: float | None = None,
        sampling: str = "linear",
        default: float | None = None,
        **parent: Any,
    ) -> Any:
        """A number from ``min_value`` to ``max_value``."""
        low, high = float(min_value), float(max_value)
        is_log = self._is_log(name, sampling)
        domain: Domain = Range(low, high, is_log)
        if step is not None:
            domain = Choice(tuple(float(f"{v:.12g}") for v in _steps(low, high, step, is_log)))
        return self._value(name, domain, low if default is None else float(default), parent)

    def Choice(
        self,
        name: str,
        values: Sequence[Any],
        ordered: bool | None = None,  # noqa: ARG002
        default: Any = None,
        **parent: Any,
    ) -> Any:
        """One of some values."""
        kinds = {type(value) for value in values}
        if not kinds or (not kinds <= {int, float} and kinds not in ({str}, {bool})):
            raise UsageError(
                f'{self.where}: hp.Choice "{name}" needs numbers, names, or truth values, all of '
                f"one type, not {list(values)!r}"
            )
        first = values[0] if default is None else default
        return self._value(name, Choice(tuple(dict.fromkeys(values))), first, parent)

    def Boolean(self, name: str, default: bool = False, **parent: Any) -> Any:
        """True or false."""
        return self._value(name, Choice((False, True)), default, parent)

    def Fixed(self, name: str, value: Any, **parent: Any) -> Any:
        """A value that does not vary."""
        return self._value(name, Choice((value,)), value, parent)

    @contextmanager
    def conditional_scope(self, parent_name: str, parent_values: Any) -> Iterator[None]:
        """What is asked for in it is in use where another one has some values."""
        is_inactive = not self._is_parent(parent_name, parent_values)
        self._inactive += is_inactive
        try:
            yield
        finally:
            self._inactive -= is_inactive

    def get(self, name: str) -> Any:
        """The value of one that was asked for before."""
        if name not in self.values:
            raise UsageError(f'{self.where}: hp.get("{name}"): was not asked for before')
        return self.values[name]

    def __getattr__(self, name: str) -> Any:
        raise UsageError(
            f"{self.where}: hp.{name} is not known here; there are Int, Float, Choice, Boolean, "
            "Fixed, conditional_scope and get"
        )

    def _is_log(self, name: str, sampling: str | None) -> bool:
        if sampling not in (None, "linear", "log"):
            raise UsageError(f'{self.where}: hp "{name}": sampling "{sampling}" is not known here')
        return sampling == "log"

    def _is_parent(self, name: str, values: Any) -> bool:
        values = values if isinstance(values, list | tuple) else [values]
        return name in self.values and self.values[name] in values

    def _value(self, name: str, domain: Domain, default: Any, parent: Mapping[str, Any]) -> Any:
        if unknown := set(parent) - {"parent_name", "parent_values"}:
            raise UsageError(f'{self.where}: hp "{name}": {min(unknown)} is not known here')
        has_parent = parent.get("parent_name") is not None
        if self._inactive or (
            has_parent and not self._is_parent(parent["parent_name"], parent.get("parent_values"))
        ):
            # As in KerasTuner: what is not in use has no value.
            return None
        if name in _RESERVED:
            raise UsageError(f'{self.where}: hp "{name}" is a key of [model]; rename it')
        if name in self.domains and self.domains[name] != domain:
            raise UsageError(f'{self.where}: hp "{name}" is asked for twice, with other bounds')
        value = self.preset.get(name, default)
        self.values[name] = value
        is_varying = isinstance(domain, Range) or len(domain.values) > 1
        if is_varying and not (isinstance(domain, Range) and domain.low == domain.high):
            self.domains[name] = domain
        return value


def _steps(low: float, high: float, step: float | None, is_log: bool) -> list[float]:
    """Values from ``low`` to ``high``: with a step added or, on a log scale, multiplied by."""
    assert step is not None
    if is_log:
        count = math.floor(math.log(high / low) / math.log(step) + 1e-9)
        return [low * step**power for power in range(count + 1)]
    return [low + step * number for number in range(math.floor((high - low) / step + 1e-9) + 1)]
