"""The package at an earlier commit, run in the present environment."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

COMMIT = "37c07ed"
"""The commit whose numbers bind."""

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
STUDIES = {
    "quickstart": "quickstart",
    "golden-binary": str(HERE / "studies" / "binary.toml"),
    "golden-multiclass": str(HERE / "studies" / "multiclass.toml"),
}
"""Name -> what `run` is given for it."""


@contextlib.contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """Check a commit out into a temporary folder, as a worktree that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="remix-study-reference-") as folder:
        code = Path(folder) / "code"
        git = ["git", "-C", str(REPOSITORY), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(code), commit], check=True)
        try:
            yield code
        finally:
            subprocess.run([*git, "remove", "--force", str(code)], check=True)


def run_python(code: Path, words: Sequence[str], folder: Path) -> None:
    """Run `python WORDS` in a folder with the package of a source tree.

    Raises:
        RuntimeError: Another copy of the package would be imported.
        subprocess.CalledProcessError: The command failed.
    """
    environment = {**os.environ, "PYTHONPATH": str(code), "TF_CPP_MIN_LOG_LEVEL": "2"}
    located = subprocess.run(
        [sys.executable, "-c", "import remix_study; print(remix_study.__file__)"],
        cwd=folder, env=environment, check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    if not Path(located).resolve().is_relative_to(code.resolve()):
        raise RuntimeError(f"{located} was imported instead of the package in {code}")
    subprocess.run([sys.executable, *words], cwd=folder, env=environment, check=True)


def train(code: Path, study: str, database: Path) -> None:
    """Run a study, a file or a built-in one, with the package of a source tree.

    Args:
        code: The source tree.
        study: A name of `STUDIES`, a study file's absolute path, or a built-in study.
        database: The SQLite file; its name alone gets into the study's manifest.
    """
    words = ["-m", "remix_study", "run", STUDIES.get(study, study)]
    run_python(code, [*words, "--storage", f"sqlite:///{database.name}"], database.parent)
