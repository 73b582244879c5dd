"""Variants stay out of the headline and are compared with it, by other means than the module."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from remix_study.paper.page_sections import all_sections
from remix_study.paper.robustness import REMIX, robustness, spread
from remix_study.paper.sections.robustness import sections
from remix_study.report.page import write_report
from remix_study.results.comparison import comparisons
from remix_study.results.rank_sums import VARIANT, ProblemNote, rankable
from remix_study.results.variants import headline_problems, problem_variant, variant_pairs

ROWS = (
    ("baseline", None),
    ("cost", None),
    ("smote", None),
    ("mixup", 0.1),
    ("remix", 0.1),
)
MUSK, DIGITS = "musk-1-ir0.05", "digits-3-ir0.05"


@pytest.fixture(scope="module")
def made(frames_of, problem):
    """Plain musk and digits, both redrawn, and musk with its groups kept together."""
    musk = problem(problem=MUSK, dataset="musk", rows=ROWS, repeats=4, study="plain")
    digits = problem(problem=DIGITS, rows=ROWS, repeats=4, study="plain")
    # Frames place each further problem 0.05 lower.
    frames = frames_of(
        musk,
        digits,
        replace(musk, study="redrawn"),
        replace(digits, study="redrawn"),
        replace(musk, study="grouped"),
    )
    problems = frames.problems.assign(
        redraw=frames.problems["study"] == "redrawn",
        grouped=frames.problems["study"] == "grouped",
    )
    return replace(frames, problems=problems)


def scores_of(frames, study, problem, row, metric):
    """Test scores of a row as a (repeats, folds) array."""
    runs = frames.runs
    run = runs[(runs["study"] == study) & (runs["problem"] == problem) & (runs["row"] == row)]
    own = frames.scores[frames.scores["run"] == run["run"].item()]
    own = own[(own["part"] == "test") & (own["metric"] == metric)]
    return own.pivot(index="repeat", columns="fold", values="value").to_numpy()


def words(found):
    return " ".join(text for section in found for block in section.blocks for text in block.text)


def page_of(frames, folder):
    index = write_report(frames, folder / "r", command="here", registry=all_sections())
    return index.read_text(encoding="utf-8")


def without(frames, *names):
    return replace(frames, problems=frames.problems.drop(columns=list(names)))


def test_a_problem_says_how_its_rows_were_drawn(made):
    found = {(c.study, c.problem): problem_variant(c) for c in comparisons(made)}
    assert found == {
        ("plain", MUSK): "plain",
        ("plain", DIGITS): "plain",
        ("redrawn", MUSK): "redrawn",
        ("redrawn", DIGITS): "redrawn",
        ("grouped", MUSK): "grouped",
    }
    both = replace(made, problems=made.problems.assign(redraw=True, grouped=True))
    assert {problem_variant(c) for c in comparisons(both)} == {"grouped and redrawn"}


def test_studies_that_say_nothing_are_plain(made):
    assert {problem_variant(c) for c in comparisons(without(made, "redraw", "grouped"))} == {
        "plain"
    }
    unknown = replace(made, problems=made.problems.assign(redraw=np.nan, grouped=np.nan))
    assert {problem_variant(c) for c in comparisons(unknown)} == {"plain"}


def test_the_headline_has_the_plain_problems_alone(made):
    compared = comparisons(made)
    assert [(c.study, c.problem) for c in headline_problems(compared)] == [
        ("plain", MUSK),
        ("plain", DIGITS),
    ]
    usable, notes = rankable(compared)
    assert {c.study for c in usable} == {"plain"}
    # Of variants alone; a plain problem in two studies has a note of its own.
    variants = tuple(c.name for c in compared if problem_variant(c) != "plain")
    assert notes == (ProblemNote(VARIANT, variants),)
    assert "redrawn/musk-1-ir0.05" in variants


def test_a_variant_without_its_plain_problem_is_the_problem(made):
    alone = [c for c in comparisons(made) if (c.study, c.problem) != ("plain", MUSK)]
    assert [(c.study, c.problem) for c in headline_problems(alone)] == [
        ("plain", DIGITS),
        ("redrawn", MUSK),
    ]
    grouped = [c for c in alone if c.study == "grouped"]
    assert headline_problems(grouped) == tuple(grouped)
    assert not sections(grouped)


def test_only_problems_that_both_have_are_paired(made):
    found = variant_pairs(comparisons(made))
    assert {name: [p.plain.problem for p in own] for name, own in found.items()} == {
        "redrawn": [MUSK, DIGITS],
        "grouped": [MUSK],
    }
    assert all(p.plain.study == "plain" for own in found.values() for p in own)


def test_another_imbalance_is_another_problem(made):
    problems = made.problems.copy()
    problems.loc[problems["study"] == "grouped", "imbalance"] = 0.01
    assert "grouped" not in variant_pairs(comparisons(replace(made, problems=problems)))


def test_numbers_are_those_of_the_scores(made):
    for one in robustness(comparisons(made)):
        study = one.variant
        for line in one.lines.itertuples():
            before = scores_of(made, "plain", line.problem, line.row, line.metric)
            after = scores_of(made, study, line.problem, line.row, line.metric)
            assert line.plain == pytest.approx(before.mean())
            assert line.other == pytest.approx(after.mean())
            better = after.mean() - before.mean()
            assert line.change == pytest.approx(better if line.metric == "g_mean" else -better)
            assert line.spread_plain == pytest.approx(before.mean(axis=1).std(ddof=1))
            assert line.spread_other == pytest.approx(after.mean(axis=1).std(ddof=1))
        for line in one.gains.itertuples():
            for name, where in (("plain", "plain"), ("other", study)):
                gain = scores_of(made, where, line.problem, REMIX, line.metric) - scores_of(
                    made, where, line.problem, "baseline", line.metric
                )
                gain = gain if line.metric == "g_mean" else -gain
                assert getattr(line, name) == pytest.approx(gain.mean())
                low, high = getattr(line, f"{name}_low"), getattr(line, f"{name}_high")
                assert low < gain.mean() < high


def test_rank_sums_are_of_the_shared_problems(made):
    redrawn, grouped = robustness(comparisons(made))
    for before, after in redrawn.rankings():
        assert before.sums.sum() == after.sums.sum() == 2 * 5 * 6 / 2
    for before, after in grouped.rankings():
        assert list(before.means.index) == list(after.means.index) == [MUSK]
        expected = after.means.loc[MUSK].rank(ascending=after.metric != "g_mean")
        assert after.sums.to_dict() == expected.to_dict()


def test_rows_that_one_side_lacks_are_ranked_on_neither(made):
    runs = made.runs[(made.runs["study"] != "redrawn") | (made.runs["row"] != "cost")]
    redrawn, grouped = robustness(comparisons(replace(made, runs=runs)))
    assert [row.label for row in redrawn.plain.methods] == [
        row.label for row in redrawn.other.methods
    ]
    assert "cost" not in set(redrawn.lines["row"])
    assert "cost" in set(grouped.lines["row"])
    for before, after in redrawn.rankings():
        assert before.sums.sum() == after.sums.sum() == 2 * 4 * 5 / 2


def test_spread_is_over_repeats():
    index = pd.MultiIndex.from_product([[0, 1, 2], [0, 1]], names=["repeat", "fold"])
    # Folds differ, repeats do not.
    assert spread(pd.Series([0.1, 0.9] * 3, index=index)) == pytest.approx(0)
    assert spread(pd.Series([0.1, 0.3, 0.2, 0.4, 0.3, 0.5], index=index)) == pytest.approx(0.1)


@pytest.mark.usefixtures("undrawn")
def test_the_text_follows_the_numbers(made):
    text = words(sections(comparisons(made)))
    _, grouped = robustness(comparisons(made))
    means = grouped.lines[grouped.lines["metric"] == "g_mean"].set_index("row")
    # Each later problem was made 0.05 worse than the one before; groups stand four behind.
    assert means["change"].mean() == pytest.approx(-0.2, abs=0.05)
    assert (
        f"Groups kept together, musk, g-mean: baseline from {means['plain']['baseline']:.3f} "
        f"to {means['other']['baseline']:.3f}" in text
    )
    assert "worse for 5 of 5 problems and rows" in text
    redrawn, _ = robustness(comparisons(made))
    own = redrawn.lines[redrawn.lines["metric"] == "g_mean"]
    wider = (own["spread_other"] > own["spread_plain"]).sum()
    assert f"larger for {wider} of 10 problems and rows" in text
    gains = redrawn.gains[redrawn.gains["metric"] == "g_mean"]
    assert f"is +{gains['other'].mean():.3f} redrawn and +{gains['plain'].mean():.3f}" in text


@pytest.mark.usefixtures("undrawn")
def test_a_turned_order_is_said(made):
    """Where the variant prefers another row, the text must not call the order the same."""
    runs, scores = made.runs, made.scores.copy()
    turned = runs[(runs["study"] != "plain") & (runs["row"] == "baseline")]["run"]
    own = scores["run"].isin(turned) & (scores["metric"] == "g_mean")
    scores.loc[own, "value"] = 1.0
    text = words(sections(comparisons(replace(made, scores=scores))))
    assert "g-mean (2 problems): first is baseline instead of remix (0.1)" in text
    assert "its sign is the same on 0 of 2 problems" in text
    same = replace(made, problems=made.problems.assign(redraw=made.problems["redraw"]))
    assert "instead of" not in words(sections(comparisons(same)))


def test_the_page_keeps_them_apart(made, tmp_path):
    page = write_report(made, tmp_path / "r", command="here", registry=all_sections()).read_text(
        encoding="utf-8"
    )
    assert '<section id="robustness">' in page
    assert "Rare rows drawn anew for every repeat" in page
    tables = tmp_path / "r" / "tables"
    verdict = pd.read_csv(tables / "verdict.csv")
    assert set(verdict["study"]) == {"plain"}
    assert set(pd.read_csv(tables / "gains-by-problem.csv")["problem"]) == {MUSK, DIGITS}
    assert pd.read_csv(tables / "problems.csv")["study"].nunique() == 3
    names = json.loads((tmp_path / "r" / "manifest.json").read_text())["files"]
    for name in ("robustness-redrawn.svg", "robustness-grouped.png"):
        assert f"figures/{name}" in names
    for name in ("robustness", "robustness-ranks", "robustness-gains"):
        assert f"tables/{name}.tex" in names


@pytest.mark.usefixtures("undrawn")
def test_without_variants_there_is_no_section(made, tmp_path):
    plain = replace(made, problems=made.problems[made.problems["study"] == "plain"])
    page = write_report(plain, tmp_path / "r", command="here", registry=all_sections()).read_text(
        encoding="utf-8"
    )
    assert "robustness" not in page
