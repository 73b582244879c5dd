"""A task whose problem is redrawn for every repeat: members, preprocessing, fingerprint."""

from __future__ import annotations

import numpy as np

from remix_study.data.arrays import from_arrays
from remix_study.data.dataset import Dataset
from remix_study.study.fingerprint import fingerprint, problem_facts, study_changes
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
        now, before = fingerprint(self.task), fingerprint(self.plain)
        assert now["cv"]["redraw"] is True
        assert "redraw" not in before["cv"]
        assert "extra_metrics" not in before["study"]
        assert now["problem"]["rows"] == before["problem"]["rows"] == 330
        assert study_changes(self.task, before, [], 0) == ["cv.redraw: absent -> true"]
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
