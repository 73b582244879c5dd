"""Read ARFF files and KEEL's: the header gives each column's type, KEEL's also the class."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.number_cells import plain_number
from remix_study.data.raw_table import RawTable
from remix_study.data.text_encoding import as_utf8
from remix_study.data.text_table import parse_text_table
from remix_study.errors import DataError, join_names
from remix_study.studyfile.table_format import TableFormat

if TYPE_CHECKING:
    import pandas as pd

_DATA_LINE = re.compile(rb"^[ \t]*@data\b[^\n]*", re.IGNORECASE | re.MULTILINE)
_LINE = re.compile(r"\s*@(\w+)\s*(.*?)\s*$")
_ATTRIBUTE = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s{]+)\s*(.*)""")
_NAME = re.compile(r"""\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,]*)\s*(?:,|$)""")
_NUMBER_TYPES = ("numeric", "real", "integer")
_MISSING = ("?", "<null>")
# Letters of a Java date format and what Python calls them; quotes stand around plain letters.
_DATE_LETTERS = {"yyyy": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M"}
_DATE_LETTERS |= {"ss": "%S", "SSS": "%f", "'": ""}


@dataclass(frozen=True)
class _Attribute:
    """A column: its name and type; the values of a nominal one, the format of a date."""

    name: str
    kind: str
    values: tuple[str, ...] = ()
    date_format: str | None = None

    @property
    def is_truth_value(self) -> bool:
        """Whether it is nominal with the values true and false, in any case."""
        return {value.lower() for value in self.values} == {"true", "false"}


@dataclass(frozen=True)
class _Header:
    """The columns, and those that KEEL's header calls inputs and outputs."""

    attributes: tuple[_Attribute, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def is_arff(content: bytes) -> bool:
    """Whether a text begins with a line such as ``@relation``, after comments."""
    lines = (line.strip() for line in content.lstrip(b"\xef\xbb\xbf").splitlines())
    first = next((line for line in lines if line and not line.startswith(b"%")), b"")
    return first[:1] == b"@"


def parse_arff(
    content: bytes, path: Path, table_format: TableFormat, verbatim: Sequence[str | int] = ()
) -> RawTable:
    """Parse an ARFF or KEEL file, dense or sparse.

    Args:
        content: The unpacked bytes of the file.
        path: The file, for messages.
        table_format: Its encoding.
        verbatim: Columns, by name or number, whose cells stay as they are written.

    Returns:
        Numbers as float64, nominal columns as categories or truth values, dates as dates, others
        as text; the label where KEEL's header names one output.

    Raises:
        DataError: The header or a row cannot be read, a cell is no number or not among the
            values that the header names.
    """
    text = as_utf8(content, path, table_format.encoding)[0]
    data_line = _DATA_LINE.search(text)
    if data_line is None:
        raise DataError(f"{path}: no line @data; an ARFF or KEEL file has its rows after one")
    head = text[: data_line.end()]
    header = _parse_header(head.decode().split("\n"), path)
    # Blank lines in the header's place, so that lines are counted as in the file.
    body = b"\n" * head.count(b"\n") + text[data_line.end() :]
    if not body.strip():
        raise DataError(f"{path}: the file has no rows")
    is_plain = not any(mark in body for mark in (b"'", b'"', b"{", b"\\", b"%"))
    raw = (_read_plain if is_plain else _read_quoted_or_sparse)(body, path, header)
    columns, n, written = {}, len(header.attributes), {*verbatim, *header.outputs}
    for i, attribute in enumerate(header.attributes):
        column = _typed(raw, i, attribute)
        if attribute.is_truth_value and written.isdisjoint({attribute.name, i + 1, i - n}):
            column = _truth_values(column)
        columns[attribute.name] = column
    used = {*header.inputs, *header.outputs} if header.inputs else set(columns)
    unused = [name for name in columns if name not in used]
    note = f"{path.name}: {join_names(unused)}: neither input nor output in the header; left out"
    return RawTable(
        source=str(path),
        frame=_frame({name: column for name, column in columns.items() if name in used}),
        lines=raw.lines,
        sha256=hashlib.sha256(content).hexdigest(),
        label=header.outputs[0] if len(header.outputs) == 1 else None,
        notes=(note,) if unused else (),
    )


def _truth_values(column: Any) -> Any:
    import pandas as pd

    truth = {name: name.lower() == "true" for name in column.categories}
    return pd.array([truth.get(cell) for cell in column], dtype="boolean")


def _parse_header(lines: Sequence[str], path: Path) -> _Header:
    """Parse the lines before the rows."""
    attributes: dict[str, _Attribute] = {}
    roles: dict[str, tuple[str, ...]] = {"input": (), "output": ()}
    for number, line in enumerate(lines, start=1):
        match = _LINE.match(line)
        key = match[1].lower() if match else ""
        if match and key == "attribute":
            where = f"{path}, line {number}"
            attribute = _parse_attribute(match[2], where)
            if attribute.name in attributes:
                raise DataError(f'{where}: two columns are named "{attribute.name}"; rename one')
            attributes[attribute.name] = attribute
        elif match and key.rstrip("s") in roles:
            roles[key.rstrip("s")] += tuple(_split(match[2]))
    if not attributes:
        raise DataError(f"{path}: the header has no @attribute line; it needs one for each column")
    for name in roles["input"] + roles["output"]:
        if name not in attributes:
            raise DataError(f'{path}: the header\'s input or output "{name}" is no column')
    return _Header(tuple(attributes.values()), roles["input"], roles["output"])


def _parse_attribute(text: str, where: str) -> _Attribute:
    """Parse a line ``@attribute NAME TYPE``; a range behind a KEEL type is passed over."""
    match = _ATTRIBUTE.match(text)
    kind = match[2] if match else ""
    word = re.split(r"[\s\[]", kind, maxsplit=1)[0].lower()
    if match is None or not kind:
        raise DataError(f"{where}: write @attribute NAME TYPE")
    name = _unquoted(match[1])
    if kind.startswith("{"):
        return _Attribute(name, "nominal", tuple(_split(kind.strip("{} \t"))))
    if word == "date":
        java = _unquoted(kind[4:].strip())
        parts = re.findall(r"yyyy|yy|MM|dd|HH|mm|SSS|ss|'|[^a-zA-Z']+|T", java)
        if "".join(parts) != java:
            raise DataError(f'{where}: the date format "{java}" is not read; write dates as text')
        date_format = "".join(_DATE_LETTERS.get(part, part) for part in parts)
        return _Attribute(name, "date", date_format=date_format or None)
    if word in _NUMBER_TYPES:
        return _Attribute(name, "number")
    if word == "string":
        return _Attribute(name, "text")
    raise DataError(
        f'{where}, column "{name}": type "{word}" is not read; use numeric, string, date or '
        "nominal values in braces"
    )


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _split(text: str) -> list[str]:
    """The names of a list that commas separate, each plain or in quotes."""
    return [_unquoted(name.strip()) for name in _NAME.findall(text) if name.strip()]


def _read_plain(body: bytes, path: Path, header: _Header) -> RawTable:
    """Read rows without quotes by the reader of separated text."""
    texts = [i for i, a in enumerate(header.attributes, start=1) if a.kind != "number"]
    plain = TableFormat(separator=",", header=False, missing=_MISSING)
    table = parse_text_table(body, path, plain, texts)
    if len(table.names) != len(header.attributes):
        raise DataError(
            f"{table.place(0)}: {len(table.names)} cells for {len(header.attributes)} columns of "
            "the header; mend the row or the header"
        )
    return table


def _read_quoted_or_sparse(body: bytes, path: Path, header: _Header) -> RawTable:
    """Read rows with quotes, or such as ``{0 1.5, 3 yes}``, as text."""
    import arff

    # Numbers as text, so that a cell that is none can be named.
    kinds = [
        f"{{{','.join(map(arff.encode_string, a.values))}}}" if a.kind == "nominal" else "STRING"
        for a in header.attributes
    ]
    head = ["@relation r", *(f"@attribute a{i} {kind}" for i, kind in enumerate(kinds)), "@data"]
    lines = body.decode().split("\n")
    rows = [n for n, line in enumerate(lines, start=1) if line.strip() and line.strip()[0] != "%"]
    if not rows:
        raise DataError(f"{path}: the file has no rows")
    try:
        cells = arff.ArffDecoder().decode([*head, *lines])["data"]
    except arff.ArffException as error:
        fault = f"not a row of {len(kinds)} cells; check its commas and quotes"
        if isinstance(error, arff.BadNominalValue):
            # Its text takes a percent sign in the value for a place of its own.
            value = error.message.removeprefix("Data value ").rpartition(" not found in ")[0]
            fault = f'"{value}" is not among the values that the header names'
        raise DataError(f"{path}, line {error.line - len(head)}: {fault}") from None
    columns = zip(*cells, strict=True)
    frame = _frame({str(i): np.array(column, dtype=object) for i, column in enumerate(columns)})
    return RawTable(str(path), frame, np.array(rows, dtype=np.intp))


def _typed(raw: RawTable, position: int, attribute: _Attribute) -> Any:
    """A column in the type that the header gives it."""
    import pandas as pd

    column = raw.frame.iloc[:, position]
    if attribute.kind == "number" and column.dtype.kind in "iuf":
        return column.to_numpy(dtype=np.float64)
    texts = column.map(lambda cell: str(cell).strip(), na_action="ignore")
    if attribute.kind == "text":
        return texts
    bad: NDArray[np.bool_]
    if attribute.kind == "nominal":
        bad = (texts.notna() & ~texts.isin(attribute.values)).to_numpy()
        typed: Any = pd.Categorical(texts)
        expected = f"among the values that the header names ({join_names(attribute.values, 8)})"
    elif attribute.kind == "date":
        typed = pd.to_datetime(texts, format=attribute.date_format, errors="coerce")
        bad, expected = (typed.isna() & texts.notna()).to_numpy(), "a date of the header's format"
    else:
        numbers = texts.map(plain_number, na_action="ignore")
        typed = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
        bad, expected = np.isnan(typed) & texts.notna().to_numpy(), "a number, as the header says"
    if bad.any():
        row = int(bad.argmax())
        raise DataError(
            f'{raw.place(row)}, column "{attribute.name}": "{texts.iloc[row]}" is not {expected}; '
            "mend the cell or the header"
        )
    return typed


def _frame(columns: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns)
