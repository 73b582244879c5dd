"""What is checked on JAX, in one process that behaves as if TensorFlow were not installed.

python jax_checks.py FILE [MODEL...]: outcomes are written to FILE, the other checks fail by
themselves. With the model "cnn" only what takes long to compile is checked.
"""

from __future__ import annotations

import importlib.abc
import os
import sys
from pathlib import Path


class NotInstalled(importlib.abc.MetaPathFinder):
    """Finds no package ``tensorflow``, before those that would."""

    def find_spec(self, name: str, *_: object) -> None:
        """Raise for TensorFlow as Python does where a package is missing."""
        if name.partition(".")[0] == "tensorflow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def main() -> None:
    """Run everything."""
    os.environ["KERAS_BACKEND"] = "jax"
    sys.meta_path.insert(0, NotInstalled())
    sys.path += [str(Path(__file__).parent), str(Path(__file__).parent / "training")]

    import numpy as np
    import table_outcomes
    import test_epoch_plans
    import test_mapped

    from remix_study.batches.strategies import strategy_names

    file, *models = sys.argv[1:]
    if models == ["cnn"]:
        test_mapped.check_images()
        test_epoch_plans.test_training_is_the_same_wherever_plans_are_drawn(("smote", "remix"))
        return
    np.savez(file, **table_outcomes.outcome_arrays(strategy_names(), models))
    test_epoch_plans.test_compiled_draws_are_the_same_to_the_bit()
    test_mapped.check_categories()
    test_mapped.check_where_members_are_mapped()


if __name__ == "__main__":
    main()
