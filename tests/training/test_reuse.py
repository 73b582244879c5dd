"""One program for many trials: memory stays flat, searches keep few programs, stops are quick."""

from __future__ import annotations

import gc
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from small_problems import Workshop, training

from remix_study.batches.strategies import make_strategy
from remix_study.data.arrays import from_arrays
from remix_study.errors import UsageError
from remix_study.study.configurations import Configuration
from remix_study.study.task import prepare
from remix_study.studyfile.parsing import parse_study
from remix_study.studyfile.schema import Model

STUDY = """
[study]
name = "reuse"
seed = 1
objectives = ["g_mean"]
[[problems]]
[cv]
repeats = 1
[training]
epochs = 1
stop = "never"
batch_size = 16
"""
NAMES = ("baseline", "remix", "smote")


def task_of(extra=""):
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    data = from_arrays(rng.normal(size=(120, 4)) + y[:, None], y)
    return prepare(parse_study(STUDY + extra), data)[0]


def resident_mb():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def grown(trials, settled, keys):
    """Resident size after ``trials`` trials over that after ``settled``."""
    workshop = Workshop()
    members = workshop.members()
    engine = workshop.engine(members)
    before = 0.0
    for trial in range(trials):
        engine.fit(members, make_strategy(NAMES[trial % 3]), keys)
        if trial == settled - 1:
            gc.collect()
            before = resident_mb()
    gc.collect()
    return resident_mb() / before


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_flat():
    assert grown(60, 10, training(epochs=2)) < 1.02


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_flat_over_a_hundred_long_trials():
    keys = training(epochs=60, stop="early", start_from_epoch=0, patience=60)
    assert grown(110, 10, keys) < 1.05


def test_a_search_over_widths_keeps_a_few_programs_and_the_latest():
    task = task_of()
    fits = {}
    for width in (3, 4, 5, 6, 3):
        model = Model("mlp", {"hidden": [width], "dropout": 0.0})
        outcomes = task.fit(Configuration(make_strategy("baseline"), task.spec.training, model))
        if width in fits:
            np.testing.assert_array_equal(fits[width], outcomes[0].test)
        fits[width] = outcomes[0].test
    assert len(task._engines) == 3


def test_an_interrupt_ends_all_stacks_and_the_next_trial_is_whole():
    workshop = Workshop()
    members, strategy = workshop.members(), make_strategy("remix")
    engine = workshop.engine(members, 1)
    whole = engine.fit(members, strategy, training(epochs=3))

    def interrupt(_ran):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.fit(members, strategy, training(epochs=10**6), on_epoch=interrupt)
    assert not [t for t in threading.enumerate() if t.name.startswith(("stack", "plans"))]
    for one, other in zip(whole, engine.fit(members, strategy, training(epochs=3)), strict=True):
        np.testing.assert_array_equal(one.test, other.test)


def test_mixed_precision_is_for_accelerators():
    task = task_of('precision = "mixed"\n')
    setting = Configuration(make_strategy("baseline"), task.spec.training, Model())
    with pytest.raises(UsageError, match=r'training\.precision "mixed" is for accelerators'):
        task.fit(setting)


def test_mixed_precision_trains_close_to_full_precision():
    from remix_study.models.building import layer_precision

    workshop = Workshop()
    members, strategy = workshop.members(), make_strategy("remix")
    full = workshop.engine(members, dropout=0.0).fit(members, strategy, training(epochs=2))
    with layer_precision("mixed"):
        engine = workshop.engine(members, dropout=0.0, fresh=True)
    mixed = engine.fit(members, strategy, training(epochs=2))
    difference = max(
        np.abs(one.test - other.test).max() for one, other in zip(full, mixed, strict=True)
    )
    assert 0 < difference < 0.02


def test_a_second_trial_draws_its_masks_into_the_first_ones_memory():
    """Fresh memory of that size costs more than all else before a trial's first step."""
    workshop = Workshop()
    members, strategy = workshop.members(), make_strategy("remix")
    engine = workshop.engine(members)
    first = engine.fit(members, strategy, training(epochs=2))
    kept = [id(array) for pair in engine._free_buffers for array in pair]
    for pair in engine._free_buffers:
        for array in pair:
            array.fill(7)
    again = engine.fit(members, strategy, training(epochs=2))
    assert kept
    assert sorted(kept) == sorted(id(array) for pair in engine._free_buffers for array in pair)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.test, other.test)


def test_first_values_are_put_on_the_device_once(monkeypatch):
    workshop = Workshop()
    members = workshop.members()
    engine = workshop.engine(members)
    first = engine.fit(members, make_strategy("remix"), training(epochs=2))
    monkeypatch.setattr(engine.program, "start", None)
    engine.fit(members, make_strategy("baseline"), training(epochs=1))
    again = engine.fit(members, make_strategy("remix"), training(epochs=2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.test, other.test)
