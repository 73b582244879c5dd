"""Errors: one line each, without passwords, with the name that was probably meant."""

from __future__ import annotations

import pytest

from remix_study.errors import DataError, did_you_mean, join_names


@pytest.mark.parametrize(
    ("name", "known_names", "ending"),
    [
        ("epoch", ["epochs", "patience"], '; did you mean "epochs"?'),
        ("width", ["epochs", "patience"], "; known: epochs, patience"),
        ("width", [], "; known: none"),
        ("width", (f"key{i}" for i in range(43)), "key38, key39 and 3 more"),
    ],
)
def test_an_unknown_name_is_answered_with_the_closest_or_all(name, known_names, ending):
    assert did_you_mean(name, known_names).endswith(ending)


def test_names_are_joined_up_to_a_limit():
    assert join_names("abc") == join_names("abc", limit=3) == "a, b, c"
    assert join_names("abc", limit=2) == "a, b and 1 more"


def test_a_message_is_one_line_without_passwords():
    error = DataError("no server\n  at postgresql://me:p@ss@host/db?password=secret&x=1")
    assert str(error) == "no server at postgresql://me:***@host/db?password=***&x=1"


def test_a_message_that_quotes_a_damaged_file_keeps_its_ends():
    text = str(DataError(f"a.npz: cannot be read ({'x' * 50_000}); save it again"))
    assert len(text) < 2100
    assert text.startswith("a.npz: cannot be read (xxx")
    assert text.endswith("xxx); save it again")
