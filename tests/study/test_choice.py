"""The choice among candidates that meet their constraints, and where none does."""

from __future__ import annotations

import optuna
import pytest

from remix_study.study.algorithms import FirstSampler
from remix_study.study.choice import Candidate, choose

BEST = Candidate(0, (0.9, 0.5), {"a": 0.2, "b": -1.0})
GOOD = Candidate(1, (0.7, 0.2), {"a": 0.0, "b": -1.0})
SAME = Candidate(2, (0.7, 0.3), {"a": -0.1, "b": -0.1})


@pytest.mark.parametrize(
    ("candidates", "objective", "maximize", "expected"),
    [
        ([BEST, SAME, GOOD], 0, True, GOOD),
        ([BEST, SAME, GOOD], 1, True, SAME),
        ([BEST, SAME, GOOD], 1, False, GOOD),
        ([BEST, Candidate(3, (1.0, 1.0), {"a": 0.1, "b": 0.2})], 0, True, BEST),
        ([Candidate(0, (0.9,), {}), Candidate(1, (0.95,), {"a": 0.1})], 0, True,
         Candidate(0, (0.9,), {})),
        ([], 0, True, None),
    ],
    ids=["a tie", "another", "downwards", "least violation", "none asked", "none"],
)  # fmt: skip
def test_the_best_of_those_that_meet_their_constraints(candidates, objective, maximize, expected):
    assert choose(candidates, objective, maximize=maximize) == expected


def test_a_first_point_that_is_run_again_late_has_what_it_had():
    """By then every trial may have had an alpha, which the baseline lacks."""
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
