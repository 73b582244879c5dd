"""Are decisions as good as what an expert would get? A study beside tuned scikit-learn.

    python benchmarks/decisions.py TABLE... [--repeats 3] [--rows 6000] [--json FILE]
    python benchmarks/decisions.py STUDY.toml --storage URL [--problems NAME...] [--json FILE]

A table is a file of the KEEL repository, without a first line of names, or `NAME:CLASS`, a class
of a data set of the catalogue against the rest; its default study is run, with fewer repeats. Of a
study file the problems of two classes are taken that are complete in the database. On the study's
folds and rows random settings of boosting, forest and MLP learn from the inner training rows. The
validation rows choose a setting for each metric, and for it whether probabilities are corrected to
equal class shares or, for the g-mean, classes have a threshold of their own. Of the three the one
that is best **on the test rows** is what the decision, and the best network, are compared with.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import warnings
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import loguniform, randint
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.metrics import confusion_matrix, roc_curve
from sklearn.model_selection import ParameterSampler
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits

import remix_study
from remix_study.data.dataset import Dataset
from remix_study.data.named_datasets import load_dataset
from remix_study.data.readers import read_tables
from remix_study.results.candidates import decide_problem
from remix_study.results.comparison import comparisons
from remix_study.results.forms import Form
from remix_study.results.frames import load_frames
from remix_study.results.intervals import paired_interval
from remix_study.study.default_study import plan_file
from remix_study.study.storage import open_reader
from remix_study.study.task import Task
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import load_study
from remix_study.studyfile.table_format import TableFormat

STORAGE = "sqlite:///study.db"
SETTINGS = 8
METRICS = ("bbs", "g_mean")
SPACES: dict[str, dict[str, Any]] = {
    "boosting": {
        "learning_rate": loguniform(0.02, 0.3),
        "max_leaf_nodes": randint(4, 64),
        "min_samples_leaf": randint(2, 50),
        "l2_regularization": loguniform(1e-3, 10),
        "weighted": [True, False],
    },
    "forest": {
        "max_features": ["sqrt", 0.3, 0.6, 1.0],
        "min_samples_leaf": [1, 2, 5, 10, 20],
        "weighted": [True, False],
    },
    "MLP": {
        "hidden_layer_sizes": [(32,), (64,), (128,), (64, 32), (128, 64)],
        "alpha": loguniform(1e-5, 1),
        "learning_rate_init": loguniform(3e-4, 1e-2),
        "max_iter": [20, 60, 120],
        "weighted": [True, False],
    },
}


def write_table(name: str, most_rows: int) -> None:
    """Write so many shuffled rows as `table.csv`, the class in its last column."""
    if ":" in name:
        source, _, rare = name.partition(":")
        dataset: Dataset = load_dataset(source)
        frame = pd.DataFrame(dataset.X).add_prefix("x")
        is_rare = np.array(dataset.classes)[dataset.y] == rare
        frame["class"] = np.where(is_rare, "rare", "common")
    else:
        frame = read_tables([Path(name)], TableFormat(header=False), []).frame
        frame.columns = [*(f"x{place}" for place in range(frame.shape[1] - 1)), "class"]
    frame.sample(frac=1, random_state=0)[:most_rows].to_csv("table.csv", index=False)


def run_default(name: str, repeats: int, most_rows: int) -> Path:
    """Run the default study of a table with so many repeats, in the current folder."""
    write_table(name, most_rows)
    study = Path(f"{Path(name).name.partition('.')[0].replace(':', '-')}.toml")
    lines = plan_file("table.csv", "class", name=study.stem).text.split("\n")
    repeated = f"repeats = {repeats}"
    study.write_text("\n".join(repeated if x.startswith("repeats") else x for x in lines))
    remix_study.run(study, storage=STORAGE)
    return study


def tuned(task: Task) -> Iterator[dict[str, Any]]:
    """Scores by fold of every family's chosen setting, for each metric."""
    y = task.problem.y
    for family, space in SPACES.items():
        settings = list(ParameterSampler(space, SETTINGS, random_state=0))
        jobs = [(number, place) for number in range(SETTINGS) for place in range(len(task.folds))]
        answers = Parallel(n_jobs=2, prefer="threads")(
            delayed(fit)(family, settings[number], task, place) for number, place in jobs
        )
        scores: dict[str, dict[tuple[int, str], list[dict[str, float]]]] = {m: {} for m in METRICS}
        for (number, place), (p_validation, p_test) in zip(jobs, answers, strict=True):
            fold = task.folds[place]
            rows = y[fold.train], y[fold.validation], p_validation, y[fold.test], p_test
            for metric, form, of_parts in forms(*rows):
                scores[metric].setdefault((number, form), []).append(of_parts)
        for metric, of_settings in scores.items():
            frames = {key: pd.DataFrame(of_folds) for key, of_folds in of_settings.items()}
            number, form = min(frames, key=lambda key: frames[key]["validation"].mean())
            chosen = {"setting": str(settings[number]), "form": form}
            errors = frames[number, form]["test"].tolist()
            yield {"family": family, "metric": metric, "errors": errors} | chosen


def fit(family: str, setting: dict[str, Any], task: Task, place: int) -> tuple[Any, Any]:
    """Probabilities of the rare class of the validation and test rows of a fold."""
    options = {key: value for key, value in setting.items() if key != "weighted"}
    X, y, fold = task.problem.X.astype(np.float64), task.problem.y, task.folds[place]
    weights = compute_sample_weight("balanced", y[fold.train]) if setting["weighted"] else None
    with threadpool_limits(1):
        if family == "boosting":
            model: Any = HistGradientBoostingClassifier(
                max_iter=500,
                early_stopping=True,
                n_iter_no_change=20,
                random_state=place,
                **options,
            )
            model.fit(
                X[fold.train],
                y[fold.train],
                weights,
                X_val=X[fold.validation],
                y_val=y[fold.validation],
                sample_weight_val=compute_sample_weight("balanced", y[fold.validation])
                if setting["weighted"]
                else None,
            )
        elif family == "forest":
            model = RandomForestClassifier(200, random_state=place, **options)
            model.fit(X[fold.train], y[fold.train], weights)
        else:
            mlp = MLPClassifier(random_state=place, **options)
            model = make_pipeline(SimpleImputer(), StandardScaler(), mlp)
            model.fit(X[fold.train], y[fold.train], mlpclassifier__sample_weight=weights)
        p_validation, p_test = (
            model.predict_proba(X[r])[:, 1] for r in (fold.validation, fold.test)
        )
    return p_validation, p_test


def forms(
    y_train: Any, y_validation: Any, p_validation: Any, y_test: Any, p_test: Any
) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Errors of both parts: of probabilities as they are, for equal shares, with a threshold."""
    share = (y_train == 1).mean()
    parts = {"validation": (y_validation, p_validation), "test": (y_test, p_test)}
    for form in ("as trained", "equal shares"):
        odds = 1.0 if form == "as trained" else (1 - share) / share
        moved = {k: (y, p * odds / (p * odds + 1 - p)) for k, (y, p) in parts.items()}
        yield "bbs", form, {part: balanced_brier(*rows) for part, rows in moved.items()}
        yield "g_mean", form, {k: lost_g_mean(y, p >= 0.5) for k, (y, p) in moved.items()}
    # Chosen on one half of the validation rows and judged on the other; for the test rows on all.
    half = np.arange(len(y_validation)) % 2 == 0
    crossed = np.empty(len(half), bool)
    for rows in (half, ~half):
        crossed[~rows] = p_validation[~rows] >= best_threshold(
            y_validation[rows], p_validation[rows]
        )
    threshold = best_threshold(y_validation, p_validation)
    errors = lost_g_mean(y_validation, crossed), lost_g_mean(y_test, p_test >= threshold)
    yield "g_mean", "threshold", dict(zip(parts, errors, strict=True))


def best_threshold(y: Any, p: Any) -> float:
    """The threshold with the best g-mean; one half without rows of both classes."""
    if len(np.unique(y)) < 2:
        return 0.5
    false_rate, true_rate, thresholds = roc_curve(y, p)
    return float(thresholds[np.argmax(true_rate * (1 - false_rate))])


def balanced_brier(y: Any, p: Any) -> float:
    """Mean over the classes of their Brier scores."""
    return float(np.mean([((p[y == c] - c) ** 2).mean() for c in np.unique(y)]))


def lost_g_mean(y: Any, is_rare: Any) -> float:
    """What the g-mean lacks of 1."""
    recalls = confusion_matrix(y, is_rare, normalize="true").diagonal()
    return float(1 - np.sqrt(recalls.prod()))


def compare(form: Form | None, metric: str, reference: Any, ratio: float) -> dict[str, Any]:
    """A form's mean test error beside that of a reference."""
    if form is None:
        return {}
    scores = form.scores["test"].sort_index()[metric]
    errors = (scores if metric == "bbs" else 1 - scores).reset_index(drop=True)
    gap = paired_interval(errors, pd.Series(reference), ratio)
    distance = gap.mean / gap.standard_error if gap.standard_error else 0.0
    facts = {"form": form.label, "error": float(errors.mean())}
    return facts | {"ratio": errors.mean() / np.mean(reference), "standard_errors": distance}


def judge(study: Path, storage: str, problems: Collection[str]) -> Iterator[dict[str, Any]]:
    """Compare the decisions of a study that was run; one row a problem and metric."""
    parsed = load_study(study)
    tasks = {task.problem.name: task for task in prepare_tasks(parsed)}
    frames = load_frames(open_reader(storage), [parsed.name])
    for comparison in comparisons(frames):
        _, decision = decide_problem(comparison, frames)
        is_asked = not problems or comparison.problem in problems
        if not is_asked or comparison.kind != "binary" or decision is None:
            continue
        task = tasks[comparison.problem]
        references = list(tuned(task))
        for metric in METRICS:
            of_metric = [r for r in references if r["metric"] == metric]
            best = min(of_metric, key=lambda r: np.mean(r["errors"]))
            row = {"problem": f"{parsed.name}/{comparison.problem}", "rows": len(task.problem.y)}
            row |= {"metric": metric, "best": best["family"], "error": np.mean(best["errors"])}
            for kind, form in (("decision", decision.chosen), ("network", decision.best_network)):
                row[kind] = compare(form, metric, best["errors"], comparison.ratio)
            yield row | {"tuned": of_metric}


def markdown(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    heads = "problem | rows | error | tuned | decision | ratio | s.e. | network | ratio | s.e."
    lines = [f"| {heads} |", "|" + "---|" * 10]
    for row in rows:
        error = "BBS" if row["metric"] == "bbs" else "1 - g-mean"
        best = f"{row['best']} {row['error']:.3f}"
        cells = [row["problem"], f"{row['rows']:,}", error, best]
        for side in (row["decision"], row["network"]):
            cells.append(f"{side['form']} {side['error']:.3f}")
            cells += [f"{side['ratio']:.2f}", f"{side['standard_errors']:+.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run all tables, each in a folder of its own, or compare studies that were run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", metavar="TABLE or STUDY.toml")
    parser.add_argument("--repeats", type=int, default=3, help="of a default study")
    parser.add_argument("--rows", type=int, default=6_000, help="of a table, at most")
    parser.add_argument("--storage", default=STORAGE, help="of study files")
    parser.add_argument("--problems", nargs="*", default=(), help="of study files")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    target = options.json and options.json.absolute()
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows: list[dict[str, Any]] = []
    for name in options.names:
        if name.endswith(".toml"):
            new = judge(Path(name), options.storage, options.problems)
        else:
            place = name if ":" in name else str(Path(name).absolute())
            with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
                study = run_default(place, options.repeats, options.rows)
                new = iter(list(judge(study, STORAGE, ())))
        for row in new:
            rows.append(row)
            print(markdown([row]).split("\n")[-1], flush=True)
            if target:
                target.write_text(json.dumps(rows, indent=2) + "\n")
    print(markdown(rows))


if __name__ == "__main__":
    main()
