"""A slot of the pool: its process is replaced when recycled or dead, and fed by a pipe."""

from __future__ import annotations

import signal
import time
from dataclasses import replace

import pytest

from remix_study.errors import UsageError
from remix_study.study.trial_loop import WorkerLimits
from remix_study.study.trials import Start
from remix_study.studyfile.parsing import parse_study
from remix_study.workers import worker_process as worker_processes
from remix_study.workers import worker_spec as worker_specs
from remix_study.workers.worker_process import WorkerProcess
from remix_study.workers.worker_spec import WorkerSpec

TINY = '[study]\nname = "tiny"\n[[problems]]\ndataset = "wine"\n'


@pytest.fixture
def spec(tmp_path) -> WorkerSpec:
    study = parse_study(TINY, str(tmp_path / "tiny.toml"))
    limits = WorkerLimits(
        max_trials=3, waits=True, starts={"tiny/wine": Start(4, 0)}, retries_opening=True
    )
    return WorkerSpec.of(study, "postgresql://me:secret@h/db", "remix-study run", 2, limits)


def test_a_spec_is_decoded_as_it_was_encoded(spec):
    assert WorkerSpec.decode(spec.encode()) == spec
    assert spec.encode().count(b"\n") == 1
    assert spec.study() == parse_study(TINY, spec.source)


@pytest.mark.parametrize("stack", [8, "auto"])
def test_a_stack_from_the_command_line_reaches_every_problem_of_every_worker(tmp_path, stack):
    text = TINY.replace("[[problems]]", "[[problems]]\nstack = 3") + (
        '[[problems]]\ndataset = "digits"\nkind = "binary"\nminority = [3]\n'
    )
    study = parse_study(text, str(tmp_path / "tiny.toml")).with_stack(stack)
    spec = WorkerSpec.of(study, "sqlite:///x.db", "remix-study run", 2, WorkerLimits())
    decoded = WorkerSpec.decode(spec.encode()).study()
    assert [problem.training.stack for problem in decoded.problems] == [stack, stack]
    # Unless it says nothing.
    plain = parse_study(text, str(tmp_path / "tiny.toml")).with_stack(None)
    spec = WorkerSpec.of(plain, "sqlite:///x.db", "remix-study run", 2, WorkerLimits())
    assert [problem.training.stack for problem in spec.study().problems] == [3, 0]


def test_a_spec_shows_no_password(spec):
    assert "secret" not in repr(spec)


def test_a_spec_of_another_version_is_refused(spec, monkeypatch):
    monkeypatch.setattr(worker_specs, "__version__", "99")
    with pytest.raises(UsageError, match=r"version 99, .* by version"):
        spec.study()


def test_only_the_first_process_adds_a_manifest(spec):
    assert spec.limits.writes_manifest
    assert not spec.without_manifest().limits.writes_manifest
    assert spec.without_manifest().limits.starts == spec.limits.starts


def all_events(process: WorkerProcess) -> list[dict]:
    """All events of a slot until no process runs there any more."""
    events = []
    while process.is_active:
        events += process.poll_events()
        time.sleep(0.01)
    return events


def replace_program(monkeypatch, code: str) -> None:
    """Let worker processes run this code instead of a worker."""
    popen = worker_processes.subprocess.Popen

    def start(command, **options):
        return popen([command[0], "-c", code], **options)

    monkeypatch.setattr(worker_processes.subprocess, "Popen", start)


def test_a_worker_that_never_begins_is_replaced_three_times_at_most(spec, monkeypatch):
    replace_program(monkeypatch, "raise SystemExit(7)")
    process = WorkerProcess(0, spec, {})
    process.start()
    assert [(event["how"], event["last"]) for event in all_events(process)] == [
        ("exit code 7", False),
        ("exit code 7", False),
        ("exit code 7", True),
    ]


def test_a_worker_that_died_in_a_trial_is_replaced_without_end(spec, monkeypatch, tmp_path):
    # Five die in a trial; the sixth finds nothing left.
    replace_program(
        monkeypatch,
        f"""
import os, pathlib
lives = pathlib.Path({str(tmp_path / "lives")!r})
lives.write_text((lives.read_text() if lives.exists() else "") + "x")
if len(lives.read_text()) == 6:
    print('{{"kind": "end", "recycled": false}}')
else:
    print('{{"kind": "trial", "label": "balance"}}', flush=True)
    print('{{"kind": "comp', end="", flush=True)
    os.abort()
""",
    )
    process = WorkerProcess(0, spec, {})
    process.start()
    events = all_events(process)
    died = [event for event in events if event["kind"] == "died"]
    assert [(e["how"], e["label"], e["last"]) for e in died] == [("SIGABRT", "balance", False)] * 5
    assert events[-1]["kind"] == "end"


def test_a_process_that_does_not_stop_is_killed(spec, monkeypatch):
    replace_program(
        monkeypatch,
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        """print('{"kind": "trial", "label": "balance"}', flush=True)\n"""
        "time.sleep(600)",
    )
    monkeypatch.setattr(worker_processes, "_STOP_SECONDS", 0.2)
    process = WorkerProcess(0, spec, {})
    process.start()
    while not process.poll_events():
        time.sleep(0.01)
    process.stop()
    process.wait()
    assert not process.is_active
    assert process._process.returncode == -signal.SIGKILL


def test_a_process_that_reads_nothing_yet_holds_up_no_other(spec, monkeypatch, tmp_path):
    # Of a study whose text no pipe holds.
    spec, go = replace(spec, text="x" * 2_000_000), tmp_path / "go"
    replace_program(
        monkeypatch,
        f"""
import json, pathlib, sys, time
go, end = pathlib.Path({str(go)!r}), time.monotonic() + 5
while not go.exists() and time.monotonic() < end:
    time.sleep(0.01)
in_time = go.exists()
size = len(sys.stdin.readline())
print(json.dumps(dict(kind="end", recycled=False, in_time=in_time, size=size)))
""",
    )
    process = WorkerProcess(0, spec, {})
    process.start()
    go.touch()
    (event,) = all_events(process)
    assert event["in_time"]
    assert event["size"] == len(spec.encode())


def test_a_slot_has_an_environment_of_its_own(spec, monkeypatch):
    replace_program(
        monkeypatch,
        "import json, os\n"
        "device = os.environ['CUDA_VISIBLE_DEVICES']\n"
        "print(json.dumps({'kind': 'end', 'recycled': False, 'device': device}))",
    )
    process = WorkerProcess(1, spec, {"CUDA_VISIBLE_DEVICES": "1"})
    process.start()
    assert [event["device"] for event in all_events(process)] == ["1"]
