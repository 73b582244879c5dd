"""Train what was chosen on all rows of its problem, by the study's own engine.

A configuration that stops early by a validation part keeps one back here, too: that is the
procedure whose scores the folds measured. The other way, ``epochs``, trains on every row for as
many epochs as the folds' best networks had at the median.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from remix_study.batches.losses import count_rows
from remix_study.data.dataset import Dataset
from remix_study.data.folds import Fold, hold_out_groups, hold_out_rows
from remix_study.data.given_folds import last_rows
from remix_study.data.problems import Problem
from remix_study.deploy.choice import Choice
from remix_study.errors import StudyFileError, UsageError
from remix_study.results.probabilities import scored_prior
from remix_study.seeds import model_seeds
from remix_study.study.configurations import Configuration
from remix_study.study.fingerprint import study_changes
from remix_study.study.task import Task
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.schema import Study
from remix_study.training.estimators import fit_model
from remix_study.training.members import Outcome

Stop = Literal["validation", "epochs"]
"""How training ends: by a validation part kept back, or after the median epochs of the folds."""

# Differences of a study file that do not matter here: all rows are trained on, by this engine.
_IRRELEVANT = ("engine_version", "cv.repeats", "cv.folds", "study.seed", "search.")


@dataclass(frozen=True, eq=False)
class Refit:
    """A trained model.

    Attributes:
        task: The problem, with all rows in its one fold.
        configuration: What was trained.
        estimator: The fitted reference estimator; None of networks, whose weights are in the
            task's engine.
        probabilities: float32 (n, K) of the fold's test rows, which are all rows.
        epochs: Epochs trained; 0 of an estimator.
        shares: (K,) class shares of what it was trained on, by label mass.
    """

    task: Task
    configuration: Configuration
    estimator: Any
    probabilities: NDArray[np.float32]
    epochs: int
    shares: NDArray[np.float64]

    @property
    def fold(self) -> Fold:
        return self.task.folds[0]

    @property
    def problem(self) -> Problem:
        return self.task.problem

    @property
    def natural_shares(self) -> NDArray[np.float64]:
        """(K,) class shares of the training rows, by their weights."""
        train, weights = self.fold.train, self.problem.weights
        counts = count_rows(
            self.problem.y[train], self.problem.K, None if weights is None else weights[train]
        )
        return np.asarray(counts / counts.sum(), np.float64)

    def prior(self, loss: str, class_weights: Sequence[float] | None) -> NDArray[np.float64]:
        """(K,) class shares that its probabilities are for, after training with this loss."""
        return scored_prior(self.shares, self.natural_shares, loss, class_weights)


def refit(
    study: Study, choice: Choice, *, data: Dataset | None = None, stop: Stop = "validation"
) -> Refit:
    """Train a choice on all rows of its problem; rows of a test file stay out.

    Args:
        study: The study file.
        choice: What to train.
        data: Data handed over in Python, for a problem that names none.
        stop: How training ends where it stops early.

    Raises:
        StudyFileError: The study file, or a change in it since the study began.
        DataError: The data.
        UsageError: Training failed, or ``stop`` does not fit an estimator.
    """
    task = _task_of(study, choice, data)
    configuration = task.configuration(choice.parameters)
    estimator, training = configuration.estimator, configuration.training
    if stop == "epochs" and _stops_early(configuration):
        if estimator:
            raise UsageError(
                f"{estimator.name} stops by a validation part, and how long it trained on each "
                'fold is not stored; leave out stop = "epochs"'
            )
        epochs = median_epochs(choice, training.patience)
        training = msgspec.structs.replace(training, stop="never", epochs=epochs)
    return train(task, replace(configuration, training=training))


def train(task: Task, configuration: Configuration) -> Refit:
    """Train a configuration on all rows of a task.

    A validation part is kept back where training ends by it.

    Args:
        task: The task of a study; its folds are not used.
        configuration: What to train.

    Raises:
        UsageError: Training failed.
    """
    task = _task_on(task, _fold_of(task, holds_out=_stops_early(configuration)))
    where, estimator = f"problem {task.problem.name}", configuration.estimator
    if estimator:
        try:
            model, (_, probabilities) = fit_model(estimator, task.members, 0)
        except Exception as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise UsageError(f"{where}: {estimator.name}: {reason}") from error
        trained = Refit(task, configuration, model, probabilities, 0, np.zeros(0))
        return replace(trained, shares=trained.natural_shares)
    outcome: Outcome = task.fit(configuration)[0]
    if outcome.failed:
        raise UsageError(f"{where}: training failed: {outcome.failed}")
    shares = outcome.trained_on.class_shares
    return Refit(task, configuration, None, outcome.test, outcome.epochs, shares)


def _stops_early(configuration: Configuration) -> bool:
    """Whether training ends by a validation part."""
    estimator = configuration.estimator
    return estimator.stops_early if estimator else configuration.training.stop == "early"


def median_epochs(choice: Choice, patience: int) -> int:
    """The median over folds of the epoch whose weights early stopping kept, 1 or more."""
    folds = choice.comparison.trained_folds(choice.form.method)
    waited = np.where(folds["stopped"] == "patience", patience, 0)
    return max(1, round(float(np.median(folds["epochs"] - waited))))


def _task_of(study: Study, choice: Choice, data: Dataset | None) -> Task:
    """The task of the chosen problem, with the data as they were when the study began."""
    name, began = choice.comparison.problem, choice.comparison.info["settings"]
    for spec in study.problems:
        tasks = prepare_tasks(msgspec.structs.replace(study, problems=(spec,)), data)
        task = next((t for t in tasks if t.name == f"{study.name}/{name}"), None)
        if task is None:
            continue
        changes = study_changes(task, began, (), 0) if began else []
        changes = [c for c in changes if not c.startswith(_IRRELEVANT)]
        if any(change.startswith("problem.sha256") for change in changes):
            raise StudyFileError(
                f"{study.source}: the data of problem {name} are not those of the study; bring "
                "the earlier ones back, or run the study on these under another name"
            )
        if changes:
            raise StudyFileError(
                f"{study.source}: problem {name} was run with other settings "
                f"({'; '.join(changes)}); write the earlier values into the file"
            )
        return task
    raise StudyFileError(
        f"{study.source}: no problem {name}, which the database has; name another"
    )


def _fold_of(task: Task, *, holds_out: bool) -> Fold:
    """One fold with all rows, a validation part among them kept back where training needs it."""
    problem, cv, split = task.problem.draw(0), task.study.cv, task.problem.dataset.split
    rows = np.arange(len(problem.y))
    if split is not None:
        split = split.of_rows(problem.rows)
        rows = np.flatnonzero(split.codes == 0) if split.kind == "test" else rows
    if not holds_out:
        return Fold(0, 0, rows, rows[:1], rows)
    _, random_state = model_seeds(task.study.seed, problem.name)
    parts = None
    if split is not None and split.kind == "time":
        parts = last_rows(split.codes, rows, cv.validation)
    elif cv.grouped and problem.groups is not None:
        parts = hold_out_groups(problem, problem.groups, rows, cv.validation, random_state)
    train, held_out = parts or hold_out_rows(problem.y, rows, cv.validation, random_state)
    return Fold(0, 0, train, held_out, rows)


def _task_on(task: Task, fold: Fold) -> Task:
    """The task with one fold, and seeds that no fold of the study has."""
    search = msgspec.structs.replace(task.study.search, prune=False)
    seed, _ = model_seeds(task.study.seed, task.problem.name)
    study = msgspec.structs.replace(task.study, seed=seed, search=search)
    training = msgspec.structs.replace(task.spec.training, stack=0)
    spec = msgspec.structs.replace(task.spec, training=training)
    problem = task.problem.draw(0)
    return replace(task.fresh(), study=study, spec=spec, problem=problem, folds=(fold,))
