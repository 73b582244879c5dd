"""Roles of problems in a report, and what joining studies must not change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_up_studies import MadeUpProblem, made_up_frames

from remix_study.paper.sections import ALL_SECTIONS
from remix_study.report.page import write_report
from remix_study.results.comparison import comparisons
from remix_study.results.study_roles import study_roles

FIVE = (("baseline", None), ("cost", None), ("smote", None), ("mixup", 0.1), ("remix", 0.1))
REPO = (
    ("baseline", None),
    ("cost-repo", None),
    ("smote-repo", None),
    ("mixup", 0.1),
    ("remix-repo", 0.1),
)
RIVALS = (("undersample", None), ("remix-chou", 0.1))
CURVE = (("balance", None), *(("remix", alpha) for alpha in (0.05, 0.1, 0.4)))
SEGMENT, OZONE = "segment-BRICKFACE-ir0.05", "ozone-1-ir0.025"


def definition(study, problem, *, redraw=False, **training):
    extra = {"extra_metrics": ["brier_repo"]} if study == "paper-repo" else {}
    return {
        "study": {"seed": 2020, "objectives": ["g_mean", "bbs"], **extra},
        "cv": {"folds": 2, "repeats": 3, "redraw": redraw},
        "model": {"name": "mlp"},
        "training": {"stop": "lowest-rate", "batch_size": 64, **training},
        "problem": {"name": problem},
    }


@pytest.fixture(scope="module")
def frames():
    """Main studies of two problems, and beside them one of every other role."""
    segment = MadeUpProblem(
        problem=SEGMENT, dataset="segment", methods=FIVE, repeats=3, study="main"
    )
    ozone = replace(segment, problem=OZONE, dataset="ozone", imbalance=0.025)
    all_frames = made_up_frames(
        segment,
        ozone,
        replace(segment, study="curve", methods=CURVE),
        replace(segment, study="rivals", methods=RIVALS),
        replace(ozone, study="rivals", methods=RIVALS),
        replace(segment, study="longer"),
        replace(segment, study="redrawn"),
        replace(segment, study="paper-repo", methods=REPO),
    )
    problems = all_frames.problems
    return replace(
        all_frames,
        problems=problems.assign(
            redraw=problems["study"] == "redrawn",
            definition=[
                definition(
                    study,
                    name,
                    redraw=study == "redrawn",
                    **({"stop": "never"} if study == "longer" else {}),
                )
                for study, name in zip(problems["study"], problems["problem"], strict=True)
            ],
        ),
    )


def only(frames, *studies):
    return replace(frames, problems=frames.problems[frames.problems["study"].isin(studies)])


def named(problems):
    return [(c.study, c.problem) for c in problems]


def test_each_problem_has_its_role(frames):
    roles = study_roles(comparisons(frames))
    assert named(roles.main) == [("main", SEGMENT), ("main", OZONE)]
    assert named(roles.headline) == named(roles.main)
    assert named(roles.curves) == [("curve", SEGMENT)]
    assert named(roles.variants) == [("redrawn", SEGMENT)]
    assert named(roles.trained_otherwise) == [("longer", SEGMENT)]
    assert (
        named(roles.authors_code_aside) == named(roles.authors_code) == [("paper-repo", SEGMENT)]
    )


def test_rivals_join_the_main_methods_but_not_the_headline(frames):
    roles = study_roles(comparisons(frames))
    five = ["baseline", "cost", "smote", "mixup (0.1)", "remix (0.1)"]
    for joined, head in zip(roles.main, roles.headline, strict=True):
        assert {method.label for method in head.methods} == set(five)
        # Alphas of one strategy are no rivals of each other: nothing of the curve.
        rest = {"undersample", "remix-chou (0.1)"}
        assert {method.label for method in joined.methods} == set(five) | rest
        assert {method.study for method in joined.methods if method.label in five} == {"main"}


def test_joined_scores_are_those_of_their_own_runs(frames):
    joined = study_roles(comparisons(frames)).main[0]
    for method in joined.methods:
        run_scores = frames.scores[
            (frames.scores["run"] == method.run)
            & (frames.scores["part"] == "test")
            & (frames.scores["metric"] == "bbs")
        ]
        assert joined.score(method.label, "bbs").mean() == pytest.approx(
            run_scores["value"].mean()
        )
    assert set(joined.folds["run"]) == {method.run for method in joined.methods}


@pytest.mark.parametrize(
    ("studies", "main"),
    [
        (("paper-repo",), "paper-repo"),
        (("longer",), "longer"),
        (("redrawn",), "redrawn"),
        (("rivals",), "rivals"),
    ],
)
def test_a_supplementary_study_alone_is_the_main_one(frames, studies, main):
    roles = study_roles(comparisons(only(frames, *studies)))
    assert {c.study for c in roles.main} == {main}
    assert not roles.beside_main
    assert bool(roles.authors_code) == (main == "paper-repo")


def test_another_split_is_a_problem_of_its_own(frames):
    problems = frames.problems.copy()
    is_longer = problems["study"] == "longer"
    changed = definition("longer", SEGMENT, stop="never")
    changed["cv"]["repeats"] = 5
    problems["definition"] = [
        changed if is_changed else stored
        for stored, is_changed in zip(problems["definition"], is_longer, strict=True)
    ]
    roles = study_roles(comparisons(replace(frames, problems=problems)))
    assert not roles.trained_otherwise
    assert ("longer", SEGMENT) in named(roles.main)


@pytest.mark.usefixtures("unrendered_figures")
def test_supplementary_studies_change_no_headline_number(frames, tmp_path):
    """The files that a decision is read from are letter by letter those of the main study."""
    write_report(only(frames, "main"), tmp_path / "main", command="here", makers=ALL_SECTIONS)
    page = write_report(frames, tmp_path / "all", command="here", makers=ALL_SECTIONS)
    for name in ("decision", "gains", "gains-by-problem", "ranks-published", "claims"):
        first, second = (
            (tmp_path / folder / "tables" / f"{name}.csv").read_text()
            for folder in ("main", "all")
        )
        assert first == second, name
    ranks = pd.read_csv(tmp_path / "all" / "tables" / "ranks.csv")
    assert {"undersample", "remix-chou (0.1)"} <= set(ranks["row"])
    assert not {"cost-repo", "remix-repo (0.1)"} & set(ranks["row"])
    totals = ranks.groupby(["kind", "metric"])["rank_sum"].sum()
    # Seven rows are complete on both problems.
    assert np.allclose(totals, 2 * 7 * 8 / 2)
    results = pd.read_csv(tmp_path / "all" / "tables" / "results-long.csv")
    assert set(results["study"]) == set(frames.problems["study"])
    assert not results.duplicated(["study", "problem", "row", "metric"]).any()
    text = page.read_text(encoding="utf-8")
    for anchor in ("repository", "robustness"):
        assert f'id="{anchor}">' in text


@pytest.mark.usefixtures("unrendered_figures")
@pytest.mark.parametrize("study", ["paper-repo", "longer", "rivals"])
def test_a_report_of_one_supplementary_study(frames, tmp_path, study):
    page = write_report(only(frames, study), tmp_path / "r", command="here", makers=ALL_SECTIONS)
    text = page.read_text(encoding="utf-8")
    assert ('id="repository">' in text) == (study == "paper-repo")
