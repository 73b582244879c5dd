"""The results of a study as two tidy data frames, for a person's own analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from remix_study.metrics import find_metric
from remix_study.results.frames import StudyFrames, load_frames
from remix_study.results.search_frames import StoredTrial
from remix_study.study.database_errors import database_errors
from remix_study.study.storage import open_reader
from remix_study.studyfile.schema import DEFAULT_STORAGE

PLANNED, SUGGESTED = "planned", "suggested"

_TRIAL_COLUMNS = [
    "study", "problem", "source", "trial", "method", "strategy", "sampler", "mixing", "alpha",
    "loss", "seconds", "run",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Results:
    """Complete trials of a study and their scores.

    Attributes:
        trials: One row a complete trial: ``study``, ``problem``, ``source`` (``planned`` by a
            grid, or ``suggested`` by Optuna), ``trial`` (Optuna's number), ``method``,
            ``strategy`` ("" where parts were composed), ``sampler``, ``mixing``, ``alpha`` (NaN
            without mixing), ``loss``, ``seconds`` of training, ``run`` (its number in the
            database), and for each objective ``METRIC_validation`` and ``METRIC_test``, means
            over folds. Only the validation means may choose.
        scores: One row a score: ``study``, ``problem``, ``source``, ``trial``, ``method``,
            ``run``, ``repeat``, ``fold``, ``part`` (``validation`` or ``test``), ``metric``,
            ``value``.
        objectives: Metrics that the study optimises, the first one first.
    """

    trials: pd.DataFrame
    scores: pd.DataFrame
    objectives: tuple[str, ...]

    def best_first(self, problem: str, source: str) -> pd.DataFrame:
        """A problem's trials of one source, by the first objective on validation."""
        is_asked = (self.trials["problem"] == problem) & (self.trials["source"] == source)
        metric = self.objectives[0]
        return self.trials[is_asked].sort_values(
            f"{metric}_validation", ascending=not find_metric(metric).is_maximized, kind="stable"
        )


def read_results(storage: str = DEFAULT_STORAGE, study: str = "") -> Results:
    """Read the results of a study.

    Args:
        storage: URL of the database.
        study: The study's name; may be left out where the database holds one study.

    Raises:
        StorageError: The database cannot be read, or holds no study.
        UsageError: It holds none of this name.
    """
    with database_errors(storage):
        engine = open_reader(storage)
        try:
            return tidy_results(load_frames(engine, [study] if study else []))
        finally:
            engine.dispose()


def tidy_results(frames: StudyFrames) -> Results:
    """Make the frames of results of those of a database."""
    algorithms = {
        (p.study, p.problem): p.algorithm for p in frames.problems.itertuples(index=False)
    }
    trials = frames.runs.rename(columns={"row": "method"})
    trials["source"] = [
        PLANNED if algorithms[key] == "grid" else SUGGESTED
        for key in zip(trials["study"], trials["problem"], strict=True)
    ]
    scores = [frames.scores]
    suggested = []
    for search in frames.searches:
        if search.follows_grid:
            complete = [trial for trial in search.trials if trial.is_complete]
            suggested += [
                _trial_record(trial) | {"study": search.study, "problem": search.problem}
                for trial in complete
            ]
            runs = [trial.run for trial in complete]
            scores.append(search.scores[search.scores["run"].isin(runs)])
    parts = [trials[_TRIAL_COLUMNS], pd.DataFrame(suggested, columns=_TRIAL_COLUMNS)]
    trials = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    names = ["run", "study", "problem", "source", "trial", "method"]
    tidy = trials[names].merge(pd.concat(scores, ignore_index=True), on="run")
    objectives = tuple(
        dict.fromkeys(name for row in frames.problems["objectives"] for name in row)
    )
    means = tidy[tidy["metric"].isin(objectives)].pivot_table(
        index="run", columns=["metric", "part"], values="value", sort=False
    )
    means.columns = means.columns.map("_".join)
    columns = [f"{metric}_{part}" for metric in objectives for part in ("validation", "test")]
    means = means.reindex(columns=columns)
    return Results(
        trials.merge(means, left_on="run", right_index=True, how="left"), tidy, objectives
    )


def _trial_record(trial: StoredTrial) -> dict[str, Any]:
    run = trial.row
    return {
        "source": SUGGESTED,
        "trial": trial.number,
        "method": trial.label,
        "strategy": "" if "+" in run.strategy else run.strategy,
        "sampler": run.sampler,
        "mixing": run.mixing,
        "alpha": float("nan") if run.alpha is None else run.alpha,
        "loss": run.loss,
        "seconds": run.seconds,
        "run": trial.run,
    }
