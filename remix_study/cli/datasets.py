"""Data sets as text: a list, one in full, or the outcome of a check."""

from __future__ import annotations

import json
from dataclasses import asdict

from remix_study.data.dataset_info import DatasetInfo, check_all, describe, overview
from remix_study.errors import BAD_INPUT, DONE


def list_text(*, as_json: bool) -> str:
    """Every data set in a line, without opening a file."""
    return _table(overview(), as_json)


def check_text(*, as_json: bool) -> tuple[int, str]:
    """Load and verify each data set whose files are there; exit code and text.

    A data set whose files are absent is no failure; one that is damaged or another file is.
    """
    found = check_all()
    refused = [info for info in found if info.state == "refused"]
    return (BAD_INPUT if refused else DONE), _table(found, as_json)


def describe_text(name: str, *, as_json: bool) -> str:
    """One data set in full.

    Raises:
        DataError: The name is not known.
    """
    info = describe(name)
    if as_json:
        return json.dumps(asdict(info), indent=2)
    classes = "\n".join(f"  {label:24} {count:>7,}" for label, count in info.classes)
    row = " x ".join(map(str, info.shape or (info.features,)))
    facts = {
        "about": info.about,
        "rows x features": f"{info.rows:,} x {row}",
        "missing cells": "unknown" if info.missing is None else f"{info.missing:,}",
        "duplicate rows": "unknown" if info.duplicates is None else f"{info.duplicates:,}",
        "groups": f"{info.groups:,} (one a {info.grouped_by})" if info.groups else "none",
        "files": ", ".join(info.files) or "none, comes with scikit-learn",
        "state": info.state,
        "source": info.source,
        "licence": info.licence,
        "citation": info.citation,
    }
    lines = [info.name, *(f"{key:16} {value}" for key, value in facts.items())]
    lines += [f"{'note':16} {note}" for note in info.notes]
    if info.reason:
        lines.append(f"{'not available':16} {info.reason}")
    return "\n".join([*lines, "classes, as a study file names them, and their rows", classes])


def _table(found: tuple[DatasetInfo, ...], as_json: bool) -> str:
    if as_json:
        return json.dumps([asdict(info) for info in found], indent=2)
    lines = [f"{'data set':14} {'rows':>7} {'features':>8} {'classes':>7}  state"]
    for info in found:
        state = info.state if info.available else f"{info.state}: {info.reason}"
        lines.append(
            f"{info.name:14} {info.rows:>7,} {info.features:>8} {len(info.classes):>7}  {state}"
        )
        lines += [f"{'':14} note: {note}" for note in info.notes]
    return "\n".join(lines)
