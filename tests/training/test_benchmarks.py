"""Benchmarks that are meant for other machines run on this one, with small sizes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
def test_the_accelerators_benchmark_can_be_rehearsed(tmp_path):
    words = [str(BENCHMARKS / "accelerator.py"), "--rehearse", "--out", str(tmp_path)]
    subprocess.run([sys.executable, *words, "--parts", "machine", "networks"], check=True)
    rows = json.loads((tmp_path / "networks.json").read_text())["rows"]
    assert {row["members"] for row in rows} == {1, 2, 20}
    # Below 0 where stacks train side by side, as on a CPU.
    assert all(row["host_share"] < 1 for row in rows)


@pytest.mark.slow
def test_stacks_are_measured(tmp_path):
    out = tmp_path / "stacks.json"
    words = ["--members", "20", "40", "--rows", "600", "--epochs", "2", "--rounds", "1"]
    command = [sys.executable, str(BENCHMARKS / "stacks.py"), *words, "--json", str(out)]
    subprocess.run(command, check=True, env=os.environ)
    assert len(json.loads(out.read_text())["rows"]) >= 2
