"""Read one cell as a number, or say what keeps it from being one."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache

import numpy as np

from remix_study.studyfile.table_format import TableFormat

_PLAIN = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf|infinity)", re.IGNORECASE
)
_SIGN = re.compile(
    r"(?:US|[CAR])?\$|[%‰£€¥₹₽₩₺₪]|\b(?:USD|EUR|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|BRL|kr|zł)\b"
)
# What looks like a minus and is none for a computer.
_MINUS = re.compile("^[\u2212\u2013\ufe63\uff0d](?=[0-9.,])")
_BLANK_GROUPS = re.compile("[\u00a0\u2009\u202f]")
# A negative number as accountants and some programs write it; "(1)" and "3-" are names or grades.
_NEGATIVE = re.compile(r"\((.*[0-9][0-9.,]+)\)|(.*[0-9][0-9.,]+)-")
_WITH_UNIT = re.compile(r"[+-]?[0-9][0-9.,]*\s*([^\W\d_]{1,8}|°[^\W\d_]?)")
_QUOTES = ("'", '"', "`")
# A longer text is no number; regular expressions on it would only take time.
_LONGEST = 60


@dataclass(frozen=True)
class Cell:
    """What a cell holds.

    Attributes:
        text: As it is written.
        value: Its number, NaN if it is none.
        fault: Why it is none: ``group`` (digits are grouped by ``mark``), ``decimal`` (``mark`` is
            its decimal mark), ``unit`` (``mark`` stands before or behind it), ``negative``
            (parentheses or a minus behind it stand for its sign), ``text``; "" for a number.
        mark: What keeps it from being a number.
        decimal_mark: The decimal mark of a number whose digits are grouped, if it differs.
        change: What was replaced in it to read it, or "".
    """

    text: object
    value: float = np.nan
    fault: str = ""
    mark: str = ""
    decimal_mark: str = ""
    change: str = ""


def plain_number(text: str) -> float:
    """The float64 nearest to a text, NaN if it is no number."""
    # pandas.to_numeric reads a neighbour of it before pandas 3.1.
    return float(text) if _PLAIN.fullmatch(text) else math.nan


def read_cell(text: object, table_format: TableFormat) -> Cell:
    """Read a cell, without blanks around it, as a number of the format.

    Quotes around a number and a Unicode minus before it leave no doubt and are replaced.

    Args:
        text: A text, or a number as in a cell of a spreadsheet.
        table_format: Decimal mark, what groups digits, and units.
    """
    if not isinstance(text, str):
        try:
            return Cell(text, float(text))  # type: ignore[arg-type]
        except OverflowError:
            return Cell(text, math.inf)
    core, change = text, ""
    if len(text) > _LONGEST or not any(character.isdigit() for character in text):
        is_infinite = _PLAIN.fullmatch(text)
        return Cell(text, float(text)) if is_infinite else Cell(text, fault="text")
    if len(core) > 2 and core[0] == core[-1] and core[0] in _QUOTES:
        core, change = core[1:-1].strip(), "quotes"
    if _MINUS.match(core):
        core, change = f"-{core[1:]}", "minus sign"
    for unit in table_format.units:
        core = _without(core, unit)
    decimal, thousands = table_format.decimal, table_format.thousands
    if thousands:
        if thousands == " ":
            core = _BLANK_GROUPS.sub(" ", core)
        if _grouped(thousands, decimal).fullmatch(core):
            core = core.replace(thousands, "")
    number = core if decimal == "." else core.replace(".", "?").replace(decimal, ".")
    if _PLAIN.fullmatch(number):
        return Cell(text, float(number), change=change)
    fault, mark, decimal_mark = _fault(core, decimal)
    return Cell(text, fault=fault, mark=mark, decimal_mark=decimal_mark)


def has_decimal_mark(text: object, decimal: str) -> bool:
    """Whether a number has the decimal mark in a place where it groups no digits."""
    other = "," if decimal == "." else "."
    return (
        isinstance(text, str) and decimal in text and not _grouped(decimal, other).fullmatch(text)
    )


def unit_of(text: object) -> str:
    """The letters behind the number of a cell such as ``12 kg``, or ""."""
    match = _WITH_UNIT.fullmatch(text) if isinstance(text, str) else None
    return match[1] if match else ""


def _without(core: str, unit: str) -> str:
    """A number without the unit before or behind it; ``-$5`` and ``$-5`` are -5."""
    sign = core[0] if core[:1] in ("+", "-") and core[1:].lstrip().startswith(unit) else ""
    return sign + core.removeprefix(sign).lstrip().removeprefix(unit).removesuffix(unit).strip()


@cache
def _grouped(mark: str, decimal: str) -> re.Pattern[str]:
    """A number whose digits are grouped by threes, or in India by twos before the last three."""
    group, point = re.escape(mark), re.escape(decimal)
    return re.compile(
        rf"[+-]?[0-9]{{1,3}}(?:{group}[0-9]{{2,3}})*{group}[0-9]{{3}}(?:{point}[0-9]*)?"
    )


@cache
def _with_decimal(mark: str) -> re.Pattern[str]:
    point = re.escape(mark)
    return re.compile(rf"[+-]?(?:[0-9]+{point}[0-9]*|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?")


def _fault(core: str, decimal: str) -> tuple[str, str, str]:
    """The fault, mark and other decimal mark of a text that is no plain number."""
    other = "," if decimal == "." else "."
    if fault := _digit_fault(core, decimal, other):
        return fault
    if negative := _NEGATIVE.fullmatch(core):
        size = negative[1] or negative[2]
        is_plain = _PLAIN.fullmatch(size.replace(decimal, "."))
        return "negative" if is_plain or _digit_fault(size, decimal, other) else "text", "", ""
    if sign := _SIGN.search(core):
        rest = _without(core, sign[0])
        plain = rest.replace(decimal, ".") if decimal != "." else rest
        if rest != core and (_PLAIN.fullmatch(plain) or _digit_fault(rest, decimal, other)):
            return "unit", sign[0], ""
    return "text", "", ""


def _digit_fault(core: str, decimal: str, other: str) -> tuple[str, str, str] | None:
    for mark in (other, " ", "'", "\u2019", "\u00a0", "\u2009", "\u202f"):
        if _grouped(mark, decimal).fullmatch(core):
            return "group", " " if mark.isspace() else mark, ""
    if _with_decimal(other).fullmatch(core):
        return "decimal", other, ""
    for mark in (decimal, " ", "'", "\u2019", "\u00a0", "\u202f"):
        if _grouped(mark, other).fullmatch(core):
            return "group", " " if mark.isspace() else mark, other
    return None
