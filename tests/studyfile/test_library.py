"""Study files by name: paths, and the studies that come with the package."""

from __future__ import annotations

import pytest
from tiny_studies import TINY

from remix_study.errors import StudyFileError
from remix_study.study.checks import check_study
from remix_study.studyfile.library import built_in_studies, find_study
from remix_study.studyfile.parsing import load_study


def test_every_study_that_is_shipped_is_in_order():
    assert {"quickstart"} <= set(built_in_studies())
    for path in built_in_studies().values():
        check_study(load_study(path))


def test_a_name_means_a_file_or_a_built_in_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quickstart").mkdir()
    assert find_study("quickstart") == built_in_studies()["quickstart"]
    (tmp_path / "mine").write_text(TINY)
    assert load_study(find_study("mine")).name == "tiny"
    with pytest.raises(StudyFileError, match=r'quickstrat: .* did you mean "quickstart"\?'):
        find_study("quickstrat")
    with pytest.raises(StudyFileError, match="is a folder"):
        load_study(find_study(str(tmp_path)))
    with pytest.raises(StudyFileError, match="no study file, nor a built-in study"):
        find_study("x" * 5000)
