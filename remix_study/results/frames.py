"""Studies as tidy data frames, read from the database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Engine, select

from remix_study.data.rare_rows import SHARES
from remix_study.errors import UsageError
from remix_study.results.columns import grouped
from remix_study.results.probabilities import ProbabilityReader, probability_reader
from remix_study.results.run_rows import ScoreRow, rows_of_runs, scores_of_runs, tidy_scores
from remix_study.results.search_frames import (
    SearchResult,
    StoredTrial,
    complete_chains,
    load_searches,
)
from remix_study.results.whole_runs import check_manifests, check_whole
from remix_study.study import tables
from remix_study.study.database_errors import damaged_rows
from remix_study.study.optuna_tables import Progress, Registered, read_progress, select_studies
from remix_study.study.tables import EMPTY_SUMMARY
from remix_study.studyfile.metric_keys import know_metric

_RUN_COLUMNS = [
    "run", "study", "problem", "trial", "row", "strategy", "sampler", "mixing", "alpha", "loss",
    "seconds", "values", "parameters", "started", "finished", "spans", "peak_memory_mb",
    "network_parameters", "engine_version", "trials_in_program", "other_workers",
]  # fmt: skip
_FOLD_COLUMNS = [
    "run", "repeat", "fold", "n_train", "n_validation", "n_test", "minority_train",
    "minority_validation", "minority_test", "epochs", "stopped", "failed", "effective_prior",
    "natural_prior", "distinct_share", "untrained",
]  # fmt: skip
_COPIED_COLUMNS = ("sampler", "mixing", "loss", "parameters", "finished", "network_parameters")
_FACTS = ("engine_version", "trials_in_program", "other_workers")


@dataclass(frozen=True, eq=False)
class StudyFrames:
    """Tidy frames of one or more studies.

    Attributes:
        problems: one row a problem (one Optuna study): `study`, `problem`, `dataset`, `kind`,
            `imbalance` (NaN: as it is), `classes` (tuple), `minority` (tuple of class names),
            `counts` (dict class name -> rows), `notes` (tuple), `n_rows`, `n_features`, `folds`,
            `repeats`, `validation` (share), `grouped` and `redraw` (bool; rows of a group in one
            part, rows drawn anew for every repeat), `split` ("", or "fold", "test" or "time", if
            the data themselves split the rows), `early_stopping` (bool), `monitor`, `preset`,
            `objectives` (tuple of metric names), `algorithm`, `planned`, `complete`, `failed`
            (numbers of configurations), `definition` (dict: all that the study's numbers depend
            on, as its file names it), `settings` (dict: the same with every default; None in
            databases of the first schema).
        runs: one row a complete configuration, a trial with those that added repeats to it:
            `run` (int), `study`, `problem`, `trial` (the newest), `row` (label of its strategy
            and alpha), `strategy` ("" when composed), `sampler`, `mixing`, `alpha` (NaN without
            mixing), `loss`, `seconds`, `values` (tuple), `parameters` (dict), `started` and
            `finished` (UTC, ISO 8601), `spans` (those of each trial), `peak_memory_mb`,
            `network_parameters` (of a fold); and, NaN in databases of the first schema,
            `engine_version`, `trials_in_program` (trained side by side, this one included),
            `other_workers` (processes that trained on the machine meanwhile).
        folds: one row a run, repeat and fold: `run`, `repeat`, `fold`, `n_train`,
            `n_validation`, `n_test`, `minority_train`, `minority_validation`, `minority_test`
            (smallest count over the rare classes), `epochs`, `stopped`, `failed` (reason or ""),
            `effective_prior` and `natural_prior` (tuples of K shares, by weight where rows have
            weights), `distinct_share` (distinct rows drawn in an epoch over rows drawn),
            `untrained` (why the network learned nothing, as
            :mod:`remix_study.training.untrained` says it, or "").
        scores: tidy: `run`, `repeat`, `fold`, `part` ("validation" | "test"), `metric`, `value`.
        manifests: how each problem was run, one dictionary for each start that trained something.
        searches: of each search what `runs` has not: order, pruned trials, outer folds.
        following: frames of searches that follow a grid, under the names of its problems.
        references: those of what is trained beside a search.
        fewer_rare_rows: those of methods trained with a share of the rare rows, by share.
        summaries: run without probabilities -> what pages compute from these, as
            :mod:`remix_study.results.summary` writes it.
    """

    problems: pd.DataFrame
    runs: pd.DataFrame
    folds: pd.DataFrame
    scores: pd.DataFrame
    manifests: tuple[Mapping[str, Any], ...]
    probabilities: ProbabilityReader | None = None
    searches: tuple[SearchResult, ...] = ()
    summaries: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    following: StudyFrames | None = None
    references: StudyFrames | None = None
    fewer_rare_rows: Mapping[float, StudyFrames] = field(default_factory=dict)

    def validation_only(self) -> StudyFrames:
        """Validation parts in the place of test parts, which nothing made from them can show.

        For corrected standard errors these are then the rows that are scored.
        """
        read_stored, problems = self.probabilities, self.problems
        if "split" in problems:
            # The validation parts beside a test file are drawn anew for every repeat.
            problems = problems.assign(split=problems["split"].replace("test", ""))
        return replace(
            self,
            problems=problems,
            scores=self.scores[self.scores["part"] == "validation"].assign(part="test"),
            folds=self.folds.assign(
                n_test=self.folds["n_validation"],
                minority_test=self.folds["minority_validation"],
                n_validation=0,
                minority_validation=0,
            ),
            probabilities=read_stored
            and (lambda run, repeat, fold, _: read_stored(run, repeat, fold, "validation")),
            searches=(),
            following=None,
            references=None,
            fewer_rare_rows={},
            summaries=dict.fromkeys(self.summaries, EMPTY_SUMMARY),  # they are of test parts
        )


def load_frames(engine: Engine, names: Collection[str] = ()) -> StudyFrames:
    """Read studies from the database; a trial counts once Optuna holds it as COMPLETE.

    Studies are read in the order of these names; all, by name, without any.

    Raises:
        StorageError: The database holds no study, or is damaged.
        UsageError: It holds none of this name, or two studies whose metrics contradict each other.
    """
    with damaged_rows(), engine.connect() as connection:
        registered = _selected_studies(connection, names)
        know_own_metrics(registered)
        progress = {problem.name: problem for problem in read_progress(engine)}
        # Other parts of a search are no problems of their own.
        of_role = grouped(registered, lambda entry: entry[1].facts.get("role") or "")
        frames, run_of = _frames_of(connection, of_role.get("", []), progress)
        following, run_of_part = _frames_of(connection, of_role.get("search", []), progress)
        beside, run_of_beside = _frames_of(connection, of_role.get("references", []), progress)
        run_of |= run_of_part | run_of_beside
        fewer_rare_rows, studies = {}, of_role.get("rare-rows", [])
        for share in SHARES if studies else ():
            fewer_rare_rows[share], of_share = _frames_of(connection, studies, progress, share)
            run_of |= of_share
        contents = {}
        if tables.summaries in tables.tables_of_runs(connection):
            stored = rows_of_runs(connection, tables.summaries, list(run_of))
            contents = {summary.run_id: summary.content for summary in stored}
        searches = load_searches(connection, registered)
    # Of repeats that were added to a summary alone there are probabilities.
    summaries = {run_of[run]: contents.get(run_of[run], EMPTY_SUMMARY) for run in contents}
    stored_runs = grouped(run_of, run_of.__getitem__)
    return replace(
        frames,
        probabilities=probability_reader(engine, stored_runs, summaries.keys()),
        searches=searches,
        summaries=summaries,
        following=following,
        references=beside,
        fewer_rare_rows=fewer_rare_rows,
    )


def _frames_of(
    connection: Connection,
    studies: Sequence[Registered],
    progress: Mapping[str, Progress],
    rare_share: float | None = None,
) -> tuple[StudyFrames, dict[int, int]]:
    """The frames of some studies; run -> the run that it is part of."""
    runs: list[dict[str, Any]] = []
    folds: list[dict[str, Any]] = []
    scores: list[ScoreRow] = []
    run_of: dict[int, int] = {}
    manifests: list[Mapping[str, Any]] = []
    for study_id, row in studies:
        stored = complete_chains(connection, study_id, row)
        chains = [chain for chain in stored if chain[-1].rare_share == rare_share]
        runs += [_run_record(row, chain) for chain in chains]
        run_ids = [trial.run for chain in chains for trial in chain]
        run_of |= {trial.run: chain[-1].run for chain in chains for trial in chain}
        fold_rows = rows_of_runs(connection, tables.folds, run_ids)
        score_rows = scores_of_runs(connection, run_ids)
        numbers = {trial.run: trial.number for chain in chains for trial in chain}
        check_whole(row, numbers, fold_rows, score_rows)
        folds += [_fold_record(f, row.facts) | {"run": run_of[f.run_id]} for f in fold_rows]
        scores += score_rows
        of_study = tables.manifests.c.study_uuid == row.uuid
        query = select(tables.manifests.c.manifest).where(of_study).order_by(tables.manifests.c.id)
        accounts = connection.execute(query).scalars().all()
        check_manifests(row, accounts)
        manifests += accounts
    frames = StudyFrames(
        problems=pd.DataFrame([_problem_record(row, progress[row.name]) for _, row in studies]),
        runs=pd.DataFrame(runs, columns=_RUN_COLUMNS),
        folds=pd.DataFrame(folds, columns=_FOLD_COLUMNS),
        scores=tidy_scores(scores, run_of),
        manifests=tuple(manifests),
    )
    return frames, run_of


def know_own_metrics(registered: Collection[Registered]) -> None:
    """Make metrics of users' own known, by the directions that their studies gave them.

    Raises:
        UsageError: Two studies have another direction for one name.
    """
    directions: dict[str, str] = {}
    for _, row in registered:
        for name, keys in row.definition.get("metrics", {}).items():
            if directions.setdefault(name, keys["direction"]) != keys["direction"]:
                raise UsageError(
                    f'metric "{name}" is to be maximised in one study and minimised in '
                    f"{row.study}; name studies that agree"
                )
            know_metric(name, keys["direction"], keys["worst"])


def _selected_studies(connection: Connection, names: Collection[str]) -> list[Registered]:
    """The studies of these names, in the order of the names; all, by name, when empty."""
    order = list(dict.fromkeys(names))
    return sorted(
        select_studies(connection, names),
        key=lambda registered: order.index(registered[1].study) if order else 0,
    )


def _problem_record(row: Any, progress: Progress) -> dict[str, Any]:
    facts, imbalance = row.facts, row.facts["imbalance"]
    return {
        # Databases of early versions do not have the next two.
        "grouped": False,
        "redraw": False,
        "split": "",
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
        "settings": row.settings,
    }


def _run_record(row: Any, trials: Sequence[StoredTrial]) -> dict[str, Any]:
    trial, runs = trials[-1], [stored.row for stored in trials]
    run, facts = trial.row, [stored.facts or {} for stored in runs]
    return {
        "run": run.id,
        "study": row.study,
        "problem": row.problem,
        "trial": trial.number,
        "row": run.label,
        "strategy": ""
        if "strategy" not in run.parameters and "+" in run.strategy
        else run.strategy,
        "alpha": np.nan if run.alpha is None else run.alpha,
        "values": trial.values,
        "seconds": sum(stored.seconds for stored in runs),
        "started": runs[0].started,
        "spans": tuple((stored.started, stored.finished) for stored in runs),
        "peak_memory_mb": max(stored.peak_memory_mb for stored in runs),
        **{name: getattr(run, name) for name in _COPIED_COLUMNS},
        **{name: max(stored.get(name, np.nan) for stored in facts) for name in _FACTS},
    }


def _fold_record(fold: Any, facts: Mapping[str, Any]) -> dict[str, Any]:
    classes = facts["classes"]
    rare = [classes.index(name) for name in facts["minority"]] or list(range(len(classes)))
    record = {"repeat": fold.repeat, "fold": fold.fold}
    for part, counts in fold.counts.items():
        record[f"n_{part}"] = sum(counts)
        record[f"minority_{part}"] = min(counts[code] for code in rare)
    train_counts = np.array(fold.trained_on.get("training_shares", fold.counts["train"]))
    return record | {
        "epochs": fold.epochs,
        "stopped": fold.stopped,
        "failed": fold.failed,
        "effective_prior": tuple(fold.trained_on["class_shares"]),
        "natural_prior": tuple((train_counts / train_counts.sum()).tolist()),
        "distinct_share": fold.trained_on["distinct_share"],
        # Unknown in databases of earlier versions.
        "untrained": fold.trained_on.get("untrained", ""),
    }
