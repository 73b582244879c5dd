"""The rooms of the package: imports run one way, no two modules need each other, sizes hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

import remix_study

PACKAGE = Path(remix_study.__file__).parent
# A room may import from itself and from rooms before it.
ROOMS = (
    "version",
    "errors",
    "seeds",
    "metrics",
    "studyfile",
    "data",
    "batches",
    "models",
    "training",
    "study",
    "workers",
    "results",
    "report",
    "paper",
    "dashboard",
    "deploy",
    "api",
    "cli",
)
# The package's public names and its entry point belong to no room.
FRONT = ("__init__", "__main__")
MOST_LINES = 300
LARGEST_SHARE = 0.20
# Lines that a room may have: its share of a package that is read in a day.
BUDGETS = {
    "metrics": 767,
    "studyfile": 2166,
    "data": 7968,
    "batches": 2786,
    "models": 1602,
    "training": 3188,
    "study": 4500,
    "workers": 1084,
    "results": 3000,
    "report": 3000,
    "paper": 4642,
    "dashboard": 910,
    "deploy": 3132,
    "cli": 2019,
}
# Rooms that are still larger than that; these numbers may only become smaller.
LARGER_TODAY = {
    "study": 9942,
    "results": 7646,
    "report": 4402,
}


@cache
def modules() -> Mapping[str, Path]:
    """Name of each module below the package -> its file; a package has the name of its folder."""
    paths = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        paths[".".join(parts[:-1] if parts[-1] == "__init__" and parts[1:] else parts)] = path
    return paths


@cache
def imports_of(module: str) -> frozenset[str]:
    """Modules of the package that a module imports anywhere in its text, functions included."""
    return frozenset(_imports(ast.parse(modules()[module].read_text(encoding="utf-8"))))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("remix_study"):
            base = (node.module or "").removeprefix("remix_study").lstrip(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}".lstrip(".")
                if inner in modules():
                    yield inner
                elif base in modules():
                    yield base
        elif isinstance(node, ast.Import):
            for alias in node.names:
                inner = alias.name.removeprefix("remix_study").lstrip(".")
                if alias.name.startswith("remix_study.") and inner in modules():
                    yield inner


def room_of(module: str) -> str:
    return module.split(".")[0]


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def room_lines() -> dict[str, int]:
    sizes = dict.fromkeys(ROOMS, 0)
    for module, path in modules().items():
        if module not in FRONT:
            sizes[room_of(module)] += lines_of(path)
    return sizes


def test_every_module_is_in_a_room():
    assert {room_of(module) for module in modules()} - set(FRONT) == set(ROOMS)


def test_no_import_runs_against_the_order_of_the_rooms():
    against = [
        f"{module} imports {target}"
        for module in modules()
        if module not in FRONT
        for target in sorted(imports_of(module))
        if target not in FRONT and ROOMS.index(room_of(target)) > ROOMS.index(room_of(module))
    ]
    assert against == []


def test_no_modules_import_each_other_in_a_circle():
    assert circles({module: imports_of(module) for module in modules()}) == []


def test_a_circle_is_seen():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}
    assert circles(graph) == [("b", "c")]


def circles(graph: Mapping[str, frozenset[str] | set[str]]) -> list[tuple[str, ...]]:
    """Sets of modules that reach each other, each sorted by name."""
    reach: dict[str, set[str]] = {}
    for start in graph:
        visited: set[str] = set()
        stack = list(graph[start])
        while stack:
            module = stack.pop()
            if module not in visited:
                visited.add(module)
                stack += graph.get(module, ())
        reach[start] = visited
    loops = {
        tuple(sorted({module, *(m for m in reach[module] if module in reach.get(m, ()))}))
        for module in graph
        if module in reach[module]
    }
    return sorted(loops)


@pytest.mark.parametrize("module", sorted(modules()))
def test_a_module_can_be_read_in_a_sitting(module):
    assert lines_of(modules()[module]) <= MOST_LINES


@pytest.mark.parametrize("room", sorted(BUDGETS))
def test_a_room_keeps_to_its_budget(room):
    assert room_lines()[room] <= max(BUDGETS[room], LARGER_TODAY.get(room, 0))


def test_no_room_is_more_than_a_fifth_of_the_package():
    sizes = room_lines()
    room = max(sizes, key=lambda name: sizes[name])
    assert sizes[room] <= LARGEST_SHARE * sum(sizes.values()), room


def test_every_room_says_what_comes_in_and_what_goes_out():
    silent = [
        room
        for room in BUDGETS
        if len((ast.get_docstring(ast.parse(modules()[room].read_text())) or "").split()) < 30
    ]
    assert silent == []


def test_no_module_calls_a_private_function_of_another():
    assert [call for module in modules() for call in private_uses(module)] == []


def private_uses(module: str) -> Iterator[str]:
    """Private names that a module imports from another one, or reads from an imported module."""
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    aliases = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("remix_study"):
            base = (node.module or "").removeprefix("remix_study").lstrip(".")
            for alias in node.names:
                if f"{base}.{alias.name}".lstrip(".") in modules():
                    aliases.add(alias.asname or alias.name)
                elif alias.name.startswith("_") and not alias.name.startswith("__"):
                    yield f"{module} imports {alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            private = node.attr.startswith("_") and not node.attr.startswith("__")
            if private and node.value.id in aliases:
                yield f"{module} reads {node.value.id}.{node.attr}"


MAP = PACKAGE.parent / "docs" / "architecture.md"


@pytest.mark.skipif(not MAP.exists(), reason="the docs come with a clone only")
def test_the_map_names_only_files_that_there_are():
    named = set(re.findall(r"`((?:[a-z_0-9]+/)*[a-z_0-9]*(?:/|\.py|\.toml))`", MAP.read_text()))
    places = (PACKAGE, PACKAGE.parent)
    lost = {name for name in named if not any((place / name).exists() for place in places)}
    assert named
    assert lost == set()


@pytest.mark.skipif(not MAP.exists(), reason="the docs come with a clone only")
def test_the_map_shows_every_room():
    text = MAP.read_text()
    assert [room for room in BUDGETS if f"`{room}/`" not in text] == []
