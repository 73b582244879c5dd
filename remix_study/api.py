"""Running a study from Python."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remix_study.data.arrays import from_arrays
from remix_study.deploy.fit import Request, fit_study
from remix_study.deploy.loading import load
from remix_study.deploy.refit import Stop
from remix_study.deploy.saved_model import SavedModel
from remix_study.errors import UsageError
from remix_study.models.custom import add_plugin_folder
from remix_study.report.notebook import StudySummary
from remix_study.report.python_progress import default_reporter
from remix_study.study.default_study import is_table, plan_data, plan_file
from remix_study.study.reporter import Reporter
from remix_study.study.runner import run as run_study
from remix_study.study.signals import Signals
from remix_study.study.task_preparation import refuse_unused_data
from remix_study.studyfile.parsing import find_study, load_study
from remix_study.studyfile.schema import DEFAULT_STORAGE, Study

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from remix_study.data.dataset import Dataset


def run(
    study: str | Path | Study | Any,
    X: ArrayLike | Any = None,
    y: ArrayLike | None = None,
    *,
    label: object = None,
    groups: ArrayLike | object = None,
    sample_weight: ArrayLike | None = None,
    X_test: ArrayLike | Any = None,
    y_test: ArrayLike | None = None,
    sample_weight_test: ArrayLike | None = None,
    name: str | None = None,
    storage: str = DEFAULT_STORAGE,
    reporter: Reporter | None = None,
    timeout: float | None = None,
) -> StudySummary:
    """Run every configuration of a study that is not complete yet.

    Without a study file the default study of a table is planned by rules::

        remix_study.run("customers.csv", label="churned")

    Args:
        study: A study file's path, the name of a built-in study, or a study as
            :func:`remix_study.studyfile.parsing.load_study` or ``parse_study`` gives it; or a
            table to plan a study for: a file's path, a data frame, or a dictionary of columns.
        X: Features (n, d), an array or a data frame, or images, uint8 (n, height, width,
            channels); for the problems that name neither a data set nor a file nor images.
        y: Classes (n,), numbers or names.
        label: The column of a table that holds the class; only without a study.
        groups: Groups (n,) that no split may part; of a table the column that holds them.
        sample_weight: Weights (n,) by which rows count in losses and scores.
        X_test: Features (m, d) as ``X`` has them, of rows that are only tested: they take the
            place of the test parts of cross-validation.
        y_test: Their classes (m,).
        sample_weight_test: Their weights (m,), where the rows of ``X`` have weights.
        name: Name of the data in the database and in reports; of a table also of its study.
        storage: URL of the database; results are added to it.
        reporter: Receives the events of the run and its notes; by default notes, such as of a
            column that was left out, are a ``UserWarning``, and a notebook shows bars. A plain
            :class:`remix_study.study.reporter.Reporter` shows nothing.
        timeout: Seconds after which no trial begins; one that has begun is finished. In place of
            the study file's.

    Returns:
        How many configurations were complete before, were completed and failed. A notebook
        shows it with the scores; ``results`` holds them as data frames, ``study_file`` the text
        of the study.

    Raises:
        StudyFileError: The study file, or a change in it since the study began.
        DataError: The data.
        StorageError: The database.
        UsageError: Arguments that contradict each other, or a model that cannot be used.
    """
    data = None
    if label is not None or _is_table(study):
        parsed, data = _planned(study, label, groups, name, X=X, y=y, X_test=X_test)
        X = y = groups = None
    else:
        parsed = _load_study(study)
    if timeout is not None and not (isinstance(timeout, int | float) and timeout > 0):
        raise UsageError(f"timeout: give seconds, a number above 0 (found {timeout!r})")
    parsed = parsed.with_timeout(timeout)
    with_X = {"groups": groups, "sample_weight": sample_weight, "X_test and y_test": X_test}
    _check_pair("X", X, "y", y, with_X)
    _check_pair("X_test", X_test, "y_test", y_test, {"sample_weight_test": sample_weight_test})
    if X is not None and y is not None:
        refuse_unused_data(parsed)
        row_groups: Any = groups
        data = from_arrays(
            X,
            y,
            groups=row_groups,
            sample_weight=sample_weight,
            name=name or "data",
            X_test=X_test,
            y_test=y_test,
            sample_weight_test=sample_weight_test,
        )
    signals = Signals()
    with signals.installed(signal.SIGINT) if _is_ctrl_c_ours() else nullcontext():
        summary = run_study(
            parsed,
            storage=storage,
            data=data,
            reporter=reporter or default_reporter(),
            signals=signals,
            command="remix_study.run(...)",
        )
    facts: dict[str, Any] = vars(summary) | {"storage": storage, "study_file": parsed.text}
    return StudySummary(study=parsed.name, **facts)


def fit(
    study: str | Path | Study,
    X: ArrayLike | Any = None,
    y: ArrayLike | None = None,
    *,
    label: object = None,
    groups: ArrayLike | object = None,
    sample_weight: ArrayLike | None = None,
    name: str = "data",
    problem: str | None = None,
    method: str | None = None,
    trial: int | None = None,
    stop: Stop = "validation",
    output: str | Path = "model",
    export: str | None = None,
    storage: str = DEFAULT_STORAGE,
) -> SavedModel:
    """Train what the decision of a study names on all rows, and write a folder with the model.

    Args:
        study: A study file's path, the name of a study in the database, or a study.
        X: The data that the study was run on, where its problem names none; with ``label`` a
            data frame or dictionary of columns.
        y: Classes (n,).
        label: The column of ``X`` that holds the class, in place of ``y``.
        groups: Groups (n,), or their column.
        sample_weight: Weights (n,).
        name: Name of the data, as when the study was run.
        problem: The problem's name, where the study has several.
        method: Label of a method as pages have it, in place of the decision's.
        trial: Number of a trial of the problem, in place of a label.
        stop: How training ends where it stops early: by a validation part that is kept back, as
            on the folds, or (``epochs``) on all rows after the median epochs of the folds.
        output: The folder; a model that is there is replaced.
        export: ``savedmodel`` or ``onnx``: also writes a network in this form.
        storage: URL of the database.

    Returns:
        The model, as :func:`remix_study.load` gives it.

    Raises:
        StudyFileError: The study file, or a change in it since the study began.
        DataError: The data.
        StorageError: The database.
        UsageError: A problem, method or folder that cannot be used, or a failed training.
    """
    data = None
    if label is not None:
        for what, values in (("y", y), ("sample_weight", sample_weight)):
            if values is not None:
                raise UsageError(f"{what}: not beside label; leave it out, or give X and y")
        _, data = plan_data(X, label, groups, name=name)
    else:
        _check_pair("X", X, "y", y, {"groups": groups, "sample_weight": sample_weight})
    if label is None and X is not None and y is not None:
        row_groups: Any = groups
        data = from_arrays(X, y, groups=row_groups, sample_weight=sample_weight, name=name)
    call = "remix_study.fit(...)"
    request = Request(problem, method, trial, stop, Path(output), storage, export, command=call)
    fit_study(study, request, data)
    return load(output)


def _check_pair(x: str, X: Any, y: str, classes: Any, beside: Mapping[str, Any]) -> None:
    """Refuse rows without their classes, or the reverse, and what belongs to them without them."""
    if (X is None) != (classes is None):
        raise UsageError(f"give {x} and {y} together, or neither")
    for what, values in beside.items():
        if X is None and values is not None:
            raise UsageError(
                f"{what}: given without {x} and {y}; give those too, or leave {what} out"
            )


def _is_table(study: Any) -> bool:
    """Whether a study is to be planned for what a user gives in its place."""
    if isinstance(study, str | Path):
        return is_table(str(study))
    return not isinstance(study, Study)


def _planned(
    table: Any, label: Any, groups: Any, name: str | None, **arrays: Any
) -> tuple[Study, Dataset | None]:
    """The default study of a table, and its data where no file holds them."""
    if isinstance(table, Study):
        raise UsageError("label is for a table, which has no study yet; leave it out")
    if array_names := [key for key, value in arrays.items() if value is not None]:
        raise UsageError(f"{array_names[0]} belongs to a study; a table has label, its column")
    if not isinstance(table, str | Path):
        return plan_data(table, label, groups, name=name or "data")
    if not is_table(str(table)):
        raise UsageError(f"{table} is a study, and label is for a table; leave label out")
    return plan_file(table, label, groups, name=name), None


def _load_study(study: str | Path | Study) -> Study:
    parsed = study if isinstance(study, Study) else load_study(find_study(str(study)))
    add_plugin_folder(parsed)
    return parsed


def _is_ctrl_c_ours() -> bool:
    """Whether no other code handles Ctrl-C, so that it may wait while results are written."""
    return (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
