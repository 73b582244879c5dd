"""What the reports read of a study: tidy data frames, filled from the database."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, String, and_, cast, select

from remix_study.results.search_frames import SearchResult, load_searches
from remix_study.study import optuna_tables, tables
from remix_study.study.packing import unpack
from remix_study.study.study_progress import Progress, read_progress
from remix_study.study.study_selection import select_studies

ProbabilityReader = Callable[
    [int, int, int, str], tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]
]


@dataclass(frozen=True, eq=False)
class StudyFrames:
    """One or more studies, as the reports see them.

    Attributes:
        problems: one row a problem (one Optuna study): `study`, `problem`, `dataset`, `kind`,
            `imbalance` (NaN: as it is), `classes` (tuple), `minority` (tuple of class names),
            `counts` (dict class name -> rows), `notes` (tuple), `n_rows`, `n_features`, `folds`,
            `repeats`, `validation` (share), `grouped` and `redraw` (bool; rows of a group on one
            side, rows drawn anew for every repeat), `early_stopping` (bool), `monitor`, `preset`,
            `objectives` (tuple of metric names), `algorithm`, `planned`, `complete`, `failed`,
            `definition` (dict: all that the study's numbers depend on, as its file names it).
        runs: one row a complete trial: `run` (int), `study`, `problem`, `trial`, `row` (label),
            `strategy` ("" when composed), `sampler`, `mixing`, `alpha` (NaN where none), `loss`,
            `seconds`, `values` (tuple), `parameters` (dict), `started` and `finished` (UTC, ISO
            8601), `peak_memory_mb`.
        folds: one row a run, repeat and fold: `run`, `repeat`, `fold`, `n_train`,
            `n_validation`, `n_test`, `minority_train`, `minority_validation`, `minority_test`
            (smallest count over the rare classes), `epochs`, `stopped`, `failed` (reason or ""),
            `effective_prior` and `natural_prior` (tuples of K shares), `distinct_share` (distinct
            rows drawn in an epoch over rows drawn).
        scores: tidy: `run`, `repeat`, `fold`, `part` ("validation" | "test"), `metric`, `value`.
        manifests: how each problem was run, one dictionary a run that had something to do.
        probabilities: (run, repeat, fold, part) -> (row ids, class codes (n,), (n, K)); None
            where a database holds none.
        searches: what is to be said of searches beyond their complete trials.
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
        engine: Where to read, as :func:`remix_study.study.storage.open_reader` gives it.
        names: Studies to read, by the name in their study file, in the order that the report
            shall have; all, by name, when empty.

    Raises:
        StorageError: The database holds no study.
        UsageError: It holds none of this name.
    """
    runs: list[dict[str, Any]] = []
    folds: list[dict[str, Any]] = []
    scores: list[tuple[Any, ...]] = []
    manifests: list[Mapping[str, Any]] = []
    with engine.connect() as connection:
        entries = _selected(connection, names)
        searches = load_searches(connection, entries)
        # Parts of a search are no problems of their own.
        chosen = [(study_id, row) for study_id, row in entries if not row.facts.get("role")]
        progress = {found.name: found for found in read_progress(engine)}
        for study_id, row in chosen:
            found = _complete_runs(connection, study_id)
            runs += [_run(row, run, trial, values) for run, trial, values in found]
            numbers = [run.id for run, _, _ in found]
            folds += [_fold(f, row.facts) for f in _of_runs(connection, tables.folds, numbers)]
            scores += [
                (score.run_id, score.repeat, score.fold, score.part, score.metric, score.value)
                for score in _of_runs(connection, tables.scores, numbers)
            ]
            manifests += connection.execute(
                select(tables.manifests.c.manifest)
                .where(tables.manifests.c.study_uuid == row.uuid)
                .order_by(tables.manifests.c.id)
            ).scalars()
    return StudyFrames(
        problems=pd.DataFrame([_problem(row, progress[row.name]) for _, row in chosen]),
        runs=pd.DataFrame(runs, columns=_RUN_COLUMNS),
        folds=pd.DataFrame(folds, columns=_FOLD_COLUMNS),
        scores=pd.DataFrame(scores, columns=_SCORE_COLUMNS),
        manifests=tuple(manifests),
        probabilities=_reader(engine),
        searches=searches,
    )


_RUN_COLUMNS = [
    "run", "study", "problem", "trial", "row", "strategy", "sampler", "mixing", "alpha", "loss",
    "seconds", "values", "parameters", "started", "finished", "peak_memory_mb",
]  # fmt: skip
_FOLD_COLUMNS = [
    "run", "repeat", "fold", "n_train", "n_validation", "n_test", "minority_train",
    "minority_validation", "minority_test", "epochs", "stopped", "failed", "effective_prior",
    "natural_prior", "distinct_share",
]  # fmt: skip
_AS_THEY_ARE = (
    "sampler", "mixing", "loss", "seconds", "parameters", "started", "finished", "peak_memory_mb",
)  # fmt: skip
_SCORE_COLUMNS = ["run", "repeat", "fold", "part", "metric", "value"]

# SQLite takes some thousand values in one statement.
_AT_ONCE = 500


def _selected(connection: Connection, names: Collection[str]) -> list[tuple[int, Any]]:
    """Optuna's id and our row of every study that is asked for, in the order of the names."""
    order = list(dict.fromkeys(names))
    return sorted(
        select_studies(connection, names),
        key=lambda entry: order.index(entry[1].study) if order else 0,
    )


def _problem(row: Any, progress: Progress) -> dict[str, Any]:
    facts = row.facts
    imbalance = facts["imbalance"]
    return {
        # Facts that databases from before there were such keys lack.
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


def _complete_runs(
    connection: Connection, study_id: int
) -> list[tuple[Any, int, tuple[float, ...]]]:
    """Our row, number and values of every COMPLETE trial, each point once, the first of it."""
    mark = optuna_tables.trial_attributes
    found = connection.execute(
        select(optuna_tables.trials.c.trial_id, optuna_tables.trials.c.number, mark.c.value_json)
        .join(mark, and_(mark.c.trial_id == optuna_tables.trials.c.trial_id))
        .where(optuna_tables.trials.c.study_id == study_id)
        .where(cast(optuna_tables.trials.c.state, String) == "COMPLETE")
        .where(mark.c.key == tables.RUN_ATTRIBUTE)
        .order_by(optuna_tables.trials.c.number)
    ).all()
    by_uuid = {json.loads(row.value_json): row for row in found}
    values: dict[int, list[float]] = {}
    stored = connection.execute(
        optuna_tables.rows_of_trials(optuna_tables.values, study_id).order_by(
            optuna_tables.values.c.objective
        )
    )
    for row in stored:
        values.setdefault(row.trial_id, []).append(row.value)
    runs, seen = [], set()
    for start in range(0, len(by_uuid), _AT_ONCE):
        part = list(by_uuid)[start : start + _AT_ONCE]
        for run in connection.execute(
            select(tables.runs).where(tables.runs.c.uuid.in_(part)).order_by(tables.runs.c.id)
        ):
            trial = by_uuid[run.uuid]
            point = json.dumps(run.parameters, sort_keys=True)
            if point not in seen:
                runs.append((run, trial.number, tuple(values.get(trial.trial_id, ()))))
            seen.add(point)
    return runs


def _run(row: Any, run: Any, trial: int, values: tuple[float, ...]) -> dict[str, Any]:
    composed = "strategy" not in run.parameters
    return {
        "run": run.id,
        "study": row.study,
        "problem": row.problem,
        "trial": trial,
        "row": run.label,
        "strategy": "" if composed and "+" in run.strategy else run.strategy,
        "alpha": np.nan if run.alpha is None else run.alpha,
        "values": values,
        **{name: getattr(run, name) for name in _AS_THEY_ARE},
    }


def _of_runs(connection: Connection, source: Any, numbers: list[int]) -> list[Any]:
    found: list[Any] = []
    for start in range(0, len(numbers), _AT_ONCE):
        part = numbers[start : start + _AT_ONCE]
        found += connection.execute(select(source).where(source.c.run_id.in_(part))).all()
    # Sums of floats depend on their order, which must not be the database's choice.
    keys = [column.name for column in source.primary_key]
    return sorted(found, key=lambda row: tuple(getattr(row, key) for key in keys))


def _fold(found: Any, facts: Mapping[str, Any]) -> dict[str, Any]:
    rare = [facts["classes"].index(name) for name in facts["minority"]]
    rare = rare or list(range(len(facts["classes"])))
    row = {"run": found.run_id, "repeat": found.repeat, "fold": found.fold}
    for part, counts in found.counts.items():
        row[f"n_{part}"] = sum(counts)
        row[f"minority_{part}"] = min(counts[code] for code in rare)
    train = np.array(found.counts["train"])
    return row | {
        "epochs": found.epochs,
        "stopped": found.stopped,
        "failed": found.failed,
        "effective_prior": tuple(found.trained_on["class_shares"]),
        "natural_prior": tuple((train / train.sum()).tolist()),
        "distinct_share": found.trained_on["distinct_share"],
    }


def _reader(engine: Engine) -> ProbabilityReader:
    """Read probabilities when they are asked for: a run and the parts of a study at a time."""

    @lru_cache(maxsize=2)
    def of_run(run: int) -> tuple[str, dict[tuple[int, int, str], bytes]]:
        own = tables.probabilities.c
        study = select(tables.runs.c.study_uuid).where(tables.runs.c.id == run)
        with engine.connect() as connection:
            found = connection.execute(select(tables.probabilities).where(own.run_id == run)).all()
            uuid = connection.execute(study).scalar_one()
        return uuid, {(row.repeat, row.fold, row.part): row.probabilities for row in found}

    @lru_cache(maxsize=1)
    def of_study(uuid: str) -> dict[tuple[int, int, str], tuple[bytes, bytes]]:
        query = select(tables.parts).where(tables.parts.c.study_uuid == uuid)
        with engine.connect() as connection:
            found = connection.execute(query).all()
        return {(row.repeat, row.fold, row.part): (row.rows, row.labels) for row in found}

    def read(
        run: int, repeat: int, fold: int, part: str
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
        uuid, blobs = of_run(run)
        packed_rows, packed_labels = of_study(uuid)[repeat, fold, part]
        rows, labels = unpack(packed_rows, np.int32), unpack(packed_labels, np.int32)
        found = unpack(blobs[repeat, fold, part], np.float32).reshape(len(rows), -1)
        return rows.astype(np.int64), labels, found.astype(np.float64)

    return read
