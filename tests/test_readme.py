"""The README: its study files are valid, its links exist, its ranks are those of the report."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from remix_study.batches.strategies import STRATEGIES
from remix_study.metrics import BUILT_IN_METRICS, EXTRA_METRICS
from remix_study.study.checks import check_study
from remix_study.studyfile.parsing import built_in_studies, parse_study

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_study_files_are_valid():
    grid, search = blocks("toml")
    check_study(parse_study(grid, "README.md"))
    # The keys that are comments are valid, too.
    uncommented = re.sub(r"# (groups|kind|minority|imbalance|hidden) =", r"\1 =", grid)
    study = parse_study(uncommented, "README.md")
    check_study(study)
    assert study.problems[0].imbalance == (0.05, 0.01)
    assert study.model.options["hidden"] == [128, 64]
    study = parse_study(grid[: grid.index("[search]")] + search, "README.md")
    check_study(study)
    assert study.search.trials == 60


def test_every_strategy_metric_and_built_in_study_is_named():
    for name in [*STRATEGIES, *BUILT_IN_METRICS, *built_in_studies()]:
        assert f"`{name}`" in TEXT, name


def test_the_page_of_metrics_has_every_metric():
    page = (ROOT / "docs" / "metrics.md").read_text()
    assert [name for name in (*BUILT_IN_METRICS, *EXTRA_METRICS) if f"`{name}`" not in page] == []


@pytest.mark.parametrize("path", re.findall(r"\]\((?!http|#)([^)]+)\)", TEXT))
def test_links_lead_somewhere(path):
    assert (ROOT / path).exists()


def test_the_ranks_are_those_of_the_committed_report():
    with (ROOT / "reports/paper-tabular/tables/ranks-published.csv").open() as file:
        _, *rows = csv.reader(file)
    assert len(rows) == 5
    for method, *rank_sums in rows:
        line = re.search(rf"^\| {method.split()[0]} \|(.*)$", TEXT, re.M)
        assert line
        cells = [re.sub(r"\(.*?\)|\*", "", cell) for cell in line[1].split("|")[:-1]]
        assert [float(cell) for cell in cells] == [float(value) for value in rank_sums]
