"""A table read in parts is the table read at once, with the same lines in messages."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from remix_study.data.readers import read_tables
from remix_study.deploy.table_chunks import read_chunks
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat

TEXT = "id;note;size\n" + "".join(
    f'{row};"said ""{row}"";{chr(10) if row % 7 == 0 else ""} then";{row / 3:.3f}\n'
    + ("\n" if row % 5 == 0 else "")
    for row in range(400)
)


PLAIN = TableFormat()


def joined(path, size, table_format=PLAIN):
    parts = list(read_chunks(path, table_format, ["note"], size))
    lines = None if parts[0].lines is None else np.concatenate([part.lines for part in parts])
    return pd.concat([part.frame for part in parts], ignore_index=True), lines, len(parts)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
@pytest.mark.parametrize("start", ["", "sep=;\n", "\n\n", "\ufeff"])
def test_parts_are_the_whole(tmp_path, ending, start):
    path = tmp_path / f"table{ending}"
    content = (start + TEXT).encode()
    path.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    whole = read_tables([path], TableFormat(), ["note"])
    frame, lines, n_parts = joined(path, 1500)
    pd.testing.assert_frame_equal(frame, whole.frame)
    np.testing.assert_array_equal(lines, whole.lines)
    assert n_parts > 5


def test_without_a_header_and_in_another_encoding(tmp_path):
    path = tmp_path / "table.txt"
    path.write_bytes("".join(f"{n},Zürich\n" for n in range(500)).encode("cp1252"))
    table_format = TableFormat(header=False, encoding="cp1252")
    frame, lines, n_parts = joined(path, 1000, table_format)
    assert frame["column 1"].tolist() == list(range(500))
    assert set(frame["column 2"]) == {"Zürich"}
    assert lines.tolist() == list(range(1, 501))
    assert n_parts > 3


def test_a_wide_text_and_other_formats_are_read_as_a_whole(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(TEXT.encode("utf-16"))
    assert joined(path, 1000)[2] == 1
    path = tmp_path / "table.npz"
    np.savez(path, X=np.zeros((300, 2)), y=np.zeros(300))
    assert joined(path, 100, TableFormat(separator=";"))[2] == 1


def test_a_faulty_line_is_named_by_its_number_in_the_file(tmp_path):
    path = tmp_path / "table.csv"
    lines = TEXT.replace("\n then", " then").splitlines()
    lines[300] += ";more"
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match="line 301: 4 cells instead of 3"):
        joined(path, 1500)


def test_a_damaged_gzip_is_one_line(tmp_path):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(TEXT.encode())[:-400])
    with pytest.raises(DataError, match=r"table.csv.gz: cannot be read"):
        joined(path, 1500)
