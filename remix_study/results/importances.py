"""Importance of each searched parameter for reaching the best trials, by PED-ANOVA."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from remix_study.metrics import is_maximized
from remix_study.results.columns import Record, frame_of
from remix_study.results.comparison import Comparison
from remix_study.results.search_frames import StoredTrial

LEAST_TRIALS = 10  # Complete trials that importances are computed from at least

Importances = Mapping[str, Mapping[str, float]]
"""Objective -> parameter -> share, the largest first."""


def parameter_importances(trials: Sequence[StoredTrial], objectives: Sequence[str]) -> Importances:
    """Compute PED-ANOVA's share of each parameter in reaching the best tenth of complete trials.

    Objectives are in the order of the trials' values. Empty with fewer than `LEAST_TRIALS` trials.
    """
    if len(trials) < LEAST_TRIALS:
        return {}
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(directions=["minimize"] * len(objectives))
        signs = [-1.0 if is_maximized(metric) else 1.0 for metric in objectives]
        study.add_trials([_frozen_trial(trial, signs) for trial in trials])
        with warnings.catch_warnings():
            # Optuna warns that it takes low values as good; the signs make them so.
            warnings.simplefilter("ignore", UserWarning)
            return {
                metric: sorted_shares(
                    optuna.importance.get_param_importances(study, target=_value_of(place))
                )
                for place, metric in enumerate(objectives)
            }
    finally:
        optuna.logging.set_verbosity(verbosity)


def sorted_shares(shares: Mapping[str, float]) -> dict[str, float]:
    """Sort by share, then by name: Optuna leaves ties in the order of a set of strings."""
    return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))


def _value_of(objective: int) -> Callable[[Any], float]:
    return lambda trial: float(trial.values[objective])


def _frozen_trial(trial: StoredTrial, signs: Sequence[float]) -> Any:
    """The trial as Optuna has it, its values multiplied by the signs."""
    from optuna.distributions import json_to_distribution
    from optuna.trial import create_trial

    parameters, distributions = {}, {}
    for name, (internal_value, text) in trial.optuna_parameters.items():
        distributions[name] = json_to_distribution(text)
        parameters[name] = distributions[name].to_external_repr(internal_value)
    return create_trial(
        params=parameters,
        distributions=distributions,
        values=[sign * value for sign, value in zip(signs, trial.values, strict=True)],
    )


def table(problems: Sequence[tuple[Comparison, Importances]]) -> pd.DataFrame:
    """Table of importances: one line a problem, objective and parameter."""
    return frame_of(
        (
            Record(problem=problem, metric=metric, parameter=parameter, share=share)
            for problem, importances in problems
            for metric, shares in importances.items()
            for parameter, share in shares.items()
        ),
        """study=problem.study problem=problem.problem metric parameter importance=share""",
    )
