"""Search spaces: lists, ranges, nested keys, and the message on every mistake."""

from __future__ import annotations

import re

import pytest

from remix_study.errors import StudyFileError
from remix_study.study.checks import check_study
from remix_study.studyfile.parsing import parse_study
from remix_study.studyfile.search_space import Choice, Range

HEAD = '[study]\nname = "a"\n'
SEARCH = '[search]\nalgorithm = "tpe"\ntrials = 3\n'


def space_of(text: str, search: bool = False):
    return parse_study(f"{HEAD}{SEARCH * search}[search.space]\n{text}").search.space


def test_one_alpha_for_all_strategies_or_one_for_each():
    space = space_of("alpha = [0, 0.5]\n")
    assert space.alpha_of("remix") == space.alpha_of("mixup") == Choice((0.0, 0.5))
    space = space_of("alpha.remix = [0, 0.5]\nalpha.mixup = [1]\n")
    assert space.alpha_of("remix") == Choice((0.0, 0.5))
    assert space.alpha_of("mixup") == Choice((1.0,))
    assert space.alpha_of("other") is None


def test_a_range_is_no_table_of_nested_keys():
    assert space_of("alpha = {low = 0.1, high = 1}", search=True).alpha_of("remix") == Range(
        0.1, 1
    )
    nested = space_of("alpha.remix = {low = 0.1, high = 1, log = true}", search=True)
    assert nested.alpha_of("remix") == Range(0.1, 1.0, log=True)


def test_model_keys_are_nested_whatever_they_are_called():
    space = space_of("model.dropout = {low = 0, high = 0.5}\nmodel.low = [1]", search=True)
    assert space.settings == {"model.dropout": Range(0.0, 0.5), "model.low": Choice((1,))}


def test_numbers_are_whole_where_their_key_holds_whole_numbers():
    space = space_of(
        "batch_size = {low = 8, high = 64, log = true}\nlearning_rate = {low = 1, high = 2}\n"
        "model.width = {low = 1, high = 9}\nmodel.rate = {low = 1, high = 9.5}\n",
        search=True,
    )
    assert space.settings == {
        "batch_size": Range(8.0, 64.0, log=True, integer=True),
        "learning_rate": Range(1.0, 2.0),
        "model.width": Range(1.0, 9.0, integer=True),
        "model.rate": Range(1.0, 9.5),
    }


def test_lists_hold_values_of_one_type():
    space = space_of(
        "learning_rate = [1, 0.1]\nbatch_size = [8, 16]\nmodel.rate = [1, 0.5]\n"
        'model.hidden = ["paper", [8, 4]]\nmodel.kind = ["a", "b"]\nmodel.bias = [true, false]\n'
    )
    values = {name: domain.values for name, domain in space.settings.items()}
    assert values == {
        "learning_rate": (1.0, 0.1),
        "batch_size": (8, 16),
        "model.rate": (1.0, 0.5),
        "model.hidden": ("paper", (8, 4)),
        "model.kind": ("a", "b"),
        "model.bias": (True, False),
    }
    assert [type(value) for value in values["learning_rate"]] == [float, float]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alpha = [-1]", "alpha: expected numbers from 0 to 100 (found -1)"),
        ("alpha = [101]", "alpha: expected numbers from 0 to 100 (found 101)"),
        ("alpha = [nan]", "alpha: expected numbers, names, true or false, or lists of wid"),
        ("alpha = [true]", "alpha: expected a list of numbers (found [true])"),
        ('alpha = ["a"]', 'alpha: expected a list of numbers (found ["a"])'),
        ("alpha = 0.1", "alpha: expected a list with at least one value (found 0.1)"),
        ("alpha = []", "alpha: expected a list with at least one value (found [])"),
        ("alpha = [0, 0.0]", "alpha: lists a value twice; leave one out"),
        ("alpha.remix = [2, 2]", "alpha.remix: lists a value twice; leave one out"),
        ("alpha = {low = 0, high = 1}", "alpha: a grid needs a list of values; ranges are for "),
        ('strategy = "remix"', 'strategy: expected a list with at least one value (found "rem'),
        ("strategy = [1]", "strategy: expected a list of names (found [1])"),
        ('strategy = ["remix", "remix"]', "strategy: lists a value twice; leave one out"),
        ("batch_size = [8.5]", "batch_size: expected a whole number from 2 to 1,000,000 (fou"),
        ("batch_size = [1]", "batch_size: expected a whole number from 2 to 1,000,000 (found 1)"),
        ('batch_size = ["8"]', 'batch_size: expected a list of numbers (found ["8"])'),
        ("batch_size = [8, 8]", "batch_size: lists a value twice; leave one out"),
        ("learning_rate = [0.1, 99]", "learning_rate: expected a number above 0 and up to 10 (fo"),
        ("learning_rat = [0.1]", 'learning_rat: unknown key; did you mean "learning_rate"?'),
        ("on_nan = ['fail']", "on_nan: unknown key"),
        ('stop = ["sometimes"]', 'stop: expected "early" or "lowest-rate" or "never" (foun'),
        ("model.x = [[1, true]]", "model.x: expected numbers, names, true or false, or lists"),
        ('model.x = [1, "a"]', 'model.x: expected values of one type (found [1, "a"])'),
        ("model.x = [1979-05-27]", "model.x: expected numbers, names, true or false, or lists"),
        ('"a b" = [1]', '"a b": unknown key; known: strategy, sampler, '),
        (
            "epochs = [5, 50]\nstart_from_epoch = [20]",
            "start_from_epoch: 20 leaves none of 5 epochs to choose from",
        ),
    ],
)  # fmt: skip
def test_messages_about_a_grid(text, expected):
    with pytest.raises(StudyFileError, match=re.escape(f"my.toml: search.space.{expected}")):
        check_study(parse_study(f"{HEAD}[search.space]\n{text}", "my.toml"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "alpha = {low = 1, high = 0.5}",
            "alpha: expected numbers low < high (found {low = 1, hi",
        ),
        ("alpha = {low = 1}", "alpha: expected numbers low < high (found {low = 1})"),
        ("alpha = {low = 0, high = nan}", "alpha: expected numbers low < high (found {low = 0, h"),
        (
            "alpha = {low = 0, high = 1, log = true}",
            "alpha.low: a log scale starts above 0 (found",
        ),
        ("alpha = {low = 0, high = 1, log = 1}", "alpha.log: expected true or false (found 1)"),
        ("alpha = {low = 0, high = 1, step = 1}", "alpha.step: unknown key; known: low, high, lo"),
        ("alpha = {low = 0, high = 200}", "alpha: expected numbers from 0 to 100 (found 200)"),
        ("batch_size = {low = 8, high = 9.5}", "batch_size: expected whole numbers (found {low ="),
        ("batch_size = {low = 1, high = 9}", "batch_size: expected a whole number from 2 to 1,00"),
        ("stop = {low = 1, high = 9}", "stop: expected a list of names (found {low = 1, high = 9"),
        (
            "epochs = {low = 9, high = 99}\nstart_from_epoch = [20]",
            "start_from_epoch: 20 leaves none of 9 epochs to choose",
        ),
    ],
)
def test_messages_about_a_search(text, expected):
    with pytest.raises(StudyFileError, match=re.escape(f"my.toml: search.space.{expected}")):
        check_study(parse_study(f"{HEAD}{SEARCH}[search.space]\n{text}", "my.toml"))
