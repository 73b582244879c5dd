"""Calls of a program: whole epochs, no call much longer than half a second."""

from __future__ import annotations

import pytest

from remix_study.training import pace
from remix_study.training.pace import Pace


class Clock:
    """A clock that training moves on."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pace, "time", clock)
    return clock


def calls_of(clock, seconds_per_step, n_steps, pace_of_program=None):
    calls = []
    for start, stop in (pace_of_program or Pace()).calls(n_steps):
        clock.now += (stop - start) * seconds_per_step
        calls.append((start, stop))
    return calls


def test_calls_grow_from_one_step(clock):
    calls = calls_of(clock, 0.001, 200)
    assert calls == [(0, 1), (1, 5), (5, 21), (21, 85), (85, 149), (149, 200)]


@pytest.mark.parametrize(("seconds", "longest"), [(0.05, 10), (0.4, 1), (3.0, 1), (1e-5, 64)])
def test_a_call_takes_half_a_second_at_most_or_one_step(clock, seconds, longest):
    first = calls_of(clock, seconds, 150)
    assert max(stop - start for start, stop in first) in (longest, longest - 1)
    assert [step for start, stop in first for step in range(start, stop)] == list(range(150))


def test_a_later_trial_begins_at_the_pace_that_was_found(clock):
    pace_of_program = Pace()
    calls_of(clock, 0.004, 300, pace_of_program=pace_of_program)
    assert calls_of(clock, 0.004, 100, pace_of_program=pace_of_program) == [(0, 64), (64, 100)]


def test_a_slower_machine_gets_shorter_calls(clock):
    pace_of_program = Pace()
    calls_of(clock, 0.001, 300, pace_of_program=pace_of_program)
    assert pace_of_program.steps == 64
    assert calls_of(clock, 0.1, 100, pace_of_program=pace_of_program)[1] == (64, 69)
