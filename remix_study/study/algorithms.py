"""Where points come from: a plan, or one of Optuna's algorithms seeded for its slot."""

from __future__ import annotations

import warnings
from copy import copy
from typing import TYPE_CHECKING, Any

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)

from remix_study.seeds import derive_seed

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.study import Study
    from optuna.trial import FrozenTrial

PACKAGES = {"gp": "torch", "cmaes": "cmaes"}
"""What an algorithm needs beside Optuna; the package's extra is called like the algorithm."""

UNCONDITIONAL = ("nsga2", "gp", "cmaes", "qmc")
"""Algorithms that know no conditions: they are asked for every parameter in each trial."""

_SURELY = 0.05
"""Where Wilcoxon's test ends a trial. Its folds share rows, which the test does not know: it is
bolder than this says."""

# Optuna's own 50 would leave most searches in their first generation.
_POPULATION = 12


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


class FirstSampler(PlannedSampler):
    """Gives a search's first trials their parameters, as if its algorithm had drawn them.

    The algorithm writes down what it needs to take such a trial for its own: to NSGA-II it
    belongs to the first generation.
    """

    def __init__(self, parameters: dict[str, Any], algorithm: BaseSampler) -> None:
        """Take the point and the algorithm."""
        super().__init__(parameters)
        self._algorithm = algorithm

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """As the algorithm does."""
        return self._algorithm.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Let the algorithm draw, and give the planned values in place of its own."""
        drawn = self._algorithm.sample_relative(study, trial, search_space)
        # Where it was run again, later trials may all have had what it lacks.
        return {name: value for name, value in self._parameters.items() if name in drawn}


class _SobolSampler(QMCSampler):
    """Optuna's quasi-random sequence, its points by slot.

    Optuna counts them as they are asked for, so that an interrupted trial would leave a gap.
    """

    def __init__(self, seed: int, slot: int) -> None:
        super().__init__(scramble=True, seed=seed, warn_independent_sampling=False)
        self._slot = slot

    def _find_sample_id(self, study: Study, search_space: dict[str, BaseDistribution]) -> int:
        return self._slot


class _EvolutionSampler(CmaEsSampler):
    """CMA-ES, its draws by slot: Optuna's also depend on how many trials were interrupted."""

    def __init__(self, seed: int, slot: int) -> None:
        super().__init__(seed=seed, warn_independent_sampling=False)
        self._slot = slot

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        placed = copy(trial)
        placed.number = self._slot
        return super().sample_relative(study, placed, search_space)


def make_sampler(algorithm: str, seed: int, name: str, slot: int) -> BaseSampler:
    """Optuna's algorithm, seeded for one slot.

    A fresh one for every trial, seeded by its place in the order of trials: a search that was
    interrupted goes on as it would have, which a sampler seeded once cannot. What an algorithm
    keeps between trials, it keeps in the database: NSGA-II its generations and parents, CMA-ES
    its state.

    Args:
        algorithm: ``tpe``, ``random``, ``nsga2``, ``gp``, ``cmaes`` or ``qmc``.
        seed: The study's seed.
        name: Name of the Optuna study.
        slot: The trial's place; one that was interrupted is asked again under its number.
    """
    # Optuna takes 32-bit seeds.
    state = derive_seed(seed, name, "algorithm", slot) % 2**32
    match algorithm:
        case "tpe":
            return TPESampler(seed=state)
        case "nsga2":
            return NSGAIISampler(seed=state, population_size=_POPULATION)
        case "gp":
            return GPSampler(seed=state, warn_independent_sampling=False)
        case "cmaes":
            return _EvolutionSampler(state, slot)
        case "qmc":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                # One sequence for all slots.
                return _SobolSampler(derive_seed(seed, name, "algorithm") % 2**32, slot)
    return RandomSampler(seed=state)


def make_pruner() -> BasePruner:
    """Wilcoxon's signed-rank test of a trial's folds against the same folds of the best one."""
    from optuna.pruners import WilcoxonPruner

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return WilcoxonPruner(p_threshold=_SURELY)
