"""Outcomes on a table, by strategy and kind of model, for a process that repeats them.

python table_outcomes.py FILE [MODEL...]
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
from mixed_tables import MixedProblem
from small_problems import SmallProblem, short_training
from user_nets import fixed_start

from remix_study.batches.strategies import make_strategy, strategy_names


def outcome_arrays(strategies, models=()):
    """All scored arrays, by run (a strategy or a model), member and part of the outcome."""
    keys = short_training(epochs=4, stop="early", start_from_epoch=0, patience=2)
    arrays = {}
    problem, with_missing = SmallProblem(), SmallProblem()
    problem.X[::9, 2] = 0.0
    with_missing.X[::9, 2] = np.nan
    # The engine fills missing values; SMOTE is given prepared features.
    members = problem.members((64, 112, 80))
    engine = with_missing.engine(members)
    for strategy in strategies:
        arrays |= _arrays_of(strategy, engine.fit(members, make_strategy(strategy), keys))
    mixed = MixedProblem()
    members = mixed.members((64, 112, 80))
    outcomes = mixed.engine(members).fit(members, make_strategy("smote"), keys)
    arrays |= _arrays_of("smote of categories", outcomes)
    problem = SmallProblem(n_features=6)
    members = problem.members((96, 64))
    for model in models:
        engine = problem.engine(members, name=f"user_nets:{model}")
        engine.network = replace(engine.network, initial_weights=fixed_start(engine.network))
        arrays |= _arrays_of(model, engine.fit(members, make_strategy("remix"), keys))
    return arrays


def _arrays_of(run, outcomes):
    return {
        f"{run} {position} {part}": np.asarray(getattr(outcome, part))
        for position, outcome in enumerate(outcomes)
        for part in ("test", "validation", "loss", "monitor", "epochs")
    }


if __name__ == "__main__":
    file, *models = sys.argv[1:]
    np.savez(file, **outcome_arrays(strategy_names(), models))
