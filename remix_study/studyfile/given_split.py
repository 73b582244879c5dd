"""Keys of a problem whose data say how they are split: a fold column, a test file, or times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from remix_study.errors import StudyFileError
from remix_study.studyfile.table_format import Column
from remix_study.studyfile.validation import convert


class GivenSplit(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the data of a problem are split, where shuffled folds are not wanted.

    Attributes:
        fold: Column of the table whose values are the folds; see `docs/folds.md`.
        test_file: Path of a table of the same columns whose rows are only ever tested.
        time: Column of the table with dates or numbers: training rows lie before test rows.
        keep_time: Whether the column of times is a feature, too.
    """

    fold: Column | None = None
    test_file: str | None = None
    time: Column | None = None
    keep_time: bool = False


SPLIT_KEYS = GivenSplit.__struct_fields__


def parse_given_split(table: Mapping[str, Any], where: str) -> GivenSplit:
    """Check the keys of a problem's split.

    Raises:
        StudyFileError: A value of a wrong type, or keys that contradict each other.
    """
    split = convert(dict(table), GivenSplit, where)
    named = [key for key in ("fold", "test_file", "time") if getattr(split, key) is not None]
    if len(named) > 1:
        raise StudyFileError(
            f"{where}.{named[1]}: {named[0]} splits the rows already; keep one of the two"
        )
    if split.keep_time and split.time is None:
        raise StudyFileError(f"{where}.keep_time: there is no time; name its column or leave out")
    return split
