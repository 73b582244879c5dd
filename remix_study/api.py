"""Running a study from Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from remix_study.config import Study
from remix_study.data.arrays import from_arrays
from remix_study.errors import UsageError
from remix_study.study.runner import Reporter, Summary
from remix_study.study.runner import run as run_study
from remix_study.study.storage import DEFAULT_STORAGE
from remix_study.studyfile import load_study

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def run(
    study: str | Path | Study,
    X: ArrayLike | Any = None,
    y: ArrayLike | None = None,
    *,
    groups: ArrayLike | None = None,
    name: str = "data",
    storage: str = DEFAULT_STORAGE,
    reporter: Reporter | None = None,
) -> Summary:
    """Run every point of a study that is not complete yet.

    Args:
        study: A study file's path, or a study as :func:`remix_study.studyfile.load_study` or
            ``parse_study`` gives it.
        X: Features (n, d), an array or a data frame; for the problems that name neither a data
            set nor a file.
        y: Classes (n,), numbers or names.
        groups: Groups (n,) that a split must not part.
        name: What the data are called in the database and in reports.
        storage: URL of the database; results are added to it.
        reporter: Told what happens; nothing is printed by default.

    Returns:
        How many points were complete before, were completed and failed.

    Raises:
        StudyFileError: The study file, or a change in it since the study began.
        DataError: The data.
        StorageError: The database.
        UsageError: X without y, or y without X.
    """
    if (X is None) != (y is None):
        raise UsageError("give X and y together, or neither")
    data = None
    if X is not None and y is not None:
        data = from_arrays(X, y, groups=groups, name=name)
    parsed = study if isinstance(study, Study) else load_study(study)
    return run_study(
        parsed, storage=storage, data=data, reporter=reporter, command="remix_study.run(...)"
    )
