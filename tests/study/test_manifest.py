"""The manifest: everything that made the numbers, in JSON."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version

import pytest
from tiny_studies import TINY

import remix_study
from remix_study.study import manifest
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import parse_study


@pytest.mark.usefixtures("simulated")
def test_it_names_what_made_the_numbers():
    (task,) = prepare_tasks(parse_study(TINY, "tiny.toml"))
    found = json.loads(json.dumps(manifest.manifest(task, "a command")))
    assert found["command"] == "a command"
    assert found["file"]["text"] == TINY
    assert (found["study"], found["problem"], found["seed"]) == ("tiny", "wine", 2020)
    assert found["remix_study"] == remix_study.__version__
    assert found["python"] == platform.python_version()
    assert found["packages"]["optuna"] == version("optuna")
    assert {"keras", "numpy", "scikit-learn"} <= found["packages"].keys()
    assert all(found["packages"].values())
    age = datetime.now(UTC) - datetime.fromisoformat(found["started"])
    assert 0 <= age.total_seconds() < 60


def test_a_package_under_another_name_is_no_trouble():
    assert manifest.package_version("no-such-package") == ""
