"""What the stacks of an engine share: where plans are drawn, and the room of a table's rows."""

from __future__ import annotations

import numpy as np
import pytest

from remix_study.training import compiled_problem
from remix_study.training.compiled_problem import CompiledProblem


@pytest.fixture
def make(monkeypatch):
    """Call it for a problem of rows that go nowhere, and the room that they would get."""

    def make_problem(has_accelerator, shape, **options):
        rooms = []
        monkeypatch.setattr(compiled_problem, "has_accelerator", lambda: has_accelerator)
        monkeypatch.setattr(compiled_problem, "put_rows", lambda *_, room: rooms.append(room))
        X = np.broadcast_to(np.float32(0), shape)
        problem = CompiledProblem(None, X, *[None] * 5, shared=object(), **options)
        return problem, *rooms

    return make_problem


@pytest.mark.parametrize("has_accelerator", [False, True])
def test_plans_are_drawn_on_an_accelerator_unless_it_is_said(make, has_accelerator):
    for said, is_drawn in ((None, has_accelerator), (False, False), (True, True)):
        problem, _ = make(has_accelerator, (9, 2), draws_on_device=said)
        assert problem.draws_on_device is is_drawn


def test_tables_of_up_to_a_quarter_gigabyte_are_padded_on_an_accelerator(make):
    few, many = 2**20 - 1, 2**20 + 1
    for has_accelerator, n_rows, room in (
        (True, few, 2**20),
        (True, many, many),
        (False, few, few),
    ):
        assert make(has_accelerator, (n_rows, 64))[1] == room
    # The room is the caller's where there is one.
    assert make(True, (few, 64), padded_size=lambda n: n + 3)[1] == few + 3
