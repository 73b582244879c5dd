"""Which accelerators a run may see is settled before the backend is imported."""

from __future__ import annotations

import argparse
import os

import pytest
from tiny_studies import TINY

from remix_study.cli import preview
from remix_study.cli.arguments import device_list
from remix_study.cli.main import main


@pytest.mark.parametrize("words", ["0", "0,1", "cpu"])
def test_numbers_and_cpu_are_devices(words):
    assert device_list(words) == words


@pytest.mark.parametrize("words", ["", "a", "0,", "gpu", "-1"])
def test_other_words_are_refused(words):
    with pytest.raises(argparse.ArgumentTypeError, match="write numbers as in 0,1, or cpu"):
        device_list(words)


@pytest.mark.usefixtures("simulated")
@pytest.mark.parametrize(("words", "cuda", "jax"), [("0,1", "0,1", ""), ("cpu", "-1", "cpu")])
def test_devices_are_chosen_before_the_backend_is_imported(here, monkeypatch, words, cuda, jax):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    monkeypatch.setenv("JAX_PLATFORMS", "")
    (here / "tiny.toml").write_text(TINY)
    environments = []
    monkeypatch.setattr(preview, "load_networks", lambda: environments.append(dict(os.environ)))
    assert main(["run", "tiny.toml", "--dry-run", "--devices", words]) == 0
    (environment,) = environments
    assert environment["CUDA_VISIBLE_DEVICES"] == cuda
    assert environment["JAX_PLATFORMS"] == jax
