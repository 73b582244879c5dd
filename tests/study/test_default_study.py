"""The default study of a table: what its rules plan, as text that parses and can be checked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remix_study.data.arrays import from_arrays
from remix_study.data.label_choice import label_hint
from remix_study.errors import DataError, UsageError
from remix_study.study.checks import check_study
from remix_study.study.default_study import is_table, plan_data, plan_file, study_text
from remix_study.study.task_preparation import prepare_tasks, search_tasks
from remix_study.studyfile.parsing import parse_study


def dataset(*counts: int, names=(), groups=None):
    """A data set of two features with so many rows of each class."""
    names = names or [f"c{code}" for code in range(len(counts))]
    y = np.repeat(names, counts)
    X = np.random.default_rng(0).normal(size=(len(y), 2))
    return from_arrays(X, y, groups=groups, name="made up")


def plan(*counts: int, **options):
    return parse_study(study_text(dataset(*counts, **options), "made-up", {}))


@pytest.mark.parametrize(
    ("counts", "kind", "minority"),
    [
        ((90, 10), "binary", ("c1",)),
        ((20, 20), "binary", ()),
        ((49, 51), "binary", ("c0",)),
        # Half of an equal share of 120 rows in three classes is 20.
        ((61, 40, 19), "multi-class", ("c2",)),
        ((90, 12, 18), "multi-class", ("c1", "c2")),
        ((50, 35, 35), "multi-class", ("c1", "c2")),
        ((40, 40, 40), "multi-class", ()),
    ],
)
def test_rare_classes_are_found_from_counts(counts, kind, minority):
    (spec,) = plan(*counts).problems
    assert (spec.kind, spec.minority) == (kind, minority)


@pytest.mark.parametrize(
    ("rows", "repeats", "epochs", "batch", "hidden", "rate"),
    [
        (100, 10, 200, 16, [64], 0.003),
        (400, 10, 200, 64, [64], 0.003),
        (2_000, 10, 200, 64, [64], 0.003),
        (2_001, 5, 200, 64, [128, 64], 0.001),
        (20_000, 5, 200, 64, [128, 64], 0.001),
        (20_001, 3, 100, 256, [128, 64], 0.001),
        (100_001, 2, 50, 512, [128, 64], 0.001),
    ],
)
def test_folds_training_and_network_follow_the_number_of_rows(
    rows, repeats, epochs, batch, hidden, rate
):
    study = plan(rows - rows // 10, rows // 10)
    assert (study.cv.folds, study.cv.repeats) == (2, repeats)
    training = study.training
    assert (training.epochs, training.batch_size, training.learning_rate) == (epochs, batch, rate)
    assert study.model.options["hidden"] == hidden
    names = [estimator.name for estimator in study.estimators]
    assert ("random-forest" in names) == (rows <= 20_000)


@settings(max_examples=20)
@given(
    counts=st.lists(st.integers(12, 60), min_size=2, max_size=5),
    names=st.lists(st.text(min_size=1), min_size=5, max_size=5, unique_by=str.strip),
)
def test_every_plan_is_a_study_that_can_run(counts, names):
    names = [f"a{i}{name}" for i, name in enumerate(names[: len(counts)])]
    data = dataset(*counts, names=names)
    study = parse_study(study_text(data, "made-up", {}))
    check_study(study)
    assert study.problems[0].minority == () or set(study.problems[0].minority) < set(data.classes)


def test_a_plan_has_a_grid_of_methods_and_a_search_on_the_same_folds():
    data = dataset(180, 40)
    study = parse_study(study_text(data, "made-up", {}))
    (task,) = prepare_tasks(study, data)
    grid, search = search_tasks(task)
    assert grid.folds is search.folds
    assert (grid.study.search.algorithm, search.study.search.algorithm) == ("grid", "tpe")
    assert search.study.search.trials == 12
    assert search.study.search.space.alpha[""].log


def test_groups_stay_together():
    study = plan(60, 40, groups=np.arange(100) // 5)
    assert study.cv.grouped


def test_a_measurement_is_no_label():
    X, y = np.zeros((60, 1)), np.arange(60) // 2
    with pytest.raises(DataError, match="the label has 30 values in 60 rows; it must hold names"):
        study_text(from_arrays(X, y, name="made up"), "made-up", {})
    with pytest.raises(
        DataError, match=r"few\.csv: 8 rows are too few to compare methods; add rows"
    ):
        study_text(from_arrays(X[:8], y[:8] % 2, name="few"), "few", {"file": "few.csv"})


def write_table(here, name: str = "my customers.csv"):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.integers(20, 60, 80), "city": ["a", "b"] * 40})
    frame["churn"] = ["no"] * 60 + ["yes"] * 20
    frame.to_csv(here / name, index=False)
    return frame


def test_a_file_is_planned_relative_to_where_its_study_file_would_stand(here):
    write_table(here)
    (here / "pages").mkdir()
    study = plan_file("my customers.csv", "churn", folder=here / "pages")
    assert (study.name, study.problems[0].file) == ("my-customers", "../my customers.csv")
    assert study.problems[0].minority == ("yes",)
    assert prepare_tasks(study)[0].problem.counts.tolist() == [60, 20]
    assert "../" not in plan_file("my customers.csv", "churn").text


@pytest.mark.parametrize("kind", [dict, pd.DataFrame])
def test_a_frame_or_a_dictionary_is_planned_without_a_file(here, kind):
    frame = write_table(here)
    data = {name: frame[name].tolist() for name in frame} if kind is dict else frame
    study, dataset = plan_data(data, "churn", "city", name="my data")
    assert (study.name, study.cv.grouped, study.problems[0].has_data) == ("my-data", True, False)
    assert dataset.features == ("age",)
    assert dataset.classes == ("no", "yes")


def test_nothing_is_guessed_without_a_label(here):
    frame = write_table(here)
    hint = "likely: churn (no 60, yes 20), city (a 40, b 40); columns: age, city, churn"
    with pytest.raises(DataError) as of_file:
        plan_file("my customers.csv", None)
    assert str(of_file.value) == (
        f'my customers.csv: name the column to predict, --label COLUMN or label="COLUMN"; {hint}'
    )
    with pytest.raises(UsageError) as of_frame:
        plan_data(frame, None)
    assert str(of_frame.value).endswith(hint)
    with pytest.raises(
        UsageError, match='label column "chrun" is not there; did you mean "churn"'
    ):
        plan_data(frame, "chrun")
    with pytest.raises(UsageError, match='column "b" is the label; name another as groups'):
        plan_data({"a": [1, 2], "b": ["x", "y"]}, "b", "b")
    with pytest.raises(UsageError, match="a ndarray has no named columns"):
        plan_data(frame.to_numpy(), "churn")


def test_a_table_without_a_header_is_named_so(here):
    (here / "plain.data").write_text("1,2,a\n3,4,b\n" * 20)
    with pytest.raises(DataError, match=r"looks like data \(--no-header\)"):
        plan_file("plain.data", None)
    study = plan_file("plain.data", -1, header=False)
    assert study.problems[0].label == -1
    assert prepare_tasks(study)[0].problem.counts.tolist() == [20, 20]


def test_the_file_may_say_its_label(here):
    rows = "\n".join(f"{i}, {'rare' if i % 4 == 0 else 'often'}" for i in range(80))
    (here / "a.dat").write_text(
        "@relation a\n@attribute x integer [0, 80]\n@attribute kind {rare, often}\n"
        f"@inputs x\n@outputs kind\n@data\n{rows}\n"
    )
    assert plan_file("a.dat", None).problems[0].minority == ("rare",)


def test_usual_names_and_the_last_column_come_first_among_likely_labels():
    frame = pd.DataFrame(
        {"two": [0, 1] * 20, "target": [0, 1, 2, 2] * 10, "age": range(40), "last": [1, 2] * 20}
    )
    assert label_hint(frame).startswith(
        "likely: target (2 20, 0 10, 1 10), last (1 20, 2 20), two"
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv", True),
        ("a.CSV.gz", True),
        ("a.dat", True),
        ("a.parquet", True),
        ("a.toml", False),
        ("quickstart", False),
        ("b.gz", False),
    ],
)
def test_a_table_is_known_by_its_ending(name, expected):
    assert is_table(name) is expected
