"""Features of columns by their kind: the same in all folds, bounded in width, remarked on."""

from __future__ import annotations

import decimal
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remix_study.data import columns
from remix_study.data.arrays import from_arrays
from remix_study.data.categories import HASHED_FEATURES, MAX_ONE_HOT, SENTENCE_FEATURES
from remix_study.data.columns import EncodedColumns, encode_columns
from remix_study.data.raw_table import RawTable
from remix_study.data.table_file import load_file
from remix_study.errors import DataError


def encode(**values: Any) -> EncodedColumns:
    return encode_columns(RawTable("mine.csv", pd.DataFrame(values)))


def categories(n_levels: int, n_rows: int) -> list[str]:
    return [f"level {i % n_levels}" for i in range(n_rows)]


def test_categories_are_one_hot_in_sorted_order() -> None:
    encoded = encode(c=["b", "a", None, "b"])
    assert encoded.features == ("c=a", "c=b")
    np.testing.assert_array_equal(encoded.X, [[0, 1], [1, 0], [0, 0], [0, 1]])
    assert encoded.notes == ()


def test_nominal_columns_are_the_categories_and_truth_values() -> None:
    texts = [f"word {i} of a sentence {i % 7}" for i in range(600)]
    encoded = encode(
        size=range(600),
        color=["red", "blue", None] * 200,
        open=[True, False] * 300,
        city=["a"] * 590 + ["u"] * 4 + ["v"] + ["w"] * 5,
        many=categories(300, 600),
        said=["true", None, "False"] * 200,
        when=["2024-01-31", "2024-02-01"] * 300,
        text=texts,
        kind=pd.Categorical([1, 2] * 300),
        flag=[1, 0] * 300,
    )
    names = [[encoded.features[at] for at in column] for column in encoded.nominal]
    assert names == [
        ["color=blue", "color=red"],
        ["open"],
        ["city=a", "city=w", "city=<rare>"],
        ["said"],
        ["kind=1", "kind=2"],
    ]


def test_data_sets_know_their_nominal_features(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": range(8), "c": list("abababab"), "y": [0, 1] * 4})
    frame.to_csv(tmp_path / "mine.csv", index=False)
    from_frame = from_arrays(frame[["x", "c"]], frame["y"])
    from_file = load_file(tmp_path / "mine.csv", label="y")
    assert from_frame.nominal == from_file.nominal == ((1, 2),)
    numbers = np.arange(12.0).reshape(6, 2)
    assert from_arrays(numbers, [0, 1] * 3).nominal == ()
    assert from_arrays(numbers > 4, [0, 1] * 3).nominal == ((0,), (1,))


def test_rare_categories_share_a_feature() -> None:
    # Of 600 rows, fewer than 5 are rare: u has 4, v 1 and w 5.
    texts = ["a"] * 590 + ["u"] * 4 + ["v"] + ["w"] * 5
    encoded = encode(c=texts)
    assert encoded.features == ("c=a", "c=w", "c=<rare>")
    np.testing.assert_array_equal(encoded.X.sum(axis=0), [590, 5, 5])
    assert encoded.X[590:595].tolist() == [[0, 0, 1]] * 5
    assert encoded.notes == (
        'mine.csv: column "c" (2 of 4 in 5 rows) has rare categories, which share a feature',
    )
    # One rare category needs no merging, and in a table of 50 rows nothing is rare.
    assert encode(c=["a"] * 590 + ["u"] * 4 + ["w"] * 6).features == ("c=a", "c=u", "c=w")
    assert encode(c=["a"] * 48 + ["u", "v"]).features == ("c=a", "c=u", "c=v")


def test_rare_categories_that_are_most_rows_are_not_merged() -> None:
    encoded = encode(c=categories(90, 180))
    assert len(encoded.features) == 90
    assert 'column "c" (90 categories) became a feature a category' in encoded.notes[0]


def test_many_categories_become_hashed_features() -> None:
    widest = encode(c=categories(MAX_ONE_HOT, 1000))
    assert len(widest.features) == MAX_ONE_HOT
    hashed = encode(c=categories(2000, 20_000))
    assert len(hashed.features) == HASHED_FEATURES
    assert hashed.features[:2] == ("c.hash0", "c.hash1")
    assert "(2,000 categories) became 64 features by hashing" in hashed.notes[0]
    codes = hashed.X[:2000]
    # Categories keep codes of their own, which neither rows nor other categories change.
    assert len(np.unique(codes, axis=0)) == 2000
    np.testing.assert_array_equal(hashed.X, np.tile(codes, (10, 1)))
    fewer = encode(c=categories(500, 2500))
    np.testing.assert_array_equal(fewer.X[:500], codes[:500])


def test_missing_texts_of_many_have_no_code() -> None:
    encoded = encode(c=[None, *categories(300, 900)])
    assert not encoded.X[0].any()
    assert (np.abs(encoded.X[1:]).sum(axis=1) > 0).all()


def test_codes_are_those_of_murmurhash() -> None:
    # From scikit-learn's hash itself, which the hasher uses: signed, the sign by the hash's own.
    from sklearn.utils import murmurhash3_32

    half = HASHED_FEATURES // 2
    row = encode(c=categories(300, 900)).X[7, half:]
    expected = np.zeros(half)
    for turn in range(4):
        number = int(murmurhash3_32(f"{turn}:level 7", seed=0))
        expected[abs(number) % half] += 1 if number >= 0 else -1
    np.testing.assert_array_equal(row, expected)


def test_categories_that_look_alike_are_close() -> None:
    jobs = ["police officer", "accountant", "software engineer"]
    texts = [f"{jobs[i % 3]} {i % 120}" for i in range(720)]
    letters = encode(c=texts).X[:120, : HASHED_FEATURES // 2]
    np.testing.assert_allclose(np.linalg.norm(letters, axis=1), 1)
    likeness = letters @ letters.T
    same = np.arange(120)[:, None] % 3 == np.arange(120) % 3
    assert likeness[same].min() > likeness[~same].max()


def test_wide_tables_of_categories_stay_small() -> None:
    encoded = encode(**{f"c{i}": categories(700, 2100) for i in range(20)})
    assert encoded.X.shape == (2100, 20 * HASHED_FEATURES)
    # One line for all of them.
    assert len(encoded.notes) == 1
    assert '"c4" (700 categories) and 15 more: each became 64 features' in encoded.notes[0]


def test_sentences_become_hashed_words_and_letters() -> None:
    words = ["cold", "noisy", "great view", "near the station", "would come again"]
    texts = [f"The room {i} was {words[i % 5]} and {words[i % 3]}" for i in range(300)]
    encoded = encode(review=[*texts, None])
    assert len(encoded.features) == SENTENCE_FEATURES
    assert encoded.notes == (
        'mine.csv: column "review" holds sentences, which became 128 features by hashing',
    )
    for half in np.split(encoded.X, 2, axis=1):
        np.testing.assert_allclose(np.linalg.norm(half[:-1], axis=1), 1)
        assert not half[-1].any()
    # Order and case of words do not count.
    same = encode(review=[" ".join(reversed(text.upper().split())) for text in texts])
    np.testing.assert_allclose(same.X, encoded.X[:-1])


def test_identifiers_are_left_out() -> None:
    encoded = encode(a=[0.5, 1, 0.5, 2], code=["x1", "x2", "x3", "x4"])
    assert encoded.features == ("a",)
    assert encoded.notes == (
        'mine.csv: column "code" looks like an identifier (every text is different); left out',
    )


@given(st.permutations(range(40)), st.integers(0, 3))
@settings(max_examples=15, deadline=None)
def test_features_do_not_depend_on_the_order_of_rows(order: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "number": rng.normal(size=40).round(1),
            "few": rng.choice(["u", "v", None], 40),
            "many": [f"m{i % 35}" for i in range(40)],
            "when": pd.date_range("2024-01-01", periods=40).strftime("%d/%m/%Y"),
            "truth": rng.choice(["true", "FALSE"], 40),
        }
    )
    encoded = encode_columns(RawTable("mine.csv", frame))
    shuffled = encode_columns(RawTable("mine.csv", frame.iloc[order].reset_index(drop=True)))
    assert shuffled.features == encoded.features
    np.testing.assert_array_equal(shuffled.X, encoded.X[order])


def test_truth_values_in_every_form() -> None:
    truth = [True, False, None, True]
    for column in (
        pd.array(truth, dtype="boolean"),
        pd.Series(truth, dtype=object),
        ["True", "false", None, "TRUE"],
    ):
        encoded = encode(b=column)
        assert encoded.features == ("b",)
        np.testing.assert_array_equal(encoded.X[:, 0], [1, 0, np.nan, 1])
    np.testing.assert_array_equal(encode(b=[True, False]).X[:, 0], [1, 0])


def test_nullable_types_are_as_plain_ones() -> None:
    nullable = {
        "i": pd.array([1, None, 3, 3], dtype="Int64"),
        "f": pd.array([0.5, None, 2.5, 0.5], dtype="Float32"),
        "s": pd.array(["u", None, "v", "u"], dtype="string"),
        "c": pd.Series(["u", None, "v", "u"], dtype="category"),
        "k": pd.Series([1, None, 2, 1], dtype="category"),
        "sparse": pd.arrays.SparseArray([0.0, 0.0, 1.0, 0.0]),
        "d": pd.Series([decimal.Decimal("1.5"), None, decimal.Decimal(2), None]).astype(float),
    }
    encoded = encode(**nullable)
    assert encoded.features == (
        "i", "f", "s=u", "s=v", "c=u", "c=v", "k=1", "k=2", "sparse", "d",
    )  # fmt: skip
    nan = np.nan
    expected = [
        [1, 0.5, 1, 0, 1, 0, 1, 0, 0, 1.5],
        [nan, nan, 0, 0, 0, 0, 0, 0, 0, nan],
        [3, 2.5, 0, 1, 0, 1, 0, 1, 1, 2],
        [3, 0.5, 1, 0, 1, 0, 1, 0, 0, nan],
    ]
    np.testing.assert_array_equal(encoded.X, expected)


def test_a_frame_and_its_file_have_the_same_features(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    days = pd.Series(pd.date_range("2023-11-05 10:30", periods=40, freq="37h"))
    frame = pd.DataFrame(
        {
            "number": rng.normal(size=40).round(3),
            "nullable": pd.array([None, *range(39)], dtype="Int64"),
            "truth": pd.array([None, *(rng.random(39) < 0.5)], dtype="boolean"),
            "when": days.where(days.index != 7),
            "zoned": days.dt.tz_localize("Europe/Oslo"),
            "lasted": pd.to_timedelta(rng.integers(0, 10**6, 40), unit="s"),
            "kind": pd.Categorical(rng.choice(["a", "b b", 'c "c"'], 40)),
            "many": [f"m{i % 30}" for i in range(40)],
            "same": "x",
            "said": [f"this is, in short, sentence {i % 37}" for i in range(40)],
        }
    )
    labels = rng.choice(["yes", "no"], 40)
    path = tmp_path / "mine.csv"
    frame.assign(label=labels).to_csv(path, index=False)
    from_file, from_frame = load_file(path, label="label"), from_arrays(frame, labels)
    assert from_file.features == from_frame.features
    np.testing.assert_array_equal(from_file.X, from_frame.X)
    remarks = [[n.split(": ", 1)[1] for n in d.notes] for d in (from_file, from_frame)]
    # Only texts leave a doubt about what times are.
    assert [r for r in remarks[0] if "holds times" not in r] == remarks[1]


def test_types_of_arrow_are_as_those_of_pandas() -> None:
    pa = pytest.importorskip("pyarrow")
    plain = pd.DataFrame(
        {
            "f": [0.5, None, 2.5, 0.5],
            "s": ["u", None, "v", "u"],
            "b": pd.array([True, None, False, True], dtype="boolean"),
            "t": pd.to_datetime(
                ["2024-01-31 10:00", None, "2023-01-01 09:30", "2024-02-29 00:00"]
            ),
            "d": pd.to_timedelta(["1 day", None, "2 hours", "0 days"]),
        }
    )
    arrow = plain.convert_dtypes(dtype_backend="pyarrow")
    assert all(isinstance(dtype, pd.ArrowDtype) for dtype in arrow.dtypes)
    first, second = (encode_columns(RawTable("mine.csv", frame)) for frame in (plain, arrow))
    assert first.features == second.features
    np.testing.assert_array_equal(first.X, second.X)
    nested = pd.Series([[1], [2, 3]], dtype=pd.ArrowDtype(pa.list_(pa.int64())))
    with pytest.raises(DataError, match="cells hold several values"):
        encode(nested=nested)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pd.period_range("2024-01", periods=3, freq="M"), "periods; make dates of them"),
        (pd.Series([pd.Period("2024-01"), None, pd.Period("2024-02")], dtype=object), "periods"),
        ([[1, 2], [3], []], "its cells hold several values (lists)"),
        ([{"a": 1}, None, {}], "its cells hold several values (dicts)"),
        ([np.zeros(2), np.ones(2), None], "its cells hold several values (ndarrays)"),
        ([1j, 2j, 0j], "complex numbers"),
    ],
)
def test_what_has_no_features_is_refused_by_name(column: Any, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(f'mine.csv, column "odd": {message}')) as caught:
        encode(a=[1.5, 2, 3], odd=column)
    assert "\n" not in str(caught.value)


def test_constant_and_empty_columns_are_kept_and_noted_together() -> None:
    encoded = encode(
        a=[1.5, 2, 3],
        b=[7, 7, 7],
        c=["x"] * 3,
        d=[None] * 3,
        e=[True, None, True],
        f=["x", None, "x"],
    )
    assert encoded.features == ("a", "b", "c=x", "d", "e", "f=x")
    assert encoded.notes == (
        'mine.csv: columns "b", "c", "e": each has one value only; it carries no information',
        'mine.csv: column "d" is empty; it carries no information',
    )


@pytest.mark.parametrize(
    ("name", "values", "remark"),
    [
        ("a", range(100), "numbers the rows"),
        ("a", range(1, 101), "numbers the rows"),
        ("a", np.random.default_rng(0).permutation(10**6)[:100], "a different whole number in"),
        ("zip", [500 + i % 30 for i in range(100)], "look like codes"),
        ("customer_id", [i % 60 for i in range(120)], "look like codes"),
        ("a", [10_115 + 7 * (i % 30) for i in range(100)], "look like codes"),
        ("a", [20240101 + i % 28 for i in range(100)], "dates written as numbers"),
        (
            "a",
            [20240101 + i % 25 + 100 * (i // 25) for i in range(60)],
            "dates written as numbers",
        ),
        ("a", [i % 30 for i in range(100)], ""),
        ("a", [1990 + i % 30 for i in range(100)], ""),
        ("a", [10_115.5 + i % 30 for i in range(100)], ""),
        ("idea", [i % 30 for i in range(100)], ""),
        ("a", [1, 5, 9], ""),
    ],
)
def test_numbers_that_look_like_codes_are_pointed_out(name: str, values: Any, remark: str) -> None:
    notes = encode(**{name: list(values)}).notes
    assert (remark in notes[0]) if remark else notes == ()


def test_more_features_than_memory_are_refused_before_they_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(columns, "free_bytes", lambda: 200_000)
    encode(a=[0.5] * 200, c=categories(90, 200))
    message = (
        "mine.csv: 400 rows of 91 features take 291 kB, and free memory is 200 kB; drop "
        'columns, of which these make most features: "c" (90), "a" (1)'
    )
    with pytest.raises(DataError, match=re.escape(message)):
        encode(a=[0.5] * 400, c=categories(90, 400))
