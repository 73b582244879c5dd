"""Folds in blocks: the same numbers as all folds at once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from tiny_studies import tiny

from remix_study.study.blocks import FEWEST, by_fold, by_repeat
from remix_study.study.configurations import configuration_of
from remix_study.study.task import prepare
from remix_study.studyfile.parsing import parse_study


class Place:
    """A fold as far as blocks look at it."""

    def __init__(self, repeat: int, fold: int) -> None:
        self.repeat, self.fold = repeat, fold


@pytest.mark.parametrize(
    ("repeats", "folds", "sizes"),
    [(10, 2, (6, 6, 4, 4)), (5, 2, (6, 4)), (2, 5, (5, 5)), (3, 10, (10, 10, 10)), (1, 9, (9,))],
)
def test_blocks_hold_whole_repeats_and_every_fold_once(repeats, folds, sizes):
    made = [Place(*place) for place in itertools.product(range(repeats), range(folds))]
    found = by_repeat(made)
    assert tuple(map(len, found)) == sizes
    assert sizes[0] >= FEWEST
    # In order, so that what a pruned trial has trained is the beginning of the folds.
    assert [place for block in found for place in block] == list(range(repeats * folds))
    assert all(len(block) % folds == 0 for block in found)
    assert [len(block) for block in by_fold(made)] == [repeats] * folds


def test_a_fold_trained_in_a_block_has_the_same_numbers():
    text = tiny(
        ("repeats = 1", "repeats = 5"),
        ("epochs = 2", "epochs = 3\nstack = 3"),
        ('"bbs"', ""),
        (
            "[search.space]",
            '[search]\nalgorithm = "tpe"\ntrials = 2\nprune = true\n[search.space]',
        ),
    )
    (task,) = prepare(parse_study(text, "tiny.toml"))
    setting = configuration_of({"strategy": "remix"}, task.spec.training, task.study.model)
    assert task.blocks == (tuple(range(6)), tuple(range(6, 10)))
    whole = task.fit(setting)
    blocks = [outcome for part in task.blocks for outcome in task.fit(setting, None, part)]
    for one, other in zip(whole, blocks, strict=True):
        np.testing.assert_array_equal(one.validation, other.validation)
        np.testing.assert_array_equal(one.test, other.test)
        np.testing.assert_array_equal(one.loss, other.loss)
    # Not the same for another fold: the comparison above is about something.
    assert not np.array_equal(whole[0].loss, whole[6].loss)


def test_the_stack_of_a_pruned_study_fits_its_blocks(monkeypatch):
    monkeypatch.setattr("remix_study.training.stacks.stacks_at_a_time", lambda _cores: 2)
    text = tiny(("repeats = 1", "repeats = 5"), ('"bbs"', ""))
    search = '[search]\nalgorithm = "tpe"\ntrials = 2\nprune = {}\n[search.space]'
    stacks = [
        prepare(parse_study(text.replace("[search.space]", search.format(p))))[0].stack
        for p in ("false", "true")
    ]
    assert stacks == [5, 3]
