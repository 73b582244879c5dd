"""Samplers of Optuna: planned parameters, or a search algorithm seeded for each slot."""

from __future__ import annotations

import warnings
from copy import copy
from typing import TYPE_CHECKING, Any

from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, WilcoxonPruner
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
    from optuna.study import Study
    from optuna.trial import FrozenTrial

PACKAGES = {"gp": "torch", "cmaes": "cmaes"}
"""Packages that algorithms need beside Optuna; the extra is named like the algorithm."""

UNCONDITIONAL = ("nsga2", "gp", "cmaes", "qmc")
"""Algorithms without conditional parameters: each trial suggests every parameter."""

MOST_REDRAWS = 9
"""How often an algorithm draws again where it drew a trained configuration; then chance does."""

# Algorithms that hardly draw anything else with another seed.
_SAME_AGAIN = ("gp", "qmc")

# Level of Wilcoxon's test at which a trial is pruned. Folds share rows, which the test ignores, so
# that it prunes more often than this level says.
_P_THRESHOLD = 0.05

# Trials of TPE at random; after a grid, whose methods are known, it learns earlier.
_RANDOM_TRIALS, _RANDOM_AFTER_GRID = 10, 6

# With Optuna's default of 50 most searches would end in their first generation.
_POPULATION = 12


class PlannedSampler(BaseSampler):
    """Sampler that gives a trial the parameters of a planned configuration, by name."""

    def __init__(self, parameters: dict[str, Any]) -> None:
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
    """Sampler that gives a search's initial trials their parameters as if the algorithm drew them.

    The algorithm stores what makes such a trial one of its own: for NSGA-II it belongs to the
    first generation.
    """

    def __init__(self, parameters: dict[str, Any], algorithm: BaseSampler) -> None:
        super().__init__(parameters)
        self._algorithm = algorithm

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The algorithm's relative search space."""
        return self._algorithm.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Let the algorithm draw, and return the planned values in place of its own."""
        drawn = self._algorithm.sample_relative(study, trial, search_space)
        # Where it is repeated, later trials may have extended the search space.
        return {name: value for name, value in self._parameters.items() if name in drawn}


class _SobolSampler(QMCSampler):
    """Optuna's quasi-random sequence, indexed by slot.

    Optuna counts trials as they begin, so that an interrupted trial would leave a gap.
    """

    def __init__(self, seed: int, slot: int) -> None:
        super().__init__(scramble=True, seed=seed, warn_independent_sampling=False)
        self._slot = slot

    def _find_sample_id(self, study: Study, search_space: dict[str, BaseDistribution]) -> int:
        return self._slot


class _EvolutionSampler(CmaEsSampler):
    """CMA-ES that draws by slot; Optuna's draws also depend on interrupted trials."""

    def __init__(self, seed: int, slot: int) -> None:
        super().__init__(seed=seed, warn_independent_sampling=False)
        self._slot = slot

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        renumbered = copy(trial)
        renumbered.number = self._slot
        return super().sample_relative(study, renumbered, search_space)


def make_sampler(
    algorithm: str,
    seed: int,
    name: str,
    slot: int,
    *,
    follows_grid: bool = False,
    draw: int = 0,
) -> BaseSampler:
    """Make Optuna's sampler of a search algorithm, seeded for one slot.

    Every trial has a new one, seeded by its place in the order of trials: an interrupted search
    then continues as it would have, which a sampler seeded once cannot. Algorithms keep their
    state between trials in the database: NSGA-II its generations and parents, CMA-ES its state.

    Args:
        algorithm: ``tpe``, ``random``, ``nsga2``, ``gp``, ``cmaes`` or ``qmc``.
        seed: The study's seed.
        name: Name of the Optuna study.
        slot: The trial's place in the order of trials.
        follows_grid: Whether a grid was trained before the search.
        draw: How often the slot's parameters have been drawn before and equalled another trial's.
    """
    redraw = (draw,) if draw else ()
    # Optuna takes 32-bit seeds.
    state = derive_seed(seed, name, "algorithm", slot, *redraw) % 2**32
    if draw > (0 if algorithm in _SAME_AGAIN else MOST_REDRAWS):
        algorithm = "random"
    match algorithm:
        case "tpe":
            n_random = _RANDOM_AFTER_GRID if follows_grid else _RANDOM_TRIALS
            return TPESampler(seed=state, n_startup_trials=n_random)
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
    """Make Optuna's pruner: a signed-rank test against the same folds of the best trial."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return WilcoxonPruner(p_threshold=_P_THRESHOLD)
