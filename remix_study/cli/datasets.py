"""The command ``datasets``: a list, one data set in full, a check of each, or a download."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from remix_study.cli.arguments import add_json, new_command
from remix_study.errors import BAD_INPUT, DONE, DataError, UsageError

if TYPE_CHECKING:
    from rich.progress import TaskID

    from remix_study.data.named_datasets import DatasetInfo
    from remix_study.study.signals import Signals


def add_command(commands: Any) -> None:
    """Add the command to the program's parser."""
    command = new_command(
        commands, "datasets", "list or fetch the data sets",
        "datasets", "datasets satimage", "datasets fetch satimage coil2000",
    )  # fmt: skip
    command.add_argument(
        "name", nargs="?",
        help='all facts of one of them; "check" loads and verifies each, "fetch" downloads',
    )  # fmt: skip
    command.add_argument("fetched", nargs="*", metavar="NAME", help="data sets to fetch")
    add_json(command)
    command.set_defaults(command=_datasets, only_prints=True)


def _datasets(options: argparse.Namespace, _signals: Signals) -> int:
    from remix_study.data.named_datasets import check_all, overview
    from remix_study.data.published_files import data_folder

    if options.name == "fetch":
        return _fetch(options.fetched, as_json=options.json)
    if options.fetched:
        raise UsageError('name one data set, or write "fetch" before several')
    if options.name not in (None, "check"):
        print(describe_text(options.name, as_json=options.json))
        return DONE
    datasets = check_all() if options.name else overview()
    print(_table(datasets, options.json))
    if not options.json:
        print(f"files are looked for under {data_folder()}")
    # Absent files are no failure; files that are damaged or of another edition are.
    return BAD_INPUT if any(info.state == "refused" for info in datasets) else DONE


def _fetch(names: Sequence[str], *, as_json: bool) -> int:
    """Download and verify data sets, saying of each file where it came from."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from remix_study.data.catalogue import find_facts
    from remix_study.data.fetch import fetch
    from remix_study.data.named_datasets import load_dataset
    from remix_study.data.published_files import data_folder

    if not names:
        raise UsageError("datasets fetch: name the data sets; the command datasets lists them")
    say = (lambda _line: None) if as_json else print
    say(f"files go to {data_folder()}")
    console = Console(file=getattr(sys.stderr, "terminal", sys.stderr))
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    bars = Progress(*columns, console=console, transient=True)
    tasks: dict[str, TaskID] = {}

    def show(path: str, received: int, size: int) -> None:
        if path not in tasks:
            tasks[path] = bars.add_task(path)
        bars.update(tasks[path], completed=received, total=size or None)

    answer: dict[str, dict[str, str]] = {}
    code = DONE
    for facts in [find_facts(name) for name in names]:
        say(f"{facts.name}: {facts.source}; licence: {facts.licence}")
        files = answer.setdefault(facts.name, {})
        try:
            with bars if console.is_terminal else nullcontext():
                for file in fetch(facts.name, show):
                    files[str(file.path)] = file.url
                    say(f"  {file.path}  {file.url or 'is there already'}")
            dataset = load_dataset(facts.name)
        except DataError as error:
            # The other data sets are fetched all the same.
            print(f"remix-study: {error}", file=sys.stderr)
            code = code or error.exit_code
            continue
        for note in dataset.notes:
            say(f"  note: {note}")
        say(f"  verified: {len(dataset.X):,} rows, {dataset.n_features:,} features")
    if as_json:
        print(json.dumps(answer, indent=2))
    return code


def describe_text(name: str, *, as_json: bool) -> str:
    """All facts of one data set.

    Raises:
        DataError: There is no data set of this name.
    """
    from remix_study.data.named_datasets import describe

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


def _table(datasets: tuple[DatasetInfo, ...], as_json: bool) -> str:
    if as_json:
        return json.dumps([asdict(info) for info in datasets], indent=2)
    lines = [f"{'data set':14} {'rows':>7} {'features':>8} {'classes':>7}  state"]
    for info in datasets:
        state = info.state if info.available else f"{info.state}: {info.reason}"
        lines.append(
            f"{info.name:14} {info.rows:>7,} {info.features:>8} {len(info.classes):>7}  {state}"
        )
        lines += [f"{'':14} note: {note}" for note in info.notes]
    return "\n".join(lines)
