"""Every block of code in README.md, CONTRIBUTING.md and docs/*.md is run, parsed or named here."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import remix_study
from remix_study.cli.main import main, parser
from remix_study.study.checks import check_study
from remix_study.studyfile.parsing import find_study, load_study, parse_study

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@dataclass(frozen=True)
class Block:
    """A block of a page; its number is among the page's blocks of this language."""

    page: str
    language: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.page} {self.language} {self.number}".replace("  ", " ")


def blocks_of(page: Path) -> Iterator[Block]:
    numbers: Counter[str] = Counter()
    pattern = r"^ *```(\w*)\n(.*?)^ *```$"
    for language, text in re.findall(pattern, page.read_text(encoding="utf-8"), re.M | re.S):
        yield Block(page.name, language, numbers[language], text)
        numbers[language] += 1


# These train.
SLOW = ("README.md python 0", "python.md python 0")
BLOCKS = {str(block): block for page in PAGES for block in blocks_of(page)}


def of_language(language: str):
    blocks = [
        pytest.param(block, id=name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name, block in BLOCKS.items()
        if block.language == language
    ]
    return pytest.mark.parametrize("block", blocks)


# Study files ------------------------------------------------------------------------------------

# What a fragment of a study file lacks.
OTHER_TABLES = {
    "study": "[study]",
    "problems": '[[problems]]\nfile = "customers.csv"\nlabel = "churned"',
    "search.space": '[search.space]\nstrategy = ["baseline", "remix"]',
}


def completed(fragment: str) -> str:
    tables = re.findall(r"^\[+([\w.]+)\]", fragment, re.M)
    lacking = [text for name, text in OTHER_TABLES.items() if name not in tables]
    text = "\n".join([fragment, *lacking])
    has_name = "name" in tomllib.loads(text)["study"]
    return text if has_name else text.replace("[study]", '[study]\nname = "a"')


@of_language("toml")
def test_study_files_and_fragments_of_them_are_valid(block, here, monkeypatch):
    monkeypatch.syspath_prepend(here)
    (here / "shop.py").write_text(BLOCKS["metrics.md python 0"].text)
    (here / "a.toml").write_text(completed(block.text))
    check_study(load_study(here / "a.toml"))


def test_keys_that_are_comments_are_valid():
    text = BLOCKS["study-files.md toml 0"].text
    study = parse_study(re.sub(r"^# ([\w.]+ = |\[features\])", r"\1", text, flags=re.M))
    assert study.problems[0].imbalance == (0.05, 0.01)


# Commands ---------------------------------------------------------------------------------------

# Programs that are not ours.
OTHER_PROGRAMS = ("curl", "export", "mypy", "pip", "ruff", "source")
OTHER_MODULES = ("pytest", "venv")
# Studies of the reader.
STUDIES = ("customers",)


def commands_of(script: str) -> Iterator[list[str]]:
    """The commands of a script, in words, without variables before them and without output."""
    url = "postgresql://me@db.example.org/studies"
    script = re.sub(r" > \S+", "", script.replace("\\\n", " ").replace("$STORAGE", url))
    for line in script.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&")
        lexer.whitespace_split = True
        for is_and, words in groupby(lexer, lambda word: word == "&&"):
            command = [word for word in words if not re.match(r"[A-Z_]+=|srun$", word)]
            if command and not is_and:
                yield command


@of_language("bash")
def test_commands_are_those_of_the_program(block):
    for program, *words in commands_of(block.text):
        name = Path(program).name
        if name.startswith("python") and words[0] == "-c":
            compile(words[1], str(block), "exec")
        elif name.startswith("python") and words[0].endswith(".py"):
            assert (ROOT / words[0]).is_file(), block.text
        elif name.startswith("python") and words[1] == "remix_study":
            check_command(words[2:])
        elif name == "remix-study":
            check_command(words)
        else:
            assert name in OTHER_PROGRAMS or words[1] in OTHER_MODULES, block.text


def check_command(words: list[str]) -> None:
    options = parser().parse_args(words)
    studies = getattr(options, "study", None) or getattr(options, "studies", None) or []
    for study in [studies] if isinstance(studies, str) else studies:
        if Path(study).suffix not in (".csv", ".toml") and study not in STUDIES:
            find_study(study)


# Python -----------------------------------------------------------------------------------------

Y = np.repeat([0, 1], [60, 30])
X = np.random.default_rng(0).normal(size=(90, 3)) + Y[:, None]
FRAME = pd.DataFrame(X, columns=["a", "b", "c"]).assign(churned=Y)


@dataclass(frozen=True)
class Example:
    """How a block is run.

    Attributes:
        names: Makes what the text before the block speaks of.
        settings: Words of the block, and what takes no minutes in their place.
        is_right: Whether the block's names hold what the page says.
    """

    names: Callable[[], dict[str, Any]] = dict
    settings: tuple[str, str] = ("", "")
    is_right: Callable[[dict[str, Any]], bool] = bool


def with_keras_model():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "softmax")])
    rows = {"X": X, "y": Y, "X_val": X, "y_val": Y}
    return rows | {"remix_study": remix_study, "keras": keras, "model": model}


def is_profit(names):
    # Two rows are chosen, one of them rare: (30 - 2) + (0 - 2) for four rows.
    p = np.array([0.1, 0.9, 0.3, 0.2])
    return names["profit"](np.array([1, 1, 0, 0]), np.column_stack([1 - p, p])) == 26 / 4


EXAMPLES = {
    "README.md python 0": Example(
        lambda: {"frame": FRAME, "X": X, "y": Y},
        is_right=lambda names: names["summary"].complete == names["summary"].configurations,
    ),
    "metrics.md python 0": Example(is_right=is_profit),
    "python.md python 0": Example(
        lambda: {"X": X, "y": Y, "X_new": X[:5]},
        ("random_state=0", "random_state=0, epochs=2, hidden=[4]"),
        lambda names: np.isfinite(names["search"].cv_results_["mean_test_score"]).all(),
    ),
    "python.md python 1": Example(with_keras_model, ("epochs=200", "epochs=1")),
    "start.md python 0": Example(
        is_right=lambda _: (
            [len(pd.read_csv(f"{x}patients.csv")) for x in ("", "new-")] == [397, 172]
        )
    ),
}
TESTED_IN = {
    "deploy.md python 0": "deploy/test_documented_code.py",
    "python.md python 2": "deploy/test_optuna_objective.py",
}


@of_language("python")
@pytest.mark.usefixtures("simulated", "here")
def test_code_runs(block):
    if file := TESTED_IN.get(str(block)):
        assert block.page in (ROOT / "tests" / file).read_text()
        return
    example = EXAMPLES[str(block)]
    assert example.settings[0] in block.text
    names = example.names()
    exec(block.text.replace(*example.settings) if example.settings[0] else block.text, names)
    assert example.is_right(names)


# Other text -------------------------------------------------------------------------------------

NO_CODE = {
    "architecture.md 0": "the flow, as a line of names",
    "dashboard.md 0": "what the command prints; tests/dashboard/test_server.py has its addresses",
    "formats.md 0": "a message, compared below",
}


def test_every_other_block_is_named_with_a_reason():
    languages = ("toml", "bash", "python")
    assert NO_CODE.keys() == {
        name for name, block in BLOCKS.items() if block.language not in languages
    }


def test_the_message_on_the_page_of_formats_is_the_one_that_is_printed(here, capsys):
    frame = pd.DataFrame({"balance": np.arange(400.0), "churned": np.arange(400) % 2}).astype(str)
    frame.loc[30, "balance"] = "n.a."
    frame.to_csv(here / "customers.csv", index=False)
    assert main(["run", "customers.csv", "--label", "churned", "--dry-run"]) == 2
    expected = " ".join(BLOCKS["formats.md 0"].text.split())
    assert expected in capsys.readouterr().err
