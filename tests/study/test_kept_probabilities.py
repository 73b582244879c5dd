"""Probabilities in 32 and in 16 bits, and none."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from small_searches import DATABASE, URL
from tiny_studies import tiny

from remix_study.cli.main import main
from remix_study.report.registry import make_context
from remix_study.results.forms import forms_of
from remix_study.results.frames import load_frames
from remix_study.study import runner
from remix_study.study.kept_probabilities import (
    form_of,
    note_of,
    pack_probabilities,
    unpack_probabilities,
)
from remix_study.study.storage import open_reader
from remix_study.studyfile.parsing import parse_study


def text_with(keep: str) -> str:
    return tiny(
        ('name = "tiny"', f'name = "tiny"\nkeep = "{keep}"'), ("repeats = 1", "repeats = 2")
    )


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_16_bits_are_near_and_32_are_exact(n_classes):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(5000, n_classes)) * rng.uniform(0, 12, (5000, 1))
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = (p / p.sum(axis=1, keepdims=True)).astype(np.float32)
    p[:2] = np.eye(n_classes, dtype=np.float32)[:2]
    exact = unpack_probabilities(pack_probabilities(p, "all"), len(p))
    assert (exact == p).all()
    blob = pack_probabilities(p, "16 bits")
    near = unpack_probabilities(blob, len(p))
    assert near.sum(axis=1) == pytest.approx(1)
    assert np.abs(near - p).max() < 5e-4
    is_likely = p > 1e-6
    assert np.abs(near / np.where(is_likely, p, 1) - 1)[is_likely].max() < 0.01
    assert len(blob) < 0.6 * len(pack_probabilities(p, "all"))


def task_of(keep: str, rows: int) -> SimpleNamespace:
    fold = SimpleNamespace(validation=range(rows // 4), test=range(rows - rows // 4))
    return SimpleNamespace(
        study=SimpleNamespace(keep=keep), folds=[fold], problem=SimpleNamespace(K=2)
    )


def test_large_trials_are_kept_in_16_bits_unless_the_file_says_otherwise():
    assert form_of(task_of("auto", 300_000)) == "all"
    assert form_of(task_of("auto", 370_000)) == "16 bits"
    assert form_of(task_of("all", 370_000)) == "all"
    assert note_of(task_of("all", 370_000)) == ""
    assert "16 bits" in note_of(task_of("auto", 370_000))
    assert "no calibration" in note_of(task_of("none", 10))


@pytest.fixture
def blank(_blank):
    return _blank


@pytest.mark.usefixtures("simulated")
def test_what_is_kept_changes_no_score_and_what_pages_can_compute(here, blank):
    contexts, forms = {}, {}
    for keep in ("all", "16 bits", "none"):
        shutil.copy(blank, here / DATABASE)
        runner.run(parse_study(text_with(keep), "tiny.toml"), storage=URL)
        engine = open_reader(URL)
        frames = load_frames(engine)
        contexts[keep] = make_context(frames)
        (comparison,) = contexts[keep].roles.main
        forms[keep] = [
            form
            for method in comparison.methods
            for form in forms_of(comparison, method, frames.probabilities)
        ]
        engine.dispose()
        for path in here.glob("x.db*"):
            path.unlink()
    exact, near, without = contexts.values()
    keys = ["run", "repeat", "fold", "part", "metric"]
    for context in (near, without):
        scores = [c.frames.scores.sort_values(keys)["value"].to_numpy() for c in (exact, context)]
        assert (scores[0] == scores[1]).all()
    # Forms with other class shares or thresholds need probabilities.
    assert [form.label for form in forms["16 bits"]] == [form.label for form in forms["all"]]
    assert {form.name for form in forms["none"]} == {"as trained"} < {f.name for f in forms["all"]}
    for of_all, of_near in zip(forms["all"], forms["16 bits"], strict=True):
        for metric in ("g_mean", "log_loss"):
            values = [form.scores["test"][metric] for form in (of_all, of_near)]
            assert np.abs(values[0] - values[1]).max() < 0.02
    assert without.calibrations[0][1] == ()
    assert {form.name for form in without.decisions[0].entries} == {"as trained"}


@pytest.mark.slow
@pytest.mark.usefixtures("simulated")
@pytest.mark.parametrize("keep", ["16 bits", "none"])
def test_commands_work_on_what_is_kept(keep, here, capsys):
    (here / "tiny.toml").write_text(text_with(keep))
    assert main(["run", "tiny.toml", "--report", "page"]) == 0
    page = (here / "page" / "index.html").read_text()
    assert ("no calibration, no correction" in page) == (keep == "none")
    assert main(["report", "--summary", "--output", "again"]) == 0
    assert main(["export", "--output", "out"]) == 0
    capsys.readouterr()
    assert main(["repair", "--json"]) == 0
    assert '"findings": []' in capsys.readouterr().out
