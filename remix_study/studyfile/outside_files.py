"""Data files that a study file names outside its own folder.

They are read, as data often lie elsewhere, but noted: a study file may be somebody else's.
"""

from __future__ import annotations

import os

from remix_study.studyfile.schema import ProblemSpec, Study


def outside_file(study: Study, spec: ProblemSpec) -> str:
    """A problem's file or images if they are outside the study file's folder; "" otherwise.

    Returns:
        The name as the study file has it. A symbolic link that leads out of the folder is
        followed by its target: ``link.csv -> /elsewhere/data.csv``.
    """
    name = spec.file or spec.images
    if name is None:
        return ""
    path = study.folder / name
    if path.resolve().is_relative_to(study.folder):
        return ""
    if os.path.normpath(path).startswith(f"{study.folder}{os.sep}"):
        return f"{name} -> {path.resolve()}"
    return name


def outside_file_notes(study: Study) -> list[str]:
    """One line for each data file outside the study file's folder, with its key."""
    notes = []
    for i, spec in enumerate(study.problems):
        if name := outside_file(study, spec):
            key = "file" if spec.file else "images"
            notes.append(f"problems[{i}].{key}: {name} is outside the study file's folder")
    return notes
