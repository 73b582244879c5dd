"""Mutants of a module: operators of Cosmic Ray at places that a seed draws."""

from __future__ import annotations

import ast
import difflib
import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.operators.provider import OperatorProvider


@dataclass(frozen=True)
class Mutant:
    """A module with one place changed."""

    path: Path
    line: int
    operator: str
    code: str

    def diff(self) -> list[str]:
        """The change, with a line before and after it."""
        before = self.path.read_text(encoding="utf-8").splitlines()
        return list(difflib.unified_diff(before, self.code.splitlines(), lineterm="", n=1))[2:]

    def statement(self) -> set[int]:
        """Lines of the innermost statement that is changed, without the statements in it."""
        lines = {self.line}
        for node in ast.walk(ast.parse(self.path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.stmt) and node.lineno <= self.line <= (node.end_lineno or 0):
                body = getattr(node, "body", None)
                end = body[0].lineno if body else (node.end_lineno or 0) + 1
                lines = set(range(node.lineno, end)) if self.line < end else {self.line}
        return lines


def sample(room: str, number: int, seed: int) -> Iterator[Mutant]:
    """Mutants at places of a room or module, drawn from the seed; each place at most once."""
    rng = random.Random(f"{seed} {room}")
    root = Path("remix_study", room)
    modules = sorted(root.rglob("*.py")) if root.is_dir() else [root]
    operators = {path: _places(path) for path in modules}
    places = [(path, place) for path, of_path in operators.items() for place in sorted(of_path)]
    rng.shuffle(places)
    for path, place in places:
        operator, occurrence = rng.choice(operators[path][place])
        original = path.read_text(encoding="utf-8")
        code = None
        # Cosmic Ray cannot replace an exception with a dot in its name.
        with suppress(AttributeError):
            code = mutate_code(original, operator(), occurrence)
        if number > 0 and code is not None and _means_another(code, original):
            number -= 1
            yield Mutant(path, place[0], operator.__name__, code)


def _places(path: Path) -> dict[tuple[int, int], list[tuple[type[Operator], int]]]:
    """Lines and columns that can be changed -> operators, each with its occurrence."""
    places = defaultdict(list)
    text = path.read_text(encoding="utf-8")
    nodes, lines = list(ast_nodes(get_ast(text))), text.splitlines()
    for operator in map(OperatorProvider().__getitem__, OperatorProvider()):
        if operator.arguments() or _mixes_bits_and_numbers(operator.__name__):
            continue
        starts = [start for node in nodes for start, _ in operator().mutation_positions(node)]
        for occurrence, start in enumerate(starts):
            line = lines[start[0] - 1]
            # These guard against mistakes of other code: frozen classes, arguments by name.
            if not line.startswith("@dataclass") and not line[start[1] :].startswith("*,"):
                places[start].append((operator, occurrence))
    return places


def _mixes_bits_and_numbers(operator: str) -> bool:
    """Whether it puts a shift for a sum or the like: most of these raise, which says nothing."""
    are_bits = ["Bit" in name or "Shift" in name for name in operator.split("_")[1:]]
    return operator.startswith("ReplaceBinary") and len(set(are_bits)) > 1


def _means_another(code: str, original: str) -> bool:
    """Whether more than an annotation is changed, and the code can be read."""
    try:
        return _without_annotations(code) != _without_annotations(original)
    except SyntaxError:
        return False


def _without_annotations(code: str) -> str:
    tree = ast.parse(code)
    for node in ast.walk(tree):
        for field in ("annotation", "returns"):
            if isinstance(getattr(node, field, None), ast.expr):
                setattr(node, field, ast.Constant(None))
    return ast.dump(tree)
