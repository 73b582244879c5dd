"""Snapshots as tables of plain columns, all studies in one table, for CSV and Parquet.

An array becomes one row an entry; all tables but ``studies`` begin with the study's name.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from remix_study.errors import UsageError
from remix_study.study.archive.jsonfile import in_digits
from remix_study.study.archive.layout import ARRAYS, TABLES, Fields, Kind, Record, Snapshot

_STUDY = "study_name"
_SHARE = "probability_"
# A spreadsheet would run cells that begin so; an apostrophe goes before them, and off again.
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")

Columns = dict[str, list[Any] | np.ndarray[Any, Any]]
# (table, its plain fields) -> plain cells and the other columns of each record.
Groups = Callable[[str, Sequence[str]], Iterator[tuple[list[Any], Columns]]]


def write_csv(snapshots: Sequence[Snapshot], folder: Path) -> None:
    """Write one CSV file a table, numbers with all their digits."""
    for table, fields in TABLES.items():
        names = _names(table, fields, snapshots)
        with open(folder / f"{table}.csv", "w", encoding="utf-8", newline="") as file:
            # With both characters in the line end, cells that contain either are quoted.
            writer = csv.writer(file, lineterminator="\r\n")
            writer.writerow(names)
            for snapshot in snapshots:
                columns = _columns(snapshot, table, fields, names)
                writer.writerows(zip(*(_texts(columns[name]) for name in names), strict=True))


def _texts(column: list[Any] | np.ndarray[Any, Any]) -> list[Any]:
    """A column as cells whose text gives back the value."""
    if not isinstance(column, np.ndarray):
        return [_cell(value) for value in column]
    if column.dtype != np.float32:
        return column.tolist()  # type: ignore[no-any-return]
    return ["" if word == "nan" else word for word in in_digits(column)]


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_RISKY):
        return f"'{value}"
    return value


def read_csv(folder: Path) -> list[Snapshot]:
    """Read what :func:`write_csv` wrote.

    Raises:
        OSError, ValueError, LookupError: Something is missing or damaged.
    """
    # Cells of JSON exceed the module's default limit.
    csv.field_size_limit(2**31 - 1)

    def groups(table: str, plain: Sequence[str]) -> Iterator[tuple[list[Any], Columns]]:
        with open(folder / f"{table}.csv", encoding="utf-8", newline="") as file:
            yield from _csv_groups(csv.reader(file, strict=True), plain, f"{table}.csv")

    return _snapshots(groups, text=True)


def _csv_groups(
    rows: Iterator[list[str]], plain: Sequence[str], where: str
) -> Iterator[tuple[list[Any], Columns]]:
    """Group neighbouring lines with equal plain cells; yield these and their other columns."""
    names = next(rows, [])
    plain_positions = [names.index(name) for name in plain]
    others = [position for position in range(len(names)) if position not in plain_positions]
    key: list[str] | None = None
    group: list[list[str]] = []
    for row in rows:
        if len(row) != len(names):
            raise ValueError(f"{where}: a line that is too short or too long")
        cells = [row[position] for position in plain_positions]
        if group and (cells != key or not others):
            yield key or [], {names[p]: [line[p] for line in group] for p in others}
            group = []
        key = cells
        group.append(row)
    if group:
        yield key or [], {names[p]: [line[p] for line in group] for p in others}


def need_pyarrow() -> None:
    """Check that pyarrow is installed.

    Raises:
        UsageError: It is not.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise UsageError(
            'Parquet needs pyarrow: pip install "remix-study[parquet]", or choose --format csv or '
            "json"
        ) from error


def write_parquet(snapshots: Sequence[Snapshot], folder: Path) -> None:
    """Write one Parquet file a table, one row group a study."""
    import pyarrow as pa
    from pyarrow import parquet

    types = {
        Kind.WHOLE: pa.int64(),
        Kind.REAL: pa.float64(),
        Kind.WHOLES: pa.int32(),
        Kind.REALS: pa.float32(),
        Kind.SHARES: pa.float32(),
    }
    for table, fields in TABLES.items():
        names = _names(table, fields, snapshots)
        kinds = _kinds(fields, names)
        schema = pa.schema([(name, types.get(kinds[name], pa.string())) for name in names])
        with parquet.ParquetWriter(folder / f"{table}.parquet", schema) as writer:
            for snapshot in snapshots:
                columns = _columns(snapshot, table, fields, names)
                arrays = [pa.array(columns[field.name], field.type) for field in schema]
                rows = pa.Table.from_arrays(arrays, schema=schema)
                writer.write_table(rows, row_group_size=max(1, rows.num_rows))


def read_parquet(folder: Path) -> list[Snapshot]:
    """Read what :func:`write_parquet` wrote.

    Raises:
        OSError, ValueError, LookupError: Something is missing or damaged.
    """
    from pyarrow import parquet

    def groups(table: str, plain: Sequence[str]) -> Iterator[tuple[list[Any], Columns]]:
        with parquet.ParquetFile(folder / f"{table}.parquet") as file:
            for number in range(file.num_row_groups):
                yield from _parquet_groups(file.read_row_group(number), plain)

    return _snapshots(groups, text=False)


def _parquet_groups(rows: Any, plain: Sequence[str]) -> Iterator[tuple[list[Any], Columns]]:
    """Group neighbouring rows with equal plain cells; yield these and their other columns."""
    import pyarrow.compute as pc

    if not rows.num_rows:
        return
    others = [name for name in rows.column_names if name not in plain]
    is_first = np.ones(rows.num_rows, bool)
    if others:
        is_first[1:] = False
        for name in plain:
            column = rows[name].combine_chunks()
            is_first[1:] |= pc.not_equal(column[1:], column[:-1]).to_numpy(zero_copy_only=False)
    starts = np.flatnonzero(is_first)
    stops = [*starts[1:], rows.num_rows]
    keys = zip(*(rows[name].take(starts).to_pylist() for name in plain), strict=True)
    columns = {name: rows[name].to_numpy() for name in others}
    for key, start, stop in zip(keys, starts, stops, strict=True):
        yield list(key), {name: column[start:stop] for name, column in columns.items()}


def _names(table: str, fields: Fields, snapshots: Sequence[Snapshot]) -> list[str]:
    """Names of a table's columns, in order, with one probability for each class of any study."""
    names = [] if table == "studies" else [_STUDY]
    for name, kind in fields.items():
        if kind == Kind.SHARES:
            n_classes = max((len(s.study["facts"]["classes"]) for s in snapshots), default=0)
            # Rows and classes are for readers of this table; an import takes them from the parts.
            names += ["row", "class", *(f"{_SHARE}{code}" for code in range(n_classes))]
        else:
            names.append(name)
    if table == "curves":
        names.insert(names.index("loss"), "epoch")
    return names


def _kinds(fields: Fields, names: Sequence[str]) -> dict[str, Kind]:
    added = {"epoch": Kind.WHOLES, "row": Kind.WHOLES, "class": Kind.WHOLES, _STUDY: Kind.TEXT}
    shares = {name: Kind.SHARES for name in names if name.startswith(_SHARE)}
    return added | shares | {name: kind for name, kind in fields.items() if name in names}


def _columns(snapshot: Snapshot, table: str, fields: Fields, names: Sequence[str]) -> Columns:
    """One study's part of a table."""
    records = snapshot.tables[table]
    arrays = [name for name, kind in fields.items() if kind in ARRAYS]
    repeats = np.array([len(record[arrays[0]]) if arrays else 1 for record in records], int)
    columns: Columns = {_STUDY: [snapshot.name] * int(repeats.sum())}
    for name, kind in fields.items():
        if kind in (Kind.WHOLES, Kind.REALS):
            columns[name] = _joined([record[name] for record in records], kind)
        elif kind == Kind.SHARES:
            columns |= _shares(snapshot, records, names)
        else:
            plain = [record[name] for record in records]
            if kind == Kind.JSON:
                plain = [json.dumps(value) for value in plain]
            columns[name] = [v for v, n in zip(plain, repeats, strict=True) for _ in range(n)]
    if table == "curves":
        epochs = [np.arange(1, n + 1) for n in repeats]
        columns["epoch"] = _joined(epochs, Kind.WHOLES)
    return columns


def _joined(arrays: Sequence[Any], kind: Kind) -> np.ndarray[Any, Any]:
    return np.concatenate([np.zeros(0), *arrays]).astype(kind.value)


def _shares(snapshot: Snapshot, records: Sequence[Record], names: Sequence[str]) -> Columns:
    """Rows, classes and probabilities; NaN for classes that the study does not have."""
    parts = {_part_key(part): part for part in snapshot.tables["parts"]}
    columns: Columns = {
        name: _joined([parts[_part_key(record)][name] for record in records], Kind.WHOLES)
        for name in ("row", "class")
    }
    for name in names:
        if name.startswith(_SHARE):
            code = int(name.removeprefix(_SHARE))
            probabilities = [
                record["probability"][:, code]
                if code < record["probability"].shape[1]
                else np.full(len(record["probability"]), np.nan)
                for record in records
            ]
            columns[name] = _joined(probabilities, Kind.REALS)
    return columns


def _part_key(record: Record) -> tuple[int, int, str]:
    return record["repeat"], record["fold"], record["part"]


def _snapshots(groups: Groups, *, text: bool) -> list[Snapshot]:
    """Assemble snapshots from all tables; ``text`` where every cell is text."""
    fields_of_study = TABLES["studies"]
    studies = [
        _record(list(fields_of_study), cells, fields_of_study, text)
        for cells, _ in groups("studies", list(fields_of_study))
    ]
    n_classes = {study["name"]: len(study["facts"]["classes"]) for study in studies}
    contents: dict[str, dict[str, list[Record]]] = {
        study["name"]: {table: [] for table in TABLES} | {"studies": [study]} for study in studies
    }
    for table, fields in TABLES.items():
        if table == "studies":
            continue
        plain = [_STUDY, *(name for name, kind in fields.items() if kind not in ARRAYS)]
        for cells, columns in groups(table, plain):
            record = _record(plain, cells, {_STUDY: Kind.TEXT, **fields}, text)
            study = record.pop(_STUDY)
            for name, kind in fields.items():
                if kind == Kind.SHARES:
                    shares = [columns[f"{_SHARE}{code}"] for code in range(n_classes[study])]
                    arrays = [_array(share, Kind.REALS) for share in shares]
                    record[name] = np.stack(arrays, axis=1)
                elif kind in ARRAYS:
                    record[name] = _array(columns[name], kind)
            contents[study][table].append({name: record[name] for name in fields})
    return [Snapshot(tables) for tables in contents.values()]


def _record(names: Sequence[str], cells: Sequence[Any], fields: Fields, text: bool) -> Record:
    return {
        name: _value(cell, fields[name], text) for name, cell in zip(names, cells, strict=True)
    }


def _value(cell: Any, kind: Kind, text: bool) -> Any:
    if kind == Kind.JSON:
        return json.loads(_uncell(cell) if text else cell)
    if kind == Kind.WHOLE:
        return int(cell)
    if kind == Kind.REAL:
        return None if cell in ("", None) else float(cell)
    if not text:
        return cell
    return _uncell(cell) or (None if kind == Kind.MAYBE else "")


def _array(cells: Any, kind: Kind) -> np.ndarray[Any, Any]:
    if isinstance(cells, list):
        cells = [float(cell or "nan") for cell in cells]
    return np.asarray(cells).astype(kind.value)


def _uncell(cell: str) -> str:
    return cell[1:] if cell.startswith("'") else cell
