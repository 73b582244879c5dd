"""What stops a reader: accounts of runs that are damaged, and runs that lack rows.

A mean over what is left of a run would be a number nobody asked for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from remix_study.errors import StorageError
from remix_study.study import tables
from remix_study.study.content_checks import RETRAIN
from remix_study.study.stored_content import Manifest

# Roles of studies whose trials train some of the folds.
_SOME_FOLDS = ("outer", "rare-rows")


def run_of_trial(runs: Mapping[Any, Any], attributes: Mapping[str, Any], name: str) -> Any:
    """The run of a trial that has ended with scores.

    Args:
        runs: Those of its study, by UUID.
        attributes: Of the trial.
        name: Its name in messages.

    Raises:
        StorageError: It is not there.
    """
    run = runs.get(attributes[tables.RUN_ATTRIBUTE])
    if run is None:
        raise _lacking(name, "rows of its results")
    return run


def check_whole(
    study: Any, numbers: Mapping[int, int], folds: Iterable[Any], scores: Iterable[tuple[Any, ...]]
) -> None:
    """Stop where a run lacks folds, or scores of a fold.

    Args:
        study: Its row in the table of studies.
        numbers: Run -> number of its trial.
        folds: Rows of the runs' folds.
        scores: Their scores, which begin with run, repeat, fold and part.

    Raises:
        StorageError: Names the first trial that is not whole.
    """
    n_folds: dict[int, Counter[int]] = defaultdict(Counter)
    for fold in folds:
        n_folds[fold.run_id][fold.repeat] += 1
    n_parts = Counter((run, repeat) for run, repeat, *_ in {score[:4] for score in scores})
    for run, number in numbers.items():
        repeats = n_folds[run]
        is_some = study.facts.get("role") in _SOME_FOLDS
        has_folds = bool(repeats) if is_some else {*repeats.values()} == {study.facts["folds"]}
        if not (has_folds and all(n_parts[run, r] == 2 * n for r, n in repeats.items())):
            missing = "scores" if has_folds else "folds"
            raise _lacking(f"{study.name}: trial {number}", f"{missing} of its results")


def check_manifests(study: Any, contents: Iterable[Any]) -> None:
    """Stop where an account of how a study was run cannot be read.

    Raises:
        StorageError: Names the study, and how to delete the account.
    """
    for content in contents:
        try:
            msgspec.convert(content, Manifest)
        except msgspec.ValidationError as error:
            raise StorageError(
                f"{study.name}: an account of how it was run is damaged ({error}); `repair` "
                "deletes it"
            ) from error


def _lacking(name: str, rows: str) -> StorageError:
    return StorageError(f"{name} is COMPLETE, and {rows} are not there; {RETRAIN}")
