"""Rivals and the repository's parts in studies that really run."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_studies import query, tiny

from remix_study.batches.strategies import make_strategy
from remix_study.cli.main import main
from remix_study.results.frames import load_frames
from remix_study.seeds import derive_seed
from remix_study.study.configurations import Configuration, grid_configurations
from remix_study.study.storage import open_reader
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.library import built_in_studies
from remix_study.studyfile.parsing import load_study, parse_study

PUBLISHED = ["baseline", "cost", "smote", "mixup (0.1)", "remix (0.1)"]

# A problem with an imbalance, so that there is something to draw.
RARE = (
    'dataset = "wine"\n',
    'dataset = "breast_cancer"\nminority = ["malignant"]\nimbalance = [0.1]\nkind = "binary"\n',
)
ASKED = ('objectives = ["g_mean", "bbs"]', 'objectives = ["bbs"]\nextra_metrics = ["brier_repo"]')


def rows_of(text: str) -> str:
    """The tiny study with another search space."""
    head, _, _ = text.partition("[search.space]")
    return head + '[search.space]\nstrategy = ["baseline", "cost-repo", "smote-repo", "focal"]\n'


class TestCostRepo:
    def setup_method(self):
        (self.task,) = prepare_tasks(parse_study(tiny()))

    def fit(self, name):
        model, training = self.task.study.model, self.task.spec.training
        return self.task.fit(Configuration(make_strategy(name), training, model))

    def test_is_the_baseline_at_other_seeds(self):
        baseline, cost = self.fit("baseline"), self.fit("cost-repo")
        for one, other, again in zip(baseline, cost, self.fit("cost-repo"), strict=True):
            assert np.abs(one.test - other.test).max() > 1e-3
            np.testing.assert_array_equal(other.test, again.test)
        # Its weights never act: the baseline with these seeds gives the same networks.
        for member in self.task.members.members:
            object.__setattr__(member, "seed", derive_seed(member.seed, "class-weighted-inert"))
        for one, other in zip(self.fit("baseline"), cost, strict=True):
            np.testing.assert_array_equal(one.test, other.test)


def test_an_extra_metric_is_stored_on_every_fold_and_is_no_objective(here):
    (here / "tiny.toml").write_text(rows_of(tiny(RARE, ASKED, ("repeats = 1", "repeats = 2"))))
    assert main(["run", "tiny.toml"]) == 0
    frames = load_frames(open_reader("sqlite:///remix-study.db"))
    found = frames.scores[frames.scores["metric"] == "brier_repo"]
    assert len(found) == 4 * 4 * 2  # rows, folds, parts
    (problem,) = frames.problems.to_dict("records")
    assert problem["objectives"] == ("bbs",)
    assert (problem["redraw"], problem["grouped"]) == (False, False)
    # From the stored probabilities by other means.
    for score in found[found["part"] == "test"].to_dict("records"):
        place = (score["run"], score["repeat"], score["fold"], "test")
        _, y, p = frames.probabilities(*place)
        wanted = np.mean([((1 - p[y == code, 1]) ** 2).mean() for code in (0, 1)])
        assert score["value"] == pytest.approx(wanted, abs=1e-6)


def test_redrawn_repeats_run_and_say_which_rows_they_scored(here):
    text = tiny(RARE, ("repeats = 1", "repeats = 3\nredraw = true"))
    (here / "tiny.toml").write_text(text)
    assert main(["run", "tiny.toml"]) == 0
    frames = load_frames(open_reader("sqlite:///remix-study.db"))
    (problem,) = frames.problems.to_dict("records")
    assert problem["redraw"] is True
    counts = list(problem["counts"].values())
    assert counts == [357, 35]
    assert problem["n_rows"] == 392
    run = int(frames.runs["run"].iloc[0])
    tested = []
    for repeat in range(3):
        parts = [frames.probabilities(run, repeat, fold, "test") for fold in (0, 1)]
        rows, labels = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
        assert np.bincount(labels).tolist() == counts
        assert len(set(rows)) == 392
        tested.append(frozenset(rows[labels == 1].tolist()))
    assert len(set(tested)) == 3
    folds = frames.folds[["n_train", "n_validation", "n_test"]].sum(axis=1)
    assert (folds == 392).all()
    # A run goes on with the same draws, and another kind of draw is another study.
    assert main(["run", "tiny.toml"]) == 0
    (here / "tiny.toml").write_text(text.replace("redraw = true\n", ""))
    assert main(["run", "tiny.toml"]) == 2


def test_databases_from_before_redraw_are_read_and_go_on(finished):
    (definition,) = query(finished, "SELECT definition FROM remix_studies")[0]
    assert "redraw" not in definition
    assert "extra_metrics" not in definition


class TestStudyFiles:
    """What the files of the paper's evaluation ask for, beyond being in order."""

    def study(self, name):
        return load_study(built_in_studies()[name])

    def problems(self, name):
        return [
            (spec.dataset, spec.kind, spec.minority, ratio, spec.training)
            for spec in self.study(name).problems
            for ratio in spec.imbalance
        ]

    def rows(self, name):
        from remix_study.study.configurations import label_of

        return [label_of(point) for point in grid_configurations(self.study(name).search.space)]

    def test_the_same_27_problems_everywhere(self):
        paper = self.problems("paper-binary") + self.problems("paper-multiclass")
        assert len(paper) == 27
        assert self.problems("rivals") == self.problems("robustness") == paper
        repo = self.problems("paper-repo")
        assert repo[:18] == paper[:18]
        assert [p[:3] for p in repo[18:]] == [p[:3] for p in paper[18:]]
        assert [p[3] for p in repo[18:]] == [0.05, 0.025, 0.01] * 3
        grouped = self.problems("robustness-grouped")
        assert grouped == [p for p in paper if p[0] in ("musk", "seizure")]
        assert len(grouped) == 9

    def test_rows(self):
        assert self.rows("paper-repo") == [
            "baseline", "cost-repo", "smote-repo", "mixup (0.1)", "remix-repo (0.1)",
        ]  # fmt: skip
        assert self.rows("rivals") == [
            "undersample", "smote-dataset", "focal", "class-balanced", "remix-chou (0.1)",
            "balanced-mixup (0.1)",
        ]  # fmt: skip
        for name in ("robustness", "robustness-grouped", "check-width", "check-epochs"):
            assert self.rows(name) == PUBLISHED

    def test_what_makes_each_differ(self):
        cv = {name: self.study(name).cv for name in built_in_studies()}
        assert [name for name in cv if cv[name].redraw] == ["robustness"]
        assert [name for name in cv if cv[name].grouped] == ["robustness-grouped"]
        assert self.study("paper-repo").extra_metrics == ("brier_repo",)
        width = int(2 * (64 + 10) / 0.75)
        assert self.study("check-width").model.options == {"hidden": [width] * 3}
        (spec,) = self.study("check-epochs").problems
        assert (spec.training.stop, spec.training.epochs) == ("never", 500)
        assert spec.training.schedule == "plateau"
