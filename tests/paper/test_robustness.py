"""Variants stay out of the headline and are compared with it, by other means than the module."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_up_studies import MadeUpProblem, made_up_frames

from remix_study.paper.sections import ALL_SECTIONS
from remix_study.paper.sections.robustness import compare_variants, repeat_sd, sections
from remix_study.paper.table2 import REMIX
from remix_study.report.page import write_report
from remix_study.report.page_files import Formats
from remix_study.results.comparison import comparisons
from remix_study.results.problem_choice import (
    headline_problems,
    problem_variant,
    rankable,
    variant_pairs,
)

ROWS = (
    ("baseline", None),
    ("cost", None),
    ("smote", None),
    ("mixup", 0.1),
    ("remix", 0.1),
)
MUSK, DIGITS = "musk-1-ir0.05", "digits-3-ir0.05"


@pytest.fixture(scope="module")
def frames():
    """Plain musk and digits, both redrawn, and musk with its groups kept together."""
    musk = MadeUpProblem(problem=MUSK, dataset="musk", methods=ROWS, repeats=4, study="plain")
    digits = MadeUpProblem(problem=DIGITS, methods=ROWS, repeats=4, study="plain")
    # Frames place each further problem 0.05 lower.
    generated = made_up_frames(
        musk,
        digits,
        replace(musk, study="redrawn"),
        replace(digits, study="redrawn"),
        replace(musk, study="grouped"),
    )
    problems = generated.problems.assign(
        redraw=generated.problems["study"] == "redrawn",
        grouped=generated.problems["study"] == "grouped",
    )
    return replace(generated, problems=problems)


def scores_of(frames, study, problem, row, metric):
    """Test scores of a row as a (repeats, folds) array."""
    runs = frames.runs
    run = runs[(runs["study"] == study) & (runs["problem"] == problem) & (runs["row"] == row)]
    scores = frames.scores[frames.scores["run"] == run["run"].item()]
    scores = scores[(scores["part"] == "test") & (scores["metric"] == metric)]
    return scores.pivot(index="repeat", columns="fold", values="value").to_numpy()


def text_of(page_sections):
    return " ".join(
        text for section in page_sections for block in section.blocks for text in block.text
    )


def page_of(frames, folder):
    index = write_report(
        frames,
        folder / "r",
        command="here",
        makers=ALL_SECTIONS,
        formats=Formats(figures=True),
    )
    return index.read_text(encoding="utf-8")


def without(frames, *names):
    return replace(frames, problems=frames.problems.drop(columns=list(names)))


def test_a_problem_says_how_its_rows_were_drawn(frames):
    variants = {(c.study, c.problem): problem_variant(c) for c in comparisons(frames)}
    assert variants == {
        ("plain", MUSK): "plain",
        ("plain", DIGITS): "plain",
        ("redrawn", MUSK): "redrawn",
        ("redrawn", DIGITS): "redrawn",
        ("grouped", MUSK): "grouped",
    }
    grouped_and_redrawn = replace(
        frames, problems=frames.problems.assign(redraw=True, grouped=True)
    )
    assert {problem_variant(c) for c in comparisons(grouped_and_redrawn)} == {
        "grouped and redrawn"
    }


def test_studies_that_say_nothing_are_plain(frames):
    assert {problem_variant(c) for c in comparisons(without(frames, "redraw", "grouped"))} == {
        "plain"
    }
    unknown = replace(frames, problems=frames.problems.assign(redraw=np.nan, grouped=np.nan))
    assert {problem_variant(c) for c in comparisons(unknown)} == {"plain"}


def test_the_headline_has_the_plain_problems_alone(frames):
    compared = comparisons(frames)
    assert [(c.study, c.problem) for c in headline_problems(compared)] == [
        ("plain", MUSK),
        ("plain", DIGITS),
    ]
    usable, notes = rankable(headline_problems(compared))
    assert [c.study for c in usable] == ["plain", "plain"]
    assert notes == ()


def test_a_variant_without_its_plain_problem_is_the_problem(frames):
    others = [c for c in comparisons(frames) if (c.study, c.problem) != ("plain", MUSK)]
    assert [(c.study, c.problem) for c in headline_problems(others)] == [
        ("plain", DIGITS),
        ("redrawn", MUSK),
    ]
    grouped = [c for c in others if c.study == "grouped"]
    assert headline_problems(grouped) == tuple(grouped)
    assert not sections(grouped)


def test_only_problems_that_both_have_are_paired(frames):
    by_variant = variant_pairs(comparisons(frames))
    assert {
        name: [pair.plain.problem for pair in problem_pairs]
        for name, problem_pairs in by_variant.items()
    } == {
        "redrawn": [MUSK, DIGITS],
        "grouped": [MUSK],
    }
    assert all(
        pair.plain.study == "plain"
        for problem_pairs in by_variant.values()
        for pair in problem_pairs
    )


def test_another_imbalance_is_another_problem(frames):
    problems = frames.problems.copy()
    problems.loc[problems["study"] == "grouped", "imbalance"] = 0.01
    assert "grouped" not in variant_pairs(comparisons(replace(frames, problems=problems)))


def test_numbers_are_those_of_the_scores(frames):
    for comparison in compare_variants(comparisons(frames)):
        study = comparison.name
        for line in comparison.lines.itertuples():
            before = scores_of(frames, "plain", line.problem, line.row, line.metric)
            after = scores_of(frames, study, line.problem, line.row, line.metric)
            assert line.plain == pytest.approx(before.mean())
            assert line.other == pytest.approx(after.mean())
            better = after.mean() - before.mean()
            assert line.change == pytest.approx(better if line.metric == "g_mean" else -better)
            assert line.spread_plain == pytest.approx(before.mean(axis=1).std(ddof=1))
            assert line.spread_other == pytest.approx(after.mean(axis=1).std(ddof=1))
        for line in comparison.gains.itertuples():
            for name, where in (("plain", "plain"), ("other", study)):
                gain = scores_of(frames, where, line.problem, REMIX, line.metric) - scores_of(
                    frames, where, line.problem, "baseline", line.metric
                )
                gain = gain if line.metric == "g_mean" else -gain
                assert getattr(line, name) == pytest.approx(gain.mean())
                low, high = getattr(line, f"{name}_low"), getattr(line, f"{name}_high")
                assert low < gain.mean() < high


def test_rank_sums_are_of_the_shared_problems(frames):
    redrawn, grouped = compare_variants(comparisons(frames))
    for before, after in redrawn.ranks:
        assert before.sums.sum() == after.sums.sum() == 2 * 5 * 6 / 2
    for before, after in grouped.ranks:
        assert list(before.means.index) == list(after.means.index) == [MUSK]
        expected = after.means.loc[MUSK].rank(ascending=after.metric != "g_mean")
        assert after.sums.to_dict() == expected.to_dict()


def test_rows_that_one_side_lacks_are_ranked_on_neither(frames):
    runs = frames.runs[(frames.runs["study"] != "redrawn") | (frames.runs["row"] != "cost")]
    redrawn, grouped = compare_variants(comparisons(replace(frames, runs=runs)))
    assert [row.strategy for row in redrawn.methods] == ["baseline", "smote", "mixup", "remix"]
    assert "cost" not in set(redrawn.lines["row"])
    assert "cost" in set(grouped.lines["row"])
    for before, after in redrawn.ranks:
        assert list(before.sums.index) == list(after.sums.index)
        assert before.sums.sum() == after.sums.sum() == 2 * 4 * 5 / 2


def test_spread_is_over_repeats():
    index = pd.MultiIndex.from_product([[0, 1, 2], [0, 1]], names=["repeat", "fold"])
    # Folds differ, repeats do not.
    assert repeat_sd(pd.Series([0.1, 0.9] * 3, index=index)) == pytest.approx(0)
    assert repeat_sd(pd.Series([0.1, 0.3, 0.2, 0.4, 0.3, 0.5], index=index)) == pytest.approx(0.1)


@pytest.mark.usefixtures("unrendered_figures")
def test_the_text_follows_the_numbers(frames):
    text = text_of(sections(comparisons(frames)))
    _, grouped = compare_variants(comparisons(frames))
    means = grouped.lines[grouped.lines["metric"] == "g_mean"].set_index("row")
    # Each later problem was made 0.05 worse than the one before; groups stand four behind.
    assert means["change"].mean() == pytest.approx(-0.2, abs=0.05)
    assert (
        f"Groups kept together, musk, g-mean: baseline from {means['plain']['baseline']:.3f} "
        f"to {means['other']['baseline']:.3f}" in text
    )
    assert "worse for 5 of 5 problems and rows" in text
    redrawn, _ = compare_variants(comparisons(frames))
    scores = redrawn.lines[redrawn.lines["metric"] == "g_mean"]
    n_wider = (scores["spread_other"] > scores["spread_plain"]).sum()
    assert f"larger for {n_wider} of 10 problems and rows" in text
    gains = redrawn.gains[redrawn.gains["metric"] == "g_mean"]
    assert f"is +{gains['other'].mean():.3f} redrawn and +{gains['plain'].mean():.3f}" in text


@pytest.mark.usefixtures("unrendered_figures")
def test_a_turned_order_is_said(frames):
    """Where the variant prefers another row, the text must not call the order the same."""
    runs, scores = frames.runs, frames.scores.copy()
    turned = runs[(runs["study"] != "plain") & (runs["row"] == "baseline")]["run"]
    is_turned = scores["run"].isin(turned) & (scores["metric"] == "g_mean")
    scores.loc[is_turned, "value"] = 1.0
    text = text_of(sections(comparisons(replace(frames, scores=scores))))
    assert "g-mean (2 problems): first is baseline instead of remix (0.1)" in text
    assert "its sign is the same on 0 of 2 problems" in text
    same = replace(frames, problems=frames.problems.assign(redraw=frames.problems["redraw"]))
    assert "instead of" not in text_of(sections(comparisons(same)))


def test_the_page_keeps_them_apart(frames, tmp_path):
    page = page_of(frames, tmp_path)
    assert 'id="robustness">' in page
    assert "Rare rows drawn anew for every repeat" in page
    tables = tmp_path / "r" / "tables"
    decision = pd.read_csv(tables / "decision.csv")
    assert set(decision["study"]) == {"plain"}
    assert set(pd.read_csv(tables / "gains-by-problem.csv")["problem"]) == {MUSK, DIGITS}
    assert pd.read_csv(tables / "problems.csv")["study"].nunique() == 3
    names = json.loads((tmp_path / "r" / "manifest.json").read_text())["files"]
    for name in ("redrawn", "grouped"):
        assert f"figures/robustness-{name}.svg" in names
    for name in ("robustness", "robustness-ranks", "robustness-gains"):
        assert f"tables/{name}.csv" in names


@pytest.mark.usefixtures("unrendered_figures")
def test_without_variants_there_is_no_section(frames, tmp_path):
    plain = replace(frames, problems=frames.problems[frames.problems["study"] == "plain"])
    page = page_of(plain, tmp_path)
    assert "robustness" not in page
