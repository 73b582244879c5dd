"""Classes that may be the same are pointed out; classes are merged or left out by key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from remix_study.data.arrays import from_arrays
from remix_study.data.class_names import choose_classes, similar_class_notes
from remix_study.data.dataset import Dataset
from remix_study.data.table_file import load_file
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat


def test_classes_that_differ_in_case_or_blanks_are_counted() -> None:
    labels = ["Yes"] * 3 + ["yes"] * 2 + ["YES "] + ["no"] * 9
    (note,) = similar_class_notes("t.csv", labels)
    assert note == (
        "t.csv: classes differ in case, blanks or leading zeros only: "
        '"Yes" (3 rows), "yes" (2 rows), "YES " (1 rows); if they are one, write '
        'classes.merge = {Yes = ["yes", "YES"]}'
    )


@pytest.mark.parametrize(
    ("labels", "is_noted"),
    [
        (["01", "1", "2"], True),
        (["a 07", "a 7"], True),
        (["not  sure", "not sure"], True),
        (["1.05", "1.5", "10", "100"], False),
        (["0", "00"], True),
        (["caf\u00e9", "cafe\u0301"], True),
        (["0", "1", "10"], False),
        (["a", "b"], False),
    ],
)
def test_which_classes_look_alike(labels: list[str], is_noted: bool) -> None:
    assert bool(similar_class_notes("t.csv", labels)) == is_noted


def test_blanks_around_a_name_are_taken_off_with_a_note() -> None:
    (note,) = similar_class_notes("t.csv", ["yes", "yes ", "no"])
    assert note.endswith('"yes " (1 rows), "yes" (1 rows); blanks around a name are taken off')


def test_a_label_is_missing_only_where_it_is_empty_or_a_key_says_so(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,y\n1,NA\n2,null\n3,None\n4,?\n5,NA\n")
    assert load_file(path, label="y").classes == ("?", "NA", "None", "null")
    with pytest.raises(DataError, match=r't\.csv, line 5, column "y" \(label\): empty or missing'):
        load_file(path, label="y", table_format=TableFormat(missing=("?",)))


@pytest.fixture
def dataset() -> Dataset:
    """Six rows of the classes a, A, b and c, in four groups."""
    return from_arrays(
        np.arange(6.0)[:, None],
        np.array(["a", "A ", "b", "c", "b", "a"]),
        groups=["g", "h", "i", "k", "i", "g"],
    )


def test_classes_are_merged_and_left_out(dataset: Dataset) -> None:
    chosen = choose_classes(dataset, {"a": ("A",)}, ("c",))
    assert chosen.classes == ("a", "b")
    assert chosen.y.tolist() == [0, 0, 1, 1, 0]
    assert chosen.X[:, 0].tolist() == [0, 1, 2, 4, 5]
    assert chosen.groups is not None
    assert chosen.groups.tolist() == [0, 1, 2, 2, 0]
    assert not chosen.y.flags.writeable
    renamed = choose_classes(dataset, {"upper or lower": ("A", "a")}, ())
    assert renamed.classes == ("b", "c", "upper or lower")
    assert renamed.y.tolist() == [2, 2, 0, 1, 0, 2]
    assert choose_classes(dataset, {}, ()) is dataset


def test_classes_that_a_key_merged_are_not_pointed_out_again(dataset: Dataset) -> None:
    assert len(dataset.notes) == 1
    assert choose_classes(dataset, {"a": ("A",)}, ()).notes == ()
    assert choose_classes(dataset, {}, ("c",)).notes == dataset.notes


@pytest.mark.parametrize(
    ("merge", "drop", "message"),
    [
        ({"a": ("aa",)}, (), 'classes: no class "aa"; did you mean "a"?'),
        ({}, ("z",), 'classes: no class "z"; known: A, a, b, c'),
        ({"a": ("A",)}, ("A",), '"A" is named twice'),
        ({"x": ("A",), "y": ("A",)}, (), '"A" is named twice'),
        ({"A": ("a",)}, ("b", "c"), "all 3 rows are of class A"),
        ({}, ("a", "A", "b", "c"), "leaves no row"),
    ],
)
def test_classes_that_cannot_be_chosen_are_refused(
    dataset: Dataset, merge: Mapping[str, tuple[str, ...]], drop: tuple[str, ...], message: str
) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        choose_classes(dataset, merge, drop)
