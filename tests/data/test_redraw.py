"""Problems drawn anew for every repeat: right sizes, other rows, and no row outside a draw."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remix_study.data.arrays import from_arrays
from remix_study.data.dataset import Dataset
from remix_study.data.folds import make_folds
from remix_study.data.problems import Problem, make_problem
from remix_study.data.redraw import make_redrawn_problem
from remix_study.errors import DataError, UsageError
from remix_study.study.task import prepare
from remix_study.studyfile.parsing import parse_study

REPEATS = 5


def data(*counts: int, groups: bool = False) -> Dataset:
    y = np.random.default_rng(len(counts)).permutation(np.repeat(np.arange(len(counts)), counts))
    X = np.random.default_rng(1).normal(size=(len(y), 3)) + y[:, None]
    return from_arrays(X, y, groups=np.arange(len(y)) // 3 if groups else None, name="toy")


def redrawn(dataset: Dataset, seed: int = 3, repeats: int = REPEATS, **keys) -> Problem:
    return make_redrawn_problem(dataset, seed=seed, repeats=repeats, **keys)


KINDS = [
    pytest.param(
        {"kind": "multi-class", "minority": ("1", "2"), "imbalance": 0.1}, [300, 30, 30, 280],
        id="multi-class",
    ),
    pytest.param({"kind": "binary", "minority": ("1",), "imbalance": 0.05}, [755, 37], id="few"),
    # Above the natural ratio the majority gives way instead.
    pytest.param({"kind": "binary", "minority": ("1",), "imbalance": 0.5}, [360, 180], id="many"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "counts"), KINDS)
class TestDraws:
    def test_each_is_a_problem_of_the_plain_sizes_with_other_rows(self, keys, counts):
        dataset = data(300, 180, 175, 280)
        plain, problem = make_problem(dataset, seed=3, **keys), redrawn(dataset, **keys)
        assert plain.counts.tolist() == problem.counts.tolist() == counts
        assert (plain.name, plain.classes, plain.minority) == (
            problem.name, problem.classes, problem.minority,
        )  # fmt: skip
        rows = []
        for repeat in range(REPEATS):
            drawn = problem.draw(repeat)
            assert drawn.counts.tolist() == counts
            np.testing.assert_array_equal(drawn.rows, problem.rows[problem.draws[repeat]])
            assert (np.diff(drawn.rows) > 0).all()
            np.testing.assert_array_equal(drawn.X, dataset.X[drawn.rows])
            # Each row still has the class that the data set gives it.
            named = np.array(drawn.classes)[drawn.y]
            theirs = np.array(dataset.classes)[dataset.y[drawn.rows]]
            known = np.isin(theirs, drawn.classes)
            np.testing.assert_array_equal(named[known], theirs[known])
            assert set(named[~known]) <= {"rest"}
            rows.append(frozenset(drawn.rows.tolist()))
        assert len({*rows, frozenset(plain.rows.tolist())}) == REPEATS + 1
        np.testing.assert_array_equal(problem.rows, sorted(frozenset.union(*rows)))

    def test_folds_partition_each_draw_and_touch_nothing_else(self, keys, counts):
        problem = redrawn(data(300, 180, 175, 280), **keys)
        made = make_folds(problem, folds=2, repeats=REPEATS, validation=0.3, seed=3)
        assert [(f.repeat, f.fold) for f in made] == [
            (r, f) for r in range(REPEATS) for f in (0, 1)
        ]
        for repeat in range(REPEATS):
            mine = [fold for fold in made if fold.repeat == repeat]
            for fold in mine:
                parts = np.concatenate([fold.train, fold.validation, fold.test])
                np.testing.assert_array_equal(np.sort(parts), problem.draws[repeat])
                for part in (fold.train, fold.validation, fold.test):
                    assert (np.diff(part) > 0).all()
                    assert np.bincount(problem.y[part], minlength=problem.K).all()
            tests = np.concatenate([fold.test for fold in mine])
            np.testing.assert_array_equal(np.sort(tests), problem.draws[repeat])
            assert np.bincount(problem.y[tests]).tolist() == counts


def test_classes_that_are_not_reduced_are_in_every_draw():
    dataset = data(300, 180, 175)
    problem = redrawn(dataset, kind="multi-class", minority=("1",), imbalance=0.1)
    for repeat in range(REPEATS):
        rows = problem.draw(repeat).rows
        for code in (0, 2):
            np.testing.assert_array_equal(
                rows[dataset.y[rows] == code], np.flatnonzero(dataset.y == code)
            )


def test_the_seed_and_the_repeat_alone_decide():
    dataset, keys = data(400, 150), {"minority": ("1",), "imbalance": 0.1}
    one, more = redrawn(dataset, **keys), redrawn(dataset, repeats=8, **keys)
    for repeat in range(REPEATS):
        # More repeats leave the first ones as they were.
        np.testing.assert_array_equal(one.draw(repeat).rows, more.draw(repeat).rows)
    other = redrawn(dataset, seed=4, **keys)
    assert not np.array_equal(one.draw(0).rows, other.draw(0).rows)
    # Within a repeat, too, a smaller ratio keeps rows of a larger one.
    fewer = redrawn(dataset, minority=("1",), imbalance=0.05)
    assert set(fewer.draw(2).rows) <= set(one.draw(2).rows)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(10, 60), st.sampled_from([0.1, 0.3, 0.9]))
def test_any_sizes(repeats, few, ratio):
    dataset = data(100, few)
    plain = make_problem(dataset, minority=("1",), imbalance=ratio)
    problem = redrawn(dataset, repeats=repeats, minority=("1",), imbalance=ratio)
    assert len(problem.draws) == repeats
    for repeat in range(repeats):
        assert problem.draw(repeat).counts.tolist() == plain.counts.tolist()


def test_groups_stay_on_one_side_of_each_draw():
    problem = redrawn(data(400, 200, groups=True), minority=("1",), imbalance=0.3)
    made = make_folds(problem, folds=2, repeats=REPEATS, validation=0.3, grouped=True, seed=3)
    for fold in made:
        owners = [
            set(problem.groups[p].tolist()) for p in (fold.train, fold.validation, fold.test)
        ]
        assert sum(map(len, owners)) == len(set.union(*owners))
        parts = np.concatenate([fold.train, fold.validation, fold.test])
        np.testing.assert_array_equal(np.sort(parts), problem.draws[fold.repeat])


def test_mistakes():
    keys = {"minority": ("1",), "imbalance": 0.01}
    with pytest.raises(DataError, match="class 1 has 3 rows; 2 folds"):
        make_folds(redrawn(data(300, 50), **keys), folds=2, repeats=REPEATS, validation=0.3)
    with pytest.raises(UsageError, match="5 draws for 3 repeats"):
        make_folds(redrawn(data(900, 50), **keys), folds=2, repeats=3, validation=0.3)


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


class TestBench:
    def setup_method(self):
        (self.task,) = prepare(parse_study(STUDY), data(300, 120))
        (self.plain,) = prepare(parse_study(STUDY.replace("redraw = true", "")), data(300, 120))

    def test_members_know_nothing_of_rows_outside_their_draw(self):
        problem = self.task.problem
        _, members = self.task._members()
        assert len(problem.rows) > problem.counts.sum()
        for fold, member in zip(self.task.folds, members, strict=True):
            draw = problem.draws[fold.repeat]
            for rows in (member.training.rows, member.validation, member.test):
                assert np.isin(rows, draw).all()
            np.testing.assert_array_equal(member.training.y, problem.y[member.training.rows])

    def test_preprocessing_is_fitted_on_inner_training_rows_alone(self):
        prepared, _ = self.task._members()
        for place, fold in enumerate(self.task.folds):
            own = self.task.problem.X[fold.train]
            np.testing.assert_allclose(prepared.centre[place], own.mean(axis=0))
            np.testing.assert_allclose(prepared.scale[place], own.std(axis=0))

    def test_definitions_differ_and_plain_ones_are_as_they_were(self):
        from remix_study.study.fingerprint import changes, definition, facts

        now, before = definition(self.task), definition(self.plain)
        assert now["cv"]["redraw"] is True
        assert "redraw" not in before["cv"]
        assert "extra_metrics" not in before["study"]
        assert now["problem"]["rows"] == before["problem"]["rows"] == 330
        assert changes(self.task, before, [], 0) == ["cv.redraw: absent -> true"]
        assert facts(self.task)["redraw"] is True
        assert facts(self.plain)["redraw"] is False
        assert facts(self.task)["counts"] == facts(self.plain)["counts"] == [300, 30]
        assert facts(self.task)["n_rows"] == 330

    def test_a_problem_without_an_imbalance_is_the_same_in_every_repeat(self):
        two = STUDY.replace("[cv]", "[[problems]]\ndataset = 'wine'\n[cv]")
        tasks = prepare(parse_study(two), data(300, 120))
        assert [bool(task.problem.draws) for task in tasks] == [True, False]
