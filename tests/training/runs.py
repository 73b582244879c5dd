"""Runs another process repeats: every strategy and kind of model, saved as arrays.

python runs.py FILE [strategy ...]
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from small_problems import Workshop, training
from user_nets import fixed_start

from remix_study.batches.strategies import make_strategy, strategy_names


def results(names, models=()):
    """Arrays of all that is scored, by run."""
    workshop = Workshop(n_features=6)
    workshop.X[::9, 2] = np.nan
    members = workshop.members((96, 64, 112))
    # SMOTE must not meet the missing values that the engine fills.
    workshop.X = np.where(np.isnan(workshop.X), 0.0, workshop.X)
    keys = training(epochs=4, stop="early", start_from_epoch=0, patience=2)
    found = {}
    engine = workshop.engine(members)
    for name in names:
        found |= _arrays(name, engine.fit(members, make_strategy(name), keys))
    for model in models:
        engine = workshop.engine(members, name=f"user_nets:{model}", fresh=True)
        engine.network = replace(engine.network, initial_weights=fixed_start(engine.network))
        found |= _arrays(model, engine.fit(members, make_strategy("remix"), keys))
    return found


def _arrays(name, outcomes):
    return {
        f"{name} {position} {part}": np.asarray(getattr(outcome, part))
        for position, outcome in enumerate(outcomes)
        for part in ("test", "validation", "loss", "monitor", "epochs")
    }


if __name__ == "__main__":
    models = ("batch_norm", "conv", "attention") if "--models" in sys.argv else ()
    np.savez(sys.argv[1], **results(strategy_names(), models))
    if "--models" in sys.argv:
        assert "tensorflow" not in sys.modules
