"""Arguments of several commands: their types, and options that commands share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from remix_study.errors import BAD_INPUT, join_names, mask_passwords
from remix_study.studyfile.schema import DEFAULT_STORAGE

EXIT_CODES = (
    "exit codes: 0 done, 1 some configurations failed, 2 bad input, 3 database, 4 a download\n"
    "failed, 70 a defect of the program, 130/143 stopped, 141 nobody reads the output any more"
)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Refuse what a command does not know here, where its options can be suggested."""
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            written = [word.split("=")[0] for word in unknown if word.startswith("--")]
            known = list(self._option_string_actions)
            similar = [
                match for word in written for match in get_close_matches(word, known, 1, 0.8)
            ]
            hint = f" (did you mean {join_names(similar)}?)" if similar else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return options, unknown

    def error(self, message: str) -> NoReturn:
        """Print a message without passwords, and exit with the code of bad input."""
        self.exit(BAD_INPUT, f"{self.prog}: {mask_passwords(message)}; see {self.prog} --help\n")


class PrintCompletion(argparse.Action):
    """Print a script that completes commands and options in a shell, and exit."""

    def __call__(
        self, parser: argparse.ArgumentParser, _namespace: Any, shell: Any, _option: Any = None
    ) -> None:
        """Write the script for the program's whole parser."""
        try:
            import shtab
        except ImportError:
            parser.error('shtab is not installed; pip install "remix-study[completion]"')
        commands = next(a.choices for a in parser._actions if isinstance(a.choices, dict))
        for action in [action for command in commands.values() for action in command._actions]:
            if action.nargs != 0 and action.choices is None:
                action.complete = shtab.FILE
        print(shtab.complete(parser, shell))
        parser.exit()


def new_command(
    commands: Any, name: str, purpose: str, *examples: str, exit_codes: str = EXIT_CODES
) -> argparse.ArgumentParser:
    """Add the parser of a command, whose help ends with examples and exit codes.

    Args:
        commands: The program's commands.
        name: The command's word.
        purpose: What it does, in one line.
        examples: Words after the program's name.
        exit_codes: What its exit codes stand for.
    """
    lines = "\n".join(f"  remix-study {words}" for words in examples)
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=purpose,
        description=f"{purpose[0].upper()}{purpose[1:]}.",
        epilog=f"examples:\n{lines}\n\n{exit_codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return command


def add_storage(command: argparse.ArgumentParser) -> None:
    """Add ``--storage``, which names the database."""
    command.add_argument(
        "--storage", default=DEFAULT_STORAGE, metavar="URL",
        help="database (default: sqlite:///remix-study.db in this folder)",
    )  # fmt: skip


def add_json(command: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    command.add_argument("--json", action="store_true", help="answer in JSON")


def device_list(text: str) -> str:
    """Check a list of accelerators: numbers as in "0,1", or "cpu"."""
    if text != "cpu" and not re.fullmatch(r"\d+(,\d+)*", text):
        raise argparse.ArgumentTypeError(f'"{text}": write numbers as in 0,1, or cpu')
    return text


def worker_count(text: str) -> int:
    """Parse a number of worker processes, 1 to 1000."""
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f'"{text}": write how many, such as 2')
    return int(text)


def trial_count(text: str) -> int:
    """Parse a number of trials; 0 sets no limit."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f'"{text}": write how many, or 0 for no limit')
    return int(text)


def stack_size(text: str) -> int | str:
    """Parse a number of networks in one program, 1 to 10,000, or "auto"."""
    if text == "auto":
        return text
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f'"{text}": write how many, up to 10,000, or auto')
    return int(text)


def duration(text: str) -> float:
    """Parse a time in seconds, or with the unit s, m or h, as in 90, 10m or 2h."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    seconds = float(match[1]) * {"s": 1, "": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    if not seconds:
        raise argparse.ArgumentTypeError(f'"{text}": write seconds, or a time such as 10m or 2h')
    return seconds


def port_number(text: str) -> int:
    """Parse a TCP port; 0 stands for any that is free."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f'"{text}": write a number from 0 to 65535')
    return int(text)


def study_names(words: Sequence[str]) -> list[str]:
    """Names of the studies that a user means: each word is a study file or a study's name.

    Raises:
        StudyFileError: A study file cannot be read.
    """
    from remix_study.studyfile.parsing import named_study

    studies = {word: named_study(word) for word in words}
    return [word if study is None else study.name for word, study in studies.items()]
