"""The repository's rows beside Table 2: distances by scipy, verdicts on cases made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from remix_study.paper import authors_code
from remix_study.paper.authors_code import MENDED, NAMES, REPO, reenact
from remix_study.paper.class_weight_effect import acting, rank_distances
from remix_study.paper.published import PROBLEMS, RANK_SUMS
from remix_study.paper.sections.authors_code import sections
from remix_study.results.comparison import comparisons

FIVE = (("baseline", None), ("cost", None), ("smote", None), ("mixup", 0.1), ("remix", 0.1))
ERRORS = tuple(
    (f"{name}-repo" if name in ("cost", "smote", "remix") else name, alpha) for name, alpha in FIVE
)
PUBLISHED_ORDER = ("remix", "smote", "baseline", "cost", "mixup")
OTHER_ORDER = ("cost", "remix", "mixup", "smote", "baseline")


def places(kind, ratios=None):
    found = sorted(PROBLEMS[kind], key=str)
    return [(dataset, (ratios or {}).get(ratio, ratio)) for dataset, ratio in found]


def scored(frames, orders):
    """The frames with scores set so that rows are ranked in a given order, by study and metric."""
    runs = frames.runs.set_index("run")
    lines = []
    for run, study, strategy in zip(runs.index, runs["study"], runs["strategy"], strict=True):
        name = strategy.removesuffix("-repo")
        folds = frames.folds[frames.folds["run"] == run]
        for metric, order in orders[study].items():
            place = order.index(name) / 10
            value = 1 - place if metric == "g_mean" else place
            for fold in folds.itertuples():
                lines.append((run, fold.repeat, fold.fold, "test", metric, value))
    columns = ["run", "repeat", "fold", "part", "metric", "value"]
    return replace(frames, scores=pd.DataFrame(lines, columns=columns))


@pytest.fixture(scope="module")
def build(frames_of, problem):
    """Both sides on the paper's problems, each side in the order that is asked for."""

    def make(repo, main, kind="binary", ratios=None):
        made = []
        for study, rows, changed in (("paper-repo", ERRORS, ratios), ("main", FIVE, None)):
            made += [
                problem(
                    problem=f"{dataset}-ir{ratio}", dataset=dataset, imbalance=ratio, kind=kind,
                    rows=rows, study=study, repeats=1, folds=2,
                )
                for dataset, ratio in places(kind, changed)
            ]  # fmt: skip
        frames = scored(frames_of(*made), {"paper-repo": repo, "main": main})
        found = comparisons(frames)
        return [[c for c in found if c.study == study] for study in ("paper-repo", "main")]

    return make


def everywhere(order, *metrics):
    return dict.fromkeys(metrics or ("g_mean", "bbs", "brier_repo"), order)


def column(made, kind, metric):
    return next(c for c in made.columns if (c.kind, c.metric) == (kind, metric))


def words(found):
    return " ".join(text for section in found for block in section.blocks for text in block.text)


def test_distances_are_those_of_scipy(build):
    made = reenact(*build(everywhere(PUBLISHED_ORDER), everywhere(OTHER_ORDER, "g_mean", "bbs")))
    found = column(made, "binary", "g_mean")
    published = [value / 18 for value in RANK_SUMS["binary", "g_mean"]]
    assert list(found.published) == pytest.approx(published)
    for one, order in zip(found.found, (PUBLISHED_ORDER, OTHER_ORDER), strict=True):
        ranks = [order.index(name) + 1 for name in NAMES]
        assert list(one.ranks) == ranks
        assert one.spearman == pytest.approx(stats.spearmanr(ranks, published).statistic)
        assert one.kendall == pytest.approx(stats.kendalltau(ranks, published).statistic)
        off = [abs(a - b) for a, b in zip(ranks, published, strict=True)]
        assert one.largest == pytest.approx(max(off))
        assert one.mean == pytest.approx(sum(off) / 5)


def test_the_balanced_brier_column_has_the_repositorys_score_beside_the_right_one(build):
    made = reenact(*build(
        {"g_mean": OTHER_ORDER, "bbs": OTHER_ORDER, "brier_repo": PUBLISHED_ORDER},
        everywhere(OTHER_ORDER, "g_mean", "bbs"),
    ))  # fmt: skip
    found = column(made, "binary", "bbs").found
    assert [(one.whose, one.metric) for one in found] == [
        (REPO, "brier_repo"),
        (REPO, "bbs"),
        (MENDED, "bbs"),
    ]
    assert found[0].ranks != found[1].ranks == found[2].ranks
    # A right score that comes near by chance is no second try.
    assert [one.judged for one in found] == [True, False, True]


def test_only_the_repositorys_own_score_decides(build, monkeypatch):
    monkeypatch.setattr(authors_code, "NEAR_RANKS", 1.5)
    near = ("remix", "smote", "baseline", "mixup", "cost")
    made = reenact(*build(
        {"g_mean": OTHER_ORDER, "bbs": near, "brier_repo": OTHER_ORDER},
        everywhere(OTHER_ORDER, "g_mean", "bbs"),
    ))  # fmt: skip
    found = column(made, "binary", "bbs")
    assert [one.near for one in found.found] == [False, True, False]
    assert found.verdict == "not explained"


@pytest.mark.parametrize(
    ("repo", "main", "verdict", "words_of_it"),
    [
        (PUBLISHED_ORDER, OTHER_ORDER, "explained", "The errors explain this column"),
        (PUBLISHED_ORDER, PUBLISHED_ORDER, "needs no errors", "needs no errors to come out"),
        (OTHER_ORDER, PUBLISHED_ORDER, "not explained", "do not explain this column"),
        (OTHER_ORDER, OTHER_ORDER, "not explained", "do not explain this column"),
    ],
)
@pytest.mark.usefixtures("undrawn")
def test_verdicts_follow_from_nearness(build, monkeypatch, repo, main, verdict, words_of_it):
    # One order on all problems is further from an average than any real study.
    monkeypatch.setattr(authors_code, "NEAR_RANKS", 1.5)
    sides = build(everywhere(repo), everywhere(main, "g_mean", "bbs"))
    assert column(reenact(*sides), "binary", "g_mean").verdict == verdict
    text = words(sections(*sides))
    assert words_of_it in text
    assert ("that is 1 of 2 columns" in text) == (verdict == "explained")


@pytest.mark.usefixtures("undrawn")
def test_nothing_is_judged_before_all_problems_are_there(build):
    repo, main = build(everywhere(PUBLISHED_ORDER), everywhere(OTHER_ORDER, "g_mean", "bbs"))
    partial = [replace(repo[0], methods=repo[0].methods[:-1]), *repo[1:]]
    made = reenact(partial, main)
    assert made.partial == (repo[0].problem,)
    assert {c.verdict for c in made.columns} == {"not judged"}
    assert {one.problems for c in made.columns for one in c.found if one.whose == REPO} == {17}
    text = words(sections(partial, main))
    assert "Of 18 problems 1 lack" in text
    assert "The errors explain" not in text
    assert "errors explain none" not in text


@pytest.mark.usefixtures("undrawn")
def test_alone_it_says_what_is_missing(build, monkeypatch):
    monkeypatch.setattr(authors_code, "NEAR_RANKS", 1.5)
    repo, _ = build(everywhere(PUBLISHED_ORDER), everywhere(OTHER_ORDER, "g_mean", "bbs"))
    assert "cannot be said without the main studies" in words(sections(repo, []))
    empty = [replace(c, methods=()) for c in repo]
    assert "complete on no problem yet" in words(sections(empty, []))
    assert sections([], repo) == ()


@pytest.mark.usefixtures("undrawn")
def test_other_imbalance_ratios_are_said(build):
    harder = {0.25: 0.05, 0.1: 0.025, 0.05: 0.01}
    sides = build(
        everywhere(PUBLISHED_ORDER, "g_mean", "bbs", "brier_repo"),
        everywhere(OTHER_ORDER, "g_mean", "bbs"),
        kind="multi-class",
        ratios=harder,
    )
    text = words(sections(*sides))
    assert "ratios 0.05, 0.025, 0.01, Table 1 of the paper names 0.25, 0.1, 0.05" in text
    assert "only 0.05 in common" in text
    assert "The errors, its other imbalance ratios among them, do not explain" in text
    made = reenact(*sides)
    # Its score of several classes is the right one but for a factor: no column of its own.
    metrics = {one.metric for one in column(made, "multi-class", "bbs").found}
    assert metrics == {"bbs"}


@pytest.mark.usefixtures("undrawn")
def test_class_weights_are_told_from_the_baseline_by_scipys_test(build):
    repo, main = build(everywhere(PUBLISHED_ORDER), everywhere(OTHER_ORDER, "g_mean", "bbs"))
    random = np.random.default_rng(0)
    sides, p = [], []
    for place, c in enumerate(repo):
        # The same scores on seven problems, noise around a shift or around none.
        base = c.scores["test", "g_mean"]["baseline"]
        shift, spread = (0.02 * place, 1e-5) if place % 2 else (0.0, 0.01)
        noise = random.normal(shift, spread, len(base)) if place >= 7 else np.zeros(len(base))
        frame = c.scores["test", "g_mean"].assign(**{"cost-repo": base + noise})
        sides.append(replace(c, scores={**c.scores, ("test", "g_mean"): frame}))
        j, difference = len(base), base + noise - base
        error = np.sqrt(np.var(difference, ddof=1) * (1 / j + c.ratio))
        p.append(2 * stats.t.sf(abs(difference.mean() / error), j - 1) if error else 1.0)
    # Holm by hand: from the smallest on, until one is not significant.
    steps = [own <= 0.05 / (18 - rank) for rank, own in enumerate(sorted(p))]
    expected = steps.index(False)
    assert 0 < expected < 11, "both outcomes are to be seen"
    found = {(one.metric, one.whose): one for one in acting(sides, main)}
    one = found["g_mean", REPO]
    assert (one.problems, one.same, one.apart) == (18, 7, expected)
    assert found["bbs", REPO].same == 0
    text = words(sections(sides, main))
    assert f"told from the baseline on {expected} of 18 in binary g-mean" in text
    assert "after Holm over the problems; with the very same scores" in text
    assert "share their rank, on 7 in binary g-mean." in text
    assert "add up to 268 instead of 270" in text


def test_mean_ranks_of_class_weights_and_baseline_as_in_table_2(build):
    made = reenact(*build(everywhere(PUBLISHED_ORDER), everywhere(OTHER_ORDER, "g_mean", "bbs")))
    distances = rank_distances(column(made, "binary", "g_mean"))
    assert distances == {"published": pytest.approx(5 / 18), REPO: 1, MENDED: 4}
    assert rank_distances(column(made, "binary", "bbs"))["published"] == pytest.approx(3 / 18)
