"""Searches as the database holds them: order of trials, pruned ones, outer folds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from sqlalchemy import Connection, select

from remix_study.study import optuna_tables, tables
from remix_study.study.optuna_tables import Registered


@dataclass(frozen=True, eq=False)
class SearchTrial:
    """A complete or pruned trial of a search.

    Attributes:
        number: Optuna's number.
        slot: its place in the search; -1 where it has none.
        state: "COMPLETE" or "PRUNED".
        run: the run that holds its scores.
        label: the configuration in words.
        parameters: the configuration.
        values: validation means, one an objective, over the folds it trained.
        constraints: excess over each constraint; 0 or less where it is met.
        optuna_parameters: name -> (Optuna's internal value, distribution as JSON).
        outer_fold: the outer fold that it was trained on; -1 for none.
        chosen_by: what chose its configuration there: an objective, or "baseline".
    """

    number: int
    slot: int
    state: str
    run: int
    label: str
    parameters: Mapping[str, Any]
    values: tuple[float, ...]
    constraints: Mapping[str, float]
    optuna_parameters: Mapping[str, tuple[float, str]]
    outer_fold: int = -1
    chosen_by: str = ""

    @property
    def is_feasible(self) -> bool:
        """Whether all constraints are met."""
        return all(excess <= 0 for excess in self.constraints.values())


@dataclass(frozen=True, eq=False)
class SearchResult:
    """All stored trials of one problem's search.

    Attributes:
        study: name of the study.
        problem: name of the problem.
        trials: in the order of their slots.
        references: baseline and ReMix, trained besides where the search space lacks them.
        outer: trials on outer folds, by fold and by what chose them.
        planned_outer: planned number of these; 0 without outer folds.
        scores: tidy scores of all these runs: `run`, `repeat`, `fold`, `part`, `metric`, `value`.
        sizes: rows of each fold's parts: `run`, `n_train`, `n_validation`, `n_test`.
        definition: the study's definition when it began.
    """

    study: str
    problem: str
    trials: tuple[SearchTrial, ...]
    references: tuple[SearchTrial, ...]
    outer: tuple[SearchTrial, ...]
    planned_outer: int
    scores: pd.DataFrame
    sizes: pd.DataFrame
    definition: Mapping[str, Any]


def load_searches(
    connection: Connection, registered: Sequence[Registered]
) -> tuple[SearchResult, ...]:
    """Read the searches among the studies.

    Args:
        connection: to the database.
        registered: Optuna's id and our row of each study, parts of searches included.
    """
    return tuple(
        _search(connection, study_id, row, registered)
        for study_id, row in registered
        if row.facts["algorithm"] != "grid" and not row.facts.get("role")
    )


def _search(
    connection: Connection, study_id: int, row: Any, registered: Sequence[Registered]
) -> SearchResult:
    parts = [
        (part_id, part)
        for part_id, part in registered
        if part.study == row.study and part.facts.get("parent") == row.problem
    ]
    by_role = {part.facts["role"]: (part_id, part) for part_id, part in parts}
    trials = _trials(connection, study_id, row.uuid)
    references: tuple[SearchTrial, ...] = ()
    if "references" in by_role:
        part_id, part = by_role["references"]
        references = _trials(connection, part_id, part.uuid)
    outer: tuple[SearchTrial, ...] = ()
    planned_outer = 0
    if "outer" in by_role:
        part_id, part = by_role["outer"]
        outer = _newest_of_slots(_trials(connection, part_id, part.uuid))
        planned_outer = part.trials
        n_outer_folds = sum(part.facts.get("role") == "inner" for _, part in parts)
        outer = _with_choices(outer, row.facts["objectives"], planned_outer, n_outer_folds)
    runs = [trial.run for trial in (*trials, *references, *outer)]
    return SearchResult(
        study=row.study,
        problem=row.problem,
        trials=trials,
        references=references,
        outer=outer,
        planned_outer=planned_outer,
        scores=_scores(connection, runs),
        sizes=_sizes(connection, runs),
        definition=row.definition,
    )


def _newest_of_slots(trials: Sequence[SearchTrial]) -> tuple[SearchTrial, ...]:
    """The last trial of each slot: a search that was prolonged may have chosen again."""
    by_slot = {trial.slot: trial for trial in sorted(trials, key=lambda trial: trial.number)}
    return tuple(by_slot[slot] for slot in sorted(by_slot))


def _with_choices(
    outer: Sequence[SearchTrial], objectives: Sequence[str], planned: int, n_folds: int
) -> tuple[SearchTrial, ...]:
    """Say of trials of the first schema which outer fold they are of, and what chose them.

    Their slots tell it: on each fold, one for each objective, then one for the baseline where the
    search space holds it. Later schemas store it.
    """
    if all(trial.chosen_by for trial in outer):
        return tuple(outer)
    choices = [*objectives, "baseline"][: planned // n_folds]

    def with_choice(trial: SearchTrial) -> SearchTrial:
        fold, position = divmod(trial.slot, len(choices))
        return replace(trial, outer_fold=fold, chosen_by=choices[position])

    return tuple(trial if trial.chosen_by else with_choice(trial) for trial in outer)


def _trials(connection: Connection, study_id: int, study_uuid: str) -> tuple[SearchTrial, ...]:
    """Complete and pruned trials of one Optuna study, by slot and number."""
    stored = {
        row.trial_id: row
        for row in connection.execute(
            select(optuna_tables.trials).where(optuna_tables.trials.c.study_id == study_id)
        )
        if row.state in optuna_tables.SCORED_STATES
    }
    attributes: dict[int, dict[str, Any]] = {trial_id: {} for trial_id in stored}
    for row in _rows_of_study(connection, optuna_tables.trial_attributes, study_id):
        if row.key in (tables.SLOT_ATTRIBUTE, tables.RUN_ATTRIBUTE) and row.trial_id in stored:
            attributes[row.trial_id][row.key] = json.loads(row.value_json)
    parameters: dict[int, dict[str, tuple[float, str]]] = {}
    for row in _rows_of_study(connection, optuna_tables.parameters, study_id):
        parameter = (row.param_value, row.distribution_json)
        parameters.setdefault(row.trial_id, {})[row.param_name] = parameter
    values: dict[int, dict[int, float]] = {}
    for row in _rows_of_study(connection, optuna_tables.values, study_id):
        values.setdefault(row.trial_id, {})[row.objective] = row.value
    constraints: dict[int, dict[str, float]] = {}
    for row in _rows_of_study(connection, optuna_tables.system_attributes, study_id):
        if row.key.startswith(optuna_tables.CONSTRAINT):
            name = row.key.removeprefix(optuna_tables.CONSTRAINT)
            constraints.setdefault(row.trial_id, {})[name] = json.loads(row.value_json)
    runs = {
        row.uuid: row
        for row in connection.execute(
            tables.select_rows(connection, tables.runs).where(
                tables.runs.c.study_uuid == study_uuid
            )
        )
    }
    trials = []
    for trial_id, row in stored.items():
        run = runs.get(attributes[trial_id].get(tables.RUN_ATTRIBUTE))
        if run is None:
            continue
        by_objective, facts = values.get(trial_id, {}), run.facts or {}
        trials.append(
            SearchTrial(
                number=row.number,
                slot=attributes[trial_id].get(tables.SLOT_ATTRIBUTE, -1),
                state=row.state,
                run=run.id,
                label=run.label,
                parameters=run.parameters,
                values=tuple(by_objective[objective] for objective in sorted(by_objective)),
                constraints=constraints.get(trial_id, {}),
                optuna_parameters=parameters.get(trial_id, {}),
                outer_fold=facts.get("outer_fold", -1),
                chosen_by=facts.get("chosen_by", ""),
            )
        )
    return tuple(sorted(trials, key=lambda trial: (trial.slot, trial.number)))


def _rows_of_study(connection: Connection, source: Any, study_id: int) -> Sequence[Any]:
    return connection.execute(optuna_tables.rows_of_trials(source, study_id)).all()


def _scores(connection: Connection, runs: Sequence[int]) -> pd.DataFrame:
    scores = tables.scores.c
    rows = [
        tuple(row)
        for run in runs
        for row in connection.execute(
            select(
                scores.run_id, scores.repeat, scores.fold, scores.part, scores.metric, scores.value
            ).where(scores.run_id == run)
        )
    ]
    return pd.DataFrame(rows, columns=["run", "repeat", "fold", "part", "metric", "value"])


def _sizes(connection: Connection, runs: Sequence[int]) -> pd.DataFrame:
    folds = tables.folds.c
    rows = [
        (row.run_id, *(sum(row.counts[part]) for part in ("train", "validation", "test")))
        for run in runs
        for row in connection.execute(
            select(folds.run_id, folds.counts).where(folds.run_id == run)
        )
    ]
    return pd.DataFrame(rows, columns=["run", "n_train", "n_validation", "n_test"])
