"""Which methods are compared where a problem has more than a page can show."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
from grown_studies import grid_of

from remix_study.cli.main import main
from remix_study.results import best_methods as module
from remix_study.results.best_methods import best_methods
from remix_study.results.methods import Method


def methods(values, strategies=None):
    names = strategies or ["remix"] * len(values)
    return [
        Method(
            f"m{number}", number, name, ("balanced", "beta", "cross-entropy"), 0.1, "", scores, 1
        )
        for number, (name, scores) in enumerate(zip(names, values, strict=True))
    ]


def labels(found):
    return [method.label for method in found]


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    monkeypatch.setattr(module, "MOST_METHODS", 2)


def test_few_methods_are_all_taken():
    assert labels(best_methods(methods([(0.1,), (math.nan,)]), ["g_mean"])) == ["m0", "m1"]


def test_the_best_by_validation_stay_in_their_order():
    scores = [(0.9,), (0.1,), (math.nan,), (0.95,)]
    assert labels(best_methods(methods(scores), ["g_mean"])) == ["m0", "m3"]
    # Of an error the smallest are the best.
    assert labels(best_methods(methods(scores), ["bbs"])) == ["m0", "m1"]


def test_objectives_count_by_their_ranks():
    scores = [(0.9, 0.01), (0.8, 0.02), (0.7, 0.9), (0.1, 0.03)]
    assert labels(best_methods(methods(scores), ["g_mean", "bbs"])) == ["m0", "m1"]


def test_the_best_of_each_strategy_stays():
    scores = [(0.9,), (0.8,), (0.1,), (0.2,)]
    found = best_methods(methods(scores, ["remix", "remix", "baseline", "baseline"]), ["g_mean"])
    assert labels(found) == ["m0", "m1", "m3"]


@pytest.mark.usefixtures("here", "simulated", "unrendered_figures")
def test_a_page_says_how_many_are_left_out(monkeypatch):
    Path("grid.toml").write_text(grid_of(5))
    words = ["--storage", "sqlite:///x.db"]
    assert main(["run", "grid.toml", *words, "--json"]) == 0
    monkeypatch.setattr(module, "MOST_METHODS", 500)
    assert main(["report", *words, "--output", "all"]) == 0
    assert "Left out" not in Path("all", "index.html").read_text()
    monkeypatch.setattr(module, "MOST_METHODS", 2)
    assert main(["report", *words, "--output", "best"]) == 0
    page = Path("best", "index.html").read_text()
    assert "Left out for their lower validation scores: 3 methods." in page
    choices = [pd.read_csv(Path(name, "tables", "decision.csv")) for name in ("all", "best")]
    assert [table["method"].nunique() for table in choices] == [5, 2]
