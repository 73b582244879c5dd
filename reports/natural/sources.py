"""Differences of methods on natural data, each source counted once: the tables of this folder.

    python reports/natural/sources.py DATABASE FOLDER

DATABASE is the file of the study `natural`, as it is or as a summary. What pages quote of the
tables goes into the package (`remix_study/results/natural_data.py`). The questions, groups and the
rule of the verdict are those of reports/capacity/PLAN.md.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from remix_study.metrics import better_sign, rope_of
from remix_study.results.comparison import Comparison, comparisons
from remix_study.results.frames import load_frames
from remix_study.results.intervals import corrected_interval
from remix_study.results.significance import signed_rank_posterior
from remix_study.study.storage import open_reader

SURE = 0.95
LEAST_SOURCES = 3
METRICS = ("g_mean", "bbs", "brier")
WORDS = ("better", "practically equal", "worse")
QUOTED = Path(__file__).parents[2] / "remix_study" / "results" / "mixing_on_natural_data.csv"
"""What pages quote of it."""
# Question -> pairs of strategies, the first against the second.
QUESTIONS = {
    "Does mixing add to balancing?": (("remix", "balance"),),
    "Does mixing add to natural batches?": (("mixup", "baseline"),),
    "Does balancing add to moving the outputs?": (
        ("balance", "logit-adjusted"),
        ("remix", "logit-adjusted"),
        ("cost", "logit-adjusted"),
    ),
    "Does it pay against plain training?": (
        ("remix", "baseline"),
        ("logit-adjusted", "baseline"),
    ),
    "Networks against boosting": (
        ("remix", "hist-gradient-boosting-weighted"),
        ("logit-adjusted", "hist-gradient-boosting-weighted"),
    ),
}
# Sources of several files, by how the names begin; any other file is a source of its own.
FAMILIES = ("abalone", "car", "ecoli", "glass", "kddcup", "kr-vs-k", "new-thyroid", "shuttle",
            "vehicle")  # fmt: skip


_HEAD = """# Natural data: each source counted once

{tables} binary tables as imbalanced as they are, of {sources} sources; networks of width {widths},
preset `quick`, alpha 0.1, 3 x 2-fold. A difference is the mean over sources, positive where the
first method is better; its verdict is that of the Bayesian signed-rank posterior at 0.95, with
regions of practical equivalence of 0.01 in g-mean, 0.005 in balanced Brier and 0.002 in Brier.
Fewer than 20 sources cannot show differences that only a third of tables have; most are small, and
nothing is said on large data. `aps` is 9,000 of its 60,000 rows. What was run of the
[plan](../capacity/PLAN.md) stands at its end.
"""


def source_of(dataset: str) -> str:
    """The source that a data set was made from."""
    name = Path(dataset).name
    return next((family for family in FAMILIES if name.startswith(family)), name.split(".")[0])


def groups_of(comparison: Comparison) -> Iterator[str]:
    """The groups of tables that a problem belongs to, the first of them all."""
    counts = comparison.info["counts"]
    yield "all"
    yield "up to 1,000 rows" if sum(counts.values()) <= 1_000 else "more than 1,000 rows"
    yield "up to 100 rare rows" if min(counts.values()) <= 100 else "more than 100 rare rows"
    few = int(comparison.info["n_features"]) <= 15
    yield "up to 15 features" if few else "more than 15 features"


def problem_lines(compared: Sequence[Comparison]) -> pd.DataFrame:
    """One line a problem, width, question and metric, with the difference; positive is better."""
    lines = []
    for comparison in compared:
        of_estimators = {m.strategy or m.label: m for m in comparison.methods if m.is_estimator}
        widths = {m.parameters.get("model.hidden") for m in comparison.methods} - {None}
        for width in sorted(widths, key=str):
            methods = of_estimators | {
                m.strategy: m
                for m in comparison.methods
                if m.parameters.get("model.hidden") == width
            }
            for question, pairs in QUESTIONS.items():
                for first, second in pairs:
                    if not {first, second} <= methods.keys():
                        continue
                    for metric in METRICS:
                        a, b = (comparison.score(methods[s].label, metric).mean()
                                for s in (first, second))  # fmt: skip
                        lines.append({
                            "problem": comparison.problem,
                            "source": source_of(comparison.dataset),
                            "groups": tuple(groups_of(comparison)),
                            "width": re.sub(r"[\[\]]", "", str(width)).replace(", ", "-"),
                            "question": question, "method": first, "against": second,
                            "metric": metric, "difference": better_sign(metric) * (a - b),
                        })  # fmt: skip
    return pd.DataFrame(lines)


def source_lines(by_problem: pd.DataFrame) -> pd.DataFrame:
    """One line a group, width, question and metric: the posterior over sources and its verdict."""
    keys = ["group", "width", "question", "method", "against", "metric"]
    exploded = by_problem.explode("groups").rename(columns={"groups": "group"})
    lines = []
    for key, group in exploded.groupby(keys, sort=False):
        differences = group.groupby("source")["difference"].mean()
        if len(differences) < LEAST_SOURCES:
            continue
        # Sources are independent of each other, so nothing is corrected.
        interval = corrected_interval(differences, ratio=0)
        posterior = signed_rank_posterior(differences, rope_of(key[-1]))
        words = dict(zip(WORDS, (posterior.better, posterior.equal, posterior.worse), strict=True))
        sure = [word for word, probability in words.items() if probability > SURE]
        lines.append(
            dict(zip(keys, key, strict=True))
            | {"sources": len(differences), "tables": len(group)}
            | {name: getattr(interval, name) for name in ("mean", "low", "high")}
            | words
            | {"verdict": sure[0] if sure else "cannot tell"}
        )
    return pd.DataFrame(lines)


def readme(table: pd.DataFrame, by_problem: pd.DataFrame) -> str:
    """The page of the folder: every question over all sources, then by groups of tables."""
    n_tables, n_sources = by_problem["problem"].nunique(), by_problem["source"].nunique()
    widths = ", ".join(table["width"].unique())
    lines = [_HEAD.format(tables=n_tables, sources=n_sources, widths=widths)]
    for question, of_question in table[table["group"] == "all"].groupby("question", sort=False):
        lines += [f"## {question}", "", *_markdown(of_question, ["method", "against", "width"])]
    mixing = table[(table["method"] == "remix") & (table["against"] == "balance")]
    lines += ["## Mixing on top of balancing, for tables like yours", ""]
    lines += _markdown(mixing[mixing["group"] != "all"], ["group", "width"])
    lines += ["`sources.csv` has every question by group, `differences.csv` each table.", ""]
    return "\n".join(lines)


def _markdown(table: pd.DataFrame, keys: list[str]) -> list[str]:
    """A line a combination of the keys, a column a metric."""
    heads = [*keys, "sources", *METRICS]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for key, group in table.groupby(keys, sort=False):
        by_metric = group.set_index("metric")
        cells = [
            f"{by_metric.loc[m, 'mean']:+.3f}, {by_metric.loc[m, 'verdict']}" for m in METRICS
        ]
        lines.append(f"| {' | '.join([*key, str(group['sources'].iloc[0]), *cells])} |")
    return [*lines, ""]


def main(database: str, folder: Path) -> None:
    engine = open_reader(f"sqlite:///{database}")
    frames = load_frames(engine, ["natural"])
    engine.dispose()
    by_problem = problem_lines(comparisons(frames))
    folder.mkdir(parents=True, exist_ok=True)
    table = by_problem.drop(columns="groups")
    table.to_csv(folder / "differences.csv", index=False, float_format="%.4f")
    by_source = source_lines(by_problem)
    by_source.to_csv(folder / "sources.csv", index=False, float_format="%.4f")
    quoted = by_source[(by_source["method"] == "remix") & (by_source["against"] == "balance")]
    quoted = quoted.drop(columns=["question", "method", "against", *WORDS])
    quoted.to_csv(QUOTED, index=False, float_format="%.4f")
    (folder / "README.md").write_text(readme(by_source, by_problem), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
