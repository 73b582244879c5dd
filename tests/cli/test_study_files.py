"""``init`` and ``schema``, the examples of every command's help, and the shell's completion."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys

import pytest

from remix_study.cli.main import main, parser
from remix_study.studyfile.json_schema import study_file_schema
from remix_study.studyfile.parsing import load_study

COMMANDS = next(action.choices for action in parser()._actions if isinstance(action.choices, dict))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_examples_that_parse(name):
    examples = re.findall(rf"^  remix-study ({name}\b.*)", COMMANDS[name].format_help(), re.M)
    assert examples
    for example in examples:
        assert callable(parser().parse_args(shlex.split(example.partition(" >")[0])).command)


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_knows_every_command(shell, capfd):
    with pytest.raises(SystemExit) as ended:
        main(["--completion", shell])
    assert ended.value.code == 0
    script = capfd.readouterr().out
    assert all(name in script for name in COMMANDS)
    if shell == "bash":
        asked = "COMP_WORDS=(remix-study run --wo); COMP_CWORD=2; _shtab_remix_study; "
        asked += 'echo "${COMPREPLY[@]}"'
        answer = subprocess.run(
            ["bash", "-c", script + asked], capture_output=True, text=True, check=True
        )
        assert answer.stdout.split() == ["--workers"]


def test_without_shtab_the_extra_is_named(monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "shtab", None)
    with pytest.raises(SystemExit) as ended:
        main(["--completion", "zsh"])
    assert ended.value.code == 2
    assert 'pip install "remix-study[completion]"' in capfd.readouterr().err


def test_schema_prints_the_schema(capfd):
    assert main(["schema"]) == 0
    assert capfd.readouterr().out == json.dumps(study_file_schema(), indent=1) + "\n"


@pytest.fixture
def table(here):
    rows = [f"c{i},{i % 7},{i / 3},{'yes' if i % 5 else 'no'}" for i in range(100)]
    (here / "customers.csv").write_text("\n".join(["id,zip,balance,churned", *rows]))
    return here


def uncommented(text: str) -> str:
    """The file with its keys of one line in use, but for columns that this table does not have."""
    keys = r"drop|categorical|missing|classes\.merge\.yes|imbalance|costs|dropout"
    return re.sub(rf"^# ({keys})", r"\1", text, flags=re.M)


def test_init_writes_a_study_file_and_keeps_an_edited_one(table, capfd):
    assert main(["init", "customers.csv", "--label", "churned"]) == 0
    assert "run customers.toml --report report" in capfd.readouterr().out
    study = load_study("customers.toml")
    assert study.problems[0].minority == ("no",)
    assert '# drop = ["id"]' in study.text
    assert '#   "zip": 7 values' in study.text
    assert sorted(path.name for path in table.iterdir()) == ["customers.csv", "customers.toml"]
    edited = uncommented(study.text)
    (table / "customers.toml").write_text(edited)
    changed = load_study("customers.toml")
    assert changed.problems[0].drop == ("id",)
    assert changed.decision.costs == {"fn": 20, "fp": 1}
    assert main(["init", "customers.csv", "--label", "churned"]) == 2
    assert "customers.toml is there and differs" in capfd.readouterr().err
    assert (table / "customers.toml").read_text() == edited


@pytest.mark.usefixtures("table")
def test_init_asks_for_the_label_at_a_terminal_and_guesses_nothing_elsewhere(monkeypatch, capfd):
    assert main(["init", "customers.csv"]) == 2
    assert "likely: churned (yes 80, no 20)" in capfd.readouterr().err
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _question: " churned ")
    assert main(["init", "customers.csv"]) == 0
    assert load_study("customers.toml").problems[0].label == "churned"
    monkeypatch.setattr("builtins.input", lambda _question: "chruned")
    assert main(["init", "customers.csv", "--name", "b"]) == 2
    assert 'did you mean "churned"?' in capfd.readouterr().err
    assert main(["init", "quickstart"]) == 2
    assert "quickstart: is no table" in capfd.readouterr().err
