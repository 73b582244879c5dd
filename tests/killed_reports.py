"""Reports of a few files, and a small process whose children are killed while they write them.

A process of tests holds so much memory that to fork it takes a large part of a second.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import remix_study
from remix_study.report.page_files import MANIFEST, MARK, publish

_STEPS = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "ctypes.dlsym", "shutil.copymode")
_KILLED = 9


def writer(word: str) -> Callable[[Path], None]:
    """A report of some files, of which one has the report's word in its name."""

    def write(folder: Path) -> None:
        (folder / "tables").mkdir()
        names = ["index.html", f"tables/{word}.csv", "tables/scores.csv"]
        for name in names:
            (folder / name).write_text(word)
        manifest = {"made_by": MARK, "files": dict.fromkeys(names, "")}
        (folder / MANIFEST).write_text(json.dumps(manifest))

    return write


def forbid_exchange(setattr: Callable[[object, str, object], None]) -> None:
    """Patch this process: its system cannot exchange two folders."""
    setattr(ctypes, "CDLL", lambda *_, **__: object())


class Killer:
    """A process with little memory that forks for each report."""

    def __init__(self) -> None:
        paths = [str(Path(remix_study.__file__).parents[1]), str(Path(__file__).parent)]
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def killed(self, number: int, output: Path, *, can_exchange: bool = True) -> bool:
        """Publish the report ``new``; the process ends without cleaning up at its n-th step."""
        job = number, str(Path.cwd()), str(output), can_exchange
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        assert code in (0, _KILLED)
        return code == _KILLED

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def _publish(number: int, folder: str, output: str, can_exchange: bool) -> None:
    os.chdir(folder)
    if not can_exchange:
        forbid_exchange(setattr)
    steps = count(1)
    sys.addaudithook(lambda event, _: event in _STEPS and next(steps) == number and os._exit(9))
    publish(Path(output), writer("new"))


def _serve() -> None:
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            _publish(*json.loads(line))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve()
