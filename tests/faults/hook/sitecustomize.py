"""Imported by Python at its start: simulates data and training in every process, and logs trials.

Each trial appends a line to ``SIMULATED_LOG`` when it begins and when it ends, and clock and CPU
time to ``SIMULATED_TIMES``. ``SIMULATED_FAULT`` is ``<label>=<kill|raise|nan>``: what the trial of
this configuration does. Configurations in ``SIMULATED_HOLD`` stay in training until there is a
file ``go`` beside the log.
"""

from __future__ import annotations

import gc
import os
import signal
import time
import traceback
from dataclasses import replace
from datetime import timedelta
from pathlib import Path


def _log(word: str, label: str) -> None:
    _append("SIMULATED_LOG", f"{word}\t{os.getpid()}\t{label}\n")
    _append("SIMULATED_TIMES", f"{word}\t{os.getpid()}\t{time.time()}\t{time.process_time()}\n")


def _append(name: str, line: str) -> None:
    if path := os.environ.get(name):
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)


def _install() -> None:
    import simulated_training
    from made_up_data import make_up_data

    from remix_study.study import leases, runner
    from remix_study.study.task import Task

    simulated_training.simulate_training(setattr)
    simulated_training.skip_conclusion(setattr)
    simulated_training.skip_migrations(setattr)
    make_up_data(setattr)
    simulated_fit = Task.fit
    log = Path(os.environ["SIMULATED_LOG"])
    held_labels = os.environ.get("SIMULATED_HOLD", "").split(";")
    faulty_label, _, fault = os.environ.get("SIMULATED_FAULT", "").rpartition("=")

    def fit(self, setting, on_epoch=None, places=None):
        label = setting.strategy.label
        _log("begin", label)
        if fault == "kill" and label == faulty_label:
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "raise" and label == faulty_label:
            raise ZeroDivisionError("made up")
        while label in held_labels and not (log.parent / "go").exists():
            time.sleep(0.02)
            on_epoch(0)
        outcomes = simulated_fit(self, setting, on_epoch, places)
        if fault == "nan" and faulty_label in ("", label):
            outcomes = [replace(outcome, failed="made up") for outcome in outcomes]
        _log("end", label)
        return outcomes

    Task.fit = fit
    runner._POLL_SECONDS = 0.2
    if seconds := os.environ.get("SIMULATED_GRACE"):
        leases.GRACE = timedelta(seconds=float(seconds))
        leases.Worker.__init__.__defaults__ = (float(seconds) / 5,)
    if host := os.environ.get("SIMULATED_HOST"):
        leases.host_name = lambda: host
        leases.boot_id = lambda: f"boot of {host}"


if "SIMULATED_LOG" in os.environ:
    # Looking for garbage among modules takes a tenth of a short process's time.
    gc.set_threshold(50_000, 20, 20)
    try:
        _install()
    except Exception:
        # Python would go on without the hook, and the test would see a process without its fault.
        traceback.print_exc()
        os._exit(70)
