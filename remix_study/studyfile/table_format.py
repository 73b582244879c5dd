"""Keys of a problem that say how its table is written and which classes it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from remix_study.errors import StudyFileError
from remix_study.studyfile.validation import convert

Label = str | Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Column = str | Annotated[int, Meta(ge=-100_000, le=100_000)]


class TableFormat(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a table is written: keys of a problem beside ``file``.

    Attributes:
        separator: What separates cells; ``" "`` stands for any run of blanks. Left out: what the
            file shows without doubt.
        quote: What cells are set in: ``"``, ``'`` or ``none``. Left out: ``"``, unless lines leave
            a doubt.
        decimal: The decimal mark of numbers.
        thousands: What groups the digits of numbers.
        encoding: The text's encoding. Left out: UTF-8, or as a byte order mark says.
        header: Whether the first line names the columns; else they are ``column 1`` and so on.
        missing: Cells that stand for a missing value, beside the usual ones.
        units: Signs that are taken off numbers, such as ``%`` or ``$``.
        categorical: Columns, by name or number, whose cells are names even where they look like
            numbers.
        embedding: Columns, by name or number, whose texts become vectors of a network for
            sentences, in place of hashed n-grams; needs the extra ``embedding``.
    """

    separator: Annotated[str, Meta(max_length=10)] = ""
    quote: Literal["", '"', "'", "none"] = ""
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'", "’"] = ""
    encoding: Annotated[str, Meta(max_length=40)] = ""
    header: bool = True
    missing: tuple[str | int | float, ...] = ()
    units: tuple[str, ...] = ()
    categorical: tuple[Column, ...] = ()
    embedding: tuple[Column, ...] = ()


class ClassChoice(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Classes of a data set that become one or are left out: ``classes`` of a problem.

    Attributes:
        merge: The classes that become one, by its name.
        drop: Classes whose rows are left out.
    """

    merge: dict[str, tuple[Label, ...]] = {}
    drop: tuple[Label, ...] = ()


TABLE_KEYS = TableFormat.__struct_fields__


def parse_table_format(table: Mapping[str, Any], where: str) -> TableFormat:
    """Check the keys of a table's format.

    Raises:
        StudyFileError: A value of a wrong type, or two keys that contradict each other.
    """
    values = convert(dict(table), TableFormat, where)
    if values.thousands == values.decimal:
        raise StudyFileError(
            f'{where}.thousands: "{values.thousands}" is the decimal mark, too; write another '
            "decimal"
        )
    quotes = values.quote if values.quote != "none" else ""
    if any(character in f'"\r\n\x00\x1f{quotes}' for character in values.separator):
        raise StudyFileError(f"{where}.separator: quotes and line ends separate no cells")
    if any(not unit.strip() for unit in values.units):
        raise StudyFileError(f"{where}.units: an empty sign; leave it out")
    return msgspec.structs.replace(
        values,
        # The regular expression that pandas and R have for it.
        separator=" " if values.separator == r"\s+" else values.separator,
        missing=tuple(_number_text(cell) for cell in values.missing),
    )


def _number_text(cell: str | int | float) -> str:
    """A cell as text: the number -999.0 of a study file is the cell ``-999``."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def parse_classes(table: Any, where: str) -> ClassChoice:
    """Check the classes that a problem merges or leaves out.

    Raises:
        StudyFileError: A value of a wrong type.
    """
    if not isinstance(table, dict):
        raise StudyFileError(f"{where}: write it as a table with merge and drop")
    merge = table.get("merge", {})
    if not isinstance(merge, dict):
        raise StudyFileError(f'{where}.merge: write a table such as {{yes = ["Yes", "YES"]}}')
    for name, labels in merge.items():
        convert({"drop": labels}, ClassChoice, f"{where}.merge.{name}")
    return convert(table, ClassChoice, where)
