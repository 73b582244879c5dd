"""What methods are worth in rare rows: known curves are read off, and reasons for silence."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from simulated_training import SimulatedOutcome, simulate_training
from tiny_studies import tiny

from remix_study.batches.plan_summary import PlanSummary
from remix_study.cli.main import main
from remix_study.metrics import score
from remix_study.results.comparison import comparisons
from remix_study.results.data_shares import scores_at_data_shares
from remix_study.results.decision import decide
from remix_study.results.forms import Form
from remix_study.results.frames import load_frames
from remix_study.results.intervals import Interval
from remix_study.results.rare_rows import FURTHEST, RareRows, compare_rare_rows
from remix_study.results.rare_rows_files import as_json
from remix_study.results.telling_apart import rows_to_tell_apart
from remix_study.study.storage import open_reader
from remix_study.study.task import Task

URL = "sqlite:///x.db"
STUDY = tiny(
    ('name = "tiny"', 'name = "tiny"\nrare_rows = true'),
    ('["g_mean", "bbs"]', '["balanced_accuracy"]'),
    ('dataset = "wine"', 'dataset = "digits"\nminority = ["8"]\nkind = "binary"'),
    ("repeats = 1", "repeats = 2"),
    ("alpha.remix = [0.0, 0.1]", "alpha.remix = [0.1]"),
)


def train_along_curves(setattr, curves) -> None:
    """Networks whose share of right rows in each class depends on the rare training rows."""

    def fit(self: Task, configuration, _on_epoch=None, places=None):
        largest = max(np.bincount(self.problem.y[fold.train])[1] for fold in self.folds)
        largest = round(largest / 0.75) if self.role else largest
        outcomes = []
        for place in range(len(self.folds)) if places is None else places:
            fold = self.folds[place]
            ratio = np.bincount(self.problem.y[fold.train])[1] / largest
            share = curves[configuration.strategy.name](ratio)

            def predict(rows, share=share):
                y, right = self.problem.y[rows], np.zeros(len(rows), bool)
                for code in (0, 1):
                    of_class = np.flatnonzero(y == code)
                    right[of_class[: round(share * len(of_class))]] = True
                return np.eye(2, dtype=np.float32)[np.where(right, y, 1 - y)]

            plan = PlanSummary(1, 1, np.ones(2) / 2, np.zeros(2, int), 0, 1.0)
            parts = predict(fold.validation), predict(fold.test)
            outcomes.append(SimulatedOutcome(*parts, trained_on=plan))
        return outcomes

    simulate_training(setattr)
    setattr(Task, "fit", fit)


def rare_rows_of_study():
    engine = open_reader(URL)
    frames = load_frames(engine)
    decision = decide(comparisons(frames)[0], frames.probabilities)
    part = compare_rare_rows(decision, frames)
    engine.dispose()
    return part


@pytest.mark.usefixtures("storage", "unrendered_figures")
def test_a_method_is_worth_the_rows_that_the_baseline_needs_for_its_score(here, monkeypatch):
    def baseline(ratio):
        return 0.7 + 0.1 * np.log(ratio)

    curves = {"baseline": baseline, "remix": lambda ratio: baseline(1.5 * ratio)}
    train_along_curves(monkeypatch.setattr, curves)
    (here / "tiny.toml").write_text(STUDY)
    assert main(["run", "tiny.toml", "--storage", URL, "--report", "report"]) == 0
    part = rare_rows_of_study()
    assert part.n_rare == 174
    ((remix,),) = part.worths.values()
    assert remix.form.label == "remix (0.1)"
    # Shares of test rows are whole rows.
    assert remix.worth.ratio == pytest.approx(1.5, abs=0.1)
    assert remix.worth.low <= remix.worth.ratio <= remix.worth.high
    assert remix.ratios == pytest.approx((0.25, 0.5, 0.75, 1), abs=0.01)
    assert list(remix.scores.columns) == list(remix.ratios)
    gain, low, high = remix.doubled
    assert gain == pytest.approx(0.1 * np.log(2), abs=0.02)
    assert low <= gain <= high
    # The page says so, and so does the file of the decision.
    page = (here / "report" / "index.html").read_text()
    assert "What methods are worth in rare rows" in page
    assert "is worth 1." in page
    (entry,) = json.loads((here / "report" / "decision.json").read_text())
    stored = entry["rare_rows"]["worth"]["balanced_accuracy"]["remix (0.1)"]
    assert stored["ratio"] == pytest.approx(remix.worth.ratio)
    assert entry["rare_rows"]["rare_rows"] == 174


@pytest.mark.slow
@pytest.mark.usefixtures("storage")
def test_nobody_can_tell_where_the_baseline_does_not_get_better(here, monkeypatch):
    curves = {"baseline": lambda _: 0.7, "remix": lambda ratio: 0.75 + 0.01 * ratio}
    train_along_curves(monkeypatch.setattr, curves)
    (here / "tiny.toml").write_text(STUDY)
    assert main(["run", "tiny.toml", "--storage", URL]) == 0
    ((remix,),) = rare_rows_of_study().worths.values()
    assert "does not surely get better" in remix.worth.reason
    assert np.isnan(remix.worth.ratio)


def test_files_have_no_number_where_none_is_enough():
    def curve(label, *numbers):
        ratio, low, high = numbers
        worth = SimpleNamespace(ratio=ratio, low=low, high=high, reason="")
        return SimpleNamespace(form=SimpleNamespace(label=label), worth=worth)

    def apart(label, times):
        return SimpleNamespace(label=label, metric="bbs", times=times, repeats=7)

    part = SimpleNamespace(
        n_rare=40,
        worths={"bbs": (curve("remix", 1.5, 0.0, np.inf), curve("smote", *[np.inf] * 3))},
        apart=(apart("remix", 1.75), apart("smote", np.inf)),
    )
    part.rows = lambda times: RareRows.rows(part, times)
    stored = as_json(part)
    ratio_and_more = ("ratio", "low", "high", "more_than")
    worths = {k: [w[n] for n in ratio_and_more] for k, w in stored["worth"]["bbs"].items()}
    assert worths == {"remix": [1.5, 0.0, None, None], "smote": [None, None, None, FURTHEST]}
    assert [more["more_rare_rows"] for more in stored["to_tell_apart"]] == [30, None]
    json.dumps(stored, allow_nan=False)


def decision_of(mean: float, error: float, folds: int = 10, ratio: float = 0.1):
    """A decision between two methods with this difference in balanced accuracy."""
    difference = Interval(mean, error, np.nan, np.nan, folds, ratio)
    frame = pd.DataFrame({"balanced_accuracy": np.linspace(0.6, 0.7, folds)})
    chosen = SimpleNamespace(label="chosen", scores={"test": frame})
    rival = SimpleNamespace(label="other", scores={"test": frame})
    return SimpleNamespace(
        comparison=SimpleNamespace(ratio=ratio, info={"folds": 5}),
        objectives=("balanced_accuracy",),
        regions={"balanced_accuracy": 0.01},
        entries=(chosen, rival),
        chosen=chosen,
        words={"other": {"balanced_accuracy": "cannot tell"}},
        difference=lambda *_: difference,
    )


def test_rows_to_tell_apart_are_those_that_narrow_the_posterior_enough():
    # Beyond the region of 0.01 with probability 0.95.
    (more,) = rows_to_tell_apart(decision_of(mean=0.03, error=0.02))
    error = 0.02 / stats.t.ppf(0.95, 9)
    assert more.times == pytest.approx((0.02 / error) ** 2, abs=0.02)
    assert more.label == "other"
    # Repeats would have to bring 1/J below zero: test rows are the limit.
    assert more.repeats is None


def test_repeats_tell_apart_where_they_are_what_is_missing():
    (more,) = rows_to_tell_apart(decision_of(mean=0.03, error=0.012, ratio=0.01))
    assert 1 < more.times < 1.3
    share = (1 / 10 + 0.01) / more.times - 0.01
    assert more.repeats == int(np.ceil(1 / share / 5))


def test_no_rows_tell_apart_what_lies_on_the_edge_of_the_region():
    (more,) = rows_to_tell_apart(decision_of(mean=0.0101, error=0.02))
    assert (more.times, more.repeats) == (np.inf, None)


def test_scores_of_fewer_rare_rows_are_those_at_the_shares_of_the_data():
    """A network that gives class shares alone has the same scores with any number of rare rows."""
    y, rng = np.repeat([0, 1], [90, 10]), np.random.default_rng(1)
    evidence = rng.uniform(0.2, 5, len(y))

    def probabilities(share):
        p = np.stack([np.full(len(y), 1 - share), share * evidence], axis=1)
        return p / p.sum(axis=1, keepdims=True)

    method = SimpleNamespace(run=1)
    index = pd.MultiIndex.from_tuples([(0, 0)], names=["repeat", "fold"])
    shares = {"few": (0.96, 0.04), "all": (0.9, 0.1)}
    folds = {
        name: pd.DataFrame({"repeat": [0], "fold": [0], "natural_prior": [prior]})
        for name, prior in shares.items()
    }
    part = SimpleNamespace(
        objectives=("bbs", "brier"), info={"definition": {}}, trained_folds=lambda _: folds["few"]
    )
    few, full = (score(y, probabilities(shares[name][1]), 2) for name in ("few", "all"))
    form = Form(method, "as trained", "natural", {"test": pd.DataFrame([few], index)})

    def read(*_):
        return np.arange(len(y)), y, probabilities(0.04), None

    corrected = scores_at_data_shares(part, form, folds["all"], read).loc[(0, 0)]
    assert corrected["brier"] == pytest.approx(full["brier"])
    assert corrected["g_mean"] == pytest.approx(full["g_mean"])
    assert few["brier"] != pytest.approx(full["brier"], rel=0.01)
    # A threshold adapts by itself, and equal shares are no others with fewer rows.
    with_threshold = replace(form, name="threshold")
    thresholded = scores_at_data_shares(part, with_threshold, folds["all"], read).loc[(0, 0)]
    assert (thresholded["g_mean"], thresholded["brier"]) == pytest.approx(
        (few["g_mean"], full["brier"])
    )
    equal = replace(form, name="equal shares", prior="equal")
    assert scores_at_data_shares(part, equal, folds["all"], read) is form.scores["test"]


@pytest.mark.slow
@pytest.mark.usefixtures("storage")
def test_nobody_can_tell_from_a_single_rare_training_row(here, monkeypatch):
    curves = {"baseline": lambda _: 0.7, "remix": lambda _: 0.75}
    train_along_curves(monkeypatch.setattr, curves)
    few = STUDY.replace('kind = "binary"', 'kind = "binary"\nimbalance = [0.0025]')
    (here / "tiny.toml").write_text(few)
    assert main(["run", "tiny.toml", "--storage", URL]) == 0
    ((remix,),) = rare_rows_of_study().worths.values()
    assert "too few rare training rows" in remix.worth.reason
