"""The catalogue: facts of a data set read from TOML, and refused where a key is wrong."""

from __future__ import annotations

import msgspec
import pytest

from remix_study.data.catalogue import (
    CATALOGUE,
    PublishedFile,
    dataset_names,
    find_facts,
    read_catalogue,
)
from remix_study.errors import DataError

TOY = """
[toy]
source = "made up"
about = "whether it is a toy"
rows = 3
features = 2
counts = { no = 2, yes = 1 }
minimum = 0
maximum = 1.5
all_integers = false
licence = "none"
citation = "nobody"

[[toy.files]]
path = "toy/all.csv"
sha256 = "abc"

[toy.partial]
rows = 2
counts = { no = 1, yes = 1 }

[[toy.partial.files]]
path = "toy/two.csv"
"""


def test_a_partial_edition_has_the_facts_that_it_does_not_change() -> None:
    facts = read_catalogue(TOY.encode())["toy"]
    assert facts.partial is not None
    assert (facts.name, facts.rows, facts.missing, facts.groups) == ("toy", 3, None, 0)
    assert facts.files == (PublishedFile(path="toy/all.csv", sha256="abc"),)
    assert (facts.partial.name, facts.partial.rows, facts.partial.source) == ("toy", 2, "made up")
    assert facts.partial.counts == {"no": 1, "yes": 1}
    assert facts.partial.files == (PublishedFile(path="toy/two.csv"),)
    assert facts.partial.partial is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rows = 3", "row = 3", "missing required field `rows`|unknown field `row`"),
        ("rows = 3", 'rows = "3"', "Expected `int`"),
        ("sha256", "sha265", "unknown field `sha265`"),
        ('licence = "none"', "", "missing required field `licence`"),
    ],
)
def test_wrong_keys_and_types_are_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        read_catalogue(TOY.replace(old, new, 1).encode())


def test_facts_agree_with_each_other() -> None:
    assert dataset_names() == tuple(CATALOGUE)
    for name, facts in CATALOGUE.items():
        assert find_facts(name) is facts
        for edition in filter(None, (facts, facts.partial)):
            assert edition.name == name
            assert sum(edition.counts.values()) == edition.rows
            assert edition.minimum < edition.maximum
            assert bool(edition.groups) == bool(edition.grouped_by)


def test_unknown_name() -> None:
    with pytest.raises(DataError, match='no data set "muks"; did you mean "musk"'):
        find_facts("muks")
