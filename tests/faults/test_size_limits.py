"""Sizes beyond what a machine holds or a study can plan: refused with their number, before."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from remix_study.data import file_contents
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


def test_names_of_columns_are_listed_once_however_many_there_are():
    table = RawTable("t", pd.DataFrame(np.zeros((1, 3)), columns=list("abc")))
    assert table.names is table.names
