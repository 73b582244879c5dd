"""One program for many trials: nothing is compiled or allocated anew, and few are kept."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from outcome_checks import assert_same_bits
from small_problems import SmallProblem, kept_program, short_training

from remix_study.batches.strategies import make_strategy
from remix_study.data.arrays import from_arrays
from remix_study.errors import UsageError
from remix_study.study import engines as engines_module
from remix_study.study.configurations import Configuration
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import parse_study
from remix_study.studyfile.schema import Model
from remix_study.training import compiled_problem
from remix_study.training.engine import Engine

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
STRATEGIES = ("baseline", "remix", "smote")


def task_of(extra=""):
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    data = from_arrays(rng.normal(size=(120, 4)) + y[:, None], y)
    return prepare_tasks(parse_study(STUDY + extra), data)[0]


def resident_mb():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def memory_growth(trials, settled, keys):
    """Resident size after ``trials`` trials, divided by that after ``settled``."""
    problem = SmallProblem()
    members = problem.members()
    engine = problem.engine(members)
    before = 0.0
    for trial in range(trials):
        engine.fit(members, make_strategy(STRATEGIES[trial % 3]), keys)
        if trial == settled - 1:
            gc.collect()
            before = resident_mb()
    gc.collect()
    return resident_mb() / before


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_flat():
    assert memory_growth(60, 10, short_training(epochs=2)) < 1.02


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_flat_over_a_hundred_long_trials():
    keys = short_training(epochs=60, stop="early", start_from_epoch=0, patience=60)
    assert memory_growth(110, 10, keys) < 1.05


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_flat_over_the_widths_of_a_search():
    task = task_of()
    networks = [Model("mlp", {"hidden": [width], "dropout": 0.0}) for width in range(4, 36, 4)]
    strategy, before = make_strategy("baseline"), 0.0
    for _ in range(25):
        for model in networks:
            task.fit(Configuration(strategy, task.spec.training, model))
        before = before or resident_mb()
    assert resident_mb() / before < 1.05


@pytest.mark.parametrize(("width", "n_engines"), [(4, 5), (2_000_000, 3)])
def test_fewer_programs_are_kept_where_their_arrays_are_large(width, n_engines):
    network = SimpleNamespace(stack=2, parameters=width)
    engine = SimpleNamespace(network=network, fill=np.zeros((6, 4)))
    engine.data = SimpleNamespace(X=np.zeros((10, 4)))
    engines = OrderedDict((str(number), engine) for number in range(5))
    engines_module.drop_oldest(engines)
    assert list(engines) == [str(number) for number in range(5 - n_engines, 5)]


def test_a_search_over_widths_keeps_a_few_programs_and_the_latest(monkeypatch):
    """The width that returns is trained, on an engine that is built again."""
    monkeypatch.setattr(compiled_problem, "Program", kept_program)
    monkeypatch.setattr(engines_module, "_MOST_ENGINES", 2)
    fit, engines = Engine.fit, []

    def fit_width_3(engine, *arguments, **keys):
        engines.append(engine)
        return fit(engine, *arguments, **keys) if width_of(engine) == 3 else []

    def width_of(engine):
        return engine.network.train.layers[1].output.shape[-1]

    monkeypatch.setattr(Engine, "fit", fit_width_3)
    task = task_of()
    by_width = {}
    for width in (3, 4, 5, 3):
        model = Model("mlp", {"hidden": [width], "dropout": 0.0})
        configuration = Configuration(make_strategy("baseline"), task.spec.training, model)
        outcomes = task.fit(configuration)
        assert_same_bits(by_width.setdefault(width, outcomes), outcomes)
    assert len(by_width[3]) == 2
    assert engines[3] is not engines[0]
    assert [width_of(engine) for engine in task.engines] == [5, 3]


def test_an_interrupt_ends_all_stacks_and_the_next_trial_is_whole():
    problem = SmallProblem()
    members, strategy = problem.members(), make_strategy("remix")
    engine = problem.engine(members, 1)
    expected = engine.fit(members, strategy, short_training(epochs=3))

    def interrupt(_ran):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.fit(members, strategy, short_training(epochs=10**6), on_epoch=interrupt)
    assert not [t for t in threading.enumerate() if t.name.startswith(("stack", "plans"))]
    assert_same_bits(engine.fit(members, strategy, short_training(epochs=3)), expected)


def test_mixed_precision_is_for_accelerators():
    task = task_of('precision = "mixed"\n')
    configuration = Configuration(make_strategy("baseline"), task.spec.training, Model())
    with pytest.raises(UsageError, match=r'training\.precision "mixed" is for accelerators'):
        task.fit(configuration)


@pytest.mark.slow
def test_mixed_precision_trains_close_to_full_precision():
    from remix_study.models.building import layer_precision

    problem = SmallProblem()
    members, strategy = problem.members(), make_strategy("remix")
    full = problem.engine(members).fit(members, strategy, short_training(epochs=2))
    with layer_precision("mixed"):
        engine = problem.engine(members, fresh=True)
    mixed = engine.fit(members, strategy, short_training(epochs=2))
    differences = [
        np.abs(outcome.test - expected.test).max()
        for outcome, expected in zip(mixed, full, strict=True)
    ]
    assert 0 < max(differences) < 0.02


def test_first_values_are_put_on_the_device_once(monkeypatch):
    problem = SmallProblem()
    members = problem.members()
    engine = problem.engine(members)
    first = engine.fit(members, make_strategy("remix"), short_training(epochs=2))
    monkeypatch.setattr(engine.program, "start", None)
    engine.fit(members, make_strategy("baseline"), short_training(epochs=1))
    again = engine.fit(members, make_strategy("remix"), short_training(epochs=2))
    assert_same_bits(again, first)
