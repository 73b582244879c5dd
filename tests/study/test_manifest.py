"""The manifest: versions, file, data and command of a run, in JSON."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import pytest
from tiny_studies import TINY

import remix_study
from remix_study.study import record
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import parse_study


@pytest.mark.usefixtures("simulated")
def test_it_describes_the_run():
    (task,) = prepare_tasks(parse_study(TINY, "tiny.toml"))
    begin = datetime.now(UTC)
    description = json.loads(json.dumps(record.manifest(task, "a command")))
    end = datetime.now(UTC)
    assert description["command"] == "a command"
    assert description["file"]["text"] == TINY
    assert (description["study"], description["problem"], description["seed"]) == (
        "tiny",
        "wine",
        2020,
    )
    assert description["remix_study"] == remix_study.__version__
    assert description["python"] == platform.python_version()
    assert description["packages"]["optuna"] == version("optuna")
    assert {"keras", "numpy", "scikit-learn"} <= description["packages"].keys()
    assert all(description["packages"].values())
    rounding = timedelta(milliseconds=1)
    assert begin - rounding <= datetime.fromisoformat(description["started"]) <= end


def test_a_package_that_is_not_installed_has_no_version():
    assert record.package_version("no-such-package") == ""
