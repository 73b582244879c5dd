"""The page of keys: as the docs have it, and with every key that a study file may have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import remix_study
from remix_study.studyfile.cross_validation import CrossValidation
from remix_study.studyfile.key_table import attribute_docs, key_page
from remix_study.studyfile.parsing import parse_study
from remix_study.studyfile.schema import PRESETS, Training

PAGE = Path(remix_study.__file__).parents[1] / "docs" / "keys.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the docs come with a clone only")
def test_the_docs_hold_the_page_that_the_schema_makes() -> None:
    anew = "python -m remix_study.studyfile.key_table > docs/keys.md"
    assert PAGE.read_text(encoding="utf-8") == key_page(), f"write it anew: {anew}"


def defaults_of(section: str) -> dict[str, str]:
    """The cells of a section's second column, by key."""
    text = key_page().split(f"\n## {section}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", text, re.MULTILINE))


def test_a_file_with_the_defaults_of_the_page_is_the_empty_one() -> None:
    text = '[study]\nname = "a"\n'
    for section in ("study", "cv", "training", "search"):
        text += "" if section == "study" else f"[{section}]\n"
        for key, default in defaults_of(f"[{section}]").items():
            if value := re.match(r"`(.*?)`", default):
                text += f"{key} = {value[1]}\n"
    written, left_out = parse_study(text), parse_study('[study]\nname = "a"\n')
    for table in ("seed", "objectives", "cv", "training", "search", "extra_metrics", "note"):
        assert getattr(written, table) == getattr(left_out, table)


def test_presets_and_required_keys_are_shown() -> None:
    training = defaults_of("[training]")
    assert set(training) == set(Training.__struct_fields__)
    assert training["epochs"] == "`200`; preset `paper`: `500`"
    assert all("paper" in training[key] for key in PRESETS["paper"])
    assert defaults_of("[study]")["name"] == "required"
    assert {"file", "minority", "separator", "missing"} <= set(defaults_of("[[problems]]"))


def test_meanings_come_from_docstrings() -> None:
    meanings = attribute_docs(CrossValidation)
    assert meanings["folds"] == "Number of folds k."
    assert set(meanings) == set(CrossValidation.__struct_fields__)
