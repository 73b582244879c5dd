"""Sizes beyond what a machine holds or a study can plan: refused with their number, before."""

from __future__ import annotations

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pyarrow import feather

from remix_study.data import file_contents, images, typed_tables
from remix_study.data.raw_table import RawTable
from remix_study.data.readers import read_tables
from remix_study.errors import DataError, StudyFileError
from remix_study.study import task_preparation
from remix_study.study.checks import check_study
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import parse_study
from remix_study.studyfile.table_format import TableFormat


def study_text(*space: str, search: str = "", cv: str = "") -> str:
    """A study of ``wine`` with lines of its search and of its space."""
    sections = '[study]\nname = "s"\n[[problems]]\ndataset = "wine"\n[cv]', cv, "[search]", search
    return "\n".join([*sections, "[search.space]", *space])


def numbers(key: str, n: int, step: float) -> str:
    """A key with a list of n numbers."""
    return f"{key} = [{', '.join(f'{step * (i + 1):.8f}' for i in range(n))}]"


@pytest.mark.parametrize(
    ("space", "size"),
    [
        ([numbers("alpha", 2000, 0.01), numbers("learning_rate", 1000, 1e-5)], "2,001,000"),
        ([numbers("alpha", 400, 0.01), numbers("ratio", 400, 0.002)], "100,001"),
    ],
)
def test_a_grid_that_nobody_trains_is_refused_with_its_size(space, size):
    study = parse_study(study_text('strategy = ["baseline", "remix"]', *space))
    with pytest.raises(StudyFileError, match=rf"search\.space: {size} configurations or more"):
        check_study(study)


def test_lists_of_keys_that_belong_together_are_not_multiplied():
    lists = [numbers("learning_rate", 900, 1e-5), f"epochs = {[*range(30, 930)]}"]
    search = 'algorithm = "tpe"\ntrials = 2'
    check_study(parse_study(study_text(*lists, numbers("lowest_rate", 900, 1e-8), search=search)))
    lists += ['schedule = ["constant", "plateau"]', numbers("lowest_rate", 900, 1e-6)]
    with pytest.raises(StudyFileError, match=r"lowest_rate: 0\.0009 is above the learning_rate"):
        check_study(parse_study(study_text(*lists, search=search)))


def test_folds_that_the_memory_does_not_hold_are_refused(monkeypatch):
    monkeypatch.setattr(task_preparation, "free_bytes", lambda: 10**7)
    study = parse_study(study_text(cv="folds = 10\nrepeats = 1000"))
    message = (
        r"wine: 10,000 folds of 178 rows take 14\.2 MB, and free memory is 10 MB; lower cv\.repe"
    )
    with pytest.raises(DataError, match=message):
        prepare_tasks(study)


def test_a_file_that_the_memory_does_not_hold_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "large.csv"
    path.write_bytes(b"a,b\n" * 1000)
    monkeypatch.setattr(file_contents, "free_bytes", lambda: 3000)
    with pytest.raises(DataError, match=r"large\.csv: its contents take 4 kB, and free memory is"):
        read_tables([path], TableFormat(), [])


def many_texts(path):
    """A few texts, each in many rows, which a file holds once."""
    table = pa.table({"text": ["x" * 20_000, "y" * 20_000] * 500, "y": np.arange(1000) % 2})
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        feather.write_feather(table, path, compression="zstd", chunksize=100)


@pytest.mark.parametrize("ending", ["parquet", "feather"])
def test_texts_that_a_file_holds_once_are_counted_in_all_rows(ending, tmp_path, monkeypatch):
    path = tmp_path / f"bomb.{ending}"
    many_texts(path)
    assert path.stat().st_size < 1_000_000
    monkeypatch.setattr(file_contents, "free_bytes", lambda: 2 * 10**7)
    message = rf"bomb\.{ending}: its unpacked contents, at least so far, take \d+ MB, and half of"
    with pytest.raises(DataError, match=message):
        read_tables([path], TableFormat(), [])


def workbook(path, cells):
    """Write a workbook with values at some places."""
    book = openpyxl.Workbook()
    for (row, column), value in cells.items():
        book.active.cell(row, column, value)
    book.save(path)


def test_a_cell_far_to_the_right_does_not_lengthen_all_rows(tmp_path, monkeypatch):
    path = tmp_path / "far.xlsx"
    cells = {(1, 1): "a", (1, 16_000): "y", (2, 1): 1.5, (4, 1): 2, (4, 16_000): "no"}
    workbook(path, cells)
    table = read_tables([path], TableFormat(), [])
    assert (table.names, table.lines.tolist()) == (["a", "y"], [2, 4])
    assert table.frame.fillna("").to_numpy().tolist() == [[1.5, ""], [2, "no"]]
    monkeypatch.setattr(typed_tables, "_ROWS_PER_CHECK", 1)
    monkeypatch.setattr(file_contents, "free_bytes", lambda: 60_000)
    with pytest.raises(DataError, match="take 128 kB, and half of the free memory is 30 kB"):
        read_tables([path], TableFormat(), [])


def test_images_that_are_too_many_or_too_large_are_refused(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("L", (20, 30)).save(tmp_path / name / "1.png")
    monkeypatch.setattr(images, "free_bytes", lambda: 1000)
    with pytest.raises(
        DataError, match=r"2 images of 30 x 20 pixels, grey take 1\.2 kB, and free"
    ):
        images.load_images(tmp_path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(
        DataError, match=r"1\.png: cannot be read as an image \(Image size \(600 pi"
    ):
        images.load_images(tmp_path)


def test_names_of_columns_are_listed_once_however_many_there_are():
    table = RawTable("t", pd.DataFrame(np.zeros((1, 3)), columns=list("abc")))
    assert table.names is table.names
