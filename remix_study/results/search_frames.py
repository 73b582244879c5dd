"""What the reports read of searches beyond their complete trials: order, pruning, outer folds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Connection, select

from remix_study.study import optuna_tables, tables


@dataclass(frozen=True, eq=False)
class SearchTrial:
    """A trial that ended well, or was pruned.

    Attributes:
        number: Optuna's number.
        slot: its place in the search; -1 where it has none.
        state: "COMPLETE" or "PRUNED".
        run: the run that holds its scores.
        label: the point in words.
        parameters: the point.
        values: validation means, one an objective, over the folds it trained.
        constraints: how far it lies beyond each; 0 or less where it is met.
        asked: what Optuna holds: name -> (internal value, distribution as JSON).
    """

    number: int
    slot: int
    state: str
    run: int
    label: str
    parameters: Mapping[str, Any]
    values: tuple[float, ...]
    constraints: Mapping[str, float]
    asked: Mapping[str, tuple[float, str]]

    @property
    def feasible(self) -> bool:
        return all(beyond <= 0 for beyond in self.constraints.values())


@dataclass(frozen=True, eq=False)
class SearchResult:
    """One problem's search.

    Attributes:
        trials: in the order of their slots.
        references: baseline and ReMix where they lie outside the space, trained beside it.
        outer: what was scored on outer folds, by fold and what chose it.
        planned_outer: how many of these there are to be; 0 without outer folds.
        outer_choices: an objective each, and "baseline" where the space holds it.
        scores: tidy scores of all these runs: `run`, `repeat`, `fold`, `part`, `metric`, `value`.
        sizes: rows of each fold's parts: `run`, `n_train`, `n_validation`, `n_test`.
        definition: the study's definition, as it began.
    """

    study: str
    problem: str
    trials: tuple[SearchTrial, ...]
    references: tuple[SearchTrial, ...]
    outer: tuple[SearchTrial, ...]
    planned_outer: int
    outer_choices: tuple[str, ...]
    scores: pd.DataFrame
    sizes: pd.DataFrame
    definition: Mapping[str, Any]


def load_searches(
    connection: Connection, entries: Sequence[tuple[int, Any]]
) -> tuple[SearchResult, ...]:
    """Read the searches among the studies; a grid has none.

    Args:
        connection: to the database.
        entries: Optuna's id and our row of each study, parts of searches among them.
    """
    found = []
    for study_id, row in entries:
        if row.facts["algorithm"] == "grid" or row.facts.get("role"):
            continue
        parts = {
            other.facts["role"]: (other_id, other)
            for other_id, other in entries
            if other.study == row.study and other.facts.get("parent") == row.problem
        }
        beside, outer = parts.get("references"), parts.get("outer")
        trials = _trials(connection, study_id, row.uuid)
        references = _trials(connection, beside[0], beside[1].uuid) if beside else ()
        last = _newest(_trials(connection, outer[0], outer[1].uuid)) if outer else ()
        runs = [trial.run for trial in (*trials, *references, *last)]
        n_objectives = len(row.facts["objectives"])
        inner = sum(
            other.study == row.study
            and other.facts.get("parent") == row.problem
            and other.facts.get("role") == "inner"
            for _, other in entries
        )
        per_fold = outer[1].trials // inner if outer and inner else n_objectives
        choices = (*row.facts["objectives"], *["baseline"] * (per_fold - n_objectives))
        found.append(
            SearchResult(
                study=row.study,
                problem=row.problem,
                trials=trials,
                references=references,
                outer=last,
                planned_outer=outer[1].trials if outer else 0,
                outer_choices=tuple(choices),
                scores=_scores(connection, runs),
                sizes=_sizes(connection, runs),
                definition=row.definition,
            )
        )
    return tuple(found)


def _newest(trials: Sequence[SearchTrial]) -> tuple[SearchTrial, ...]:
    """The last trial of each slot: a search that was made longer may have chosen again."""
    by_slot = {trial.slot: trial for trial in sorted(trials, key=lambda trial: trial.number)}
    return tuple(by_slot[slot] for slot in sorted(by_slot))


def _trials(connection: Connection, study_id: int, study_uuid: str) -> tuple[SearchTrial, ...]:
    ids = {
        row.trial_id: row
        for row in connection.execute(
            select(optuna_tables.trials).where(optuna_tables.trials.c.study_id == study_id)
        )
        if row.state in optuna_tables.SCORED_STATES
    }
    marks: dict[int, dict[str, Any]] = {number: {} for number in ids}
    for row in _of(connection, optuna_tables.trial_attributes, study_id):
        if row.key in (tables.SLOT_ATTRIBUTE, tables.RUN_ATTRIBUTE) and row.trial_id in ids:
            marks[row.trial_id][row.key] = json.loads(row.value_json)
    asked: dict[int, dict[str, tuple[float, str]]] = {}
    for row in _of(connection, optuna_tables.parameters, study_id):
        distribution = row.distribution_json
        asked.setdefault(row.trial_id, {})[row.param_name] = (row.param_value, distribution)
    values: dict[int, dict[int, float]] = {}
    for row in _of(connection, optuna_tables.values, study_id):
        values.setdefault(row.trial_id, {})[row.objective] = row.value
    constraints: dict[int, dict[str, float]] = {}
    for row in _of(connection, optuna_tables.system_attributes, study_id):
        if row.key.startswith(optuna_tables.CONSTRAINT):
            name = row.key.removeprefix(optuna_tables.CONSTRAINT)
            constraints.setdefault(row.trial_id, {})[name] = json.loads(row.value_json)
    runs = {
        row.uuid: row
        for row in connection.execute(
            select(tables.runs).where(tables.runs.c.study_uuid == study_uuid)
        )
    }
    found = []
    for trial_id, row in ids.items():
        run = runs.get(marks[trial_id].get(tables.RUN_ATTRIBUTE))
        if run is not None:
            own = values.get(trial_id, {})
            found.append(
                SearchTrial(
                    number=row.number,
                    slot=marks[trial_id].get(tables.SLOT_ATTRIBUTE, -1),
                    state=row.state,
                    run=run.id,
                    label=run.label,
                    parameters=run.parameters,
                    values=tuple(own[at] for at in sorted(own)),
                    constraints=constraints.get(trial_id, {}),
                    asked=asked.get(trial_id, {}),
                )
            )
    return tuple(sorted(found, key=lambda trial: (trial.slot, trial.number)))


def _of(connection: Connection, source: Any, study_id: int) -> Sequence[Any]:
    return connection.execute(optuna_tables.rows_of_trials(source, study_id)).all()


def _scores(connection: Connection, runs: Sequence[int]) -> pd.DataFrame:
    scores = tables.scores.c
    columns = ["run", "repeat", "fold", "part", "metric", "value"]
    found = [
        tuple(row)
        for run in runs
        for row in connection.execute(
            select(
                scores.run_id, scores.repeat, scores.fold, scores.part, scores.metric, scores.value
            ).where(scores.run_id == run)
        )
    ]
    return pd.DataFrame(found, columns=columns)


def _sizes(connection: Connection, runs: Sequence[int]) -> pd.DataFrame:
    folds = tables.folds.c
    found = [
        (row.run_id, *(sum(row.counts[part]) for part in ("train", "validation", "test")))
        for run in runs
        for row in connection.execute(
            select(folds.run_id, folds.counts).where(folds.run_id == run)
        )
    ]
    return pd.DataFrame(found, columns=["run", "n_train", "n_validation", "n_test"])
