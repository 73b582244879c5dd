"""Whatever a study file says, it becomes an object or one message."""

from __future__ import annotations

import datetime
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from remix_study.errors import StudyFileError
from remix_study.study.checks import check_study
from remix_study.studyfile.parsing import parse_study

WORDS = st.sampled_from(
    ["study", "name", "seed", "objectives", "problems", "dataset", "minority", "imbalance",
     "kind", "cv", "folds", "model", "hidden", "dropout", "training", "preset", "epochs", "stop",
     "search", "algorithm", "trials", "space", "strategy", "alpha", "remix", "sampler", "mixing",
     "learning_rate", "batch_size", "low", "high", "log", "baseline", "balanced", "smote", "beta",
     "grid", "tpe", "mlp", "a.b:c", "binary", "early", "never", "plateau", ""]
)  # fmt: skip
NAMES = WORDS | st.text('abcé "\\\n', max_size=4)
SCALARS = (
    st.booleans()
    | st.integers(-3, 3)
    | st.integers()
    | st.sampled_from([2**63, -(2**64), 10**400])
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.floats(0, 2)
    | NAMES
    | st.dates()
    | st.just(datetime.datetime(2026, 1, 2, 3, 4, 5))
)
VALUES = st.recursive(
    SCALARS,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(NAMES, v, max_size=3),
    max_leaves=6,
)


def toml(value) -> str:
    """Any value in TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        return hex(value) if value > 2**64 else str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{toml(str(k))} = {toml(v)}' for k, v in value.items())}}}"
    return value.isoformat() if hasattr(value, "isoformat") else repr(value)


def assert_parsed_or_refused(table: dict) -> None:
    """Assert that a file of this content is parsed, or refused with one short line."""
    text = "\n".join(f"{toml(key)} = {toml(value)}" for key, value in table.items())
    message = ""
    try:
        check_study(parse_study(text, "junk.toml"))
    except StudyFileError as error:
        message = str(error)
    assert "\n" not in message
    assert len(message) < 1000


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_any_other_content_is_refused_with_a_message(table):
    assert_parsed_or_refused(table)


VALID_STUDY = {
    "study": {"name": "a", "objectives": ["bbs"]},
    "problems": [{"dataset": "wine", "kind": "binary", "minority": [1], "imbalance": [0.1]}],
    "cv": {"folds": 2},
    "model": {"name": "mlp", "hidden": [4], "dropout": 0.1},
    "training": {"epochs": 30, "learning_rate": 0.1},
    "search": {
        "algorithm": "tpe",
        "trials": 3,
        "space": {
            "strategy": ["remix"],
            "alpha": {"low": 0.1, "high": 1.0},
            "learning_rate": [0.1, 0.2],
            "model": {"dropout": {"low": 0.1, "high": 0.2}, "hidden": [[4], [8, 4]]},
            "epochs": [30, 40],
        },
    },
}
KEY_PATHS = [
    (section, key)
    for section, table in VALID_STUDY.items()
    if isinstance(table, dict)
    for key in table
] + [("search", "space", key) for key in VALID_STUDY["search"]["space"]]


def test_the_valid_study_of_the_next_test_is_valid():
    assert_parsed_or_refused(VALID_STUDY)
    text = "\n".join(f"{key} = {toml(value)}" for key, value in VALID_STUDY.items())
    check_study(parse_study(text))


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(KEY_PATHS), NAMES, VALUES, st.booleans())
def test_a_valid_study_with_one_value_changed(key_path, name, value, replaces):
    changed = json.loads(json.dumps(VALID_STUDY))
    table = changed
    for key in key_path[:-1]:
        table = table[key]
    table[key_path[-1] if replaces else name] = value
    assert_parsed_or_refused(changed)
