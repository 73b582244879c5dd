"""The main thread hears signals while another one is in a long call."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from remix_study.study.background import in_background
from remix_study.study.signals import Signals, Stopped


def raise_it(error: BaseException) -> None:
    raise error


def test_a_call_returns_and_raises_as_if_it_were_made_here():
    assert in_background(lambda: [threading.current_thread().name]) == ["background"]
    with pytest.raises(ZeroDivisionError):
        in_background(lambda: 1 / 0)
    # What would end the process where a signal had raised it, and here a user's network has.
    for error, text in (
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (SystemExit(7), "SystemExit 7"),
    ):
        with pytest.raises(RuntimeError, match=text):
            in_background(partial(raise_it, error))
    # One thread serves all calls, and a call from another thread stays in that.
    names: list[str] = []
    names.append(in_background(lambda: in_background(lambda: threading.current_thread().name)))
    assert names == ["background"]


def test_a_signal_is_raised_while_the_call_goes_on():
    has_ended = threading.Event()
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    signals, clock = Signals(), time.monotonic()
    with signals.installed(), pytest.raises(Stopped):
        in_background(lambda: has_ended.wait(60))
    assert time.monotonic() - clock < 5
    # The next call does not wait for the one that was left behind.
    assert in_background(lambda: 3) == 3
    has_ended.set()


def test_a_program_waits_neither_for_a_call_nor_for_python_to_clean_up():
    program = (
        "import atexit, os, signal, threading, time\n"
        "from remix_study.study.background import end_process, in_background\n"
        "from remix_study.study.signals import Signals, Stopped\n"
        "atexit.register(time.sleep, 100)\n"
        "threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "try:\n"
        "    with Signals().installed():\n"
        "        in_background(lambda: time.sleep(100))\n"
        "except Stopped as stopped:\n"
        "    print('closed')\n"
        "    end_process(stopped.exit_code)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (process.returncode, process.stdout) == (130, "closed\n")
