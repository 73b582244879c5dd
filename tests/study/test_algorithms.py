"""Samplers of searches."""

from __future__ import annotations

import optuna

from remix_study.study.algorithms import FirstSampler


def test_an_initial_trial_that_is_repeated_late_has_the_same_parameters():
    """By then every trial may have an alpha, which the baseline lacks."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    for number in range(3):
        study.sampler = optuna.samplers.RandomSampler(seed=number)
        trial = study.ask()
        trial.suggest_float("alpha", 0, 1)
        study.tell(trial, trial.suggest_float("rate", 0, 1))
    algorithm = optuna.samplers.TPESampler(seed=1, n_startup_trials=0)
    study.sampler = FirstSampler({"rate": 0.25}, algorithm)
    trial = study.ask()
    assert trial.suggest_float("rate", 0, 1) == 0.25
    assert trial.params == {"rate": 0.25}
