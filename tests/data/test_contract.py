"""What holds for every data set, on the real files where REMIX_STUDY_DATA has them."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import numpy as np
import pytest

from remix_study.data import published_files
from remix_study.data.cache import VARIABLE as CACHE
from remix_study.data.catalogue import CATALOGUE, DatasetFacts, dataset_names
from remix_study.data.dataset import Dataset
from remix_study.data.file_contents import read_unpacked
from remix_study.data.folds import make_folds
from remix_study.data.named_datasets import describe, load_dataset
from remix_study.data.preprocessing import fit_preprocessing
from remix_study.data.problems import make_problem
from remix_study.data.published_files import FilesMissingError, locate

# Unpacking the archive takes many seconds.
ALL = [
    pytest.param(name, marks=pytest.mark.slow) if name == "cifar10" else name
    for name in dataset_names()
]
TABLES = [name for name in dataset_names() if not CATALOGUE[name].shape]
PUBLISHED_TABLES = [name for name in TABLES if CATALOGUE[name].files]


@pytest.fixture(scope="module", autouse=True)
def _empty_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(tmp_path_factory.mktemp("cache")))
        yield


def load(name: str) -> tuple[DatasetFacts, Dataset]:
    try:
        facts = locate(CATALOGUE[name])[0] if CATALOGUE[name].files else CATALOGUE[name]
    except FilesMissingError as error:
        pytest.skip(str(error))
    return facts, load_dataset(name)


def rows_as_written(name: str) -> list[tuple[list[str], str, str | None]]:
    """Features, label and group of each row as text, by a second, slow reader."""
    texts = [read_unpacked(path).decode() for path in locate(CATALOGUE[name])[1]]
    if name == "coil2000":
        tables = [[line.split("\t") for line in text.splitlines()] for text in texts[:2]]
        train, evaluation = tables
        labelled = [(row[:85], row[85]) for row in train]
        labelled += list(zip(evaluation, texts[2].split(), strict=True))
        return [(features, label, None) for features, label in labelled]
    header_lines = {"segment": 5, "seizure": 1}.get(name, 0)
    lines = [line for text in texts for line in text.splitlines()[header_lines:]]
    if name == "aps":
        start = next(i for i, line in enumerate(lines) if line.startswith("class,"))
        lines = lines[start + 1 :]
    rows = list(csv.reader(lines, delimiter=" " if name == "satimage" else ","))
    if name in ("segment", "aps"):
        return [(row[1:], row[0], None) for row in rows]
    if name == "musk":
        return [(row[2:-1], row[-1], row[0]) for row in rows]
    if name == "seizure":
        return [(row[1:-1], row[-1], row[0].partition(".")[2]) for row in rows]
    return [(row[1:-1] if name == "ozone" else row[:-1], row[-1], None) for row in rows]


@pytest.mark.parametrize("name", ALL)
def test_shape_classes_and_order(name: str) -> None:
    facts, dataset = load(name)
    assert dataset.name == name
    assert dataset.X.shape == (facts.rows, *(facts.shape or (facts.features,)))
    assert dataset.X.dtype == (np.uint8 if facts.shape else np.float64)
    assert dataset.n_features == facts.features
    assert dataset.X.flags.c_contiguous
    assert dataset.y.dtype == np.intp
    assert dataset.y.shape == (facts.rows,)
    counts = zip(dataset.classes, dataset.counts.tolist(), strict=True)
    assert list(counts) == list(facts.counts.items())
    n_names = 0 if facts.shape else facts.features
    assert len(dataset.features) == n_names == len(set(dataset.features))
    assert dataset.notes == ((facts.note,) if facts.note else ()) or facts is not CATALOGUE[name]
    for array in (dataset.X, dataset.y):
        assert not array.flags.writeable
    for text in (dataset.source, dataset.licence, dataset.citation):
        assert text
        assert "\n" not in text
    assert len(dataset.sha256) == 64

    second = load_dataset(name)
    assert second.X.tobytes() == dataset.X.tobytes()
    assert second.y.tobytes() == dataset.y.tobytes()
    assert second.classes == dataset.classes
    assert second.features == dataset.features
    assert second.sha256 == dataset.sha256


@pytest.mark.parametrize("name", ALL)
def test_facts_of_the_catalogue_are_those_of_the_files(name: str) -> None:
    facts, dataset = load(name)
    if facts.missing is not None:
        X = dataset.X
        assert facts.missing == np.isnan(X).sum()
        assert facts.all_integers == bool((np.isnan(X) | (np.round(X) == X)).all())
        assert facts.minimum == np.nanmin(X) or name == "aps"
        assert facts.maximum == np.nanmax(X) or name == "aps"
    info = describe(name)
    assert info.state == "verified"
    assert (info.rows, info.features) == (facts.rows, facts.features)
    assert info.classes == tuple(facts.counts.items())
    assert info.groups == facts.groups
    if facts.duplicates is not None:
        assert info.duplicates == facts.duplicates


@pytest.mark.parametrize("name", ALL)
def test_groups_are_those_of_the_catalogue(name: str) -> None:
    facts, dataset = load(name)
    if not facts.groups:
        assert dataset.groups is None
        return
    assert dataset.groups is not None
    assert np.unique(dataset.groups).tolist() == list(range(facts.groups))
    # A molecule is musk or not, a recording belongs to one of the five sets.
    n_classes = [len(set(dataset.y[dataset.groups == group])) for group in range(facts.groups)]
    assert set(n_classes) == {1}
    if name == "seizure":
        assert set(np.bincount(dataset.groups)) == {23}


@pytest.mark.parametrize("name", TABLES)
def test_nothing_is_missing_after_preprocessing(name: str) -> None:
    _, dataset = load(name)
    problem = make_problem(dataset)
    folds = make_folds(problem, folds=2, repeats=1, validation=0.3, seed=1)
    preprocessing = fit_preprocessing(problem.X, [fold.train for fold in folds])
    for member in range(2):
        features = preprocessing.apply(member, problem.X)
        assert np.isfinite(features).all()
        assert np.abs(features).max() <= 5


@pytest.mark.parametrize("name", PUBLISHED_TABLES)
def test_rows_are_as_the_makers_wrote_them(name: str) -> None:
    _, dataset = load(name)
    rows = rows_as_written(name)
    assert len(rows) == len(dataset.y)
    groups: dict[int, str | None] = {}
    for number in [*range(0, len(rows), 41), len(rows) - 1]:
        features, label, group = rows[number]
        values = [np.nan if cell in ("?", "na") else float(cell) for cell in features]
        np.testing.assert_array_equal(dataset.X[number], values)
        class_name = dataset.classes[dataset.y[number]]
        assert class_name == label or float(class_name) == float(label)
        if dataset.groups is not None:
            assert groups.setdefault(int(dataset.groups[number]), group) == group
    assert len(set(groups.values())) == len(groups)


def test_the_test_half_of_optdigits_is_scikit_learns_digits() -> None:
    _, optdigits = load("optdigits")
    digits = load_dataset("digits")
    np.testing.assert_array_equal(optdigits.X[3823:], digits.X)
    np.testing.assert_array_equal(optdigits.y[3823:], digits.y)


@pytest.mark.parametrize(
    ("name", "kind", "minority", "imbalance", "counts"),
    [
        ("musk", "binary", ("1",), 0.05, [5581, 279]),
        ("musk", "binary", ("1",), 0.01, [5581, 55]),
        ("segment", "binary", ("BRICKFACE",), 0.05, [1980, 99]),
        ("satimage", "binary", ("1",), 0.025, [4902, 122]),
        ("seizure", "binary", ("1",), 0.01, [9200, 92]),
        ("coil2000", "binary", ("1",), 0.05, [9236, 461]),
        ("ozone", "binary", ("1",), 0.01, [2463, 24]),
        ("satimage", "multi-class", ("1", "5", "7"), 0.1, [135, 703, 1358, 626, 135, 135]),
    ],
)
def test_counts_of_published_problems(
    name: str, kind: str, minority: tuple[str, ...], imbalance: float, counts: list[int]
) -> None:
    _, dataset = load(name)
    problem = make_problem(dataset, kind=kind, minority=minority, imbalance=imbalance)
    assert problem.counts.tolist() == counts
    assert problem.notes == dataset.notes


@pytest.mark.parametrize("name", ["musk", "seizure"])
@pytest.mark.parametrize("imbalance", [0.05, 0.01])
def test_grouped_folds_of_real_groups(name: str, imbalance: float) -> None:
    _, dataset = load(name)
    problem = make_problem(dataset, kind="binary", minority=("1",), imbalance=imbalance, seed=1)
    folds = make_folds(problem, folds=2, repeats=3, validation=0.3, grouped=True, seed=1)
    groups = problem.groups
    assert groups is not None
    for fold in folds:
        part_groups = [set(groups[part]) for part in (fold.train, fold.validation, fold.test)]
        assert sum(map(len, part_groups)) == len(set(groups))
        for part in (fold.train, fold.validation, fold.test):
            assert np.bincount(problem.y[part], minlength=2).all()


@pytest.mark.parametrize("name", PUBLISHED_TABLES)
def test_a_second_load_parses_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    load(name)
    monkeypatch.setattr(published_files, "parse", None)
    load_dataset(name)
