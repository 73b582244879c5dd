"""What MkDocs does beside its own work: pages made from the package, and files from outside docs/.

Pages of commands are made from the parsers. The README is the first page; change log, reports and
benchmarks come in with their pictures. Links are written as they are right on a disk and in a
repository's viewer; here they are turned into links of the site.
"""

from __future__ import annotations

import argparse
import json
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from remix_study.cli.arguments import EXIT_CODES
from remix_study.cli.main import parser

ROOT = Path(__file__).resolve().parents[2]
# Files outside docs/, by patterns.
OUTSIDE = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "benchmarks/README.md",
    "reports/**/*.*",
)
_REPOSITORY_NAMES: dict[str, str] = {}
"""Path of each file from outside in the site -> its path in the repository."""
# A link's text may have escaped brackets in it.
_LINK = re.compile(r"(!?\[(?:\\.|[^\\\]])*\]\()(?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages and the files from outside."""
    for pattern in OUTSIDE:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            if path.suffix == ".py":
                continue
            # File.generated reads the file when the site is built.
            _REPOSITORY_NAMES[site_place(name)] = name
            files.append(File.generated(config, site_place(name), abs_src_path=str(path)))
    files.append(File.generated(config, "commands.md", content=command_page()))
    for path in sorted((ROOT / "docs" / "notebooks").glob("*.ipynb")):
        name = path.relative_to(ROOT).as_posix()
        _REPOSITORY_NAMES[site_place(name)] = name
        files.append(File.generated(config, site_place(name), content=notebook_page(path)))
    return files


def site_place(name: str) -> str:
    """Where a file of the repository stands in the site."""
    if name == "README.md":
        return "index.md"
    # A report's folder has an index.html of its own, which a README would become, too.
    if re.fullmatch(r"reports/.+/README\.md", name):
        return f"{posixpath.dirname(name)}.md"
    return re.sub(r"\.ipynb$", ".md", name.removeprefix("docs/"))


def notebook_page(path: Path) -> str:
    """A notebook with its outputs as Markdown."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            text = "".join(data.get("text/plain") or output.get("text", ""))
            html = "".join(data.get("text/html", ""))
            # Markdown ends a block of HTML at an empty line.
            parts.append(re.sub(r"\n\s*\n", "\n", html) if html else f"```\n{text.rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:
    """Turn links between files of the repository into links between pages of the site."""
    source = page.file.src_uri
    repository_path = _REPOSITORY_NAMES.get(source, f"docs/{source}")

    def in_site(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(repository_path), match[2]))
        place = site_place(f"{target}/README.md" if (ROOT / target).is_dir() else target)
        if files.get_file_from_path(place) is None:
            # A file that only the repository has, such as a script: its path without a link.
            return match[1].lstrip("!")[1:-2] if (ROOT / target).exists() else match[0]
        link = posixpath.relpath(place, posixpath.dirname(source) or ".")
        opening = match[1]
        names = target, posixpath.basename(target)
        if target.endswith(".md") and opening in (f"[{name}](" for name in names):
            # On a disk a file's name is a good text, on the site its title.
            title, _, _ = (ROOT / target).read_text(encoding="utf-8").partition("\n")
            opening = f"[{title.removeprefix('# ')}]("
        return f"{opening}{link}{match[3] or ''})"

    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.MULTILINE | re.DOTALL)
    return "".join(p if p.startswith("```") else _LINK.sub(in_site, p) for p in parts)


def command_page() -> str:
    """The page of all commands, with their arguments, examples and exit codes."""
    program = parser()
    commands = next(a for a in program._actions if isinstance(a, argparse._SubParsersAction))
    purposes = {action.dest: action.help for action in commands._choices_actions}
    lines = [
        "# Commands",
        "",
        "`remix-study COMMAND`, or `python -m remix_study COMMAND`. This page is made from the"
        " commands themselves; `remix-study COMMAND --help` prints the same.",
        "",
        "| command | what it does |",
        "|---|---|",
        *(f"| [`{name}`](#{name}) | {purposes[name]} |" for name in commands.choices),
        "",
        "## Exit codes",
        "",
        "| code | meaning |",
        "|---|---|",
        *(f"| {code} | {meaning} |" for code, meaning in exit_codes()),
    ]
    for name, command in commands.choices.items():
        lines += ["", f"## {name}", "", f"{command.description}", ""]
        lines += ["| argument | meaning |", "|---|---|"]
        for action in command._actions:
            if action.dest != "help":
                lines.append(f"| {_argument(action)} | {_meaning(action)} |")
        examples, _, codes = (command.epilog or "").partition("\n\n")
        shell = "\n".join(line.strip() for line in examples.splitlines()[1:])
        lines += ["", "```bash", shell, "```"]
        if codes != EXIT_CODES:
            lines += ["", f"{codes[0].upper()}{codes[1:]}."]
    return "\n".join(lines) + "\n"


def exit_codes() -> list[tuple[str, str]]:
    """Exit codes of most commands with what they stand for."""
    text = " ".join(EXIT_CODES.split()).removeprefix("exit codes: ")
    pairs = [entry.split(" ", 1) for entry in text.split(", ")]
    return [(code, meaning) for code, meaning in pairs]


def _argument(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    if action.option_strings:
        return ", ".join(f"`{option}{value}`" for option in action.option_strings)
    return f"`{action.metavar or action.dest}`"


def _meaning(action: argparse.Action) -> str:
    choices = f" ({', '.join(map(str, action.choices))})" if action.choices else ""
    return f"{action.help or ''}{choices}".replace("|", r"\|")
