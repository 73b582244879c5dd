"""Workers of one study under a simulated clock and scheduler, with faults drawn from a seed.

The loops, leases, trials and rows are the real ones, on a database in memory. Each worker has a
thread, of which one runs at a time: they take turns where a transaction begins, so that a seed
always gives the same schedule.
"""

from __future__ import annotations

import copy
import random
import sqlite3
import threading
from _thread import LockType
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import sqlalchemy
from optuna.storages import RDBStorage, get_storage
from sqlalchemy import event

from remix_study.study import (
    active_trials,
    database_errors,
    leases,
    runner,
    tables,
    trial_loop,
)
from remix_study.study.evaluation import Evaluation, evaluate
from remix_study.study.leases import Worker
from remix_study.study.registration import RegisteredStudy
from remix_study.study.reporter import Reporter, Summary
from remix_study.study.schedules import make_schedules
from remix_study.study.signals import Signals
from remix_study.study.trial_loop import TrialLoop, WorkerLimits
from remix_study.study.trials import Trials

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
TURNS = 4000


class Crashed(BaseException):
    """Raised in a worker that was killed: nothing that it does any more reaches the database."""


class SimulatedConnection(sqlite3.Connection):
    """A connection whose answer to a commit may get lost."""

    world: World | None = None

    def commit(self) -> None:
        super().commit()
        if self.world is not None and self.world.loses_answer():
            raise sqlite3.OperationalError("database is locked")


class World:
    """Clock, scheduler and faults of one schedule.

    Attributes:
        rng: All that is left to chance.
        now: The simulated time.
        latest: The latest time that the clock has shown; it also jumps back.
        crashed: Names of threads whose worker was killed.
        begun: Names of those whose answers may get lost: before that a run ends in one line.
        faults: How many there were of each kind.
        registers: Whether workers register the study, which is there, by its many transactions.
    """

    def __init__(self, seed: int, *, has_faults: bool = True) -> None:
        self.rng, self.now, self.latest = random.Random(seed), BEGINNING, BEGINNING
        # From schedules of many short lives to those without a fault.
        self._share = self.rng.choice((0.0, 0.002, 0.01, 0.03)) if has_faults else 0.0
        # Without faults few switches: one worker goes far while another waits between two looks.
        self._favour = self.rng.choice((0.0, 0.5, 0.9) if self._share else (1.0, 0.98))
        self._favourite = ""
        self.registers = self.rng.random() < 0.1
        self.faults = Counter[str]()
        self.crashed: set[str] = set()
        self.begun: set[str] = set()
        self._stalled: dict[str, datetime] = {}
        self._workers: dict[str, Worker] = {}
        # A worker waits for its turn by taking its lock, which whoever runs before it gives back.
        self._turns, self._waiting = 0, dict[str, LockType]()
        self._is_over = threading.Event()
        self.errors: list[BaseException] = []

    @property
    def has_faults(self) -> bool:
        """Whether faults may happen."""
        return self._share > 0

    def loses_answer(self) -> bool:
        """Whether the answer to a commit gets lost."""
        return threading.current_thread().name in self.begun and self._happens("lost answer")

    def take_turn(self) -> None:
        """Let another worker, or none, go on; faults happen here."""
        if not self._is_worker():
            return
        name = threading.current_thread().name
        if name in self.crashed:
            raise Crashed
        self._turns += 1
        assert self._turns < TURNS, "no worker comes to an end"
        # Without faults no time passes, in which one that waits for its turn would be silent.
        seconds = self.rng.choice((0, 0, 1, 20)) if self._share else 0
        self._set_clock(self.now + timedelta(seconds=seconds))
        if self._happens("crash"):
            self.crashed.add(name)
            raise Crashed
        if self._happens("stall"):
            self._stalled[name] = self.now + 2 * leases.GRACE
        if self._happens("clock jump"):
            self._set_clock(self.now + timedelta(seconds=self.rng.choice((-3600, 3600))))
        self._switch(name)

    def _set_clock(self, moment: datetime) -> None:
        self.now, self.latest = moment, max(self.latest, moment)

    def beat(self) -> None:
        """Sign for the worker that runs, as its heartbeat would."""
        worker = self._workers.get(threading.current_thread().name)
        if worker is not None:
            worker.sign()

    @contextmanager
    def heartbeat(self, worker: Worker) -> Iterator[None]:
        """In the place of the thread that signs."""
        name = threading.current_thread().name
        self._workers[name] = worker
        try:
            yield
        finally:
            del self._workers[name]

    def run(self, actions) -> None:
        """Run functions as workers to their end, one at a time."""
        threads = []
        for number, action in enumerate(actions):
            name = f"worker-{uuid4()}-{number}"
            self._waiting[name] = threading.Lock()
            self._waiting[name].acquire()
            threads.append(threading.Thread(target=self._live, args=(action,), name=name))
        for thread in threads:
            thread.start()
        self._wake_next()
        assert self._is_over.wait(300)
        for thread in threads:
            thread.join(10)
        if self.errors:
            raise self.errors[0]

    def _live(self, action) -> None:
        name = threading.current_thread().name
        self._waiting[name].acquire()
        try:
            action()
        except Crashed:
            pass
        except BaseException as error:
            self.errors.append(error)
        finally:
            del self._waiting[name]
            self._wake_next()

    def _switch(self, name: str) -> None:
        following = self._choose_next()
        if following != name:
            self._waiting[following].release()
            self._waiting[name].acquire()

    def _wake_next(self) -> None:
        if self._waiting:
            self._waiting[self._choose_next()].release()
        else:
            self._is_over.set()

    def _choose_next(self) -> str:
        names = list(self._waiting)
        awake = [name for name in names if self._stalled.get(name, self.now) <= self.now]
        if not awake:
            self._set_clock(min(self._stalled[name] for name in names))
            awake = [name for name in names if self._stalled[name] <= self.now]
        if self._favourite not in awake or self.rng.random() < 0.05:
            # One worker often goes far while another waits between two of its steps.
            self._favourite = self.rng.choice(awake)
        is_favoured = self.rng.random() < self._favour
        return self._favourite if is_favoured else self.rng.choice(awake)

    def _is_worker(self) -> bool:
        return threading.current_thread().name in self._waiting

    def _happens(self, fault: str) -> bool:
        happens = self.rng.random() < self._share
        self.faults[fault] += happens
        return happens


class Simulation:
    """The tiny study, ready to be run under any number of schedules.

    Attributes:
        task: Its task.
        empty: The bytes of a database in which it has begun.
        total: How many trials complete it.
        configurations: What the first schedule trained; all others must train the same.
        faults: How many there were of each kind in all schedules.
    """

    def __init__(self, task, registered, empty: bytes, total: int, setattr) -> None:
        self.task, self.registered, self.empty, self.total = task, registered, empty, total
        self._evaluations: dict[str, Evaluation] = {}
        self.configurations: list[str] = []
        self.faults = Counter[str]()
        self.world = World(0)
        # One engine for all schedules: it keeps its compiled statements.
        self._memory = sqlite3.connect(
            ":memory:", check_same_thread=False, factory=SimulatedConnection, isolation_level=None
        )
        self._memory.deserialize(empty)
        self._storage = RDBStorage(
            "sqlite://",
            engine_kwargs={"creator": lambda: self._memory, "poolclass": sqlalchemy.StaticPool},
            skip_compatibility_check=True,
            skip_table_creation=True,
        )
        event.listen(self._storage.engine, "begin", self._begin)
        self._study = registered(self._storage)
        simulation = self

        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                return simulation.world.now.astimezone(tz)

        setattr(leases, "datetime", Clock)
        utc_now = lambda: simulation.world.now.isoformat(timespec="milliseconds")  # noqa: E731
        setattr(leases, "utc_now", utc_now)
        setattr(leases, "host_name", lambda: threading.current_thread().name)
        setattr(leases, "_check_one_machine", lambda _connection: None)
        setattr(Worker, "heartbeat", lambda worker, _on_beat: simulation.world.heartbeat(worker))
        setattr(active_trials, "in_background", lambda work, _signals: work())
        setattr(active_trials, "evaluate", self._train)
        # Its packages are read for seconds.
        setattr(trial_loop, "manifest", lambda *_: {})
        for module in (database_errors, runner):
            setattr(module.time, "sleep", lambda _seconds: simulation.world.take_turn())

    def _train(self, _task, parameters, *_, **__):
        for _ in range(3):
            self.world.take_turn()
            self.world.beat()
        key = tables.configuration_key(parameters)
        if key not in self._evaluations:
            # In a thread that is no worker, in which nothing takes turns.
            with ThreadPoolExecutor(1) as pool:
                self._evaluations[key] = pool.submit(evaluate, self.task, parameters).result()
        return replace(self._evaluations[key], uuid=str(uuid4()))

    @contextmanager
    def _database(self) -> Iterator[RDBStorage]:
        """The database in which the study has begun, and nothing else."""
        self._memory.world = None
        self._memory.rollback()
        self._memory.deserialize(self.empty)
        self._memory.world = self.world
        try:
            yield self._storage
        finally:
            self._storage.remove_session()

    def _begin(self, connection) -> None:
        self.world.take_turn()
        # All statements of SQLAlchemy are compiled and logged; this one is half of all.
        connection.connection.dbapi_connection.execute("BEGIN IMMEDIATE")

    def _open_study(self, storage: RDBStorage) -> RegisteredStudy:
        """The study as a worker opens it, in most schedules without its many transactions."""
        if self.world.registers:
            return self.registered(storage)
        study = copy.copy(self._study.optuna)
        # With nothing in the cache.
        study._storage = get_storage(storage)
        return replace(self._study, optuna=study)

    def _work(self, storage: RDBStorage) -> None:
        """What a worker process does with an open database."""
        trials = Trials(storage, self.task, self._open_study(storage))
        (schedule,) = make_schedules([trials])
        signals = Signals()
        with runner._registered_worker(storage.engine, signals) as worker:
            self.world.begun.add(threading.current_thread().name)
            loop = TrialLoop(schedule, worker, Reporter(), signals, Summary(), WorkerLimits())
            while loop.run(""):
                self.world.take_turn()

    def run(self, seed: int) -> list[tuple]:
        """Run the study under the schedule of a seed, then to its end; returns its trials."""
        self.world = World(seed)
        with self._database() as storage:
            workers = self.world.rng.randint(1, 4)
            self.world.run([lambda: self._work(storage)] * workers)
            self.faults += self.world.faults
            latest, has_faults = self.world.latest, self.world.has_faults
            self.world = World(seed, has_faults=False)
            # Whoever is left has been silent for hours, also who signed before a jump back.
            self.world.now = latest + timedelta(hours=2)
            self._memory.world = None
            self.world.run([lambda: self._work(storage)])
            trials = self._check(storage)
            # Nobody takes a worker that lives for dead.
            assert has_faults or {state for state, *_ in trials} == {"COMPLETE"}, trials
            return trials

    def _check(self, storage: RDBStorage) -> list[tuple]:
        with storage.engine.connect() as connection:

            def read(sql: str) -> list[tuple]:
                return [tuple(row) for row in connection.exec_driver_sql(sql)]

            states = read(
                "SELECT state, (SELECT json_group_object(param_name, param_value) FROM "
                "(SELECT * FROM trial_params p WHERE p.trial_id = t.trial_id ORDER BY param_name))"
                ", a.value_json FROM trials t LEFT JOIN trial_user_attributes a "
                "ON a.trial_id = t.trial_id AND a.key = 'remix_run' ORDER BY t.trial_id"
            )
            complete = [row[1] for row in states if row[0] == "COMPLETE"]
            assert len(complete) == len(set(complete)) == self.total, states
            self.configurations = self.configurations or sorted(complete)
            assert sorted(complete) == self.configurations, states
            assert {row[0] for row in states} <= {"COMPLETE", "FAIL"}, states
            assert read("SELECT * FROM remix_claims") == []
            trained_runs = sorted(row[2].strip('"') for row in states if row[0] == "COMPLETE")
            assert sorted(uuid for (uuid,) in read("SELECT uuid FROM remix_runs")) == trained_runs
            for name in ("folds", "scores", "probabilities"):
                orphans = f"SELECT count(*) FROM remix_{name} WHERE run_id NOT IN"
                assert read(f"{orphans} (SELECT id FROM remix_runs)") == [(0,)]
            return [row[:2] for row in states]
