"""Which tests run which lines, and runs of some of them in a fork of this process."""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType, FunctionType

import coverage
import pytest
from mutants import Mutant

OPTIONS = ("-n0", "-q", "--assert=plain", "-m", "not slow", "--hypothesis-seed=0")


class LineMap:
    """A plugin of pytest: which tests pass, their CPU time, and the lines that they run."""

    def __init__(self) -> None:
        self._coverage = coverage.Coverage(source=["remix_study"], data_file=None)
        self._coverage.start()
        self.seconds, self._failed = dict[str, float](), set[str]()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._coverage.switch_context(nodeid)
        self.seconds[nodeid] = -_cpu_seconds()

    def pytest_runtest_logreport(self, report) -> None:
        if not report.passed:
            self._failed.add(report.nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.seconds[nodeid] += _cpu_seconds()

    def rows(self) -> Iterator[tuple[str, int, list[str]]]:
        """Each module and line with the tests that run it and pass."""
        self._coverage.stop()
        data, passed = self._coverage.get_data(), self.seconds.keys() - self._failed
        for file in data.measured_files():
            for line, contexts in data.contexts_by_lineno(file).items():
                yield os.path.relpath(file), line, sorted(passed.intersection(contexts))


def _cpu_seconds() -> float:
    """What this process and those that it has waited for have used: others may be at work."""
    return sum(os.times()[:4])


class Ordered:
    """A plugin of pytest that runs tests in the order in which they are named."""

    def __init__(self, tests: Iterable[str]) -> None:
        self._places = {test: place for place, test in enumerate(tests)}

    def pytest_collection_finish(self, session) -> None:
        items = [item for item in session.items if item.nodeid in self._places]
        session.items[:] = sorted(items, key=lambda item: self._places[item.nodeid])


def import_all(tests: Iterable[Path]) -> set[tuple[str, int]]:
    """Import the package and its tests; returns the modules and lines that this runs."""
    lines = coverage.Coverage(source=["remix_study"], data_file=None)
    lines.start()
    package = importlib.import_module("remix_study")
    for module in pkgutil.walk_packages(package.__path__, "remix_study."):
        if "__main__" not in module.name:
            importlib.import_module(module.name)
    lines.stop()
    pytest.main([*OPTIONS, "--collect-only", "-qq", *map(str, tests)])
    gc.freeze()
    data = lines.get_data()
    return {
        (os.path.relpath(file), line)
        for file in data.measured_files()
        for line in data.lines(file) or ()
    }


def map_lines(tests: Path, path: Path) -> None:
    """Run a folder or file of tests and write what they run."""

    def work() -> int:
        plugin = LineMap()
        code = int(pytest.main([*OPTIONS, str(tests)], plugins=[plugin]))
        path.write_text(json.dumps((plugin.seconds, list(plugin.rows()))))
        return code

    path.parent.mkdir(exist_ok=True)
    in_fork(work, 3600)


def run_tests(tests: list[str], mutant: Mutant, seconds: float, *, is_fresh: bool) -> int | None:
    """Exit code of pytest for tests of a mutant, which is on the disk; None where it hangs."""

    def work() -> int:
        sys.dont_write_bytecode = True
        if is_fresh or not _change_functions(mutant):
            here = os.getcwd()
            for name, module in list(sys.modules.items()):
                if (getattr(module, "__file__", None) or "").startswith(here):
                    del sys.modules[name]
        files = sorted({test.split("::")[0] for test in tests})
        return int(pytest.main([*OPTIONS, "-x", *files], plugins=[Ordered(tests)]))

    return in_fork(work, seconds)


def _change_functions(mutant: Mutant) -> bool:
    """Give functions that live the changed code; False where that is not possible."""
    path = str(mutant.path.resolve())
    new = {(code.co_qualname, code.co_firstlineno): code for code in _codes(mutant.code, path)}
    functions = [f for f in gc.get_objects() if isinstance(f, FunctionType)]
    changed = 0
    for function in functions:
        code = function.__code__
        after = new.get((code.co_qualname, code.co_firstlineno))
        if code.co_filename == path and after is not None and after != code:
            if len(after.co_freevars) != len(code.co_freevars):
                return False
            function.__code__ = after
            changed += 1
    return changed > 0


def _codes(source: str, path: str) -> Iterator[CodeType]:
    codes = [compile(source, path, "exec", dont_inherit=True)]
    while codes:
        code = codes.pop()
        yield code
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def in_fork(work: Callable[[], int], seconds: float) -> int | None:
    """Exit code of ``work()`` in a fork of this process; None where it takes longer."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        output = os.open("output.txt", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        for stream in range(3):
            os.dup2(output, stream)
        code = 70
        try:
            code = work()
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    end, code = time.monotonic() + seconds, None
    while code is None and time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        code = os.waitstatus_to_exitcode(status) if ended else None
        time.sleep(0.02)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    if code is None:
        os.waitpid(pid, 0)
    return code
