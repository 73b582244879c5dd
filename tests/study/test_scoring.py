"""Metrics that a study file asks for: costs, functions of the user's own, what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_studies import tiny

from remix_study.cli.main import main
from remix_study.errors import StudyFileError
from remix_study.metrics import METRICS
from remix_study.results.frames import load_frames
from remix_study.study.checks import check_study
from remix_study.study.storage import open_reader
from remix_study.studyfile.parsing import parse_study

STORAGE = "sqlite:///x.db"
BINARY = ('dataset = "wine"', 'dataset = "wine"\nminority = ["class_2"]')
PROFIT = """
[metrics.profit]
function = "shop:profit"
direction = "maximize"
worst = -5.0
"""
SHOP = """
def profit(y, probabilities):
    assert probabilities.shape == (len(y), 3)
    probabilities[:] = 0
    return (y == 2).sum() - 0.5
"""


@pytest.fixture(autouse=True)
def _restored(monkeypatch):
    """Names and folders that a test makes known are forgotten."""
    before = dict(METRICS)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    METRICS.clear()
    METRICS.update(before)
    sys.modules.pop("shop", None)


def write(text: str, shop: str = SHOP) -> None:
    Path("shop.py").write_text(shop)
    Path("s.toml").write_text(text)


def scores_of(metric: str):
    frames = load_frames(open_reader(STORAGE))
    return frames, frames.scores[frames.scores["metric"] == metric]


@pytest.mark.usefixtures("here", "simulated")
def test_requested_metrics_are_stored_and_standard_ones_anyway():
    objectives = ('["g_mean", "bbs"]', '["f2"]\nextra_metrics = ["kappa"]')
    write(tiny(BINARY, objectives))
    assert main(["run", "s.toml", "--storage", STORAGE]) == 0
    frames, _ = scores_of("")
    metrics = set(frames.scores["metric"])
    assert {"f2", "kappa", "precision", "recall", "f1", "mcc", "average_precision"} <= metrics
    assert not metrics & {"f0.5", "accuracy", "cost", "average_precision_macro"}


@pytest.mark.usefixtures("here", "simulated")
def test_costs_are_an_objective():
    costs = "\n[decision]\ncosts = { fn = 20, fp = 1 }\n"
    write(tiny(BINARY, ('["g_mean", "bbs"]', '["cost"]')) + costs)
    assert main(["run", "s.toml", "--storage", STORAGE]) == 0
    frames, scores = scores_of("cost")
    assert frames.problems["objectives"].iloc[0] == ("cost",)
    for row in scores.itertuples():
        _, y, p, _ = frames.probabilities(row.run, row.repeat, row.fold, row.part)
        alarm = p[:, 1] * 20 > p[:, 0]
        expected = np.where(alarm, y == 0, 20 * (y == 1)).mean()
        assert row.value == pytest.approx(expected)
    # Another cost is another study.
    write(Path("s.toml").read_text().replace("fn = 20", "fn = 10"))
    assert main(["run", "s.toml", "--storage", STORAGE]) == 2


@pytest.mark.usefixtures("here", "simulated")
def test_a_network_that_diverged_has_the_worst_of_each_metric():
    # Simulated training fails at such a learning rate.
    training = ("[training]\n", '[training]\non_nan = "worst"\nlearning_rate = 5.0\n')
    costs = "\n[decision]\ncosts = { fn = 20, fp = 1 }\n"
    write(
        tiny(BINARY, training, ('["g_mean", "bbs"]', '["cost", "mcc", "profit"]')) + costs + PROFIT
    )
    assert main(["run", "s.toml", "--storage", STORAGE]) == 0
    frames, _ = scores_of("")
    values = frames.scores.groupby("metric")["value"].agg(["min", "max"])
    for metric, worst in (("cost", 20), ("mcc", -1), ("profit", -5), ("f1", 0)):
        assert values.loc[metric].to_list() == [worst, worst]


@pytest.mark.usefixtures("unrendered_figures", "here", "simulated")
def test_a_function_of_the_users_own_is_a_metric(capsys):
    write(tiny(('["g_mean", "bbs"]', '["profit"]')) + PROFIT)
    assert main(["run", "s.toml", "--storage", STORAGE, "--report", "page"]) == 0
    del METRICS["profit"]
    frames, scores = scores_of("profit")
    for row in scores.itertuples():
        _, y, p, _ = frames.probabilities(row.run, row.repeat, row.fold, row.part)
        assert row.value == (y == 2).sum() - 0.5
        # What the function did to its arguments changed nothing.
        assert p.sum() == pytest.approx(len(y))
    assert METRICS["profit"].is_maximized
    assert "profit" in Path("page/tables/results.csv").read_text().partition("\n")[0]
    assert main(["run", "s.toml", "--dry-run"]) == 0
    assert "[metrics.profit]" in capsys.readouterr().out


@pytest.mark.usefixtures("here", "simulated")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise KeyError('no price')", "KeyError: 'no price'"),
        ("return 'much'", "ValueError: could not convert string to float: 'much'"),
        ("return None", "TypeError: float() argument must be"),
        ("return float('inf')", "returned inf, which is no number"),
        ("return True", "returned True, which is no number"),
    ],
)
def test_a_function_that_fails_ends_its_trial_in_one_line(body, words, capsys):
    write(tiny() + PROFIT, f"def profit(y, p):\n    if y.sum() % 1 == 0: {body}\n")
    assert main(["run", "s.toml", "--storage", STORAGE]) == 1
    text = "".join(capsys.readouterr())
    assert 'metric "profit" (shop:profit)' in text
    assert words in text
    assert "Traceback" not in text


@pytest.mark.usefixtures("here", "simulated")
def test_a_run_goes_on_after_a_trial_whose_function_failed(capsys):
    shop = "calls = []\ndef profit(y, p):\n    calls.append(1)\n    return 1 / (len(calls) > 1)\n"
    write(tiny() + PROFIT, shop)
    main(["run", "s.toml", "--storage", STORAGE, "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert answer["completed"] >= 2


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("text", "shop", "words"),
    [
        (PROFIT, "", 'metrics.profit.function: "shop:profit" cannot be imported (AttributeError'),
        (PROFIT, "profit = 3", 'metrics.profit.function: "shop:profit" is not a function'),
        (PROFIT, "x = 1 / 0", "(ZeroDivisionError: division by zero)"),
        (PROFIT.replace("shop:", "shop."), SHOP, 'function: write it as "module:function"'),
        (PROFIT.replace(".profit]", ".f1]"), SHOP, "metrics.f1: this name is built in"),
        (PROFIT.replace(".profit]", ".recall_3]"), SHOP, "this name is built in"),
        (PROFIT.replace(".profit]", '."a b"]'), SHOP, 'metrics."a b": name it by up to 32'),
        (PROFIT.replace("maximize", "max"), SHOP, 'direction: expected "maximize" or "minimize"'),
        (PROFIT.replace("-5.0", "inf"), SHOP, "worst: expected a number that is finite"),
        ("[metrics]\nprofit = 3", SHOP, "write it as a table, [metrics.profit]"),
        ("[decision]\ncosts = {}", SHOP, "decision.costs: write { fn = 20, fp = 1 }"),
        ("[decision]\ncosts = { fn = 2 }", SHOP, "decision.costs.fp: missing"),
        ("[decision]\ncosts = { fnr = 2, fp = 1 }", SHOP, "decision.costs.fnr: unknown key; did"),
        ("[decision]\ncosts = { fn = -2, fp = 1 }", SHOP, "decision.costs.fn: expected a number"),
        (
            f"[decision]\ncosts = {{ fn = {10**400}, fp = 1 }}",
            SHOP,
            "decision.costs.fn: expected a",
        ),
        (
            "[report]\nrope = { f1 = 1, bbs = -1 }",
            SHOP,
            "report.rope.bbs: expected a number above",
        ),
        ("[decision]\ncosts = { fn = 0, fp = 0 }", SHOP, "decision.costs: all are 0"),
        ("[decision]\ncosts = { a = { b = true } }", SHOP, "decision.costs.a.b: expected a numb"),
        ("[decision]\ncosts = { a = { b = 1 }, b = 1 }", SHOP, "or a table for each class"),
        ("[decision]\ncost = 3", SHOP, "decision.cost: unknown key; did you mean"),
    ],
)
def test_mistakes_are_named(text, shop, words, monkeypatch):
    monkeypatch.syspath_prepend(".")
    write("", shop)
    with pytest.raises(StudyFileError) as error:
        check_study(parse_study(tiny() + text, "s.toml"))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ('objectives = ["cost"]', "study.objectives: cost needs what errors cost"),
        ('extra_metrics = ["cost"]', "study.extra_metrics: cost needs what errors cost"),
        ('extra_metrics = ["f1"]', "study.extra_metrics: f1 is stored without being named"),
        ('objectives = ["pr_auc"]', 'no metric "pr_auc"; write "average_precision"'),
    ],
)
def test_metrics_that_cannot_be_had_are_refused(change, words):
    with pytest.raises(StudyFileError, match=words):
        check_study(parse_study(tiny(('objectives = ["g_mean", "bbs"]', change)), "s.toml"))


@pytest.mark.usefixtures("here")
def test_costs_that_do_not_fit_a_problem_are_refused(capsys):
    write(tiny() + "[decision]\ncosts = { fn = 20, fp = 1 }")
    assert main(["run", "s.toml", "--dry-run"]) == 2
    assert "s.toml: problems[0]: decision.costs: fn and fp are of two classes" in (
        capsys.readouterr().err
    )


@pytest.mark.usefixtures("here")
def test_code_of_the_users_own_may_be_forbidden(capsys):
    write(tiny() + PROFIT, "from pathlib import Path\nPath('ran').write_text('')")
    assert main(["run", "s.toml", "--no-plugins", "--dry-run"]) == 2
    assert capsys.readouterr().err == (
        'remix-study: s.toml: metrics.profit.function: "shop:profit" would run code of its own, '
        "which --no-plugins forbids; leave the metric out, or leave --no-plugins out\n"
    )
    assert not Path("ran").exists()


def test_two_studies_must_agree_on_a_direction(here, monkeypatch):
    monkeypatch.syspath_prepend(str(here))
    rows = [
        (1, type("Row", (), {"definition": {"metrics": {"m": keys}}, "study": study}))
        for study, keys in (
            ("a", {"direction": "maximize", "worst": 0}),
            ("b", {"direction": "minimize", "worst": 0}),
        )
    ]
    from remix_study.results import frames

    frames.know_own_metrics(rows[:1])
    with pytest.raises(Exception, match='metric "m" is to be maximised in one study'):
        frames.know_own_metrics(rows)
