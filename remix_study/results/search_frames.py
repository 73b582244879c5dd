"""Trials as the database holds them; of searches their order, pruned trials and outer folds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

import pandas as pd
from sqlalchemy import Connection, TableClause, select

from remix_study.results.columns import grouped
from remix_study.results.run_rows import rows_of_runs, scores_of_runs, tidy_scores
from remix_study.results.whole_runs import run_of_trial
from remix_study.study import optuna_tables, tables
from remix_study.study.constraints import Candidate
from remix_study.study.metric_names import new_key
from remix_study.study.optuna_tables import Registered


@dataclass(frozen=True, eq=False)
class StoredTrial:
    """A complete or pruned trial.

    Attributes:
        number: Optuna's number.
        extends: number of the trial whose configuration it adds repeats to; None for most.
        rare_share: share of the rare training rows that it was trained with; None for all.
        slot: its place in a search; -1 where it has none.
        state: "COMPLETE" or "PRUNED".
        values: validation means, one an objective, over the folds it trained.
        constraints: excess over each constraint; 0 or less where it is met.
        optuna_parameters: name -> (Optuna's internal value, distribution as JSON).
        run: the run that holds its scores.
        row: all that is stored of the run, a row of `tables.runs`.
        outer_fold: the outer fold of a search that it was trained on; -1 for none.
        chosen_by: what chose its configuration there: an objective, or "baseline".
    """

    number: int
    slot: int
    state: str
    values: tuple[float, ...]
    constraints: Mapping[str, float]
    optuna_parameters: Mapping[str, tuple[float, str]]
    run: int
    label: str
    parameters: Mapping[str, Any]
    row: Any
    outer_fold: int = -1
    chosen_by: str = ""
    extends: int | None = None
    rare_share: float | None = None

    @property
    def is_complete(self) -> bool:
        return self.state == "COMPLETE"

    @property
    def is_feasible(self) -> bool:
        return all(excess <= 0 for excess in self.constraints.values())

    @property
    def is_choosable(self) -> bool:
        return self.is_complete and self.is_feasible

    @property
    def candidate(self) -> Candidate:
        """What a choice depends on."""
        return Candidate(self.number, self.values, self.constraints)


@dataclass(frozen=True, eq=False)
class SearchResult:
    """All stored trials of one problem's search.

    Attributes:
        trials: in the order of their slots.
        planned: number of trials that complete it.
        algorithm: its name.
        references: baseline and ReMix, trained besides where the search space lacks them; of a
            search that follows a grid, the trials of the grid.
        follows_grid: whether a grid was trained before it.
        outer: trials on outer folds, by fold and by what chose them.
        planned_outer: planned number of these; 0 without outer folds.
        scores: of all these runs, see `tidy_scores`.
        sizes: rows of each fold's parts: `run`, `n_train`, `n_validation`, `n_test`.
        definition: the study's definition when it began.
    """

    study: str
    problem: str
    trials: tuple[StoredTrial, ...]
    planned: int
    algorithm: str
    follows_grid: bool
    references: tuple[StoredTrial, ...]
    outer: tuple[StoredTrial, ...]
    planned_outer: int
    scores: pd.DataFrame
    sizes: pd.DataFrame
    definition: Mapping[str, Any]

    @property
    def constraints(self) -> list[str]:
        """The constraints that trials had to meet."""
        return sorted({name for trial in self.trials for name in trial.constraints})

    def sizes_of(self, trials: Iterable[StoredTrial]) -> pd.DataFrame:
        return self.sizes[self.sizes["run"].isin([trial.run for trial in trials])]


def load_searches(
    connection: Connection, registered: Sequence[Registered]
) -> tuple[SearchResult, ...]:
    """Read the searches among all studies of a database, parts of searches included."""
    return tuple(
        _search(connection, study_id, row, registered)
        for study_id, row in registered
        if row.facts["algorithm"] != "grid" and row.facts.get("role") in (None, "", "search")
    )


def _search(
    connection: Connection, study_id: int, row: Any, registered: Sequence[Registered]
) -> SearchResult:
    parts = [
        (part_id, part)
        for part_id, part in registered
        if part.study == row.study and part.facts.get("parent") == row.problem
    ]
    follows_grid = row.facts.get("role") == "search"
    by_role = {part.facts["role"]: (part_id, part) for part_id, part in parts}
    trials = stored_trials(connection, study_id, row)
    references = outer = tuple[StoredTrial, ...]()
    planned_outer, run_of = 0, dict[int, int]()
    if follows_grid:
        grids = [(i, r) for i, r in registered if (r.study, r.problem) == (row.study, row.problem)]
        grid = next((i, r) for i, r in grids if not r.facts.get("role"))
        chains = complete_chains(connection, *grid)
        # The newest trial of a configuration has the means over all its repeats.
        references = tuple(chain[-1] for chain in chains)
        run_of = {trial.run: chain[-1].run for chain in chains for trial in chain}
    elif "references" in by_role:
        references = stored_trials(connection, *by_role["references"])
    if "outer" in by_role:
        planned_outer = by_role["outer"][1].trials
        n_outer_folds = sum(part.facts.get("role") == "inner" for _, part in parts)
        outer = _with_choices(
            _newest_of_slots(stored_trials(connection, *by_role["outer"])),
            row.facts["objectives"],
            planned_outer,
            n_outer_folds,
        )
    runs = list(dict.fromkeys([*run_of, *(t.run for t in (*trials, *references, *outer))]))
    run_of = {run: run for run in runs} | run_of
    return SearchResult(
        study=row.study,
        problem=row.problem,
        trials=trials,
        planned=row.trials,
        algorithm=row.facts["algorithm"],
        follows_grid=follows_grid,
        references=references,
        outer=outer,
        planned_outer=planned_outer,
        scores=tidy_scores(scores_of_runs(connection, runs), run_of),
        sizes=pd.DataFrame(
            [
                (fold.run_id, *(sum(fold.counts[p]) for p in ("train", "validation", "test")))
                for fold in rows_of_runs(connection, tables.folds, runs)
            ],
            columns=["run", "n_train", "n_validation", "n_test"],
        ),
        definition=row.definition,
    )


def _newest_of_slots(trials: Sequence[StoredTrial]) -> tuple[StoredTrial, ...]:
    """The last trial of each slot: a search that was prolonged may have chosen again."""
    by_slot = {trial.slot: trial for trial in sorted(trials, key=lambda trial: trial.number)}
    return tuple(by_slot[slot] for slot in sorted(by_slot))


def _with_choices(
    outer: Sequence[StoredTrial], objectives: Sequence[str], planned: int, n_folds: int
) -> tuple[StoredTrial, ...]:
    """Say of trials of the first schema which outer fold they are of, and what chose them.

    Their slots tell it: on each fold, one for each objective, then one for the baseline where the
    search space holds it. Later schemas store it.
    """
    if all(trial.chosen_by for trial in outer):
        return tuple(outer)
    choices = [*objectives, "baseline"][: planned // n_folds]

    def with_choice(trial: StoredTrial) -> StoredTrial:
        fold, position = divmod(trial.slot, len(choices))
        return replace(trial, outer_fold=fold, chosen_by=choices[position])

    return tuple(trial if trial.chosen_by else with_choice(trial) for trial in outer)


def stored_trials(connection: Connection, study_id: int, study: Any) -> tuple[StoredTrial, ...]:
    """Read the complete and pruned trials of a study, by slot and number.

    The study is given by Optuna's id and our row of it.
    """

    def by_trial(source: TableClause, *conditions: Any) -> dict[int, list[Any]]:
        rows = optuna_tables.rows_of_trials(source, study_id).where(*conditions)
        return grouped(connection.execute(rows), lambda row: int(row.trial_id))

    keys = tables.SLOT_ATTRIBUTE, tables.RUN_ATTRIBUTE, tables.EXTENDS_ATTRIBUTE
    attributes = optuna_tables.trial_attributes_of(connection, study_id, *keys)
    constraints = by_trial(
        optuna_tables.system_attributes,
        optuna_tables.system_attributes.c.key.startswith(optuna_tables.CONSTRAINT),
    )
    values, parameters = by_trial(optuna_tables.values), by_trial(optuna_tables.parameters)
    select_runs = tables.select_rows(connection, tables.runs)
    is_its = tables.runs.c.study_uuid == study.uuid
    rename = new_key if tables.stored_version(connection) < 3 else str
    runs = {run.uuid: run for run in connection.execute(select_runs.where(is_its))}
    trials, of_study = [], optuna_tables.trials.c.study_id == study_id
    for row in connection.execute(select(optuna_tables.trials).where(of_study)):
        facts = attributes.get(row.trial_id, {})
        if row.state not in optuna_tables.SCORED_STATES or tables.RUN_ATTRIBUTE not in facts:
            continue
        run = run_of_trial(runs, facts, f"{study.name}: trial {row.number}")
        run_facts = run.facts or {}
        by_objective = {int(v.objective): v.value for v in values.get(row.trial_id, ())}
        trials.append(
            StoredTrial(
                number=row.number,
                slot=facts.get(tables.SLOT_ATTRIBUTE, -1),
                state=row.state,
                values=tuple(by_objective[objective] for objective in sorted(by_objective)),
                constraints={
                    rename(a.key).removeprefix(optuna_tables.CONSTRAINT): json.loads(a.value_json)
                    for a in constraints.get(row.trial_id, ())
                },
                optuna_parameters={
                    parameter.param_name: (parameter.param_value, parameter.distribution_json)
                    for parameter in parameters.get(row.trial_id, ())
                },
                run=run.id,
                label=run.label,
                parameters=run.parameters,
                row=run,
                outer_fold=run_facts.get("outer_fold", -1),
                chosen_by=run_facts.get("chosen_by", ""),
                extends=facts.get(tables.EXTENDS_ATTRIBUTE),
                rare_share=run_facts.get("rare_share"),
            )
        )
    return tuple(sorted(trials, key=lambda trial: (trial.slot, trial.number)))


def complete_chains(connection: Connection, study_id: int, study: Any) -> list[list[StoredTrial]]:
    """COMPLETE trials of each configuration: the first, and those that add repeats to it."""
    # With fewer rare rows a method is trained anew where repeats are added; the newest counts.
    order = -1 if study.facts.get("role") == "rare-rows" else 1
    stored = sorted(stored_trials(connection, study_id, study), key=attrgetter("run"))[::order]
    trials = {trial.number: trial for trial in stored if trial.is_complete}
    links = [
        (json.dumps([trial.parameters, trial.rare_share], sort_keys=True), number, trial.extends)
        for number, trial in trials.items()
    ]
    return [[trials[number] for number in chain] for chain in optuna_tables.chains(links).values()]
