"""Standard output and error that cannot fail a run."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from remix_study.workers.standard_streams import SafeStream, escape_controls


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("over\rwritten\x08\x9b2J\x7f", "over\\rwritten\\x08\\x9b2J\\x7f"),
        ("right \u202eto left", "right \\u202eto left"),
        ("tab\tand line\n, naïve 日本 😀", "tab\tand line\n, naïve 日本 😀"),
    ],
)
def test_control_characters_become_escapes(text, shown):
    assert escape_controls(text) == shown


@pytest.fixture
def pipe():
    """Both ends of a pipe."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            # A test has closed it.
            continue


def test_what_the_encoding_lacks_is_written_as_an_escape(pipe):
    reader, writer = pipe
    ascii_stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    stream = SafeStream(writer, ascii_stream, raises_broken_pipe=True)
    stream.write("normäl \udcff")
    stream.terminal.write("\x1b[1m")
    stream.write("\x1b[1m")
    stream.flush()
    assert os.read(reader, 100) == b"norm\\xe4l \\udcff\x1b[1m\\x1b[1m"


def test_what_a_full_disk_does_not_take_is_dropped():
    descriptor = os.open("/dev/full", os.O_WRONLY)
    stream = SafeStream(descriptor, None, raises_broken_pipe=True)
    assert stream.lost == ""
    for _ in range(3):
        stream.write("line\n" * 5000)
        stream.flush()
    assert stream.lost == os.strerror(28)
    stream.close()
    os.close(descriptor)


def test_only_standard_output_ends_where_nobody_reads_it(pipe):
    reader, writer = pipe
    os.close(reader)
    errors = SafeStream(writer, None, raises_broken_pipe=False)
    errors.write("line\n")
    errors.flush()
    output = SafeStream(writer, None, raises_broken_pipe=True)
    output.write("line\n")
    with pytest.raises(BrokenPipeError):
        output.flush()
    # Its last lines must not be written when it is collected.
    os.dup2(os.open(os.devnull, os.O_WRONLY), writer)


def test_a_closed_descriptor_is_not_given_to_the_next_file(tmp_path):
    program = (
        "from remix_study.workers.standard_streams import protect_standard_streams\n"
        "protect_standard_streams()\n"
        "print('to nobody', flush=True)\n"
        "raise SystemExit(open('database', 'wb').fileno())\n"
    )
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", program]
    path = os.pathsep.join(sys.path)
    done = subprocess.run(shell, cwd=tmp_path, env=os.environ | {"PYTHONPATH": path})
    assert done.returncode >= 3


# As on a machine without /dev/shm.
_WITHOUT_SEMAPHORES = """
import _multiprocessing, warnings
from remix_study.workers.standard_streams import protect_standard_streams

def refuse(*_, **__):
    raise FileNotFoundError(2, "No such file or directory")

_multiprocessing.SemLock = refuse
protect_standard_streams()
import joblib
print(joblib.cpu_count())
warnings.warn("another one")
"""


def test_of_a_machine_without_semaphores_joblib_warns_nobody():
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_SEMAPHORES],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "1\n"
    assert [line for line in done.stderr.splitlines() if "Warning" in line] == [
        "<string>:12: UserWarning: another one"
    ]
