"""The tables of a report as text, in the digits of the files and in all digits of the numbers.

Speaks of no module of the package but its command, so that it runs with any version of it:
`PYTHONPATH=CODE python tests/golden/report_tables.py DATABASE FOLDER` writes what that version
makes of a database.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import matplotlib as mpl
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_info

REPORTS = {
    "quickstart": ("quickstart",),
    "golden": ("golden-binary", "golden-multiclass"),
    # The quickstart as the headline, the others beside it.
    "together": ("quickstart", "golden-binary", "golden-multiclass"),
}
"""Name -> the studies of one report."""

ADDED = ("decision", "capacity")
"""Tables of reports that none of the references has."""

REMOVED = ("verdict", "choices", "corrections")
"""Tables of the references that reports have no more: the decision says what they said."""

_PIXEL = b"P6 1 1 255 \xff\xff\xff"
_DRAWING = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"></svg>\n'


class Table(NamedTuple):
    """One table of a report: the CSV file's text, and the same with all digits of each float."""

    text: str
    full: str


def report_tables(database: Path, studies: Sequence[str], output: Path) -> dict[str, Table]:
    """Write a report through the public command and return its tables, by the file's name.

    Args:
        database: A SQLite database with the studies.
        studies: Their names.
        output: The folder of the report; its pictures are left empty.

    Raises:
        RuntimeError: The command failed, or a table was written by other means than pandas.
    """
    words = ["report", *studies, "--storage", f"sqlite:///{database}", "--output", str(output)]
    with _all_digits() as full_texts, _empty_figures():
        code = _remix_study(words)
    if code:
        raise RuntimeError(f"remix-study {' '.join(words)} ended with exit code {code}")
    tables = {}
    for path in sorted(output.glob("tables/*.csv*")):
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
        if text not in full_texts:
            raise RuntimeError(f"{path.name} was not written by pandas.DataFrame.to_csv")
        tables[path.name.partition(".csv")[0]] = Table(text, full_texts[text])
    return tables


def _remix_study(words: Sequence[str]) -> Any:
    """Run `remix-study WORDS` in this process and return its exit code."""
    from remix_study.cli.main import main

    return main([*words])


@contextlib.contextmanager
def _all_digits() -> Iterator[dict[str, str]]:
    """Collect the CSV text of data frames -> the same text with floats of all digits."""
    full_texts: dict[str, str] = {}
    to_csv = pd.DataFrame.to_csv

    def recording(frame: pd.DataFrame, *arguments: Any, **options: Any) -> Any:
        text = to_csv(frame, *arguments, **options)
        if isinstance(text, str):
            full_texts[text] = to_csv(frame, *arguments, **{**options, "float_format": None})
        return text

    with mock.patch.object(pd.DataFrame, "to_csv", recording):
        yield full_texts


@contextlib.contextmanager
def _empty_figures() -> Iterator[None]:
    """Save figures as one white pixel: drawing takes most of a report's time."""
    from matplotlib.figure import Figure

    def save(_figure: Figure, target: Any, *, format: str, **_options: Any) -> None:
        target.write(_DRAWING if format == "svg" else _png())

    with (
        mock.patch.object(Figure, "savefig", save),
        mock.patch.object(Figure, "draw_without_rendering"),
    ):
        yield


def _png() -> bytes:
    from PIL import Image

    pixel = io.BytesIO()
    Image.open(io.BytesIO(_PIXEL)).save(pixel, format="png")
    return pixel.getvalue()


def arithmetic() -> dict[str, Any]:
    """Return all that the last bits of a float hang on: libraries and their processor's kernels.

    Exponentials and sums of the same code differ by some 1e-13 between processors with other
    vector instructions.
    """
    blas = {entry["architecture"] for entry in threadpool_info() if "architecture" in entry}
    return {
        "vectors": np.show_config(mode="dicts")["SIMD Extensions"]["found"],
        "blas": sorted(blas),
        **{name: version(name) for name in ("numpy", "scipy", "pandas")},
    }


# Of data as they are: the ratio was rounded before it was written.
_MEASURED_RATIOS = {"IR 0.68": "rare 1:1.48", "IR 0.37": "rare 1:2.71"}


def with_present_names(table: str) -> str:
    """The text of a table that an earlier version made, with the names that things have now.

    Its average precision is the mean over classes, and an imbalance is the ratio of two classes.
    """
    # Not above: the reference was made by the package of an earlier commit.
    from remix_study.results.problem_names import ratio_name

    for ratio, name in _MEASURED_RATIOS.items():
        table = table.replace(f"as it is ({ratio})", f"as it is ({name})")
    table = re.sub(r"\bIR ([\d.]+)", lambda ratio: ratio_name(float(ratio[1])), table)
    table = re.sub(r"\baverage_precision(?!_macro)", "average_precision_macro", table)
    return re.sub(r"\bAP\b", "macro AP", table)


def main() -> None:
    database, folder = (Path(word) for word in sys.argv[1:])
    mpl.use("agg")
    for name, studies in REPORTS.items():
        (folder / name).mkdir(parents=True)
        with tempfile.TemporaryDirectory() as report:
            tables = report_tables(database, studies, Path(report) / "report")
        for table, (text, full) in tables.items():
            (folder / name / f"{table}.csv").write_bytes(text.encode())
            (folder / name / f"{table}.full.csv").write_bytes(full.encode())
    (folder / "arithmetic.json").write_text(json.dumps(arithmetic()))


if __name__ == "__main__":
    main()
