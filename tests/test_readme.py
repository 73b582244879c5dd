"""README and docs: study files are valid, links lead somewhere, numbers are the reports'."""

from __future__ import annotations

import csv
import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest
from scipy import stats

from remix_study.batches.strategies import STRATEGIES
from remix_study.metrics import BUILT_IN_METRICS, EXTRA_METRICS
from remix_study.studyfile.parsing import built_in_studies

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    ROOT / "benchmarks" / "README.md",
    ROOT / "reports" / "README.md",
    *sorted(DOCS.glob("*.md")),
]


def test_the_readme_is_short():
    assert len(TEXT.splitlines()) <= 150


def test_every_strategy_metric_and_built_in_study_is_named():
    methods = (DOCS / "methods.md").read_text(encoding="utf-8")
    metrics = (DOCS / "metrics.md").read_text(encoding="utf-8")
    for name in [*STRATEGIES, *built_in_studies()]:
        assert f"`{name}`" in methods, name
    for name in (*BUILT_IN_METRICS, *EXTRA_METRICS):
        assert f"`{name}`" in metrics, name


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_site_has_every_page():
    pages = set(re.findall(r"\b([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M))
    assert {path.name for path in DOCS.glob("*.md")} <= pages


def test_the_ranks_are_those_of_the_committed_report():
    with (ROOT / "reports/paper-tabular/tables/ranks-published.csv").open() as file:
        _, *rows = csv.reader(file)
    assert len(rows) == 5
    for method, *rank_sums in rows:
        line = re.search(rf"^\| {method.split()[0]} \|(.*)$", TEXT, re.M)
        assert line
        cells = [re.sub(r"\(.*?\)|\*", "", cell) for cell in line[1].split("|")[:-1]]
        assert [float(cell) for cell in cells] == [float(value) for value in rank_sums]


@pytest.mark.parametrize(
    ("kind", "line", "n_lines"),
    [
        ("multi-class", r"^\| ([\w x-]+) \| [\d,]+ \| ([\d*]+, .*) \| (.*) \|$", 4),
        ("binary", r"^\| ([\w ,.-]+) \| ([\d.,* ]+) \| ([\d.,* ]+) \|$", 15),
    ],
)
def test_the_ranks_at_each_choice_are_those_of_the_committed_report(kind, line, n_lines):
    with (ROOT / "reports/capacity/curve/tables/specification-ranks.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == kind]
    text = (DOCS / "paper.md").read_text(encoding="utf-8")
    lines = re.findall(line, text, re.M)
    assert len(lines) == n_lines
    for choice, *cells in lines:
        for metric, cell in zip(("g_mean", "bbs"), cells, strict=True):
            key = (choice, metric, "all")
            sums = [r for r in rows if (r["specification"], r["metric"], r["datasets"]) == key]
            assert [r["rank_sum"] for r in sums] == cell.replace("*", "").split(", ")


CHOICES_BY_FIRST = {
    "cost": ("early stopping", "lambda a row", "quantile", "validation 10", "redrawn"),
    "smote": ("no dropout", "grouped"),
    "remix": ("batch 128", "piecewise linear"),
}
"""The choices at which each method is first in binary g-mean."""


def test_the_first_method_at_each_choice_is_the_one_that_the_readme_names():
    with (ROOT / "reports/capacity/curve/tables/specification-ranks.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert (
        "Of nine other choices none takes ReMix's lead in multi-class balanced Brier. In binary "
        "g-mean class weights are first with early stopping, one lambda a row, quantiles of "
        "features, a validation part of 10 %, or rare rows drawn anew; SMOTE is without dropout "
        "or with groups kept together; ReMix is, by 1, with 128 rows a batch or piecewise-linear "
        "features."
    ) in " ".join(TEXT.split())
    for first, choices in CHOICES_BY_FIRST.items():
        for choice in choices:
            sums = {}
            for row in rows:
                if row["specification"] == choice:
                    of_column = sums.setdefault((row["kind"], row["metric"]), {})
                    by_method = of_column.setdefault(row["datasets"], {})
                    by_method[row["strategy"]] = float(row["rank_sum"])
            columns = ("binary", "g_mean", first), ("multi-class", "bbs", "remix")
            for kind, metric, method in columns:
                assert "all" in sums[kind, metric]
                # With the data set of which only a part could be had, and without it.
                for by_method in sums[kind, metric].values():
                    assert by_method[method] == min(by_method.values())
            if first == "remix":
                in_binary = sums["binary", "g_mean"]["all"]
                assert sorted(in_binary.values())[1] == in_binary["remix"] + 1


def test_the_ranks_of_all_methods_are_those_of_the_committed_report():
    with (ROOT / "reports/rivals/tables/ranks.csv").open() as file:
        rows = list(csv.DictReader(file))
    text = (DOCS / "paper.md").read_text(encoding="utf-8")
    _, section = text.split("## Beside other methods")
    section = section.split("\n## ")[0]
    columns = list(itertools.product(("binary", "multi-class"), ("g_mean", "bbs")))
    names = {row["row"] for row in rows}
    assert len(names) == 13
    for name in names:
        (cells,) = re.findall(rf"^\| {name.split()[0]} \|(.*)\|$", section, re.M)
        values = [float(cell.replace("*", "")) for cell in cells.split("|")]
        sums = {(r["kind"], r["metric"]): float(r["rank_sum"]) for r in rows if r["row"] == name}
        assert values == [sums[column] for column in columns]
        if name.split()[0] in ("baseline", "remix", "focal"):
            assert re.search(rf"(?i){name.split()[0]}( has)? {sums['binary', 'brier']:g}", section)
    firsts = [
        min((r for r in rows if (r["kind"], r["metric"]) == c), key=lambda r: float(r["rank_sum"]))
        for c in columns
    ]
    assert [r["row"].split()[0] for r in firsts] == [
        "logit-adjusted",
        "focal",
        "logit-adjusted",
        "remix",
    ]
    assert (
        "logit adjustment is first in g-mean, focal loss in binary balanced Brier, ReMix in "
        "multi-class."
    ) in " ".join(TEXT.split())


def test_what_the_errors_of_the_authors_code_explain_is_what_the_committed_table_says():
    with (ROOT / "reports/rivals/tables/repository.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["stands_for_its_side"] == "yes"]
    near = {
        (row["kind"], row["published_metric"], row["rows"]) for row in rows if row["near"] == "yes"
    }
    assert near == {(kind, "g_mean", "repository") for kind in ("binary", "multi-class")}
    in_g_mean = [row for row in rows if row["published_metric"] == "g_mean"]
    largest = {
        side: max(float(row["largest_difference"]) for row in in_g_mean if row["rows"] == side)
        for side in ("repository", "mended")
    }
    text = " ".join((DOCS / "paper.md").read_text(encoding="utf-8").split())
    assert f"at most {largest['repository']:.1f} apart" in text
    assert f"up to {largest['mended']:.1f} apart" in text


def test_mixing_on_natural_data_is_what_the_committed_table_says():
    with (ROOT / "reports/natural/sources.csv").open() as file:
        lines = list(csv.DictReader(file))
    mixing = [x for x in lines if (x["method"], x["against"]) == ("remix", "balance")]
    of_group = {
        group: {x["width"]: x for x in mixing if (x["group"], x["metric"]) == (group, metric)}
        for group, metric in (("all", "g_mean"), ("up to 100 rare rows", "bbs"))
    }
    for line in of_group["all"].values():
        facts = line["tables"], line["sources"], line["verdict"]
        assert facts == ("35", "19", "practically equal")
    assert len(of_group["all"]) == 3
    assert of_group["up to 100 rare rows"]["256-256-256"]["verdict"] == "better"
    assert "35 tables as imbalanced as they are](reports/natural/README.md), of 19 sources" in (
        " ".join(TEXT.split())
    )


def test_the_alphas_that_are_better_than_none_are_those_of_the_committed_table():
    with (ROOT / "reports/sensitivity/tables/sensitivity.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if float(row["alpha"]) > 0]
    better = {key: 0 for key in itertools.product(("musk", "seizure"), ("g_mean", "bbs"), (0, 1))}
    for row in rows:
        sign = 1 if row["metric"] == "g_mean" else -1
        ends = [sign * float(row[f"difference_{end}"]) for end in ("low", "high")]
        assert max(ends) >= 0
        better[row["dataset"], row["metric"], "256" in row["row"]] += min(ends) > 0
        if row["metric"] == "bbs" and float(row["alpha"]) == 2:
            assert float(row["difference_to_zero"]) < 0
    counts = list(better.values())
    assert len(rows) == 2 * 120
    assert counts[:4] == [0] * 4
    text = " ".join((DOCS / "paper.md").read_text(encoding="utf-8").split())
    narrow, wide = counts[4::2], counts[5::2]
    assert f"On seizure {narrow[0] + wide[0]} of 60 are better" in text
    assert f"On seizure {narrow[1] + wide[1]} of 60 alphas are better than alpha 0" in text
    of_wide, of_narrow = (" and ".join(map(str, part)) for part in (wide, narrow))
    assert f"{of_wide} of the alphas are better, with the paper's {of_narrow}." in text


def test_the_ranks_of_corrected_methods_are_those_of_the_committed_report():
    with (ROOT / "reports/paper-tabular/tables/decision.csv").open() as file:
        rows = list(csv.DictReader(file))
    text = (DOCS / "paper.md").read_text(encoding="utf-8")
    columns = itertools.product(("paper-binary", "paper-multiclass"), ("g_mean", "bbs"))
    for place, (study, metric) in enumerate(columns):
        scores = {name: {} for name in ("baseline", "cost", "smote", "mixup", "remix")}
        for row in rows:
            name = row["method"].split()[0]
            if (row["study"], row["metric"]) == (study, metric) and name in scores:
                sign = -1 if metric == "g_mean" else 1
                scores[name][row["problem"]] = sign * float(row["mean"])
        ranks = stats.rankdata([list(s.values()) for s in scores.values()], axis=0)
        assert ranks.shape == (5, 18 if study == "paper-binary" else 9)
        for name, rank_sum in zip(scores, ranks.sum(axis=1), strict=True):
            (cells,) = re.findall(rf"^\| {name}, corrected \|(.*)\|$", text, re.M)
            assert float(cells.split("|")[place].replace("*", "")) == rank_sum
            if (study, metric) == ("paper-multiclass", "bbs") and name in ("mixup", "remix"):
                assert f"{rank_sum:g}" in re.search(r"MixUp in multi-class .*", TEXT)[0]


@pytest.mark.slow
def test_ten_minutes_from_a_csv_to_a_model(here):
    """The blocks of the page, one after the other, in an empty folder."""
    text = (DOCS / "start.md").read_text(encoding="utf-8")
    steps = re.findall(r"(<!-- test: no -->\n)?```(\w+)\n(.*?)```", text, re.DOTALL)
    for skipped, language, block in steps:
        if skipped:
            continue
        words = [sys.executable, "-c", block]
        if language == "bash":
            words = [
                "bash",
                "-euc",
                block.replace("remix-study", f"{sys.executable} -m remix_study"),
            ]
        subprocess.run(words, cwd=here, check=True)
    answers = (here / "answers.csv").read_text(encoding="utf-8").splitlines()
    assert len(answers) == 1 + 172
    assert (here / "report" / "index.html").exists()
    assert (here / "mine.toml").exists()
