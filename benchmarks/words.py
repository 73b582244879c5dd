"""Are the words true? "Better" and "practically equal" against what large tables show.

    python benchmarks/words.py [--subsamples 200] [--rows 500] [--json FILE] [--markdown FILE]

Small samples are drawn from large tables. On each, pairs of methods are compared as a report does:
repeated cross-validation, corrected standard error, the posterior's word. The truth is the mean
over all samples of the difference that the networks, here scikit-learn's estimators, which take
milliseconds, have on the big rest of the table, which no sample saw.

A word "better" (or "worse") is true where the mean difference has that sign, "practically equal"
where it lies within the metric's region of practical equivalence. Rules and seeds were fixed after
a pilot of three samples, which showed two methods called equal that both never found the rare
class; these are "cannot tell" since.
"""

from __future__ import annotations

import argparse
import itertools
import json
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from remix_study.data.named_datasets import load_dataset
from remix_study.metrics import better_sign, score
from remix_study.results.equivalence import ROPES, compare, word_of

TABLES = {"satimage": "4", "coil2000": "1", "optdigits": "8", "seizure": "1"}
"""Large tables, each with its rare class against the rest, at their natural shares."""

METRICS = ("g_mean", "bbs", "brier")
FOLDS, REPEATS, SEED = 2, 5, 2026
TEST_ROWS = 1500  # Rows of the rest that a method is scored on, drawn once a sample


def methods() -> dict[str, Any]:
    """Methods from nearly equal ones to very different ones."""
    return {
        "logistic C=1": LogisticRegression(C=1.0, max_iter=300),
        "logistic C=0.8": LogisticRegression(C=0.8, max_iter=300),
        "logistic C=0.01": LogisticRegression(C=0.01, max_iter=300),
        "logistic, weighted": LogisticRegression(max_iter=300, class_weight="balanced"),
        "naive Bayes": GaussianNB(),
        "tree of 4": DecisionTreeClassifier(max_depth=4, random_state=0),
        "tree of 4, weighted": DecisionTreeClassifier(
            max_depth=4, class_weight="balanced", random_state=0
        ),
        "forest": RandomForestClassifier(20, min_samples_leaf=3, random_state=0),
    }


def main() -> None:
    """Run all tables and write what the words were worth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subsamples", type=int, default=200)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--tables", nargs="*", default=list(TABLES))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    lines: list[dict[str, Any]] = []
    for name in options.tables:
        lines += words_of_table(name, options.subsamples, options.rows)
        print(markdown(lines), flush=True)
        if options.json:
            options.json.write_text(json.dumps(lines, indent=1) + "\n")
    if options.markdown:
        options.markdown.write_text(markdown(lines))


def words_of_table(name: str, n_samples: int, n_rows: int) -> list[dict[str, Any]]:
    """Counts of words and of true ones on one table, one line a metric."""
    dataset = load_dataset(name)
    y = (dataset.y == dataset.classes.index(TABLES[name])).astype(int)
    scored = [score_sample(dataset.X, y, n_rows, seed) for seed in range(n_samples)]
    lines = []
    for metric in METRICS:
        counts: Counter[str] = Counter()
        for first, second in itertools.combinations(methods(), 2):
            outside_gaps = [s["rest"][first][metric] - s["rest"][second][metric] for s in scored]
            truth = better_sign(metric) * float(np.mean(outside_gaps))
            for sample in scored:
                folds = sample["folds"]
                scores = (pd.Series(folds[method][metric]) for method in (first, second))
                word = word_of(compare(*scores, metric, 1 / (FOLDS - 1)))
                counts[word] += 1
                counts[f"{word}, true"] += is_true(word, truth, ROPES[metric])
        lines.append({"table": name, "metric": metric, **counts})
    return lines


def is_true(word: str, truth: float, rope: float) -> bool:
    """Whether a word holds of the true difference, above zero where the first is better."""
    return {
        "better": truth > 0,
        "worse": truth < 0,
        "practically equal": abs(truth) <= rope,
        "cannot tell": True,
    }[word]


def score_sample(X: Any, y: Any, n_rows: int, seed: int) -> dict[str, Any]:
    """Scores of every method on the folds of one sample, and of the same fits on the rest."""
    rng = np.random.default_rng([SEED, seed])
    sample = np.sort(np.concatenate(list(_stratified(y, n_rows, rng))))
    outside = np.setdiff1d(np.arange(len(y)), sample)
    outside = rng.choice(outside, min(TEST_ROWS, len(outside)), replace=False)
    folds: dict[str, Any] = {}
    on_rest: dict[str, Any] = {}
    splitter = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=seed)
    splits = list(splitter.split(sample, y[sample]))
    for name, model in methods().items():
        scores: dict[str, list[float]] = {metric: [] for metric in METRICS}
        rests: dict[str, list[float]] = {metric: [] for metric in METRICS}
        for train, test in splits:
            pipeline = make_pipeline(SimpleImputer(), StandardScaler(), model)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                pipeline.fit(X[sample[train]], y[sample[train]])
            for rows, scores_of_rows in ((sample[test], scores), (outside, rests)):
                values = score(y[rows], pipeline.predict_proba(X[rows]), 2)
                for metric in METRICS:
                    scores_of_rows[metric].append(values[metric])
        folds[name] = scores
        on_rest[name] = {metric: float(np.mean(rests[metric])) for metric in METRICS}
    return {"folds": folds, "rest": on_rest}


def _stratified(y: Any, n_rows: int, rng: np.random.Generator) -> Iterator[Any]:
    for code in (0, 1):
        rows = np.flatnonzero(y == code)
        n = max(20, round(n_rows * len(rows) / len(y))) if code else n_rows
        yield rng.choice(rows, min(n, len(rows)), replace=False)


def markdown(lines: list[Mapping[str, Any]]) -> str:
    """A table: how often each word was said, and in how many of these cases it was true."""
    frame = pd.DataFrame(lines).fillna(0)
    total = {"table": "all", "metric": "all", **frame.drop(columns=["table", "metric"]).sum()}
    heads = (
        "table",
        "metric",
        "better or worse",
        "true",
        "practically equal",
        "true",
        "cannot tell",
    )
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for line in [*frame.to_dict("records"), total]:
        sure = line.get("better", 0) + line.get("worse", 0)
        right = line.get("better, true", 0) + line.get("worse, true", 0)
        equal, equal_right = (
            line.get("practically equal", 0),
            line.get("practically equal, true", 0),
        )
        unknown = line.get("cannot tell", 0)
        n = sure + equal + unknown
        rows.append(
            f"| {line['table']} | {line['metric']} | {sure / n:.1%} | {_share(right, sure)} | "
            f"{equal / n:.1%} | {_share(equal_right, equal)} | {unknown / n:.1%} |"
        )
    return "\n".join(rows) + "\n"


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "–"


if __name__ == "__main__":
    main()
