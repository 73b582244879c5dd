"""How many cores a process may use, and what depends on those of the machine."""

from __future__ import annotations

from remix_study.training import cores
from remix_study.training.stacks import at_a_time, stack_size


def test_a_share_of_the_cores_changes_threads_and_never_the_stack(monkeypatch):
    monkeypatch.setattr(cores, "present", lambda: 4)
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda _pid: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(cores, "_share", 0)
    assert (at_a_time(), stack_size(20)) == (4, 5)
    cores.use(1)
    assert (at_a_time(), stack_size(20)) == (1, 5)
