"""Where points come from: a plan, or one of Optuna's algorithms seeded for its slot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from remix_study.seeds import derive

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial


class PlannedSampler(BaseSampler):
    """Gives a trial the parameters of a planned point."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        """Take the point."""
        self._parameters = parameters

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Nothing is drawn together."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Nothing is drawn together."""
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """The planned value."""
        return self._parameters[param_name]


def make_sampler(algorithm: str, seed: int, name: str, slot: int) -> BaseSampler:
    """Optuna's algorithm, seeded for one slot.

    A fresh one for every trial, seeded by the number of trials that are done: a search that was
    interrupted goes on as it would have, which a sampler seeded once cannot.

    Args:
        algorithm: ``tpe`` or ``random``.
        seed: The study's seed.
        name: Name of the Optuna study.
        slot: COMPLETE and PRUNED trials before this one.
    """
    # Optuna takes 32-bit seeds.
    state = derive(seed, name, "algorithm", slot) % 2**32
    return TPESampler(seed=state) if algorithm == "tpe" else RandomSampler(seed=state)
