"""Blocks of folds give the same numbers as all folds at once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from tiny_studies import tiny

from remix_study.study.configurations import configuration_of
from remix_study.study.program_stack import MIN_FOLDS, by_fold, by_repeat
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import parse_study


class FoldNumber:
    """A fold with the attributes that blocks use."""

    def __init__(self, repeat: int, fold: int) -> None:
        self.repeat, self.fold = repeat, fold


@pytest.mark.parametrize(
    ("repeats", "folds", "sizes"),
    [(10, 2, (6, 6, 4, 4)), (5, 2, (6, 4)), (2, 5, (5, 5)), (3, 10, (10, 10, 10)), (1, 9, (9,))],
)
def test_blocks_hold_whole_repeats_and_every_fold_once(repeats, folds, sizes):
    numbers = [FoldNumber(*pair) for pair in itertools.product(range(repeats), range(folds))]
    blocks = by_repeat(numbers)
    assert tuple(map(len, blocks)) == sizes
    assert sizes[0] >= MIN_FOLDS
    # In order, so that a pruned trial has trained the first folds.
    assert [position for block in blocks for position in block] == list(range(repeats * folds))
    assert all(len(block) % folds == 0 for block in blocks)
    assert [len(block) for block in by_fold(numbers)] == [repeats] * folds


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
    (task,) = prepare_tasks(parse_study(text, "tiny.toml"))
    configuration = configuration_of({"strategy": "remix"}, task.spec.training, task.study.model)
    assert task.blocks == (tuple(range(6)), tuple(range(6, 10)))
    whole = task.fit(configuration)
    in_blocks = [
        outcome for block in task.blocks for outcome in task.fit(configuration, None, block)
    ]
    for alone, outcome in zip(whole, in_blocks, strict=True):
        np.testing.assert_array_equal(alone.validation, outcome.validation)
        np.testing.assert_array_equal(alone.test, outcome.test)
        np.testing.assert_array_equal(alone.loss, outcome.loss)
    # Another fold has other numbers, so that the comparison above can fail.
    assert not np.array_equal(whole[0].loss, whole[6].loss)


def test_the_stack_of_a_pruned_study_fits_its_blocks(monkeypatch):
    monkeypatch.setattr("remix_study.training.stacks.stacks_at_a_time", lambda _cores: 2)
    text = tiny(("repeats = 1", "repeats = 5"), ('"bbs"', ""))
    search = '[search]\nalgorithm = "tpe"\ntrials = 2\nprune = {}\n[search.space]'
    stacks = [
        prepare_tasks(parse_study(text.replace("[search.space]", search.format(p))))[0].stack
        for p in ("false", "true")
    ]
    assert stacks == [5, 3]
