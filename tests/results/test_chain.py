"""The whole chain on two real data sets: trained, stored, reported, and computed again.

The second computation reads the database with SQL and uses scipy and plain NumPy alone.
"""

from __future__ import annotations

import csv
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from made_up_studies import leave_figures_empty
from scipy import stats

from remix_study.cli.main import main

STUDY = """
[study]
name = "chain"
objectives = ["g_mean", "bbs"]

[[problems]]
dataset = "segment"
kind = "binary"
minority = ["BRICKFACE"]
imbalance = [0.05]

[[problems]]
dataset = "ozone"
kind = "binary"
minority = [1]
imbalance = [0.025]

[cv]
folds = 2
repeats = 2

[model]
hidden = [8]

[training]
preset = "paper"
epochs = 12
batch_size = 32

[search.space]
strategy = ["baseline", "cost", "smote", "balance", "mixup", "remix", "logit-adjusted"]
alpha.mixup = [0.1]
alpha.remix = [0.1]
"""
FIVE = ("baseline", "cost", "smote", "mixup", "remix")
LOWER = ("bbs", "brier", "log_loss", "cwece")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the finished study's database and its report."""
    data = os.environ.get("REMIX_STUDY_DATA")
    if not data or not (Path(data) / "ozone").exists():
        pytest.skip("REMIX_STUDY_DATA has no ozone")
    folder = tmp_path_factory.mktemp("chain")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        leave_figures_empty(patch)
        Path("chain.toml").write_text(STUDY)
        assert main(["run", "chain.toml", "--storage", "sqlite:///chain.db"]) == 0
        assert main(["report", "--storage", "sqlite:///chain.db", "--output", "report"]) == 0
    return folder


@pytest.fixture(scope="module")
def scores(folder) -> dict[tuple[str, str, str], np.ndarray]:
    """(problem, strategy, metric) -> test scores by fold, straight from the tables."""
    query = """
        select s.problem, r.strategy, x.metric, x.value
        from remix_scores x join remix_runs r on r.id = x.run_id
        join remix_studies s on s.uuid = r.study_uuid
        where x.part = 'test' order by x.repeat, x.fold
    """
    by_key: dict[tuple[str, str, str], list[float]] = {}
    with closing(sqlite3.connect(folder / "chain.db")) as connection:
        for problem, strategy, metric, value in connection.execute(query):
            by_key.setdefault((problem, strategy, metric), []).append(value)
    assert {len(values) for values in by_key.values()} == {4}
    return {key: np.array(values) for key, values in by_key.items()}


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with open(folder / "report" / "tables" / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


def problems_of(scores) -> list[str]:
    return sorted({problem for problem, _, _ in scores})


def sign(metric: str) -> float:
    return -1.0 if metric in LOWER else 1.0


def rank_sums(scores, metric: str, rows) -> dict[str, float]:
    sums = dict.fromkeys(rows, 0.0)
    for problem in problems_of(scores):
        means = [-sign(metric) * scores[problem, row, metric].mean() for row in rows]
        for row, rank in zip(rows, stats.rankdata(means), strict=True):
            sums[row] += rank
    return sums


def name_of(row: str) -> str:
    return row.removesuffix(" (0.1)")


def test_rank_sums_are_those_of_scipy(folder, scores):
    ours = {name_of(line["row"]): line for line in table(folder, "ranks-published")}
    for metric, column in (("g_mean", "binary g-mean"), ("bbs", "binary balanced Brier")):
        expected = rank_sums(scores, metric, FIVE)
        assert {row: float(ours[row][column]) for row in FIVE} == expected
        assert sum(expected.values()) == 2 * 5 * 6 / 2
    natural = {name_of(line["row"]): line for line in table(folder, "ranks-published-natural")}
    expected = rank_sums(scores, "log_loss", FIVE)
    assert {row: float(natural[row]["binary log-loss"]) for row in FIVE} == expected


def test_gains_are_differences_of_means(folder, scores):
    for line in table(folder, "gains"):
        if line["imbalance"] != "all":
            continue
        row, metric = name_of(line["row"]), line["metric"]
        gains = [
            sign(metric) * (scores[p, row, metric].mean() - scores[p, "baseline", metric].mean())
            for p in problems_of(scores)
        ]
        assert float(line["mean_gain"]) == pytest.approx(np.mean(gains), rel=1e-5)
        assert int(line["problems_better"]) == sum(gain > 0 for gain in gains)


def test_results_and_paired_tests_are_those_of_the_formula(folder, scores):
    for line in table(folder, "results-long"):
        fold_scores = scores[line["problem"], name_of(line["row"]), line["metric"]]
        if np.isnan(fold_scores).any():
            continue
        assert float(line["mean"]) == pytest.approx(fold_scores.mean(), rel=1e-5)
        assert float(line["sd"]) == pytest.approx(fold_scores.std(ddof=1), rel=1e-5)
        assert int(line["folds_at_zero"]) == (fold_scores == 0).sum()
        # The paper preset stops by the training loss: 70 % of the other half trains.
        ratio = float(line["test_train_ratio"])
        assert ratio == pytest.approx(1 / 0.7, rel=0.02)
        error = np.sqrt((1 / 4 + ratio) * fold_scores.var(ddof=1))
        assert float(line["corrected_se"]) == pytest.approx(error, rel=1e-5)
    lines = table(folder, "paired-tests")
    assert {name_of(line["reference"]) for line in lines} == {"baseline", "remix"}
    for line in lines:
        metric = line["metric"]
        first, second = (
            scores[line["problem"], name_of(line[key]), metric] for key in ("row", "reference")
        )
        d = first - second
        if not d.std():
            continue
        t = d.mean() / np.sqrt((1 / 4 + float(line["test_train_ratio"])) * d.var(ddof=1))
        assert float(line["t"]) == pytest.approx(t, rel=1e-5)
        assert float(line["p"]) == pytest.approx(2 * stats.t.sf(abs(t), 3), rel=1e-4)


def test_claims_follow_from_the_scores(folder, scores):
    claims = {line["claim"]: line for line in table(folder, "claims")}
    parts = {(line["claim"], line["part"]): line for line in table(folder, "claims-parts")}
    sums = {metric: rank_sums(scores, metric, FIVE) for metric in ("g_mean", "bbs")}
    for metric, name in (("g_mean", "binary, g-mean"), ("bbs", "binary, balanced Brier")):
        others = [value for row, value in sums[metric].items() if row != "remix"]
        first = sums[metric]["remix"] < min(others)
        assert parts["C1", name]["descriptive"] == ("holds" if first else "does not hold")
    g = sums["g_mean"]
    last = g["mixup"] > max(value for row, value in g.items() if row != "mixup")
    assert parts["C9", "binary, g-mean"]["descriptive"] == ("holds" if last else "does not hold")
    no_better = all(sums[m]["cost"] >= sums[m]["baseline"] for m in ("g_mean", "bbs"))
    assert claims["C8"]["descriptive"] == ("holds" if no_better else "does not hold")
    for metric, name in (("g_mean", "g-mean"), ("log_loss", "log-loss"), ("brier", "Brier")):
        for claim, rival in (("C24", "balance"), ("C25", "logit-adjusted")):
            lead = np.mean(
                [
                    sign(metric)
                    * (scores[p, "remix", metric].mean() - scores[p, rival, metric].mean())
                    for p in problems_of(scores)
                ]
            )
            line = parts[claim, f"binary, {name}"]
            assert float(line["value"]) == pytest.approx(lead, rel=1e-5)
            assert line["descriptive"] == ("holds" if lead > 0 else "does not hold")
    # Two data sets decide nothing, and nothing was run on several classes or alphas.
    assert claims["C8"]["inferential"] == "undecided"
    assert claims["C10"]["descriptive"] == "not run"
    assert claims["C10"]["missing"] == "no multi-class problem"
    assert claims["C12"]["descriptive"] == "not run"
    assert claims["C21"]["descriptive"] == "shown by report --demonstration"


def test_repeats_are_those_that_training_stored(folder):
    query = """
        select avg(json_extract(f.trained_on, '$.distinct_share'))
        from remix_folds f join remix_runs r on r.id = f.run_id
        join remix_studies s on s.uuid = r.study_uuid
        where r.strategy = 'remix' group by s.problem
    """
    with closing(sqlite3.connect(folder / "chain.db")) as connection:
        shares = [share for (share,) in connection.execute(query)]
    lines = table(folder, "claims-parts")
    again = next(line for line in lines if line["number"] == "drawn again")
    assert float(again["value"]) == pytest.approx(1 - np.mean(shares), rel=1e-5)


def test_the_page_links_and_names_every_claim(folder):
    page = (folder / "report" / "index.html").read_text()
    assert 'id="claims"' in page
    for n in range(1, 26):
        assert f">C{n}<" in page
