"""Files that a study file names outside its own folder."""

from __future__ import annotations

import os

from remix_study.studyfile.schema import ProblemSpec, Study


def outside(study: Study, spec: ProblemSpec) -> str:
    """Where a problem's file leads, if that is out of the study file's folder; "" otherwise.

    Such a file is read all the same: data often lie elsewhere. But it is said, since a study file
    may come from somebody else. A symbolic link that leads out of the folder leaves it, too.

    Returns:
        The name as it stands in the study file, with the link's target if it is one.
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


def outside_lines(study: Study) -> list[str]:
    """A line for every such file, in the words of the study file."""
    found = [
        (f"problems[{i}].{'file' if spec.file else 'images'}", outside(study, spec))
        for i, spec in enumerate(study.problems)
    ]
    return [f"{key}: {name} is outside the study file's folder" for key, name in found if name]
