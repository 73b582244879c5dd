"""The same numbers in another process, bit for bit, and on JAX to float tolerance."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import image_outcomes
import numpy as np
import pytest
import table_outcomes

from remix_study.batches.strategies import strategy_names

JAX_CHECKS = Path(__file__).parents[1] / "jax_checks.py"


def arrays_elsewhere(script, file, *arguments, **environment):
    """The arrays that a script of the tests computes in a process of its own."""
    process = subprocess.run(
        [sys.executable, str(script), str(file), *arguments],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    with np.load(file) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def here():
    return table_outcomes.outcome_arrays(strategy_names(), ["batch_norm"])


@pytest.mark.slow  # tests/study/test_stopped_runs.py resumes in another process, bit for bit
def test_another_process_gives_the_same_bits(here, tmp_path):
    there = arrays_elsewhere(table_outcomes.__file__, tmp_path / "there.npz", PYTHONHASHSEED="77")
    assert len(there) == 15 * (len(strategy_names()) + 1)
    for name, array in there.items():
        np.testing.assert_array_equal(array, here[name], err_msg=name)


def test_jax_gives_the_same_results(here, tmp_path):
    """Every strategy on the same plans and masks; probabilities within 2e-5, no TensorFlow."""
    assert_jax_agrees(JAX_CHECKS, here, tmp_path, ["batch_norm"])


@pytest.mark.slow
def test_convolutions_side_by_side_on_jax(tmp_path):
    pytest.importorskip("jax")
    words = [sys.executable, str(JAX_CHECKS), str(tmp_path / "unused.npz"), "cnn"]
    process = subprocess.run(words, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr


@pytest.mark.slow
def test_jax_trains_other_models_alike(tmp_path):
    models = ["conv", "attention"]
    expected = table_outcomes.outcome_arrays(strategy_names(), models)
    assert_jax_agrees(table_outcomes.__file__, expected, tmp_path, models)


def assert_jax_agrees(script, here, tmp_path, models):
    pytest.importorskip("jax")
    there = arrays_elsewhere(script, tmp_path / "jax.npz", *models, KERAS_BACKEND="jax")
    assert there.keys() == here.keys()
    for name, array in there.items():
        if name.endswith("epochs"):
            np.testing.assert_array_equal(array, here[name], err_msg=name)
        np.testing.assert_allclose(array, here[name], atol=2e-5, rtol=1e-4, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_images_in_another_process_and_on_jax(backend, tmp_path):
    """The same bits elsewhere; JAX trains the same network, but draws other transformations."""
    pytest.importorskip(backend)
    there = arrays_elsewhere(
        image_outcomes.__file__, tmp_path / "there.npz", KERAS_BACKEND=backend
    )
    here = image_outcomes.probabilities()
    assert set(here) == set(there)
    for name, array in here.items():
        strategy = name.split()[0]
        if backend == "tensorflow":
            np.testing.assert_array_equal(there[name], array)
        elif strategy in image_outcomes.PLAIN:
            np.testing.assert_allclose(there[name], array, atol=2e-5)
        else:
            assert np.abs(there[name] - array).max() > 1e-3
