"""Damaged contents of a database: whose they are, and what brings them back.

A trial whose rows are damaged can be given up, so that the next run trains it again with the same
numbers. What describes a study cannot be computed from its trials.
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, delete, insert, inspect

from remix_study.study import optuna_tables, tables
from remix_study.study.findings import Defect, Finding, counted, executing
from remix_study.study.kept_probabilities import unpack_probabilities
from remix_study.study.record import delete_runs
from remix_study.study.stored_rows import StoredRow, array_of, read_rows

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

RETRAIN = "`repair --retrain` gives the trial up, and the next `run` trains it again"
_FROM_COPY = (
    "bring the database back from a copy, or train the study again under another name: its trials "
    "do not tell it"
)
_GIVEN_UP = "its rows were damaged"
_OF_WORKERS = ("remix_workers", "remix_claims")


class Trial(NamedTuple):
    """A trial whose rows are damaged, by Optuna's id; None where no trial knows the run."""

    trial_id: int | None
    run_id: int | None


@dataclass(eq=False)
class _Contents:
    """What damage needs to be named, collected while all rows are read."""

    studies: dict[Any, str] = field(default_factory=dict)
    runs: dict[Any, tuple[Any, Any]] = field(default_factory=dict)
    n_rows: dict[tuple[Any, ...], int] = field(default_factory=dict)
    n_classes: dict[Any, int] = field(default_factory=dict)
    names: dict[Any, str] = field(default_factory=dict)
    directions: dict[Any, set[Any]] = field(default_factory=lambda: defaultdict(set))
    trials: dict[Any, Any] = field(default_factory=dict)
    objectives: dict[Any, set[Any]] = field(default_factory=lambda: defaultdict(set))
    folds: dict[Any, set[Any]] = field(default_factory=lambda: defaultdict(set))
    without_parts: set[Any] = field(default_factory=set)
    trial_of_run: dict[Any, Any] = field(default_factory=dict)

    def add(self, row: StoredRow) -> str:
        """Take in a row; returns what is wrong with it, also beside others, or ""."""
        values = row.values
        # Also damaged ones belong to something.
        match row.table:
            case "remix_studies":
                self.studies[values["uuid"]] = values["name"]
            case "remix_parts":
                self.folds[values["study_uuid"]].add((values["repeat"], values["fold"]))
            case "remix_runs":
                self.runs[values["id"]] = values["uuid"], values["study_uuid"]
            case "studies":
                self.names[values["study_id"]] = values["study_name"]
            case "trials":
                self.trials[values["trial_id"]] = values
        return row.fault or self._add_whole(row)

    def _add_whole(self, row: StoredRow) -> str:
        values = row.values
        match row.table:
            case "remix_studies":
                facts = values["facts"]
                facts = json.loads(facts) if isinstance(facts, str) else facts
                self.n_classes[values["uuid"]] = len(facts["classes"])
            case "remix_parts":
                key = tuple(values[name] for name in ("study_uuid", "repeat", "fold", "part"))
                self.n_rows[key] = len(array_of(values["rows"]))
            case "remix_folds" | "remix_scores":
                return self._fold_fault(values)
            case "remix_probabilities":
                return self._probability_fault(values)
            case "study_directions":
                self.directions[values["study_id"]].add(values["objective"])
            case "trial_values":
                self.objectives[values["trial_id"]].add(values["objective"])
            case "trial_user_attributes" if values["key"] == tables.RUN_ATTRIBUTE:
                self.trial_of_run[json.loads(values["value_json"])] = values["trial_id"]
        return ""

    def _fold_fault(self, values: Any) -> str:
        _, study = self.runs.get(values["run_id"], (None, None))
        fold = values["repeat"], values["fold"]
        is_known = study not in self.folds or fold in self.folds[study]
        return "" if is_known else f"repeat {fold[0]}, fold {fold[1]} is none of the study's"

    def _probability_fault(self, values: Any) -> str:
        _, study = self.runs.get(values["run_id"], (None, None))
        key = study, *(values[name] for name in ("repeat", "fold", "part"))
        if study not in self.n_classes:
            return ""
        if key not in self.n_rows:
            self.without_parts.add(study)
            return ""
        try:
            shape = unpack_probabilities(values["probabilities"], self.n_rows[key]).shape
        except (zlib.error, ValueError) as error:
            return f"probabilities are damaged ({error})"
        return "" if shape[1] == self.n_classes[study] else "probabilities are of other classes"

    def trial_name(self, trial_id: Any) -> str:
        """The name of a trial for people."""
        trial = self.trials.get(trial_id, {})
        study = self.names.get(trial.get("study_id"), "a study that is not there")
        return f"{study}: trial {trial.get('number', f'with id {trial_id}')}"


def check_contents(connection: Connection, retrain: bool, free_all: bool) -> Iterator[Defect]:
    """Yield what is damaged, one finding a trial, study, or kind of row.

    Args:
        connection: To the database.
        retrain: Whether trials may be given up.
        free_all: Whether no worker runs, so that leases and workers may be deleted.
    """
    contents = _Contents()
    faults: dict[tuple[str, Any], list[str]] = defaultdict(list)
    for row in read_rows(connection):
        if fault := contents.add(row):
            faults[_owner(row)].append(f"{row.table}: {fault}")
    studies_of_trials = {trial["study_id"] for trial in contents.trials.values()}
    for study_id in (contents.directions.keys() | studies_of_trials) - contents.names.keys():
        faults["optuna study", study_id].append("studies: its row is not there")
    for study in contents.without_parts:
        faults["study", study].append("remix_parts: rows of a fold are not there")
    for trial_id, trial in contents.trials.items():
        objectives, directions = (
            contents.objectives[trial_id],
            contents.directions[trial["study_id"]],
        )
        if trial["state"] == "COMPLETE" and objectives != directions:
            faults["trial", trial_id].append("trial_values: not one value for each objective")
    of_trials: dict[Trial, list[str]] = defaultdict(list)
    for (kind, owner), reasons in faults.items():
        if kind in ("run", "trial"):
            uuid, _ = contents.runs.get(owner, (None, None)) if kind == "run" else (None, None)
            trial_id = owner if kind == "trial" else contents.trial_of_run.get(uuid)
            of_trials[Trial(trial_id, owner if kind == "run" else None)] += reasons
            continue
        yield _finding(contents, kind, owner, reasons, free_all)
    for trial, reasons in of_trials.items():
        name = contents.trial_name(trial.trial_id)
        finding = Finding("damaged", _text(name, reasons), advice=RETRAIN)
        yield finding, partial(give_up, trial=trial) if retrain else None


def _owner(row: StoredRow) -> tuple[str, Any]:
    """What a damaged row is of: a kind, and an id or name of it."""
    values = row.values
    if row.table == "remix_runs" or "run_id" in values:
        return "run", values.get("run_id", values.get("id"))
    if row.table == "remix_manifests":
        return "manifest", values["id"]
    if row.table in _OF_WORKERS:
        return "worker", ""
    if "trial_id" in values:
        return "trial", values["trial_id"]
    if row.table.startswith("remix_"):
        return "study", values.get("uuid", values.get("study_uuid"))
    return "optuna study", values["study_id"]


def _finding(
    contents: _Contents, kind: str, owner: Any, reasons: list[str], free_all: bool
) -> Defect:
    """A finding on what belongs to no trial."""
    if kind == "manifest":
        finding = Finding("damaged", _text("an account of how a study was run", reasons))
        manifests = tables.manifests
        return finding, executing(delete(manifests).where(manifests.c.id == owner))
    if kind == "worker":
        advice = "`repair --all` deletes leases and workers, once no worker runs"
        finding = Finding("damaged", _text("workers", reasons), advice=advice)
        repair = executing(delete(tables.leases), delete(tables.workers))
        return finding, repair if free_all else None
    names = contents.names if kind == "optuna study" else contents.studies
    name = names.get(owner, f"study {owner}")
    return Finding("damaged", _text(name, reasons), advice=_FROM_COPY), None


def _text(name: str, reasons: list[str]) -> str:
    more = f", and {counted(len(reasons) - 1, 'more row')}" if len(reasons) > 1 else ""
    return f"{name}: {reasons[0]}{more}"


def give_up(storage: RDBStorage, trial: Trial) -> None:
    """Delete all rows of a trial, and leave it as one that failed: its configuration is open."""
    with storage.engine.begin() as connection:
        if trial.run_id is not None:
            delete_runs(connection, tables.runs.c.id == trial.run_id)
        if trial.trial_id is None:
            return
        table_names = set(inspect(connection).get_table_names())
        for source in optuna_tables.OF_TRIALS:
            if source.name in table_names:
                connection.execute(delete(source).where(source.c.trial_id == trial.trial_id))
        optuna_tables.set_failed(connection, trial.trial_id, "datetime_start", "datetime_complete")
        attribute = {"key": optuna_tables.FAILED, "value_json": json.dumps(_GIVEN_UP)}
        connection.execute(
            insert(optuna_tables.trial_attributes).values(trial_id=trial.trial_id, **attribute)
        )
