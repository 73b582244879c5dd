"""A study on a user's table: its keys reach the reader, and what they change is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_studies import tiny

import remix_study
from remix_study.data import sentence_vectors
from remix_study.errors import DataError, RemixStudyError
from remix_study.study.fingerprint import resolved_settings, study_changes
from remix_study.study.task import Task
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import parse_study

ROWS = 80
LABELS = np.where(np.arange(ROWS) % 4 == 0, "yes", np.where(np.arange(ROWS) % 3, "no", "maybe"))


@pytest.fixture(autouse=True)
def table(tmp_path: Path) -> Path:
    """A table without a header in two files: decimal commas, units, -1 for missing, NA a class."""
    lines = [
        f"{1000 + row:,}".replace(",", ".") + f";{row / 8:.3f}".replace(".", ",") + " kg"
        f";{-1 if row == 3 else row * row};{label}\n"
        for row, label in enumerate(LABELS)
    ]
    (tmp_path / "first.txt").write_text("".join(lines[:50]), encoding="cp1252")
    (tmp_path / "second.txt").write_text("".join(lines[50:]), encoding="cp1252")
    return tmp_path


KEYS = """files = ["first.txt", "second.txt"]
header = false
label = -1
separator = ";"
decimal = ","
thousands = "."
encoding = "cp1252"
units = ["kg"]
missing = [-1]
"""


def tasks_of(folder: Path, keys: str = KEYS) -> list[Task]:
    text = tiny(('dataset = "wine"', keys))
    return prepare_tasks(parse_study(text, str(folder / "mine.toml")))


def test_every_key_of_a_table_reaches_its_reader(tmp_path: Path) -> None:
    (task,) = tasks_of(tmp_path)
    dataset = task.problem.dataset
    assert dataset.name == "first"
    assert dataset.features == ("column 1", "column 2", "column 3")
    rows = np.arange(ROWS)
    expected = np.column_stack([1000 + rows, rows / 8, rows**2]).astype(float)
    expected[3, 2] = np.nan
    np.testing.assert_array_equal(dataset.X, expected)
    assert [dataset.classes[code] for code in dataset.y] == LABELS.tolist()


def test_classes_are_merged_or_left_out_by_key(tmp_path: Path) -> None:
    (task,) = tasks_of(tmp_path, KEYS + 'classes.merge.no = ["maybe"]\n')
    assert task.problem.classes == ("no", "yes")
    assert task.problem.counts.tolist() == [60, 20]
    (task,) = tasks_of(tmp_path, KEYS + 'classes = {drop = ["maybe"]}\n')
    assert task.problem.counts.tolist() == [(LABELS == "no").sum(), 20]
    with pytest.raises(DataError, match=r'problems\[0\]: .* classes: no class "mayby"; did you'):
        tasks_of(tmp_path, KEYS + 'classes.drop = ["mayby"]\n')


def test_one_rare_class_makes_a_problem_binary_with_a_note(tmp_path: Path) -> None:
    (task,) = tasks_of(tmp_path, KEYS + 'minority = ["yes"]\n')
    assert (task.problem.kind, task.problem.classes) == ("binary", ("rest", "yes"))
    assert any("the other 2 classes are merged" in note for note in task.problem.notes)
    (task,) = tasks_of(tmp_path, KEYS + 'kind = "binary"\nminority = ["yes"]\n')
    assert not any("merged" in note for note in task.problem.notes)
    (task,) = tasks_of(tmp_path, KEYS + 'minority = ["yes", "maybe"]\n')
    assert (task.problem.kind, task.problem.minority) == ("multi-class", (2, 0))


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("missing = [-1, 4]\n", 'problem.missing: ["-1"] -> ["-1", "4"]'),
        ("missing = []\n", 'problem.missing: ["-1"] -> []'),
        ('classes.drop = ["maybe"]\n', 'problem.classes.drop: "absent" -> ["maybe"]'),
        ("drop = [1]\n", "problem.drop: [] -> [1]"),
        ("categorical = [3]\n", "problem.categorical: [] -> [3]"),
        ("embedding = [3]\n", "problem.embedding: [] -> [3]"),
    ],
)
def test_a_key_that_changes_what_is_read_is_a_change_of_the_study(
    tmp_path: Path, key: str, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentence_vectors, "encoder_name", lambda: "a stand-in 1.0")
    monkeypatch.setattr(sentence_vectors, "load_encoder", lambda: lambda _: 1.0)
    (task,) = tasks_of(tmp_path)
    began = resolved_settings(task)
    keys = KEYS.replace("missing = [-1]\n", "") if key.startswith("missing") else KEYS
    (changed,) = tasks_of(tmp_path, keys + key)
    changes = study_changes(changed, began, [], 3)
    assert [text for text in changes if text.startswith(change.split(":")[0])] == [
        change.replace('"absent"', "absent")
    ]
    # What the file shows without a key may be written out.
    (same,) = tasks_of(tmp_path, KEYS.replace('encoding = "cp1252"\n', ""))
    assert study_changes(same, began, [], 3) == []


def test_equal_rows_on_both_sides_of_a_split_are_counted(tmp_path: Path) -> None:
    rows = [(row // 2, row % 2) for row in range(40)] + [(row + 100, row % 2) for row in range(10)]
    text = "a,y\n" + "".join(f"{value},c{label}\n" for value, label in rows)
    (tmp_path / "t.csv").write_text(text)
    (task,) = tasks_of(tmp_path, 'file = "t.csv"\nlabel = "y"\nbatch_size = 4\n')
    X = np.array([value for value, _ in rows])
    n_equal = sum(np.isin(X[f.test], X[f.train]).sum() for f in task.folds if f.repeat == 0)
    assert n_equal > 0
    (note,) = task.problem.notes
    assert note.startswith(f"t: {n_equal} of 50 test rows have the same features as a training")


@pytest.mark.usefixtures("simulated", "here")
def test_python_warns_of_what_the_command_notes() -> None:
    y = np.array(["Yes", "yes", "no", "no"] * 20)
    X: Any = np.random.default_rng(0).normal(size=(80, 2))
    study = parse_study(tiny(('dataset = "wine"', "")))
    with pytest.warns(UserWarning, match=r'data set "data": y: classes differ in case') as caught:
        remix_study.run(study, X, y, storage="sqlite:///x.db")
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("files = [", 'file = "first.txt"\nfiles = ['), "give file or files, not both"),
        (('files = ["first.txt", "second.txt"]\n', ""), "only a file or query has header, label,"),
        (
            ("label = -1", "label = 9"),
            "first.txt: label = 9: there are 4 columns, numbered from 1",
        ),
        (("label = -1", 'label = "y"'), 'label column "y" is not in the header; known: col'),
        (("label = -1\n", ""), "first.txt: write label = the column that holds the class"),
        (('"second.txt"', '"third.txt"'), "third.txt: no such file"),
        (('thousands = "."', 'thousands = ","'), 'thousands: "," is the decimal mark, too'),
        (('thousands = "."', 'thousands = "x"'), 'thousands: expected "" or " " or'),
        (('separator = ";"', "separator = '\"'"), "separator: quotes and line ends separate no"),
        (('units = ["kg"]', 'units = ["kg", ""]'), "units: an empty sign; leave it out"),
        (
            ('decimal = ","\nthousands = "."\n', ""),
            'first.txt, line 1, column "column 2": "0,000 kg"',
        ),
        (("header = false", "headers = false"), 'headers: unknown key; did you mean "header"?'),
        (("header = false", "classes = 3"), "classes: write it as a table with merge and drop"),
        (("header = false", "classes.keep = []"), "classes.keep: unknown key; known: merge, drop"),
        (
            ("header = false", "classes.merge = []"),
            "classes.merge: write a table such as {yes = [",
        ),
        (("header = false", "classes.merge.a = 1"), "classes.merge.a.drop: expected a list of"),
    ],
)
def test_a_key_that_does_not_fit_is_named(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    assert change[0] in KEYS
    with pytest.raises(RemixStudyError) as caught:
        tasks_of(tmp_path, KEYS.replace(*change))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
