"""The repository's rows beside Table 2: distances by scipy, verdicts on cases made by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from made_up_studies import MadeUpProblem, made_up_frames
from scipy import stats

from remix_study.paper import authors_code
from remix_study.paper.authors_code import AUTHORS_CODE, WITHOUT_ERRORS, compare_with_table2
from remix_study.paper.sections.authors_code import sections
from remix_study.paper.table2 import PROBLEMS, RANK_SUMS, STRATEGIES
from remix_study.results.comparison import comparisons

FIVE = (("baseline", None), ("cost", None), ("smote", None), ("mixup", 0.1), ("remix", 0.1))
ERRORS = tuple(
    (f"{name}-repo" if name in ("cost", "smote", "remix") else name, alpha) for name, alpha in FIVE
)
PUBLISHED_ORDER = ("remix", "smote", "baseline", "cost", "mixup")
OTHER_ORDER = ("cost", "remix", "mixup", "smote", "baseline")


def problem_keys(kind, ratios=None):
    keys = sorted(PROBLEMS[kind], key=str)
    return [(dataset, (ratios or {}).get(ratio, ratio)) for dataset, ratio in keys]


def with_order(frames, order):
    """The frames with scores set so that rows are ranked in a given order, by metric."""
    strategies = frames.runs.set_index("run")["strategy"].str.removesuffix("-repo")
    folds = frames.folds[["run", "repeat", "fold"]].assign(part="test")
    ordered = folds["run"].map(strategies)
    scores = []
    for metric, names in order:
        values = {
            name: 1 - place / 10 if metric == "g_mean" else place / 10
            for place, name in enumerate(names)
        }
        scores.append(folds.assign(metric=metric, value=ordered.map(values)))
    return replace(frames, scores=pd.concat(scores, ignore_index=True))


@lru_cache
def side(study, rows, order, kind, ratios):
    """The comparisons of one side, computed once for all tests that only read them."""
    problems = [
        MadeUpProblem(
            problem=f"{dataset}-ir{ratio}", dataset=dataset, imbalance=ratio, kind=kind,
            methods=rows, study=study, repeats=1, folds=2,
        )
        for dataset, ratio in problem_keys(kind, dict(ratios))
    ]  # fmt: skip
    return tuple(comparisons(with_order(made_up_frames(*problems), order)))


def build(authors_order, main_order, kind="binary", ratios=None):
    """Both sides on the paper's problems, each side in the order that is asked for."""
    changed = tuple((ratios or {}).items())
    return [
        list(side("paper-repo", ERRORS, tuple(authors_order.items()), kind, changed)),
        list(side("main", FIVE, tuple(main_order.items()), kind, ())),
    ]


def everywhere(order, *metrics):
    return dict.fromkeys(metrics or ("g_mean", "bbs", "brier_repo"), order)


def column(comparison, kind, metric):
    return next(c for c in comparison.columns if (c.kind, c.metric) == (kind, metric))


def text_of(page_sections):
    return " ".join(
        text for section in page_sections for block in section.blocks for text in block.text
    )


def test_distances_are_those_of_scipy():
    comparison = compare_with_table2(
        *build(everywhere(PUBLISHED_ORDER), everywhere(OTHER_ORDER, "g_mean", "bbs"))
    )
    published_column = column(comparison, "binary", "g_mean")
    published = [value / 18 for value in RANK_SUMS["binary", "g_mean"]]
    assert list(published_column.ranks) == list(STRATEGIES)
    assert list(published_column.ranks.values()) == pytest.approx(published)
    for candidate, order in zip(
        published_column.candidates, (PUBLISHED_ORDER, OTHER_ORDER), strict=True
    ):
        ranks = [order.index(name) + 1 for name in STRATEGIES]
        assert candidate.ranks == dict(zip(STRATEGIES, ranks, strict=True))
        assert candidate.spearman == pytest.approx(stats.spearmanr(ranks, published).statistic)
        assert candidate.kendall == pytest.approx(stats.kendalltau(ranks, published).statistic)
        differences = [abs(a - b) for a, b in zip(ranks, published, strict=True)]
        assert candidate.largest_difference == pytest.approx(max(differences))
        assert candidate.mean_difference == pytest.approx(sum(differences) / 5)


def test_the_balanced_brier_column_has_the_repositorys_score_beside_the_right_one():
    comparison = compare_with_table2(*build(
        {"g_mean": OTHER_ORDER, "bbs": OTHER_ORDER, "brier_repo": PUBLISHED_ORDER},
        everywhere(OTHER_ORDER, "g_mean", "bbs"),
    ))  # fmt: skip
    candidates = column(comparison, "binary", "bbs").candidates
    assert [(candidate.side, candidate.metric) for candidate in candidates] == [
        (AUTHORS_CODE, "brier_repo"),
        (AUTHORS_CODE, "bbs"),
        (WITHOUT_ERRORS, "bbs"),
    ]
    assert candidates[0].ranks != candidates[1].ranks == candidates[2].ranks
    # A right score that comes near by chance is no second try.
    assert [candidate.is_judged for candidate in candidates] == [True, False, True]


def test_only_the_repositorys_own_score_decides(monkeypatch):
    monkeypatch.setattr(authors_code, "NEAR_RANKS", 1.5)
    near_order = ("remix", "smote", "baseline", "mixup", "cost")
    comparison = compare_with_table2(*build(
        {"g_mean": OTHER_ORDER, "bbs": near_order, "brier_repo": OTHER_ORDER},
        everywhere(OTHER_ORDER, "g_mean", "bbs"),
    ))  # fmt: skip
    published_column = column(comparison, "binary", "bbs")
    assert [candidate.is_near for candidate in published_column.candidates] == [False, True, False]
    assert published_column.verdict == "not explained"


@pytest.mark.parametrize(
    ("repo", "main", "verdict", "words_of_it"),
    [
        (PUBLISHED_ORDER, OTHER_ORDER, "explained", "The errors explain this column"),
        (PUBLISHED_ORDER, PUBLISHED_ORDER, "needs no errors", "needs no errors to come out"),
        (OTHER_ORDER, PUBLISHED_ORDER, "not explained", "do not explain this column"),
        (OTHER_ORDER, OTHER_ORDER, "not explained", "do not explain this column"),
    ],
)
@pytest.mark.usefixtures("unrendered_figures")
def test_verdicts_follow_from_nearness(monkeypatch, repo, main, verdict, words_of_it):
    # One order on all problems is further from an average than any real study.
    monkeypatch.setattr(authors_code, "NEAR_RANKS", 1.5)
    sides = build(everywhere(repo), everywhere(main, "g_mean", "bbs"))
    assert column(compare_with_table2(*sides), "binary", "g_mean").verdict == verdict
    text = text_of(sections(*sides))
    assert words_of_it in text
    assert ("that is 1 of 2 columns" in text) == (verdict == "explained")


@pytest.mark.usefixtures("unrendered_figures")
def test_nothing_is_judged_before_all_problems_are_there():
    authors, main = build(everywhere(PUBLISHED_ORDER), everywhere(OTHER_ORDER, "g_mean", "bbs"))
    partial = [replace(authors[0], methods=authors[0].methods[:-1]), *authors[1:]]
    comparison = compare_with_table2(partial, main)
    assert comparison.partial == (authors[0].problem,)
    assert {c.verdict for c in comparison.columns} == {"not judged"}
    assert {
        candidate.n_problems
        for c in comparison.columns
        for candidate in c.candidates
        if candidate.side == AUTHORS_CODE
    } == {17}
    text = text_of(sections(partial, main))
    assert "Of 18 problems 1 lack" in text
    assert "The errors explain" not in text
    assert "errors explain none" not in text


@pytest.mark.usefixtures("unrendered_figures")
def test_alone_it_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(authors_code, "NEAR_RANKS", 1.5)
    authors, _ = build(everywhere(PUBLISHED_ORDER), everywhere(OTHER_ORDER, "g_mean", "bbs"))
    assert "cannot be said without the main studies" in text_of(sections(authors, []))
    empty = [replace(c, methods=()) for c in authors]
    assert "complete on no problem yet" in text_of(sections(empty, []))
    assert sections([], authors) == ()


@pytest.mark.usefixtures("unrendered_figures")
def test_other_imbalance_ratios_are_said():
    harder = {0.25: 0.05, 0.1: 0.025, 0.05: 0.01}
    sides = build(
        everywhere(PUBLISHED_ORDER, "g_mean", "bbs", "brier_repo"),
        everywhere(OTHER_ORDER, "g_mean", "bbs"),
        kind="multi-class",
        ratios=harder,
    )
    text = text_of(sections(*sides))
    assert "ratios 0.05, 0.025, 0.01, Table 1 of the paper names 0.25, 0.1, 0.05" in text
    assert "only 0.05 in common" in text
    assert "The errors, its other imbalance ratios among them, do not explain" in text
    comparison = compare_with_table2(*sides)
    # Its score of several classes is the right one but for a factor: no column of its own.
    metrics = {
        candidate.metric for candidate in column(comparison, "multi-class", "bbs").candidates
    }
    assert metrics == {"bbs"}


@pytest.mark.usefixtures("unrendered_figures")
def test_class_weights_are_told_from_the_baseline_by_scipys_test():
    authors, main = build(everywhere(PUBLISHED_ORDER), everywhere(OTHER_ORDER, "g_mean", "bbs"))
    random = np.random.default_rng(0)
    sides, p = [], []
    for number, c in enumerate(authors):
        # The same scores on seven problems, noise around a shift or around none.
        base = c.scores["test", "g_mean"]["baseline"]
        shift, spread = (0.02 * number, 1e-5) if number % 2 else (0.0, 0.01)
        noise = random.normal(shift, spread, len(base)) if number >= 7 else np.zeros(len(base))
        frame = c.scores["test", "g_mean"].assign(**{"cost-repo": base + noise})
        sides.append(replace(c, scores={**c.scores, ("test", "g_mean"): frame}))
        j, difference = len(base), base + noise - base
        error = np.sqrt(np.var(difference, ddof=1) * (1 / j + c.ratio))
        p.append(2 * stats.t.sf(abs(difference.mean() / error), j - 1) if error else 1.0)
    # Holm by hand: from the smallest on, until one is not significant.
    steps = [value <= 0.05 / (18 - rank) for rank, value in enumerate(sorted(p))]
    expected = steps.index(False)
    assert 0 < expected < 11, "both outcomes are to be seen"
    comparison = compare_with_table2(sides, main)
    effects = {(effect.metric, effect.side): effect for effect in comparison.weight_effects}
    effect = effects["g_mean", AUTHORS_CODE]
    assert (effect.n_problems, effect.n_equal, effect.n_different) == (18, 7, expected)
    assert effects["bbs", AUTHORS_CODE].n_equal == 0
    text = text_of(sections(sides, main))
    assert f"told from the baseline on {expected} of 18 in binary g-mean" in text
    assert "after Holm over the problems; with the very same scores" in text
    assert "share their rank, on 7 in binary g-mean." in text
    assert "add up to 268 instead of 270" in text


def test_mean_ranks_of_class_weights_and_baseline_as_in_table_2():
    comparison = compare_with_table2(
        *build(everywhere(PUBLISHED_ORDER), everywhere(OTHER_ORDER, "g_mean", "bbs"))
    )
    distances = column(comparison, "binary", "g_mean").weight_distances
    assert distances == {"published": pytest.approx(5 / 18), AUTHORS_CODE: 1, WITHOUT_ERRORS: 4}
    distances = column(comparison, "binary", "bbs").weight_distances
    assert distances["published"] == pytest.approx(3 / 18)
