"""Train studies with the reference commit and with the present code, and compare bit for bit.

`python tests/golden/retrain.py [STUDY...] [--reference COMMIT]`. Both train in this environment,
one after the other, since a network's last bits depend on the machine. Exit code 1 says that
something differs.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import struct
import tempfile
import zlib
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from reference import COMMIT, REPOSITORY, STUDIES, checkout, train

Rows = Mapping[tuple[Any, ...], Any]

_OF_RUNS = """
    select studies.name as problem, runs.parameters, {columns} from remix_runs as runs
    join remix_studies as studies on studies.uuid = runs.study_uuid {more}
"""
_JOIN = "join remix_{table} as {table} on {table}.run_id = runs.id"
_PLACE = ("problem", "parameters", "repeat", "fold", "part", "metric", "number", "objective")
_COMPRESSED = ("curves", "probabilities", "rows", "labels")
# All that training stores, but for what differs each time: ids, times and memory.
_QUERIES = {
    "runs": _OF_RUNS.format(
        columns="label, strategy, sampler, mixing, alpha, loss, network_parameters", more=""
    ),
    "folds": _OF_RUNS.format(
        columns="repeat, fold, counts, epochs, stopped, failed, trained_on, curves",
        more=_JOIN.format(table="folds"),
    ),
    "scores": _OF_RUNS.format(
        columns="repeat, fold, part, metric, value", more=_JOIN.format(table="scores")
    ),
    "probabilities": _OF_RUNS.format(
        columns="repeat, fold, part, probabilities", more=_JOIN.format(table="probabilities")
    ),
    "parts": """
        select studies.name as problem, repeat, fold, part, rows, labels from remix_parts as parts
        join remix_studies as studies on studies.uuid = parts.study_uuid
    """,
    "values": """
        select study_name as problem, number, objective, state, value from trials
        join trial_values on trial_values.trial_id = trials.trial_id
        join studies on studies.study_id = trials.study_id
    """,
}
_FACTS = "select name, facts, definition, planned, trials from remix_studies"


def read_results(database: Path) -> dict[str, Rows]:
    """Read what training stored, by table: (problem, parameters, fold, ..., column) -> value.

    Floats are bytes of 64 bits, so that NaN equals itself and no digit is lost.
    """
    with closing(sqlite3.connect(database)) as connection:
        results: dict[str, Rows] = {
            table: {
                (*(row[name] for name in _PLACE if name in row), column): _comparable(
                    column, value
                )
                for row in _rows(connection, query)
                for column, value in row.items()
                if column not in _PLACE
            }
            for table, query in _QUERIES.items()
        }
        results["facts"] = {
            (row["name"], column, key): value
            for row in _rows(connection, _FACTS)
            for column in ("facts", "definition", "planned", "trials")
            for key, value in _flat(json.loads(str(row[column])))
        }
    return results


def _rows(connection: sqlite3.Connection, query: str) -> list[dict[str, Any]]:
    """The rows of a query, column -> value."""
    cursor = connection.execute(query)
    names = [description[0] for description in cursor.description]
    return [dict(zip(names, values, strict=True)) for values in cursor]


def _comparable(column: str, value: Any) -> Any:
    if column in _COMPRESSED:
        return zlib.decompress(value)
    return struct.pack("<d", value) if isinstance(value, float) else value


def _flat(table: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Nested keys, with dots -> values."""
    if not isinstance(table, dict) or not table:
        return [(prefix, table)]
    return [pair for key, value in table.items() for pair in _flat(value, f"{prefix}.{key}")]


def compare(reference: Mapping[str, Rows], present: Mapping[str, Rows]) -> tuple[bool, str]:
    """Say whether all results agree, and in one line what was compared or where they differ.

    Facts and definitions may have keys that the reference does not know; nothing else may.
    """
    differences, counts, added = [], [], 0
    for table, expected in reference.items():
        rows = present[table]
        new = [place for place in rows if place not in expected]
        if table == "facts":
            added, new = len(new), []
        differing = [
            place for place in expected if place not in rows or rows[place] != expected[place]
        ]
        if differing or new:
            first = (differing or new)[0]
            differences.append(
                f"{table}: {len(differing)} of {len(expected):,} differ, {len(new)} are new; "
                f"first {first}"
            )
        counts.append(f"{table} {len(expected):,}")
    if differences:
        return False, "DIFFERS; " + "; ".join(differences)
    note = f"; {added} facts are new" if added else ""
    return True, f"identical in every value ({', '.join(counts)}){note}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "studies", nargs="*", metavar="STUDY",
        help=f"files, built-in studies, or of {', '.join(STUDIES)} (default: these three)",
    )  # fmt: skip
    parser.add_argument("--reference", default=COMMIT, metavar="COMMIT")
    options = parser.parse_args()
    failed = False
    with checkout(options.reference) as code, tempfile.TemporaryDirectory() as name:
        for number, word in enumerate(options.studies or STUDIES):
            study = str(Path(word).resolve()) if word.endswith(".toml") else word
            results = []
            for version, source in (("reference", code), ("present", REPOSITORY)):
                folder = Path(name) / f"{number}-{version}"
                folder.mkdir()
                train(source, study, folder / "study.db")
                results.append(read_results(folder / "study.db"))
            same, line = compare(*results)
            failed = failed or not same
            print(f"== {word}: {line}", flush=True)
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
