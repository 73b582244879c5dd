"""Data of a study file that come from outside its folder, which a reader of the file is told."""

from __future__ import annotations

import os
from pathlib import Path

from remix_study.studyfile.schema import ProblemSpec, Study


def outside_file(study: Study, spec: ProblemSpec) -> str:
    """Files or images of a problem that are outside the study file's folder; "" if none is.

    Returns:
        The names as the study file has them. A symbolic link that leads out of the folder is
        followed by its target: ``link.csv -> /elsewhere/data.csv``.
    """
    return ", ".join(filter(None, (_outside(study, name) for name in spec.paths)))


def _outside(study: Study, name: str) -> str:
    path = study.folder / name
    if "\0" in name or (target := Path(os.path.realpath(path))).is_relative_to(study.folder):
        return ""
    if os.path.normpath(path).startswith(f"{study.folder}{os.sep}"):
        return f"{name} -> {target}"
    return name


def outside_file_notes(study: Study) -> list[str]:
    """One line for each problem with data outside the study file's folder, with its key."""
    notes = []
    for i, spec in enumerate(study.problems):
        if spec.sql:
            notes.append(f"problems[{i}].sql: the rows come from {spec.sql}")
        if name := outside_file(study, spec):
            key = "files" if spec.files else "file" if spec.file else "images"
            key = "test_file" if name == spec.split.test_file else key
            notes.append(f"problems[{i}].{key}: {name} is outside the study file's folder")
    return notes
