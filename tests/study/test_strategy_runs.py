"""Strategies of the authors' code and of rivals in studies."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_studies import query, tiny

from remix_study.batches.strategies import make_strategy
from remix_study.cli.main import main
from remix_study.results.frames import load_frames
from remix_study.seeds import derive_seed
from remix_study.study.configurations import Configuration
from remix_study.study.storage import open_reader
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import parse_study

# A problem with an imbalance, so that there is something to draw.
RARE = (
    'dataset = "wine"\n',
    'dataset = "breast_cancer"\nminority = ["malignant"]\nimbalance = [0.1]\nkind = "binary"\n',
)
EXTRA_METRIC = (
    'objectives = ["g_mean", "bbs"]',
    'objectives = ["bbs"]\nextra_metrics = ["brier_repo"]',
)


def with_repository_strategies(text: str) -> str:
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
        for plain, weighted, again in zip(baseline, cost, self.fit("cost-repo"), strict=True):
            assert np.abs(plain.test - weighted.test).max() > 1e-3
            np.testing.assert_array_equal(weighted.test, again.test)
        # Its weights never act: the baseline with these seeds gives the same networks.
        for member in self.task.members.members:
            object.__setattr__(member, "seed", derive_seed(member.seed, "class-weighted-inert"))
        for plain, weighted in zip(self.fit("baseline"), cost, strict=True):
            np.testing.assert_array_equal(plain.test, weighted.test)


@pytest.mark.usefixtures("simulated")
def test_an_extra_metric_is_stored_on_every_fold_and_is_no_objective(here):
    (here / "tiny.toml").write_text(
        with_repository_strategies(tiny(RARE, EXTRA_METRIC, ("repeats = 1", "repeats = 2")))
    )
    assert main(["run", "tiny.toml"]) == 0
    frames = load_frames(open_reader("sqlite:///remix-study.db"))
    scores = frames.scores[frames.scores["metric"] == "brier_repo"]
    assert len(scores) == 4 * 4 * 2  # rows, folds, parts
    (problem,) = frames.problems.to_dict("records")
    assert problem["objectives"] == ("bbs",)
    assert (problem["redraw"], problem["grouped"]) == (False, False)
    # Computed from the stored probabilities in another way.
    for score in scores[scores["part"] == "test"].to_dict("records"):
        key = (score["run"], score["repeat"], score["fold"], "test")
        _, y, p, _ = frames.probabilities(*key)
        expected = np.mean([((1 - p[y == code, 1]) ** 2).mean() for code in (0, 1)])
        assert score["value"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.usefixtures("simulated")
def test_redrawn_repeats_store_the_rows_that_they_scored(here):
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
    # The next run has the same draws; a study without draws is another one.
    assert main(["run", "tiny.toml"]) == 0
    (here / "tiny.toml").write_text(text.replace("redraw = true\n", ""))
    assert main(["run", "tiny.toml"]) == 2


def test_the_fingerprint_lacks_keys_that_are_not_used(finished):
    (definition,) = query(finished, "SELECT definition FROM remix_studies")[0]
    assert "redraw" not in definition
    assert "extra_metrics" not in definition
