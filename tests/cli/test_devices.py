"""Which accelerators a run may see is settled before the backend is imported."""

from __future__ import annotations

import argparse
import os

import pytest

from remix_study.cli.arguments import device_list
from remix_study.cli.run import show_devices


@pytest.mark.parametrize(("words", "seen"), [("0", "0"), ("0,1", "0,1"), ("cpu", "-1")])
def test_devices_become_what_cuda_reads(monkeypatch, words, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    monkeypatch.setenv("JAX_PLATFORMS", "")
    show_devices(device_list(words))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == seen
    assert os.environ["JAX_PLATFORMS"] == ("cpu" if words == "cpu" else "")


@pytest.mark.parametrize("words", ["", "a", "0,", "gpu", "-1"])
def test_other_words_are_refused(words):
    with pytest.raises(argparse.ArgumentTypeError, match="write numbers as in 0,1, or cpu"):
        device_list(words)
