"""Claims on methods, images and costs on studies whose every score is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from claim_studies import SEVEN, TWO_KINDS, as_claimed, both_verdicts, claims_of, part_of, verdicts

from remix_study.paper.claims.verdicts import ELSEWHERE


def test_what_the_paper_says_is_found_where_it_is_true(paper_frames):
    claims = claims_of(paper_frames)
    for name in ("C1", "C2", "C3", "C6", "C9", "C10"):
        assert both_verdicts(claims[name]) == ("holds", "supported"), name
    # Only two data sets have both kinds of problem: nothing can be inferred across kinds.
    assert both_verdicts(claims["C4"]) == ("holds", "undecided")
    assert claims["C5"].descriptive == "holds"
    assert claims["C8"].descriptive == "holds"
    assert claims["C21"].descriptive == ELSEWHERE
    assert claims["C12"].descriptive == "not run"
    # Equal plain Brier: resampling improves nothing, and mixing adds nothing.
    assert both_verdicts(claims["C11"]) == ("holds", "supported")
    assert both_verdicts(claims["C24"]) == (
        "does not hold",
        "contradicted",
    )


def test_rank_sums_and_gains_are_those_counted_by_hand(paper_frames):
    numbers = part_of(paper_frames, "C1", "binary, g-mean").numbers
    # Eight problems, the same order on each: remix, smote, baseline, cost, mixup.
    assert numbers == {
        "rank sum of baseline": 24,
        "rank sum of cost": 32,
        "rank sum of smote": 16,
        "rank sum of mixup": 40,
        "rank sum of remix": 8,
    }
    gains = part_of(paper_frames, "C3", "multi-class, balanced Brier, all").numbers
    assert gains["gain of remix"] == pytest.approx(0.20 * 0.95)
    assert gains["gain of mixup"] == pytest.approx(0.08 * 0.95)
    harshest = part_of(paper_frames, "C3", "multi-class, balanced Brier, rare 1:100").numbers
    assert harshest["gain of remix"] == pytest.approx(0.18)
    ratio = part_of(paper_frames, "C6", "binary, balanced Brier").numbers["ratio to the runner-up"]
    assert ratio == pytest.approx(2.5)
    leads = part_of(paper_frames, "C7", "g-mean, gains").numbers
    assert leads["lead, binary"] == pytest.approx(0.15 * 0.95)
    assert leads["lead, multi-class"] == pytest.approx(0.07 * 0.95)


def test_turned_round_every_claim_of_an_order_is_contradicted(study):
    frames = study(lambda *row: -as_claimed(*row), datasets=TWO_KINDS)
    claims = claims_of(frames)
    for name in ("C1", "C2", "C3", "C4", "C6", "C9", "C10"):
        assert both_verdicts(claims[name]) == ("does not hold", "contradicted"), name


def test_one_metric_the_wrong_way_round_fails_the_claim(study):
    def gain(problem, strategy, alpha, metric):
        sign = -1 if (problem.kind, metric) == ("multi-class", "bbs") else 1
        return sign * as_claimed(problem, strategy, alpha, metric)

    claim = claims_of(study(gain, datasets=TWO_KINDS))["C1"]
    assert [part.descriptive for part in claim.parts] == ["holds"] * 3 + ["does not hold"]
    assert [part.inferential for part in claim.parts] == ["supported"] * 3 + ["contradicted"]
    assert (claim.descriptive, claim.inferential) == ("does not hold", "contradicted")


def test_a_tie_is_no_first_place(study):
    def gain(problem, strategy, alpha, metric):
        return as_claimed(problem, "remix" if strategy == "smote" else strategy, alpha, metric)

    frames = study(gain, datasets=TWO_KINDS)
    assert verdicts(frames, "C1") == ("does not hold", "contradicted")
    numbers = part_of(frames, "C1", "binary, g-mean").numbers
    assert numbers["rank sum of remix"] == numbers["rank sum of smote"] == 12
    assert verdicts(frames, "C2")[0] == "does not hold"
    assert verdicts(frames, "C3")[0] == "does not hold"


def test_a_lead_within_practical_equivalence_holds_but_is_contradicted(study):
    def gain(_made, strategy, *_):
        return 0.004 if strategy == "remix" else 0.0

    claims = claims_of(study(gain, datasets=TWO_KINDS))
    assert both_verdicts(claims["C1"]) == ("holds", "contradicted")
    assert both_verdicts(claims["C24"]) == ("holds", "contradicted")


def test_a_row_that_was_not_run_is_named_and_yields_no_verdict(study):
    rows = tuple(row for row in SEVEN if row[0] not in ("smote", "balance"))
    claims = claims_of(study(as_claimed, datasets=TWO_KINDS, rows=rows))
    for name in ("C1", "C2", "C3", "C4", "C6", "C7", "C8", "C9", "C10"):
        assert both_verdicts(claims[name]) == ("not run", "not run")
        assert "smote was not run" in " ".join(claims[name].missing)
    assert "balance was not run" in " ".join(claims["C24"].missing)
    assert claims["C25"].descriptive == "does not hold"


def test_failed_folds_are_named_and_yield_no_verdict(paper_frames):
    runs = paper_frames.runs[(paper_frames.runs["problem"] == "musk-binary-ir0.05")]
    cost_run = int(runs.loc[runs["strategy"] == "cost", "run"].iloc[0])
    folds = paper_frames.folds.copy()
    folds.loc[(folds["run"] == cost_run) & (folds["fold"] == 0), "failed"] = "not a number"
    claims = claims_of(replace(paper_frames, folds=folds))
    assert claims["C1"].missing == ("cost lacks folds of musk-binary-ir0.05",)
    assert claims["C1"].descriptive == "not run"
    assert claims["C24"].descriptive == "does not hold"


def test_one_kind_only_leaves_the_other_not_run(study):
    frames = study(as_claimed, datasets={"binary": TWO_KINDS["binary"]})
    claim = claims_of(frames)["C1"]
    assert [part.descriptive for part in claim.parts] == ["holds", "holds", "not run", "not run"]
    assert (claim.descriptive, claim.inferential) == ("not run", "not run")
    assert claim.missing == ("no multi-class problem",)


def test_gains_that_decline_are_those_within_a_data_set(study):
    rising = study(
        lambda problem, strategy, *_: 0.3 * (problem.imbalance == 0.01) * (strategy != "baseline"),
        datasets={"binary": TWO_KINDS["binary"]},
    )
    assert verdicts(rising, "C5") == ("does not hold", "contradicted")
    falling = study(
        lambda problem, strategy, *_: 0.3 * (problem.imbalance == 0.05) * (strategy != "baseline"),
        datasets={"binary": TWO_KINDS["binary"]},
    )
    assert verdicts(falling, "C5") == ("holds", "supported")
    numbers = part_of(falling, "C5", "binary, g-mean of smote").numbers
    assert numbers["gain at rare 1:20"] == pytest.approx(0.3)
    assert numbers["g-mean at rare 1:100"] == pytest.approx(0.5)
    flat = study(lambda *_: 0.0, datasets={"binary": TWO_KINDS["binary"]})
    assert verdicts(flat, "C5")[0] == "does not hold"


def test_class_weights_that_act_contradict_the_paper(study):
    def gain(problem, strategy, alpha, metric):
        return 0.2 if strategy == "cost" else as_claimed(problem, strategy, alpha, metric)

    assert verdicts(study(gain, datasets=TWO_KINDS), "C8") == ("does not hold", "contradicted")


def test_resampling_that_calibrates_contradicts_the_paper_in_that_metric_only(study):
    def gain(_made, strategy, _alpha, metric):
        return 0.1 if (strategy, metric) == ("smote", "brier") else -0.1 * (strategy == "smote")

    claim = claims_of(study(gain, datasets=TWO_KINDS))["C11"]
    by_name = {part.name: (part.descriptive, part.inferential) for part in claim.parts}
    assert by_name["binary, smote, Brier"] == ("does not hold", "contradicted")
    assert by_name["binary, smote, cw-ECE"] == ("holds", "supported")
    assert by_name["binary, balance, cw-ECE"] == ("holds", "supported")


def test_the_study_with_the_published_rows_counts(study):
    full = study(as_claimed, datasets={"binary": ("musk", "segment")}, name="paper")
    grid = study(
        lambda *row: -as_claimed(*row),
        datasets={"binary": ("musk", "segment", "seizure")},
        rows=[("remix", a) for a in (0.01, 0.05, 0.1, 0.3, 0.5)],
        name="a-grid",
    )
    offset = 1000
    joined = replace(
        full,
        problems=pd.concat([grid.problems, full.problems]),
        runs=pd.concat([grid.runs.assign(run=grid.runs["run"] + offset), full.runs]),
        folds=pd.concat([grid.folds.assign(run=grid.folds["run"] + offset), full.folds]),
        scores=pd.concat([grid.scores.assign(run=grid.scores["run"] + offset), full.scores]),
    )
    claims = claims_of(joined)
    assert [part.descriptive for part in claims["C1"].parts[:2]] == ["holds", "holds"]
    assert claims["C1"].parts[0].basis == "4 problems of 2 data sets"
    assert claims["C1"].parts[0].inferential == "undecided"
    # The grid of alphas comes from the other study.
    assert claims["C12"].descriptive == "holds"


def test_images_are_told_from_tables_and_checked_alike(study, paper_frames):
    order = {"cost": 0.05, "smote": 0.06, "mixup": 0.01, "remix": 0.2, "balance": 0.07}
    augmented = {
        "binary": {"remix-aug": 0.4, "augment": 0.3},
        "multi-class": {"remix-aug": 0.3, "augment": 0.4},
    }

    def gain(problem, strategy, *_):
        factor = 1.0 if problem.kind == "binary" else 0.5
        return factor * (order | augmented[problem.kind]).get(strategy, 0.0)

    rows = (*SEVEN[:4], ("remix", 0.2), ("augment", None), ("remix-aug", 0.2))
    images = {"binary": ("cifar10",), "multi-class": ("cifar10",)}
    claims = claims_of(study(gain, datasets=images, rows=rows))
    for name in ("C18", "C19", "C20"):
        assert both_verdicts(claims[name]) == ("holds", "undecided"), name
    assert claims["C1"].descriptive == "not run"
    claims = claims_of(study(lambda *row: -gain(*row), datasets=images, rows=rows))
    for name in ("C18", "C19", "C20"):
        assert claims[name].descriptive == "does not hold", name
    assert claims_of(paper_frames)["C18"].descriptive == "not run"


def test_time_per_epoch_is_held_against_the_baseline(study):
    frames = study(as_claimed, datasets={"binary": ("musk", "segment")})
    epochs = frames.folds.groupby("run")["epochs"].sum()
    factor = frames.runs["strategy"].map({"remix": 1.05, "smote": 1.5}).fillna(1.0)
    runs = frames.runs.assign(seconds=factor.to_numpy() * epochs[frames.runs["run"]].to_numpy())
    part = part_of(replace(frames, runs=runs), "C22", "binary, seconds per epoch")
    assert part.numbers == pytest.approx({"remix over baseline": 1.05, "smote over baseline": 1.5})
    assert (part.descriptive, part.inferential) == ("holds", "not tested")
    slow = runs.assign(seconds=runs["seconds"] * np.where(runs["strategy"] == "remix", 1.1, 1.0))
    part = part_of(replace(frames, runs=slow), "C22", "binary, seconds per epoch")
    assert part.descriptive == "does not hold"
    # Trials that trained side by side have equal shares of one time, which say nothing.
    start, end = (f"2026-01-01T00:00:{second}.000+00:00" for second in ("00", "08"))
    shared = runs.assign(started=start, finished=end, seconds=4.0)
    part = part_of(replace(frames, runs=shared), "C22", "binary, seconds per epoch")
    assert part.descriptive == "not run"
    assert part.missing == "training times of trials alone"
    alone = shared.assign(seconds=7.9)
    part = part_of(replace(frames, runs=alone), "C22", "binary, seconds per epoch")
    assert part.descriptive != "not run"


def test_repeats_are_counted_from_what_was_drawn(study):
    frames = study(as_claimed, datasets={"binary": ("musk", "segment", "aps")})
    part = part_of(frames, "C23", "binary, share of repeats")
    assert part.numbers["drawn again"] == pytest.approx(0.45)
    # P(0.1 < lambda < 0.9) is 0.19 for Beta(0.1, 0.1).
    assert part.numbers["hardly mixed"] == pytest.approx(0.81, abs=0.01)
    assert (part.descriptive, part.inferential) == ("does not hold", "contradicted")
    distinct = replace(frames, folds=frames.folds.assign(distinct_share=0.98))
    part = part_of(distinct, "C23", "binary, share of repeats")
    assert (part.descriptive, part.inferential) == ("holds", "supported")
