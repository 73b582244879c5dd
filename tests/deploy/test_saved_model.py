"""Tables without names are matched by the numbers of their columns, and never shifted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from remix_study.data.table_file import load_file
from remix_study.deploy.records import Answers, FeatureFile, ModelFeature
from remix_study.deploy.saved_model import SavedModel
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat

ROWS = [f"{2 * n},{n % 7},{n % 2},{n % 5}" for n in range(40)]


def model(path, label):
    """A model whose probability of the second class is its first input, divided by 100."""
    path.write_text("\n".join(ROWS))
    table = load_file(path, label=label, table_format=TableFormat(header=False)).table
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
