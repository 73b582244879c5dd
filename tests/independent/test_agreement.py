"""The package's scores on three of the paper's problems are those of an independent program.

Both are trained on the same rows of the same folds, so scores are compared fold by fold, and the
mean difference lies within the 95 % interval of zero, corrected for folds that share rows (Nadeau
and Bengio). Without that correction the 49 rare rows of segment, on which all folds are tested,
would part the programs at most seeds of the initial weights.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from independent.from_the_paper import METHODS, balanced_brier, fit_predict, g_mean
from scipy import stats

from remix_study.results.comparison import comparisons
from remix_study.results.frames import load_frames
from remix_study.study.storage import open_reader
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import find_study, load_study

SUMMARY = Path(__file__).parents[2] / "reports" / "paper-tabular" / "summary.db.xz"
# Problem -> its study, data set and the units of its three layers.
PROBLEMS = {
    "segment-BRICKFACE-ir0.025": ("paper-binary", "segment", int(2 * (19 + 2) / 3)),
    "satimage-1-ir0.025": ("paper-binary", "satimage", int(2 * (36 + 2) / 3)),
    "satimage-2_3_4-ir0.1": ("paper-multiclass", "satimage", int(2 * (36 + 6) / 0.75)),
}
REPEATS = 5
SCORES = {"g_mean": g_mean, "bbs": balanced_brier}


@pytest.fixture(scope="module")
def package_scores():
    """Problem -> its comparison, as the committed report has it."""
    engine = open_reader(f"sqlite:///{SUMMARY}")
    frames = load_frames(engine, ["paper-binary", "paper-multiclass"])
    engine.dispose()
    return {comparison.problem: comparison for comparison in comparisons(frames)}


def task_of(study_name, dataset, problem):
    """The package's rows and folds of a problem."""
    study = load_study(find_study(study_name))
    specs = tuple(spec for spec in study.problems if spec.dataset == dataset)
    study = msgspec.structs.replace(study, problems=specs)
    return next(task for task in prepare_tasks(study) if task.problem.name == problem)


@pytest.mark.slow
@pytest.mark.skipif("REMIX_STUDY_DATA" not in os.environ, reason="REMIX_STUDY_DATA is not set")
@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_method_scores_as_the_independent_program(package_scores, problem):
    study, dataset, width = PROBLEMS[problem]
    task = task_of(study, dataset, problem)
    X, y = task.problem.X, task.problem.y
    folds = [fold for fold in task.folds if fold.repeat < REPEATS]
    comparison = package_scores[problem]
    apart = {}
    for method in METHODS:
        label = f"{method} (0.1)" if method in ("mixup", "remix") else method
        lines = []
        for number, fold in enumerate(folds):
            train, test = fold.train, fold.test
            p = fit_predict(method, X[train], y[train], X[test], [width] * 3, seed=number)
            lines.append({name: score(y[test], p) for name, score in SCORES.items()})
        scores = pd.DataFrame(lines, index=[(fold.repeat, fold.fold) for fold in folds])
        for metric in SCORES:
            differences = scores[metric] - comparison.score(label, metric).loc[list(scores.index)]
            n = len(differences)
            error = np.sqrt((1 / n + comparison.ratio) * differences.var(ddof=1))
            if not abs(differences.mean()) <= stats.t.ppf(0.975, n - 1) * error:
                apart[method, metric] = (differences.mean(), error)
    assert not apart
