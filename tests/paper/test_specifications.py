"""The specification curve, by other means than the module: ranks of means, and parts by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_up_studies import MadeUpProblem, leave_figures_empty, made_up_frames

from remix_study.paper.claims import CLAIMS
from remix_study.paper.claims.verdicts import Contrast, Part
from remix_study.paper.sections.specifications import sections
from remix_study.paper.specifications import Curve, claim_verdict, curves, specifications
from remix_study.results.comparison import comparisons

UNMIXED = ("baseline", "cost", "smote", "balance")
METHODS = (
    *((strategy, None) for strategy in UNMIXED),
    *((strategy, alpha) for strategy in ("mixup", "remix") for alpha in (0.1, 0.3)),
)
DATASETS = ("musk", "segment", "aps")


@pytest.fixture(scope="module")
def frames():
    return studies(2)


def studies(repeats):
    """Three data sets at two widths and two alphas, and two repeats with one lambda a row."""
    problems = [
        MadeUpProblem(f"{d}-1-ir0.05", "capacity-binary", d, methods=2 * METHODS, repeats=repeats)
        for d in DATASETS
    ]
    mixed = (("mixup", 0.1), ("remix", 0.1))
    problems += [
        replace(
            p,
            study="specification-lambda-a-row",
            methods=mixed,
            level=p.level + 0.15,
            repeats=2,
        )
        for p in problems
    ]
    generated = made_up_frames(*problems, noise=0.05)
    wide = generated.runs["trial"] >= len(METHODS)
    by_row = generated.runs["study"] != "capacity-binary"
    runs = generated.runs.assign(
        parameters=[
            {} if row else {"model.hidden": "[256, 256, 256]" if is_wide else "authors"}
            for row, is_wide in zip(by_row, wide, strict=True)
        ],
        network_parameters=np.where(wide, 90_000, 1_000),
        strategy=generated.runs["strategy"].where(~by_row, ""),
        mixing=generated.runs["mixing"].where(~by_row, "beta-sample"),
        row=generated.runs["row"].where(~by_row, generated.runs["row"] + " a row"),
    )
    return replace(generated, runs=runs)


def mean_scores(frames, problem, wanted, metric):
    """Test means of runs for which `wanted` is true."""
    runs = frames.runs[(frames.runs["problem"] == problem) & frames.runs.apply(wanted, axis=1)]
    scores = frames.scores[(frames.scores["part"] == "test") & (frames.scores["metric"] == metric)]
    return scores.groupby("run")["value"].mean()[runs["run"]].to_numpy()


def test_rank_sums_at_each_choice(frames):
    specs = specifications(comparisons(frames))
    assert [spec.choice.name for spec in specs] == [
        "authors", "authors, alpha 0.3", "256 x 3", "256 x 3, alpha 0.3", "lambda a row",
    ]  # fmt: skip
    assert [spec.capacity for spec in specs] == [1_000, 1_000, 90_000, 90_000, 1_000]

    def rank_sums(*wanted):
        """Of the five methods, each the only run for which its function is true."""
        means = pd.DataFrame(
            [[mean_scores(frames, f"{d}-1-ir0.05", w, "bbs").item() for w in wanted]
             for d in DATASETS]
        )  # fmt: skip
        return means.rank(axis=1).sum().to_list()

    def method(strategy, hidden="authors", alpha=None):
        return lambda run: (
            run["strategy"] == strategy
            and run["parameters"].get("model.hidden") == hidden
            and (alpha is None or run["alpha"] == alpha)
        )

    def one_lambda_a_row(sampler):
        return lambda run: (run["mixing"], run["sampler"]) == ("beta-sample", sampler)

    plain = [method(strategy) for strategy in UNMIXED[:3]]
    at_authors = rank_sums(*plain, method("mixup", alpha=0.1), method("remix", alpha=0.1))
    assert specs[0].rankings["bbs"].sums.to_list() == at_authors
    wide = [method(s, "[256, 256, 256]") for s in UNMIXED[:3]]
    wide += [method(s, "[256, 256, 256]", 0.3) for s in ("mixup", "remix")]
    assert specs[3].rankings["bbs"].sums.to_list() == rank_sums(*wide)
    # What its study left out comes from the reference.
    by_row = rank_sums(*plain, one_lambda_a_row("natural"), one_lambda_a_row("balanced"))
    assert specs[4].rankings["bbs"].sums.to_list() == by_row
    assert len(specs[0].without("aps").rankings["bbs"].means) == 2


def test_a_reference_with_more_repeats_counts_on_the_folds_of_a_choice():
    reference, *_, by_row = specifications(comparisons(studies(3)))
    assert by_row.choice.name == "lambda a row"
    for problem, longer in zip(by_row.problems, reference.problems, strict=True):
        whole = longer.score("baseline", "bbs")
        shared = whole[whole.index.get_level_values("repeat") < 2]
        assert len(shared) < len(whole)
        pd.testing.assert_series_equal(problem.score("baseline", "bbs"), shared)


def test_a_problem_that_two_studies_have_at_one_choice_counts_once(frames):
    problems = comparisons(frames)
    again = [replace(c, study="paper-binary") for c in problems if c.study == "capacity-binary"]
    for spec, expected in zip(
        specifications([*problems, *again]), specifications(problems), strict=True
    ):
        assert spec.choice == expected.choice
        for metric, ranking in spec.rankings.items():
            pd.testing.assert_series_equal(ranking.sums, expected.rankings[metric].sums)


def test_page(frames, monkeypatch):
    leave_figures_empty(monkeypatch)
    compared = comparisons(frames)
    (section,) = sections(compared)
    ranks = section.files["specification-ranks"]
    assert ranks.groupby("datasets")["problems"].unique().to_dict() == {
        "all": [3],
        "without aps": [2],
    }
    assert {curve.claim.id for curve in curves(specifications(compared))} == {
        "C1", "C2", "C3", "C6", "C8", "C9", "C11", "C24",
    }  # fmt: skip
    caption = section.blocks[1].tables[0].caption
    assert caption.endswith("g-mean; aps has 9,000 of its 60,000 rows here")
    lines = section.blocks[0].text
    counts = [line.count("lowest rank sum") + line.count("Claims that") for line in lines]
    assert counts == [1] * len(lines)
    assert sum("lowest rank sum" in line for line in lines) == 2
    assert sections(compared[:0]) == ()


def curve(*parts):
    """A curve of parts (holds in the means, difference that all data sets have)."""
    checked = {
        str(place): Part("", holds, contrasts=(Contrast("", pd.Series([lead] * 6)),))
        for place, (holds, lead) in enumerate(parts)
    }
    return Curve(CLAIMS[0], "binary", checked)


class TestVerdict:
    """By the plan: holds, contradicted, or neither."""

    @pytest.mark.parametrize(
        ("parts", "verdict"),
        [
            (5 * [(True, 1.0)], "holds"),
            (4 * [(True, 1.0)], "cannot be told"),  # too few
            ([*4 * [(True, 1.0)], (True, 0.0)], "cannot be told"),  # equal contradicts "better"
            (5 * [(False, -1.0)], "contradicted"),
            ([*4 * [(False, -1.0)], (False, 1.0)], "cannot be told"),
        ],
    )
    def test_over_specifications(self, parts, verdict):
        assert curve(*parts).verdict == verdict

    def test_turns(self):
        turns = curve(*4 * [(False, -1.0)], (True, 1.0), (False, -1.0))
        assert turns.verdict == "cannot be told"
        assert turns.turning == ("4",)

    def test_claim(self):
        holds, fails = curve(*5 * [(True, 1.0)]), curve(*5 * [(False, -1.0)])
        assert claim_verdict([holds, holds]) == "holds"
        assert claim_verdict([holds, fails]) == "contradicted"
        assert claim_verdict([holds, curve((True, 1.0))]) == "cannot be told"
