"""Studies as tables of plain columns, all studies in one table, for CSV and Parquet.

An array becomes as many rows; every table but that of the studies begins with the study's name.
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
# What a spreadsheet would run; an apostrophe before it is taken off again.
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")

Columns = dict[str, list[Any] | np.ndarray[Any, Any]]
# (table, its plain fields) -> plain cells and the other columns of each group of rows.
Groups = Callable[[str, Sequence[str]], Iterator[tuple[list[Any], Columns]]]


def write_csv(snapshots: Sequence[Snapshot], folder: Path) -> None:
    """Write a CSV file a table, numbers with all their digits."""
    for table, fields in TABLES.items():
        names = _names(table, fields, snapshots)
        with open(folder / f"{table}.csv", "w", encoding="utf-8", newline="") as file:
            # With both characters in the line's end, cells that hold either are quoted.
            writer = csv.writer(file, lineterminator="\r\n")
            writer.writerow(names)
            for snapshot in snapshots:
                found = _columns(snapshot, table, fields, names)
                writer.writerows(zip(*(_texts(found[name]) for name in names), strict=True))


def _texts(column: list[Any] | np.ndarray[Any, Any]) -> list[Any]:
    """Cells whose text gives back the value."""
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
    # Cells of JSON are longer than what the module expects.
    csv.field_size_limit(2**31 - 1)

    def groups(table: str, plain: Sequence[str]) -> Iterator[tuple[list[Any], Columns]]:
        with open(folder / f"{table}.csv", encoding="utf-8", newline="") as file:
            yield from _csv_groups(csv.reader(file, strict=True), plain, f"{table}.csv")

    return _snapshots(groups, text=True)


def _csv_groups(
    rows: Iterator[list[str]], plain: Sequence[str], where: str
) -> Iterator[tuple[list[Any], Columns]]:
    """Neighbouring lines with equal plain cells, and their other columns."""
    names = next(rows, [])
    places = [names.index(name) for name in plain]
    others = [place for place in range(len(names)) if place not in places]
    key: list[str] | None = None
    group: list[list[str]] = []
    for row in rows:
        if len(row) != len(names):
            raise ValueError(f"{where}: a line that is too short or too long")
        own = [row[place] for place in places]
        if group and (own != key or not others):
            yield key or [], {names[p]: [line[p] for line in group] for p in others}
            group = []
        key = own
        group.append(row)
    if group:
        yield key or [], {names[p]: [line[p] for line in group] for p in others}


def need_pyarrow() -> None:
    """Refuse Parquet where nothing can write it.

    Raises:
        UsageError: Says what to install.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise UsageError(
            'Parquet needs pyarrow: pip install "remix-study[parquet]", or choose --format csv or '
            "json"
        ) from error


def write_parquet(snapshots: Sequence[Snapshot], folder: Path) -> None:
    """Write a Parquet file a table, a row group a study."""
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
                found = _columns(snapshot, table, fields, names)
                arrays = [pa.array(found[field.name], field.type) for field in schema]
                one = pa.Table.from_arrays(arrays, schema=schema)
                writer.write_table(one, row_group_size=max(1, one.num_rows))


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


def _parquet_groups(found: Any, plain: Sequence[str]) -> Iterator[tuple[list[Any], Columns]]:
    """Neighbouring rows with equal plain cells, and their other columns."""
    import pyarrow.compute as pc

    if not found.num_rows:
        return
    others = [name for name in found.column_names if name not in plain]
    new = np.ones(found.num_rows, bool)
    if others:
        new[1:] = False
        for name in plain:
            column = found[name].combine_chunks()
            new[1:] |= pc.not_equal(column[1:], column[:-1]).to_numpy(zero_copy_only=False)
    begins = np.flatnonzero(new)
    ends = [*begins[1:], found.num_rows]
    keys = zip(*(found[name].take(begins).to_pylist() for name in plain), strict=True)
    columns = {name: found[name].to_numpy() for name in others}
    for key, begin, end in zip(keys, begins, ends, strict=True):
        yield list(key), {name: column[begin:end] for name, column in columns.items()}


def _names(table: str, fields: Fields, snapshots: Sequence[Snapshot]) -> list[str]:
    """The columns of a table, in order; as many shares as the study with most classes has."""
    names = [] if table == "studies" else [_STUDY]
    for name, kind in fields.items():
        if kind == Kind.SHARES:
            most = max((len(s.study["facts"]["classes"]) for s in snapshots), default=0)
            # For whoever reads the table alone; an import takes them from the parts.
            names += ["row", "class", *(f"{_SHARE}{code}" for code in range(most))]
        else:
            names.append(name)
    if table == "curves":
        names.insert(names.index("loss"), "epoch")
    return names


def _kinds(fields: Fields, names: Sequence[str]) -> dict[str, Kind]:
    more = {"epoch": Kind.WHOLES, "row": Kind.WHOLES, "class": Kind.WHOLES, _STUDY: Kind.TEXT}
    shares = {name: Kind.SHARES for name in names if name.startswith(_SHARE)}
    return more | shares | {name: kind for name, kind in fields.items() if name in names}


def _columns(snapshot: Snapshot, table: str, fields: Fields, names: Sequence[str]) -> Columns:
    """One study's part of a table."""
    records = snapshot.tables[table]
    arrays = [name for name, kind in fields.items() if kind in ARRAYS]
    repeats = np.array([len(record[arrays[0]]) if arrays else 1 for record in records], int)
    found: Columns = {_STUDY: [snapshot.name] * int(repeats.sum())}
    for name, kind in fields.items():
        if kind in (Kind.WHOLES, Kind.REALS):
            found[name] = _joined([record[name] for record in records], kind)
        elif kind == Kind.SHARES:
            found |= _shares(snapshot, records, names)
        else:
            plain = [record[name] for record in records]
            if kind == Kind.JSON:
                plain = [json.dumps(value) for value in plain]
            found[name] = [v for v, n in zip(plain, repeats, strict=True) for _ in range(n)]
    if table == "curves":
        epochs = [np.arange(1, n + 1) for n in repeats]
        found["epoch"] = _joined(epochs, Kind.WHOLES)
    return found


def _joined(arrays: Sequence[Any], kind: Kind) -> np.ndarray[Any, Any]:
    return np.concatenate([np.zeros(0), *arrays]).astype(kind.value)


def _shares(snapshot: Snapshot, records: Sequence[Record], names: Sequence[str]) -> Columns:
    parts = {_part(part): part for part in snapshot.tables["parts"]}
    found: Columns = {
        name: _joined([parts[_part(record)][name] for record in records], Kind.WHOLES)
        for name in ("row", "class")
    }
    for name in names:
        if name.startswith(_SHARE):
            code = int(name.removeprefix(_SHARE))
            own = [
                r["probability"][:, code]
                if code < r["probability"].shape[1]
                else np.full(len(r["probability"]), np.nan)
                for r in records
            ]
            found[name] = _joined(own, Kind.REALS)
    return found


def _part(record: Record) -> tuple[int, int, str]:
    return record["repeat"], record["fold"], record["part"]


def _snapshots(groups: Groups, *, text: bool) -> list[Snapshot]:
    """Put studies together again; ``text`` where every cell is text."""
    own = list(TABLES["studies"])
    heads = [_plain(own, cells, TABLES["studies"], text) for cells, _ in groups("studies", own)]
    classes = {head["name"]: len(head["facts"]["classes"]) for head in heads}
    found: dict[str, dict[str, list[Record]]] = {
        head["name"]: {table: [] for table in TABLES} | {"studies": [head]} for head in heads
    }
    for table, fields in TABLES.items():
        if table == "studies":
            continue
        plain = [_STUDY, *(name for name, kind in fields.items() if kind not in ARRAYS)]
        for cells, columns in groups(table, plain):
            head = _plain(plain, cells, {_STUDY: Kind.TEXT, **fields}, text)
            study = head.pop(_STUDY)
            for name, kind in fields.items():
                if kind == Kind.SHARES:
                    shares = [columns[f"{_SHARE}{code}"] for code in range(classes[study])]
                    head[name] = np.stack([_array(one, Kind.REALS) for one in shares], axis=1)
                elif kind in ARRAYS:
                    head[name] = _array(columns[name], kind)
            found[study][table].append({name: head[name] for name in fields})
    return [Snapshot(made) for made in found.values()]


def _plain(names: Sequence[str], cells: Sequence[Any], fields: Fields, text: bool) -> Record:
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
