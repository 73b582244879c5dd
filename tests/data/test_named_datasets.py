"""Descriptions of data sets, as the ``datasets`` command shows them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from remix_study.data.arrays import from_arrays
from remix_study.data.cache import VARIABLE as CACHE
from remix_study.data.catalogue import CATALOGUE, dataset_names
from remix_study.data.named_datasets import STATES, check_all, count_duplicates, describe, overview
from remix_study.data.published_files import VARIABLE as DATA
from remix_study.errors import DataError

WITHOUT_FILES = ("digits", "breast_cancer", "wine", "digits-images")


@pytest.fixture(autouse=True)
def _empty_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv(DATA, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


def test_every_data_set_is_described_without_its_files() -> None:
    for infos in (check_all(), overview()):
        assert tuple(info.name for info in infos) == dataset_names()
        for info in infos:
            assert info.state in STATES
            assert info.available == (info.name in WITHOUT_FILES) == (info.reason == "")
            assert info.rows == sum(count for _, count in info.classes)
            assert info.source
            assert info.licence
            assert info.citation
            if not info.available:
                assert info.state == "absent"
                assert info.files[0] in info.reason
            json.dumps(asdict(info))


def test_overview_and_check_agree_on_data_sets_without_files() -> None:
    for unopened, loaded in zip(overview(), check_all(), strict=True):
        if unopened.name in WITHOUT_FILES:
            assert (unopened.state, loaded.state) == ("present", "verified")
            assert {**asdict(unopened), "state": ""} == {**asdict(loaded), "state": ""}


def test_a_wrong_file_is_refused_not_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA, str(tmp_path))
    path = tmp_path / CATALOGUE["musk"].files[0].path
    path.parent.mkdir()
    path.write_text("MUSK-211,211_1+1,46\n")
    info = describe("musk")
    assert (info.state, info.available) == ("refused", False)
    assert str(path) in info.reason
    assert info.groups == 102
    assert info.grouped_by == "molecule"
    # The overview opens no file.
    assert {info.name: info.state for info in overview()}["musk"] == "present"


def test_the_partial_edition_is_shown_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA, str(tmp_path))
    partial = CATALOGUE["aps"].partial
    assert partial is not None
    path = tmp_path / f"{partial.files[0].path}.gz"
    path.parent.mkdir()
    path.write_bytes(b"")
    info = {info.name: info for info in overview()}["aps"]
    assert (info.rows, info.available) == (9000, True)
    assert "9,000 rows" in info.source


def test_duplicates_are_those_of_pandas() -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, (200, 6)).astype(float)
    X[rng.random(X.shape) < 0.2] = np.nan
    X[:50, 0] = -0.0
    y = rng.integers(0, 2, 200)
    frame = pd.DataFrame(X).assign(label=y)
    assert count_duplicates(from_arrays(X, y)) == frame.duplicated().sum() > 0


def test_unknown_name() -> None:
    with pytest.raises(DataError, match='did you mean "musk"'):
        describe("muks")
