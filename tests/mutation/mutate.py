"""Mutation testing of a sample of places: which changes of the code does no test notice?

    pip install -e ".[mutation]"
    python tests/mutation/mutate.py ../mutants --seed 1 --places 100 metrics batches

Copies the package and its tests into the folder and runs every test there once, to learn which
tests run which lines (a quarter of an hour). Then one place at a time is changed in the copy, and
the tests that run it are run in a fork of this process, which has imported all of the package. A
seed always takes the same places; those that are in ``results.jsonl`` are not done again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

from covered import import_all, map_lines, run_tests
from mutants import Mutant, sample

ROOT = Path(__file__).parents[2]
PARTS = ("remix_study", "studies", "tests", "docs", "reports", "pyproject.toml", "README.md")
# Folders of tests that take long for what they say of a module.
LEFT_OUT = {"mutation", "golden", "paper", "faults"}
# CPU seconds of tests that a mutant gets, the quickest first.
BUDGET = 15.0


class Tests:
    """The tests of the copy, which is the current folder, and the lines that they run."""

    def __init__(self, rooms: list[str], names: list[str]) -> None:
        paths = [Path("tests", name) for name in names]
        if not paths:
            folders = {path.parent for path in Path("tests").glob("*/test_*.py")}
            # Those of the rooms first: a run that is broken off has them.
            paths = sorted(folders, key=lambda path: (path.name not in rooms, path.name))
            paths = [path for path in paths if path.name not in LEFT_OUT]
        self._at_import = import_all(paths)
        self._seconds: dict[str, float] = {}
        self._lines: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        for path in paths:
            file = Path("maps", "-".join(path.parts[1:])).with_suffix(".json")
            if not file.exists():
                map_lines(path, file)
                print(file, *Path("output.txt").read_text().splitlines()[-1:], flush=True)
            seconds, rows = json.loads(file.read_text())
            self._seconds |= seconds
            for module, line, tests in rows:
                self._lines[module][line] |= set(tests)

    def _of(self, mutant: Mutant, lines: set[int], *, is_at_import: bool) -> list[list[str]]:
        """Tests of lines: the module's own, those of its room, the others; quickest first."""
        of_line, room = self._lines[str(mutant.path)], f"tests/{mutant.path.parts[1]}/"
        own = f"{room}test_{mutant.path.stem}.py"
        tests = set().union(*(of_line[line] for line in lines))
        if is_at_import or not tests:
            # What a module makes when it is imported is used without its lines; other code is
            # run as what TensorFlow made of it.
            tests = {test for test in self._seconds if test.startswith(room)}.union(
                *of_line.values()
            )
        parts, total = ([], []), 0.0

        def order(test: str) -> tuple[bool, bool, float]:
            return not test.startswith(own), not test.startswith(room), self._seconds[test]

        for test in sorted(tests, key=order):
            total += self._seconds[test]
            if total < BUDGET:
                parts[not test.startswith(room)].append(test)
        return [tests for tests in parts if tests]

    def end(self, mutant: Mutant) -> str:
        """How a mutant ends: "killed", "timeout" or "survived"."""
        original, lines = mutant.path.read_text(encoding="utf-8"), mutant.statement()
        is_at_import = any((str(mutant.path), line) in self._at_import for line in lines)
        try:
            mutant.path.write_text(mutant.code, encoding="utf-8")
            for compiled in mutant.path.parent.glob(f"__pycache__/{mutant.path.stem}.*"):
                compiled.unlink()
            for tests in self._of(mutant, lines, is_at_import=is_at_import):
                seconds = 60 + 20 * sum(self._seconds[test] for test in tests)
                code = run_tests(tests, mutant, seconds, is_fresh=is_at_import)
                if code != 0:
                    return "timeout" if code is None else "killed"
        finally:
            mutant.path.write_text(original, encoding="utf-8")
        return "survived"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the copy; it is made where it is missing")
    parser.add_argument("rooms", nargs="+", help="or modules, as in remix_study/")
    parser.add_argument("--places", type=int, default=100, help="of each room")
    parser.add_argument(
        "--tests", nargs="*", default=[], help="folders or files in tests/, else all"
    )
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for part in PARTS:
        target = arguments.folder / part
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if (ROOT / part).is_dir() else shutil.copy)(ROOT / part, target)
    os.chdir(arguments.folder)
    sys.path.insert(0, os.getcwd())
    os.environ["PYTHONPATH"] = os.getcwd()
    tests = Tests(arguments.rooms, arguments.tests)
    results = Path("results.jsonl")
    rows = [json.loads(line) for line in results.open()] if results.exists() else []
    for room in arguments.rooms:
        for mutant in sample(room, arguments.places, arguments.seed):
            row = {"room": room, "place": f"{mutant.path}:{mutant.line}"}
            row |= {"operator": mutant.operator, "diff": mutant.diff()}
            if any(row.items() <= earlier.items() for earlier in rows):
                continue
            start = time.monotonic()
            row["end"] = tests.end(mutant)
            row["seconds"] = round(time.monotonic() - start, 1)
            rows.append(row)
            with results.open("a") as file:
                print(json.dumps(row), file=file)
            print(row["end"], row["seconds"], row["place"], flush=True)
    for row in rows:
        if row["end"] == "survived" and row["room"] in arguments.rooms:
            print(row["place"], row["operator"], *row["diff"], sep="\n")
    for room in arguments.rooms:
        ends = Counter(row["end"] for row in rows if row["room"] == room)
        print(
            f"| {room} | {ends.total()} | {ends.total() - ends['survived']} | {ends['survived']} |"
        )


if __name__ == "__main__":
    main()
