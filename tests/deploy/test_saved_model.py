"""Tables without names are matched by their columns' numbers; columns that answers keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from remix_study.data.table_file import load_file
from remix_study.deploy.records import Answers, FeatureFile, ModelFeature
from remix_study.deploy.saved_model import SavedModel
from remix_study.errors import DataError, UsageError
from remix_study.studyfile.table_format import TableFormat

ROWS = [f"{2 * n},{n % 7},{n % 2},{n % 5}" for n in range(40)]


def model(path, label, names=""):
    """A model whose probability of the second class is its first input, divided by 100."""
    path.write_text("\n".join([names, *ROWS] if names else ROWS))
    table = load_file(path, label=label, table_format=TableFormat(header=bool(names))).table
    features = [ModelFeature(name) for c in table.columns for name in c.features]
    none = dict.fromkeys(("divide_by", "multiply_by", "threshold", "decide_by", "costs"))
    answers = Answers(("0", "1"), ("1",), "natural", rule="largest", **none)

    def outputs(inputs):
        return np.column_stack([1 - inputs[:, 0] / 100, inputs[:, 0] / 100])

    file = FeatureFile(table, tuple(features))
    return SavedModel(Path(), file, answers, {}, outputs)


def test_a_label_at_the_end_may_be_left_out(tmp_path):
    loaded = model(tmp_path / "table.csv", 4)
    new = tmp_path / "new.csv"
    new.write_text("\n".join(row.rpartition(",")[0] for row in ROWS))
    np.testing.assert_array_equal(
        loaded.predict_proba(new), loaded.predict_proba(tmp_path / "table.csv")
    )
    assert loaded.predict_proba(new)[7, 1] == pytest.approx(0.14)


def test_columns_that_may_be_shifted_are_refused(tmp_path):
    loaded = model(tmp_path / "table.csv", 3)
    new = tmp_path / "new.csv"
    new.write_text("\n".join(row[: row.rindex(",") - 2] + row[row.rindex(",") :] for row in ROWS))
    with pytest.raises(DataError, match="has 3 columns without names, and the model lear"):
        loaded.predict_proba(new)
    new.write_text("\n".join(",".join([*row.split(",")[:2], "", row[-1]]) for row in ROWS))
    assert loaded.predict_proba(new)[7, 1] == pytest.approx(0.14)


@pytest.mark.parametrize("rows", [np.zeros((0, 3)), {f"column {n + 1}": [] for n in range(4)}])
def test_a_table_without_rows_is_refused(tmp_path, rows):
    with pytest.raises(DataError, match=r"^X has no rows$"):
        model(tmp_path / "table.csv", 4).predict(rows)


def test_columns_that_are_kept_stand_before_the_answers(tmp_path):
    """As they are written where the model does not use them; rows stay with their answers."""
    loaded, notes = model(tmp_path / "table.csv", "y", "a,b,c,y"), []
    new = tmp_path / "new.csv"
    rows = [f"00{n},{2 * n},{n % 7},{n % 2},x" for n in range(40)]
    rows[3] = ",6,3,1,x"
    new.write_text("\n".join(["id,a,b,c,other", *rows]))
    (frame,) = loaded.frames(new, notes.append, ["id", "a", "id"])
    assert list(frame)[:4] == ["id", "a", "probability 0", "probability 1"]
    assert frame["id"].tolist()[:3] == ["000", "001", "002"]
    assert frame["id"].isna().sum() == 1
    assert frame["a"].astype(float).tolist() == [2.0 * n for n in range(40)]
    np.testing.assert_allclose(frame["probability 1"], frame["a"].astype(float) / 100)
    assert notes == ['new.csv: not known to the model, ignored: "other"']
    (from_python,) = loaded.frames(pd.read_csv(new, dtype={"id": str}), keep=["id"])
    assert from_python["id"].equals(frame["id"])


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("ide", DataError, r'new\.csv: column "ide" to keep is not there; did you mean "id"\?$'),
        ("mark", UsageError, r'^column "mark" cannot be kept: an answer has this name$'),
        ("probability 1", UsageError, 'column "probability 1" cannot be kept'),
    ],
)
def test_columns_that_cannot_be_kept(name, error, message, tmp_path):
    loaded = model(tmp_path / "table.csv", "y", "a,b,c,y")
    new = tmp_path / "new.csv"
    new.write_text("id,a,b,c\n1,2,3,4\n")
    with pytest.raises(error, match=message):
        next(loaded.frames(new, keep=[name]))
