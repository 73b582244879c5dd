"""Tasks: blocks of folds, and a problem that is redrawn for every repeat."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from tiny_studies import tiny

from remix_study.data.arrays import from_arrays
from remix_study.data.dataset import Dataset
from remix_study.study.fingerprint import (
    definition,
    problem_facts,
    resolved_settings,
    study_changes,
)
from remix_study.study.fold_blocks import MIN_FOLDS, by_fold, by_repeat
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import parse_study


def toy_dataset(*counts: int) -> Dataset:
    y = np.random.default_rng(len(counts)).permutation(np.repeat(np.arange(len(counts)), counts))
    X = np.random.default_rng(1).normal(size=(len(y), 3)) + y[:, None]
    return from_arrays(X, y, name="toy")


STUDY = """
[study]
name = "again"
[[problems]]
minority = [1]
imbalance = [0.1]
kind = "binary"
[cv]
repeats = 4
redraw = true
[training]
batch_size = 16
"""


class TestRedrawnTask:
    def setup_method(self):
        plain_study = STUDY.replace("redraw = true", "")
        (self.task,) = prepare_tasks(parse_study(STUDY), toy_dataset(300, 120))
        (self.plain,) = prepare_tasks(parse_study(plain_study), toy_dataset(300, 120))

    def test_members_use_rows_of_their_draw_alone(self):
        problem = self.task.problem
        members = self.task.members.members
        assert len(problem.rows) > problem.counts.sum()
        for fold, member in zip(self.task.folds, members, strict=True):
            draw = problem.draws[fold.repeat]
            for rows in (member.training.rows, member.validation, member.test):
                assert np.isin(rows, draw).all()
            np.testing.assert_array_equal(member.training.y, problem.y[member.training.rows])

    def test_preprocessing_is_fitted_on_inner_training_rows_alone(self):
        preprocessing = self.task.members.preprocessing
        for position, fold in enumerate(self.task.folds):
            training = self.task.problem.X[fold.train]
            np.testing.assert_allclose(preprocessing.centre[position], training.mean(axis=0))
            np.testing.assert_allclose(preprocessing.scale[position], training.std(axis=0))

    def test_redraw_is_part_of_the_fingerprint_only_where_it_is_set(self):
        now, before = definition(self.task), definition(self.plain)
        assert now["cv"]["redraw"] is True
        assert "redraw" not in before["cv"]
        assert "extra_metrics" not in before["study"]
        assert now["problem"]["rows"] == before["problem"]["rows"] == 330
        settings = resolved_settings(self.plain)
        assert study_changes(self.task, settings, [], 0) == ["cv.redraw: false -> true"]
        assert problem_facts(self.task)["redraw"] is True
        assert problem_facts(self.plain)["redraw"] is False
        assert (
            problem_facts(self.task)["counts"] == problem_facts(self.plain)["counts"] == [300, 30]
        )
        assert problem_facts(self.task)["n_rows"] == 330

    def test_a_problem_without_an_imbalance_is_the_same_in_every_repeat(self):
        two_problems = STUDY.replace("[cv]", "[[problems]]\ndataset = 'wine'\n[cv]")
        tasks = prepare_tasks(parse_study(two_problems), toy_dataset(300, 120))
        assert [bool(task.problem.draws) for task in tasks] == [True, False]


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
    configuration = task.configuration({"strategy": "remix"})
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
