"""A seat: its process is followed when recycled or dead, and told nothing on the command line."""

from __future__ import annotations

import time

import pytest

from remix_study.errors import UsageError
from remix_study.study.worker_limits import Start, WorkerLimits
from remix_study.studyfile.parsing import parse_study
from remix_study.workers import worker_process as seats
from remix_study.workers import worker_spec as orders
from remix_study.workers.worker_process import WorkerProcess
from remix_study.workers.worker_spec import WorkerSpec

TINY = '[study]\nname = "tiny"\n[[problems]]\ndataset = "wine"\n'


@pytest.fixture
def order(tmp_path) -> WorkerSpec:
    study = parse_study(TINY, str(tmp_path / "tiny.toml"))
    terms = WorkerLimits(most=3, wait=True, starts={"tiny/wine": Start(4, 0)}, patient=True)
    return WorkerSpec.of(study, "postgresql://me:secret@h/db", "remix-study run", 2, terms)


def test_an_order_comes_out_as_it_went_in(order):
    assert WorkerSpec.decode(order.encode()) == order
    assert order.encode().count(b"\n") == 1
    assert order.study() == parse_study(TINY, order.source)


@pytest.mark.parametrize("stack", [8, "auto"])
def test_a_stack_from_the_command_line_reaches_every_problem_of_every_worker(tmp_path, stack):
    text = TINY.replace("[[problems]]", "[[problems]]\nstack = 3") + (
        '[[problems]]\ndataset = "digits"\nkind = "binary"\nminority = [3]\n'
    )
    study = parse_study(text, str(tmp_path / "tiny.toml")).stacked(stack)
    order = WorkerSpec.of(study, "sqlite:///x.db", "remix-study run", 2, WorkerLimits())
    found = WorkerSpec.decode(order.encode()).study()
    assert [spec.training.stack for spec in found.problems] == [stack, stack]
    # Unless it says nothing.
    plain = parse_study(text, str(tmp_path / "tiny.toml")).stacked(None)
    order = WorkerSpec.of(plain, "sqlite:///x.db", "remix-study run", 2, WorkerLimits())
    assert [spec.training.stack for spec in order.study().problems] == [3, 0]


def test_an_order_shows_no_password(order):
    assert "secret" not in repr(order)


def test_an_order_of_another_version_is_refused(order, monkeypatch):
    monkeypatch.setattr(orders, "__version__", "99")
    with pytest.raises(UsageError, match=r"version 99, .* by version"):
        order.study()


def test_only_the_first_process_adds_a_manifest(order):
    assert order.terms.manifest
    assert not order.following().terms.manifest
    assert order.following().terms.starts == order.terms.starts


def tended(seat: WorkerProcess) -> list[dict]:
    """All events of a seat until nobody takes it any more."""
    events = []
    while seat.taken:
        events += seat.tend()
        time.sleep(0.01)
    return events


def behave(monkeypatch, code: str) -> None:
    """Processes that run this instead of a worker."""
    popen = seats.subprocess.Popen

    def start(command, **options):
        return popen([command[0], "-c", code], **options)

    monkeypatch.setattr(seats.subprocess, "Popen", start)


def test_a_worker_that_never_begins_is_replaced_three_times_at_most(order, monkeypatch):
    behave(monkeypatch, "raise SystemExit(7)")
    seat = WorkerProcess(0, order, {})
    seat.start()
    assert [(event["how"], event["last"]) for event in tended(seat)] == [
        ("exit code 7", False),
        ("exit code 7", False),
        ("exit code 7", True),
    ]


def test_a_worker_that_died_at_a_point_is_replaced_without_end(order, monkeypatch, tmp_path):
    # Five die in a trial; the sixth finds nothing left.
    behave(
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
    seat = WorkerProcess(0, order, {})
    seat.start()
    events = tended(seat)
    died = [event for event in events if event["kind"] == "died"]
    assert [(e["how"], e["label"], e["last"]) for e in died] == [("SIGABRT", "balance", False)] * 5
    assert events[-1]["kind"] == "end"


def test_a_process_that_does_not_stop_is_made_to(order, monkeypatch):
    behave(monkeypatch, "import signal, time\nsignal.signal(15, 1)\nprint('{}')\ntime.sleep(60)")
    monkeypatch.setattr(seats, "_PARTING", 0.2)
    seat = WorkerProcess(0, order, {})
    seat.start()
    begin = time.monotonic()
    seat.stop()
    seat.wait()
    assert time.monotonic() - begin < 30
    assert not seat.taken


def test_the_environment_is_the_seats_own(order, monkeypatch):
    behave(
        monkeypatch,
        "import json, os\n"
        "device = os.environ['CUDA_VISIBLE_DEVICES']\n"
        "print(json.dumps({'kind': 'end', 'recycled': False, 'device': device}))",
    )
    seat = WorkerProcess(1, order, {"CUDA_VISIBLE_DEVICES": "1"})
    seat.start()
    assert [event["device"] for event in tended(seat)] == ["1"]
