"""Trainings that the machine does not hold are refused before they begin, with what to lower."""

from __future__ import annotations

import json
import re

import pytest
from tiny_studies import tiny

from remix_study.data import memory
from remix_study.errors import DataError
from remix_study.models import size
from remix_study.models.size import MemoryNeed
from remix_study.study.size_check import largest_need, size_notes
from remix_study.study.task import Task
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import parse_study
from remix_study.training import stacks


def task_of(*changes: tuple[str, str]) -> Task:
    return prepare_tasks(parse_study(tiny(*changes)))[0]


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine with 1 GB of memory, two stacks at a time and no accelerator."""
    monkeypatch.setattr(size, "machine_bytes", lambda: 10**9)
    monkeypatch.setattr(size, "free_bytes", lambda: 10**9)
    monkeypatch.setattr(stacks, "has_accelerator", lambda: False)
    monkeypatch.setattr(stacks, "stacks_at_a_time", lambda _limit=0: 2)
    monkeypatch.setattr(stacks, "stack_size", lambda _members: 1)


def test_what_fits_is_estimated() -> None:
    need = largest_need(task_of())
    # 13 features of 178 rows, and a network of 13 x 4 + 4 + 4 x 3 + 3 parameters.
    assert need.rows == 2 * 4 * 178 * 13
    assert need.networks == 4 * 71 * (5 * 2 + 2 * 2)


def test_the_largest_of_a_grid_has_the_largest_of_every_key() -> None:
    smallest = {"features.bins": 2, "features.numeric": "standard", "model.hidden": [4]}
    largest = {"features.bins": 64, "features.numeric": "piecewise-linear", "model.hidden": [8]}
    smallest, largest = smallest | {"model.ensemble": 1}, largest | {"model.ensemble": 3}

    def need_of(*cases: dict) -> MemoryNeed:
        lists = {key: [case[key] for case in cases] for key in largest}
        lines = "".join(f"{key} = {json.dumps(values)}\n" for key, values in lists.items())
        return largest_need(task_of(("alpha.remix", f"{lines}alpha.remix")))

    assert need_of(smallest, largest) == need_of(largest, smallest) == need_of(largest)
    # 13 features of 64 bins; the first values of three networks of two folds.
    assert need_of(largest).networks == 4 * (13 * 64 * 8 + 8 + 8 * 3 + 3) * (5 * 2 + 2 * 6)


def test_networks_that_train_one_by_one_take_less(monkeypatch) -> None:
    monkeypatch.setattr(stacks, "stack_size", lambda members: members)
    four = task_of(("repeats = 1", "repeats = 2"))
    assert largest_need(four).networks == 4 * 71 * (5 * 4 + 2 * 4)
    monkeypatch.setattr(stacks, "can_stack", lambda _model, _training: False)
    # Two at a time; the first values of all four are kept.
    assert largest_need(four).networks == 4 * 71 * (5 * 2 + 2 * 4)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[4]", "[9000, 9000]", "most of it is for networks (4.55 GB): lower model.hidden or"),
        # Values that a search may try count, too.
        ("alpha.remix", "model.hidden = [[4], [9000, 9000]]\nalpha.remix", "networks (4.55 GB)"),
    ],
)
def test_a_network_that_does_not_fit_is_refused_unbuilt(old: str, new: str, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        size_notes([task_of((old, new))])
    assert str(caught.value).startswith("tiny/wine: training would take ")
    assert ", and the machine has 1 GB; " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_less_free_memory_than_it_takes_is_noted(monkeypatch) -> None:
    monkeypatch.setattr(size, "free_bytes", lambda: 10**8)
    (note,) = size_notes([task_of(("[4]", "[3]"))])
    assert note == (
        "tiny/wine: training takes about 150 MB, and 100 MB of memory are free; end other "
        "programs, or take fewer rows or features, or leave SMOTE out"
    )


def test_an_accelerator_has_memory_of_its_own(monkeypatch) -> None:
    monkeypatch.setattr(stacks, "has_accelerator", lambda: True)
    wide = [task_of(("[4]", "[9000, 9000]"))]
    for n_bytes in (80 * 10**9, None):
        monkeypatch.setattr(size, "accelerator_bytes", lambda n_bytes=n_bytes: n_bytes)
        # The host keeps the first weights of two folds, 0.65 GB.
        assert size_notes(wide) == []
    monkeypatch.setattr(size, "accelerator_bytes", lambda: 10**9)
    with pytest.raises(DataError, match=r"training would take 4.* the accelerator has 1 GB; most"):
        size_notes(wide)


def test_memory_that_a_container_leaves(tmp_path) -> None:
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    assert 0 < memory.free_bytes(root=tmp_path) < memory.machine_bytes(root=tmp_path)
    machine = memory.machine_bytes(root=tmp_path)
    (group / "memory.max").write_text("5000000\n")
    (group / "memory.current").write_text("2000000\n")
    assert memory.free_bytes(root=tmp_path) == 3_000_000
    assert memory.machine_bytes(root=tmp_path) == 5_000_000
    (group / "memory.max").write_text("max\n")
    assert memory.machine_bytes(root=tmp_path) == machine


def test_the_smallest_accelerator_counts(monkeypatch) -> None:
    class Answer:
        stdout = "81559\n40960\n"

    monkeypatch.setattr(memory.subprocess, "run", lambda *_args, **_keys: Answer)
    assert memory.accelerator_bytes() == 40_960 * 1024**2

    def fail(*_args, **_keys):
        raise FileNotFoundError

    monkeypatch.setattr(memory.subprocess, "run", fail)
    assert memory.accelerator_bytes() is None
