"""Problems: exact ratios, rows nested over ratios, and arguments that are refused."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remix_study.data.arrays import from_arrays
from remix_study.data.dataset import Dataset
from remix_study.data.problems import Problem, make_problem
from remix_study.errors import DataError


def toy_dataset(*counts: int, name: str = "toy") -> Dataset:
    """Classes "0", "1", ... of the given sizes, shuffled, with one distinct feature a row."""
    y = np.random.default_rng(len(counts)).permutation(np.repeat(np.arange(len(counts)), counts))
    return from_arrays(np.arange(float(len(y)))[:, None], y, name=name)


def rows_of_class(problem: Problem, code: int) -> set[int]:
    return set(problem.rows[problem.dataset.y[problem.rows] == code].tolist())


ratios = st.integers(1, 1000).map(lambda thousandths: thousandths / 1000)


@settings(max_examples=60, deadline=None)
@given(counts=st.lists(st.integers(2, 90), min_size=2, max_size=5), ratio=ratios)
def test_binary_ratio_is_exact_for_every_ratio(counts: list[int], ratio: float) -> None:
    dataset = toy_dataset(*counts)
    exact_ratio = Fraction(str(ratio))
    try:
        problem = make_problem(dataset, kind="binary", minority=("0",), imbalance=ratio, seed=3)
    except DataError:
        assert int(exact_ratio * sum(counts[1:])) == 0
        return
    majority, minority = problem.counts
    assert minority == int(exact_ratio * int(majority))
    # One side keeps all it has.
    assert minority == counts[0] or majority == sum(counts[1:])
    if majority < sum(counts[1:]):
        assert len(problem.notes) == 1
        assert f"reduced from {sum(counts[1:])} to {majority} rows" in problem.notes[0]
        for code in range(1, len(counts)):
            share = majority * counts[code] / sum(counts[1:])
            slack = 0.5 + 0.5 * (len(counts) - 1) * counts[code] / sum(counts[1:])
            assert abs(len(rows_of_class(problem, code)) - share) <= slack + 1e-9
    else:
        assert problem.notes == ()


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(2, 60), min_size=3, max_size=6),
    rare=st.sets(st.integers(0, 5), min_size=1, max_size=3),
    ratio=ratios,
)
def test_multiclass_ratio_is_exact_against_the_largest_class_left(
    counts: list[int], rare: set[int], ratio: float
) -> None:
    rare = {code for code in rare if code < len(counts)}
    others = [code for code in range(len(counts)) if code not in rare]
    if not rare or not others:
        return
    dataset, names = toy_dataset(*counts), tuple(str(code) for code in sorted(rare))
    exact_ratio = Fraction(str(ratio))
    try:
        problem = make_problem(
            dataset, kind="multi-class", minority=names, imbalance=ratio, seed=3
        )
    except DataError:
        assert int(exact_ratio * max(counts[code] for code in others)) == 0
        return
    assert problem.minority == tuple(sorted(rare))
    largest = max(problem.counts[code] for code in others)
    assert {int(problem.counts[code]) for code in rare} == {int(exact_ratio * int(largest))}
    shrunk = largest / max(counts[code] for code in others)
    for code in others:
        assert abs(problem.counts[code] - max(1, shrunk * counts[code])) <= 0.5 + 1e-9
    assert bool(problem.notes) == (shrunk < 1)


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(4, 60), min_size=3, max_size=5),
    kind=st.sampled_from(["binary", "multi-class"]),
    pair=st.tuples(ratios, ratios).map(sorted),
)
def test_rows_are_nested_over_ratios(counts: list[int], kind: str, pair: list[float]) -> None:
    dataset = toy_dataset(*counts)
    try:
        small, large = (
            make_problem(dataset, kind=kind, minority=("1",), imbalance=ratio, seed=7)
            for ratio in pair
        )
    except DataError:
        return
    assert rows_of_class(small, 1) <= rows_of_class(large, 1)
    for code in range(len(counts)):
        if code != 1:
            assert rows_of_class(large, code) <= rows_of_class(small, code)


def test_binary_and_multiclass_share_the_rows_of_a_class() -> None:
    dataset = toy_dataset(50, 60, 70)
    binary = make_problem(dataset, kind="binary", minority=("0",), imbalance=0.1, seed=5)
    multi = make_problem(dataset, kind="multi-class", minority=("0",), imbalance=0.1, seed=5)
    assert rows_of_class(multi, 0) <= rows_of_class(binary, 0)


def test_seed_and_data_set_name_decide_the_rows() -> None:
    def rows(name: str, seed: int) -> list[int]:
        dataset = toy_dataset(50, 100, name=name)
        return make_problem(dataset, imbalance=0.2, seed=seed).rows.tolist()

    assert rows("a", 1) == rows("a", 1)
    assert rows("a", 1) != rows("a", 2)
    assert rows("a", 1) != rows("b", 1)


def test_ratio_is_the_decimal_it_is_written_as() -> None:
    # In binary floating point 0.29 * 100 is 28.999999999999996.
    assert make_problem(toy_dataset(60, 100), imbalance=0.29).counts.tolist() == [100, 29]


def test_reduced_majority_keeps_its_classes_in_proportion() -> None:
    problem = make_problem(
        toy_dataset(10, 100, 200, 300), kind="binary", minority=("0",), imbalance=0.1
    )
    assert problem.counts.tolist() == [100, 10]
    assert [len(rows_of_class(problem, code)) for code in range(4)] == [10, 17, 33, 50]
    assert problem.notes == (
        "toy-0-ir0.1: the imbalance exceeds the natural 0.0167: "
        "the majority was reduced from 600 to 100 rows",
    )


def test_names_classes_and_codes() -> None:
    dataset = toy_dataset(10, 20, 30)
    problem = make_problem(dataset, kind="binary", minority=("1",), imbalance=0.05)
    assert (problem.name, problem.classes, problem.minority) == (
        "toy-1-ir0.05",
        ("rest", "1"),
        (1,),
    )
    assert problem.y.dtype == np.int32
    np.testing.assert_array_equal(problem.y == 1, dataset.y[problem.rows] == 1)
    np.testing.assert_array_equal(problem.X, dataset.X[problem.rows])
    assert (np.diff(problem.rows) > 0).all()
    assert problem.groups is None

    multi = make_problem(dataset, kind="multi-class", minority=("0", "1"), imbalance=0.1)
    assert (multi.name, multi.classes, multi.minority) == (
        "toy-0_1-ir0.1",
        ("0", "1", "2"),
        (0, 1),
    )
    assert multi.counts.tolist() == [3, 3, 30]
    assert multi.K == 3


def test_a_problem_without_arguments_keeps_the_data_set() -> None:
    binary = make_problem(toy_dataset(30, 10))
    assert (binary.name, binary.kind, binary.classes, binary.minority) == (
        "toy",
        "binary",
        ("0", "1"),
        (1,),
    )
    swapped = make_problem(toy_dataset(10, 30))
    assert (swapped.classes, swapped.counts.tolist()) == (("1", "0"), [30, 10])
    multi = make_problem(toy_dataset(10, 30, 10))
    assert (multi.name, multi.kind, multi.minority) == ("toy", "multi-class", (0, 2))
    assert multi.imbalance is None
    assert make_problem(toy_dataset(10, 10, 10)).minority == ()


def test_minority_without_ratio_keeps_all_rows() -> None:
    marked = make_problem(toy_dataset(10, 20, 30), kind="multi-class", minority=("1",))
    assert (marked.name, marked.minority, marked.counts.tolist()) == ("toy-1", (1,), [10, 20, 30])
    merged = make_problem(toy_dataset(10, 20, 30), kind="binary", minority=("0",))
    assert (merged.name, merged.counts.tolist(), merged.notes) == ("toy-0", [50, 10], ())
    larger = make_problem(toy_dataset(10, 20), minority=("1",))
    assert "more rows than the majority" in larger.notes[0]


def test_ratio_alone_makes_the_smaller_of_two_classes_rare() -> None:
    problem = make_problem(toy_dataset(100, 50), imbalance=0.1)
    assert (problem.name, problem.counts.tolist()) == ("toy-1-ir0.1", [100, 10])


def test_groups_follow_their_rows() -> None:
    dataset = from_arrays(np.zeros((30, 1)), np.arange(30) % 2, groups=np.arange(30) // 3)
    problem = make_problem(dataset, imbalance=0.2)
    np.testing.assert_array_equal(problem.groups, problem.rows // 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"kind": "binary", "minority": ("7",)},
            'toy: there is no class "7"; known: 0, 1, 2',
        ),
        ({"kind": "multi-class", "minority": ("0", "1", "2")}, "minority names every class"),
        ({"kind": "multi-class", "minority": ("0", "0")}, "names a class twice"),
        ({"kind": "binary", "minority": ("0", "1")}, "one class against the merged rest"),
        ({"kind": "binary"}, "one class against the merged rest"),
        ({"imbalance": 0.1}, "imbalance needs minority"),
        ({"kind": "ternary"}, 'there is no kind "ternary"'),
        ({"kind": "binary", "minority": ("0",), "imbalance": 1.7}, "1.7 is not in (0, 1]"),
        ({"kind": "binary", "minority": ("0",), "imbalance": 0.0}, "0.0 is not in (0, 1]"),
        ({"kind": "binary", "minority": ("0",), "imbalance": float("nan")}, "not in (0, 1]"),
        (
            {"kind": "binary", "minority": ("0",), "imbalance": 0.01},
            "problem toy-0-ir0.01: class 0 would have 0 rows",
        ),
    ],
)
def test_invalid_arguments_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        make_problem(toy_dataset(10, 20, 30), **arguments)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_two_classes_are_binary() -> None:
    with pytest.raises(DataError, match="two classes"):
        make_problem(toy_dataset(10, 20), kind="multi-class")
