"""Studies as tidy data frames, read from the database."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Engine, String, cast, select

from remix_study.results.probabilities import ProbabilityReader, probability_reader
from remix_study.results.search_frames import SearchResult, load_searches
from remix_study.study import optuna_tables, tables
from remix_study.study.database_errors import damaged_rows
from remix_study.study.optuna_tables import Progress, Registered, read_progress, select_studies

_RUN_COLUMNS = [
    "run", "study", "problem", "trial", "row", "strategy", "sampler", "mixing", "alpha", "loss",
    "seconds", "values", "parameters", "started", "finished", "peak_memory_mb", "engine_version",
    "trials_in_program", "other_workers",
]  # fmt: skip
_FOLD_COLUMNS = [
    "run", "repeat", "fold", "n_train", "n_validation", "n_test", "minority_train",
    "minority_validation", "minority_test", "epochs", "stopped", "failed", "effective_prior",
    "natural_prior", "distinct_share",
]  # fmt: skip
_COPIED_COLUMNS = (
    "sampler", "mixing", "loss", "seconds", "parameters", "started", "finished", "peak_memory_mb",
)  # fmt: skip
_FACTS = ("engine_version", "trials_in_program", "other_workers")
_SCORE_COLUMNS = ["run", "repeat", "fold", "part", "metric", "value"]

# SQLite takes some thousand values in one statement.
_VALUES_PER_STATEMENT = 500


@dataclass(frozen=True, eq=False)
class StudyFrames:
    """Tidy frames of one or more studies.

    Attributes:
        problems: one row a problem (one Optuna study): `study`, `problem`, `dataset`, `kind`,
            `imbalance` (NaN: as it is), `classes` (tuple), `minority` (tuple of class names),
            `counts` (dict class name -> rows), `notes` (tuple), `n_rows`, `n_features`, `folds`,
            `repeats`, `validation` (share), `grouped` and `redraw` (bool; rows of a group in one
            part, rows drawn anew for every repeat), `early_stopping` (bool), `monitor`, `preset`,
            `objectives` (tuple of metric names), `algorithm`, `planned`, `complete`, `failed`
            (numbers of configurations), `definition` (dict: all that the study's numbers depend
            on, as its file names it).
        runs: one row a complete trial: `run` (int), `study`, `problem`, `trial`, `row` (label of
            its strategy and alpha), `strategy` ("" when composed), `sampler`, `mixing`, `alpha`
            (NaN without mixing), `loss`,
            `seconds`, `values` (tuple), `parameters` (dict), `started` and `finished` (UTC, ISO
            8601), `peak_memory_mb`; and as far as it was stored, NaN in databases of the first
            schema: `engine_version`, `trials_in_program` (trained side by side, this one
            included), `other_workers` (processes that trained on the machine meanwhile).
        folds: one row a run, repeat and fold: `run`, `repeat`, `fold`, `n_train`,
            `n_validation`, `n_test`, `minority_train`, `minority_validation`, `minority_test`
            (smallest count over the rare classes), `epochs`, `stopped`, `failed` (reason or ""),
            `effective_prior` and `natural_prior` (tuples of K shares), `distinct_share` (distinct
            rows drawn in an epoch over rows drawn).
        scores: tidy: `run`, `repeat`, `fold`, `part` ("validation" | "test"), `metric`, `value`.
        manifests: how each problem was run, one dictionary for each start that trained something.
        probabilities: reads stored probabilities; None where there are none.
        searches: of each search what `runs` has not: order, pruned trials, outer folds.
    """

    problems: pd.DataFrame
    runs: pd.DataFrame
    folds: pd.DataFrame
    scores: pd.DataFrame
    manifests: tuple[Mapping[str, Any], ...]
    probabilities: ProbabilityReader | None = None
    searches: tuple[SearchResult, ...] = ()


def load_frames(engine: Engine, names: Collection[str] = ()) -> StudyFrames:
    """Read studies from the database; a trial counts once Optuna holds it as COMPLETE.

    Args:
        engine: where to read, as :func:`remix_study.study.storage.open_reader` gives it.
        names: studies to read, by the name in their study file, in the wanted order; all, by
            name, when empty.

    Raises:
        StorageError: The database holds no study, or is damaged.
        UsageError: It holds none of this name.
    """
    runs: list[dict[str, Any]] = []
    folds: list[dict[str, Any]] = []
    scores: list[tuple[Any, ...]] = []
    manifests: list[Mapping[str, Any]] = []
    with damaged_rows(), engine.connect() as connection:
        registered = _selected_studies(connection, names)
        searches = load_searches(connection, registered)
        # Parts of a search are no problems of their own.
        problems = [(study_id, row) for study_id, row in registered if not row.facts.get("role")]
        progress = {problem.name: problem for problem in read_progress(engine)}
        for study_id, row in problems:
            trials = _complete_trials(connection, study_id)
            runs += [_run_record(row, trial) for trial in trials]
            run_ids = [trial.run.id for trial in trials]
            folds += [
                _fold_record(fold, row.facts)
                for fold in _rows_of_runs(connection, tables.folds, run_ids)
            ]
            scores += [
                (score.run_id, score.repeat, score.fold, score.part, score.metric, score.value)
                for score in _rows_of_runs(connection, tables.scores, run_ids)
            ]
            manifests += connection.execute(
                select(tables.manifests.c.manifest)
                .where(tables.manifests.c.study_uuid == row.uuid)
                .order_by(tables.manifests.c.id)
            ).scalars()
    return StudyFrames(
        problems=pd.DataFrame([_problem_record(row, progress[row.name]) for _, row in problems]),
        runs=pd.DataFrame(runs, columns=_RUN_COLUMNS),
        folds=pd.DataFrame(folds, columns=_FOLD_COLUMNS),
        scores=pd.DataFrame(scores, columns=_SCORE_COLUMNS),
        manifests=tuple(manifests),
        probabilities=probability_reader(engine),
        searches=searches,
    )


@dataclass(frozen=True)
class _CompleteTrial:
    """A COMPLETE trial: its row of `tables.runs`, Optuna's number and values."""

    run: Any
    number: int
    values: tuple[float, ...]


def _selected_studies(connection: Connection, names: Collection[str]) -> list[Registered]:
    """The studies of these names, in the order of the names; all, by name, when empty."""
    order = list(dict.fromkeys(names))
    return sorted(
        select_studies(connection, names),
        key=lambda registered: order.index(registered[1].study) if order else 0,
    )


def _problem_record(row: Any, progress: Progress) -> dict[str, Any]:
    facts = row.facts
    imbalance = facts["imbalance"]
    return {
        # Databases of early versions do not have these two.
        "grouped": False,
        "redraw": False,
        **{name: value for name, value in facts.items() if name != "choices"},
        "study": row.study,
        "problem": row.problem,
        "imbalance": np.nan if imbalance is None else imbalance,
        "classes": tuple(facts["classes"]),
        "minority": tuple(facts["minority"]),
        "counts": dict(zip(facts["classes"], facts["counts"], strict=True)),
        "notes": tuple(facts["notes"]),
        "objectives": tuple(facts["objectives"]),
        "planned": row.trials,
        "complete": progress.complete,
        "failed": progress.failed,
        "definition": row.definition,
    }


def _complete_trials(connection: Connection, study_id: int) -> list[_CompleteTrial]:
    """COMPLETE trials of a study, of each configuration the first."""
    trials, attributes = optuna_tables.trials, optuna_tables.trial_attributes
    bindings = connection.execute(
        select(trials.c.trial_id, trials.c.number, attributes.c.value_json)
        .join(attributes, attributes.c.trial_id == trials.c.trial_id)
        .where(trials.c.study_id == study_id)
        .where(cast(trials.c.state, String) == "COMPLETE")
        .where(attributes.c.key == tables.RUN_ATTRIBUTE)
        .order_by(trials.c.number)
    ).all()
    by_uuid = {json.loads(binding.value_json): binding for binding in bindings}
    values: dict[int, list[float]] = {}
    for row in connection.execute(
        optuna_tables.rows_of_trials(optuna_tables.values, study_id).order_by(
            optuna_tables.values.c.objective
        )
    ):
        values.setdefault(row.trial_id, []).append(row.value)
    complete: dict[str, _CompleteTrial] = {}
    for uuids in _chunks(list(by_uuid)):
        for run in connection.execute(
            tables.select_rows(connection, tables.runs)
            .where(tables.runs.c.uuid.in_(uuids))
            .order_by(tables.runs.c.id)
        ):
            trial = by_uuid[run.uuid]
            configuration = json.dumps(run.parameters, sort_keys=True)
            complete.setdefault(
                configuration,
                _CompleteTrial(run, trial.number, tuple(values.get(trial.trial_id, ()))),
            )
    return list(complete.values())


def _run_record(row: Any, trial: _CompleteTrial) -> dict[str, Any]:
    run = trial.run
    is_composed = "strategy" not in run.parameters
    return {
        "run": run.id,
        "study": row.study,
        "problem": row.problem,
        "trial": trial.number,
        "row": run.label,
        "strategy": "" if is_composed and "+" in run.strategy else run.strategy,
        "alpha": np.nan if run.alpha is None else run.alpha,
        "values": trial.values,
        **{name: getattr(run, name) for name in _COPIED_COLUMNS},
        **{name: (run.facts or {}).get(name, np.nan) for name in _FACTS},
    }


def _fold_record(fold: Any, facts: Mapping[str, Any]) -> dict[str, Any]:
    classes = facts["classes"]
    rare = [classes.index(name) for name in facts["minority"]] or list(range(len(classes)))
    record = {"run": fold.run_id, "repeat": fold.repeat, "fold": fold.fold}
    for part, counts in fold.counts.items():
        record[f"n_{part}"] = sum(counts)
        record[f"minority_{part}"] = min(counts[code] for code in rare)
    train_counts = np.array(fold.counts["train"])
    return record | {
        "epochs": fold.epochs,
        "stopped": fold.stopped,
        "failed": fold.failed,
        "effective_prior": tuple(fold.trained_on["class_shares"]),
        "natural_prior": tuple((train_counts / train_counts.sum()).tolist()),
        "distinct_share": fold.trained_on["distinct_share"],
    }


def _rows_of_runs(connection: Connection, source: Any, run_ids: Sequence[int]) -> list[Any]:
    """Rows of a table that belong to these runs, by primary key.

    Sums of floats depend on their order, which must not be the database's choice.
    """
    rows: list[Any] = []
    for ids in _chunks(run_ids):
        rows += connection.execute(select(source).where(source.c.run_id.in_(ids))).all()
    keys = [column.name for column in source.primary_key]
    return sorted(rows, key=lambda row: tuple(getattr(row, key) for key in keys))


def _chunks(values: Sequence[Any]) -> list[Sequence[Any]]:
    """The values in parts that fit into one statement each."""
    starts = range(0, len(values), _VALUES_PER_STATEMENT)
    return [values[start : start + _VALUES_PER_STATEMENT] for start in starts]
