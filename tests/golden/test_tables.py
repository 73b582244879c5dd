"""Every table that the present code makes of the frozen database is the reference's."""

from __future__ import annotations

import csv
import io
import json
import math
import tarfile
from itertools import zip_longest
from pathlib import Path

import pytest
from golden.frozen import unpack
from golden.report_tables import (
    ADDED,
    REMOVED,
    REPORTS,
    arithmetic,
    report_tables,
    with_present_names,
)

HERE = Path(__file__).parent
# What other processors make of the same sums and exponentials, with a wide margin.
RELATIVE, ABSOLUTE = 1e-9, 1e-12


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("golden") / "golden.db"
    unpack(HERE / "database.xz", path)
    return path


@pytest.fixture(scope="module")
def archive() -> dict[str, str]:
    """The reference's tables: name in the archive -> text."""
    with tarfile.open(HERE / "tables.tar.xz") as tar:
        texts = {name: tar.extractfile(name).read().decode() for name in tar.getnames()}
    return {name: with_present_names(text) for name, text in texts.items()}


# The report of all three has the tables of the first one again.
@pytest.mark.parametrize(
    "report",
    [
        pytest.param("quickstart", marks=pytest.mark.slow),
        "golden",
        pytest.param("together", marks=pytest.mark.slow),
    ],
)
def test_every_table_is_the_references(report, database, archive, tmp_path):
    tables = report_tables(database, REPORTS[report], tmp_path / "report")
    tables = {name: table for name, table in tables.items() if name not in ADDED}
    texts = {f"{report}/{name}.csv": table.text for name, table in tables.items()}
    full = {f"{report}/{name}.full.csv": table.full for name, table in tables.items()}
    of_report = {
        name
        for name in archive
        if name.startswith(f"{report}/") and name.split("/")[1].split(".")[0] not in REMOVED
    }
    assert sorted(texts | full) == sorted(of_report)
    exact = json.loads(archive["arithmetic.json"]) == arithmetic()
    differences = [
        *(line for name in texts for line in _differences(name, archive[name], texts[name])),
        *(
            line
            for name in full
            for line in _differences(name, archive[name], full[name], exact=exact)
        ),
    ]
    assert not differences, "\n".join(differences[:40])


def test_a_changed_digit_is_a_difference():
    table = "row,mean,p\nremix,0.12345678901234567,\n"
    assert _differences("t", table, table) == []
    changed = table.replace("4567,", "4568,")
    assert _differences("t", table, changed) == [
        't, line 2, column "mean": 0.12345678901234568 instead of 0.12345678901234567'
    ]
    assert _differences("t", table, changed, exact=False) == []
    assert _differences("t", table, table.replace("0.123456", "0.123457"), exact=False)
    assert _differences("t", table, table.replace("remix", "Remix"), exact=False)
    assert _differences("t", table, table.replace("67,", "67,0"), exact=False)
    assert _differences("t", table, table.replace("mean", "Mean"))
    assert _differences("t", table, table + "cost,1,1\n")


def _differences(name: str, expected: str, text: str, *, exact: bool = True) -> list[str]:
    """Say where two tables differ; unless exact, numbers that are nearly equal do not."""
    if text == expected:
        return []
    before, after = (list(csv.reader(io.StringIO(t))) for t in (expected, text))
    if before[0] != after[0]:
        return [f"{name}: columns {after[0]} instead of {before[0]}"]
    if len(before) != len(after):
        return [f"{name}: {len(after)} lines instead of {len(before)}"]
    return [
        f'{name}, line {number}, column "{column}": {new} instead of {old}'
        for number, lines in enumerate(zip(before, after, strict=True), start=1)
        for column, old, new in zip_longest(before[0], *lines)
        if old != new and (exact or not _is_close(old, new))
    ]


def _is_close(first: str, second: str) -> bool:
    try:
        return math.isclose(float(first), float(second), rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    except ValueError:
        return False
