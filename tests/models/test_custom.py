"""A user's own models by name: accepted, or refused in one line that names the shapes."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from remix_study.errors import UsageError
from remix_study.models import custom
from remix_study.models.building import build_network


def build(name, **options):
    return build_network(name, stack=3, input_shape=(6,), n_classes=3, options=options)


def test_logits_are_distinguished_from_probabilities():
    assert build("user_nets:dense").has_logits
    assert not build("user_nets:batch_norm").has_logits


def test_a_registered_name_is_found(monkeypatch):
    point = EntryPoint("theirs", "user_nets:dense", custom.MODEL_ENTRY_POINTS)
    monkeypatch.setattr(custom, "entry_points", lambda group: [point] * (group == point.group))
    assert build("theirs").stack == 1
    with pytest.raises(UsageError, match="one of cnn, mlp, tabm, theirs"):
        build("thiers")


def test_a_module_that_is_no_python_is_refused_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "broken_module.py").write_text("def build(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match=r"broken_module:build.*SyntaxError"):
        build("broken_module:build")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("user_nets:two_inputs", "has 2 inputs; one is supported"),
        ("user_nets:two_outputs", "gives 2 outputs; one is supported"),
        ("user_nets:one_column", r"gives shape \(32, 1\) for 32 rows; \(32, 3\) is needed"),
        (
            "user_nets:images",
            r"takes rows of shape \(8, 8\), but the data's rows have shape \(6,\)",
        ),
        ("user_nets:raises", "called with rows of shape.*RuntimeError.*no rows today"),
        ("user_nets:sigmoids", "between 0 and 1 that do not sum to 1"),
        ("user_nets:no_model", "returned str, not a Keras model"),
        ("user_nets:nothing", "cannot be imported .AttributeError: module 'user_nets' has no"),
        ("nowhere:dense", "cannot be imported .ModuleNotFoundError: No module named 'nowhere'"),
        ("user_nets:fixed_start", "cannot be built"),
        ("user_nets", "is unknown"),
    ],
)
def test_what_does_not_fit_is_refused(name, words):
    with pytest.raises(UsageError, match=words) as error:
        build(name)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_an_option_the_builder_does_not_take_is_named():
    with pytest.raises(UsageError, match="unexpected keyword argument 'widht'"):
        build("user_nets:dense", widht=3)
