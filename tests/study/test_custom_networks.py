"""Networks of a user's own in studies: trained, refused in one line, or failed."""

from __future__ import annotations

import pytest
from tiny_studies import assert_clean, query, tiny

from remix_study.cli.main import main

MODELS = """
import keras

def small(input_shape, n_classes, width=4):
    return keras.Sequential([
        keras.Input(input_shape),
        keras.layers.Dense(width, activation="tanh"),
        keras.layers.Dense(n_classes, activation="softmax"),
    ])

def exploding(input_shape, n_classes):
    # Finite at first; a step at a rate of 10 is one into infinity.
    return keras.Sequential([
        keras.Input(input_shape),
        keras.layers.Dense(8, activation=lambda x: keras.ops.exp(keras.ops.abs(x))),
        keras.layers.Dense(n_classes),
    ])

def no_model(input_shape, n_classes):
    return "a network"

def too_wide(input_shape, n_classes):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(n_classes + 1)])

not_a_function = 3
"""


@pytest.fixture
def write_study(here):
    """A function that writes a study file with a network of the user's own."""
    (here / "own_networks.py").write_text(MODELS)

    def write(model: str) -> str:
        text = tiny(('["baseline", "remix"]\nalpha.remix = [0.0, 0.1]', '["balance"]'))
        (here / "own.toml").write_text(text.replace("hidden = [4]", model))
        return "own.toml"

    return write


@pytest.mark.usefixtures("capfd")
def test_a_network_is_imported_from_beside_the_study_file(write_study, here):
    path = write_study('name = "own_networks:small"\nwidth = 3')
    assert main(["run", path]) == 0
    ((parameters,),) = query(here / "remix-study.db", "SELECT network_parameters FROM remix_runs")
    assert parameters == 13 * 3 + 3 + 3 * 3 + 3
    assert_clean(here / "remix-study.db")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ('name = "own_networks:missing"', "cannot be imported"),
        ('name = "own_networks:not_a_function"', "is not a function"),
        ('name = "own_networks:no_model"', "returned str, not a Keras model"),
        ('name = "own_networks:too_wide"', "one column for each class"),
        ('name = "own_networks:small"\ndepth = 3', "cannot be built ("),
    ],
)
def test_networks_that_cannot_be_used_are_one_line(write_study, model, expected, here, capfd):
    assert main(["run", write_study(model)]) == 2
    errors = capfd.readouterr().err
    assert errors.count("\n") == 1
    assert expected in errors
    assert query(here / "remix-study.db", "SELECT * FROM trials") == []


@pytest.mark.slow
def test_a_network_that_diverges_fails_its_trial(write_study, here, capfd):
    path = write_study('name = "own_networks:exploding"')
    text = (here / path).read_text().replace("epochs = 2", "epochs = 2\nlearning_rate = 10")
    (here / path).write_text(text)
    for failures in (1, 2):
        assert main(["run", path]) == 1
        out = capfd.readouterr().out
        assert "failed balance: " in out
        assert "folds diverged: " in out
        states = query(here / "remix-study.db", "SELECT state FROM trials")
        assert states == [("FAIL",)] * failures
    assert_clean(here / "remix-study.db")

    text = text.replace('"tiny"', '"worst"').replace("epochs = 2", 'epochs = 2\non_nan = "worst"')
    (here / path).write_text(text)
    assert main(["run", path]) == 0
    values = query(
        here / "remix-study.db",
        "SELECT value FROM trial_values JOIN trials USING (trial_id) "
        "JOIN studies USING (study_id) WHERE study_name = 'worst/wine' ORDER BY objective",
    )
    assert values == [(0.0,), (1.0,)]
