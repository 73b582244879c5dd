"""The same numbers in another process, bit for bit, and on JAX to float tolerance."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from remix_study.batches.strategies import strategy_names

HERE = Path(__file__).parent
MODELS = ("batch_norm", "conv", "attention")


def load_runs():
    spec = importlib.util.spec_from_file_location("runs", HERE / "runs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def elsewhere(file, *arguments, **environment):
    """Run the same in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(HERE / "runs.py"), str(file), *arguments],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with np.load(file) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def here():
    return load_runs().results(strategy_names(), MODELS)


def test_another_process_gives_the_same_bits(here, tmp_path):
    there = elsewhere(tmp_path / "there.npz", PYTHONHASHSEED="77")
    assert len(there) == 15 * len(strategy_names())
    for name, array in there.items():
        np.testing.assert_array_equal(array, here[name], err_msg=name)


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_jax_gives_the_same_results(here, tmp_path):
    """Every strategy on the same plans and masks; probabilities within 2e-5, no TensorFlow."""
    there = elsewhere(tmp_path / "jax.npz", "--models", KERAS_BACKEND="jax")
    assert there.keys() == here.keys()
    for name, array in there.items():
        if name.endswith("epochs"):
            np.testing.assert_array_equal(array, here[name], err_msg=name)
        np.testing.assert_allclose(array, here[name], atol=2e-5, rtol=1e-4, err_msg=name)
