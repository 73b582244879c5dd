"""Sentences on rare rows: what a method is worth, how many rows help, when nobody can tell."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from gaussian_studies import gaussian_frames

from remix_study.report.sentences import SENTENCES
from remix_study.results.comparison import comparisons
from remix_study.results.decision import decide
from remix_study.results.rare_rows import RareRows, Worth
from remix_study.results.telling_apart import MoreRows

RATIOS = (0.25, 0.5, 0.75, 1.0)


def curve_of(label: str, worth: Worth | None) -> SimpleNamespace:
    form = SimpleNamespace(label=label, method=SimpleNamespace(label=label, run=label))
    doubled = (0.02, 0.01, 0.03)
    return SimpleNamespace(form=form, metric="g_mean", ratios=RATIOS, worth=worth, doubled=doubled)


def sentences(*worths: Worth, **facts: object) -> str:
    return SENTENCES.text("rare_rows.block", part_of(*worths, **facts))


def part_of(*worths: Worth, more: tuple[MoreRows, ...] = (), chosen: str = "method 1") -> RareRows:
    curves = [curve_of("baseline", None)]
    curves += [curve_of(f"method {place}", worth) for place, worth in enumerate(worths, start=1)]
    form = curve_of(chosen, None).form
    return RareRows(SimpleNamespace(name="p"), form, 100, {"g_mean": tuple(curves)}, more)


def test_a_method_is_worth_rows():
    text = sentences(Worth(1.6, 1.2, 1.9))
    assert "g-mean: method 1 is worth 1.60 times your rare rows (1.20 to 1.90)." in text
    # Sure to be enough is the highest of all upper ends.
    assert "95 more rare rows would gain" in sentences(Worth(1.6, 1.2, 1.9), Worth(1.1, 0.9, 1.95))
    unknown = sentences(Worth(1.6, 1.2, 1.9), Worth(reason="no idea"))
    assert "About 60 more rare rows would gain the baseline as much." in unknown
    assert "90 more rare rows would gain the baseline more than any method here." in text


def test_nothing_is_said_beyond_twice_the_rows():
    text = sentences(Worth(math.inf, 1.4, math.inf))
    assert "method 1 is worth more than 2 times your rare rows (1.40 to more than 2)." in text
    assert "more rare rows would" not in text
    text = sentences(Worth(math.inf, math.inf, math.inf))
    assert "(more than 2 to more than 2)" in text
    assert "100 more rare rows would not gain the baseline as much." in text
    assert "About 60 more rare rows would" in sentences(Worth(1.6, 1.2, math.inf))


def test_methods_that_are_worth_less_or_unclear():
    text = sentences(Worth(0.6, 0.0, 0.8), Worth(1.1, 0.8, 1.5))
    assert "as good as method 1 with 0.60 times your rare rows (below 0.25 to 0.80);" in text
    assert "cannot tell for method 2 (0.80 to 1.50 times)." in text
    assert "More rare rows gain the baseline more" in sentences(Worth(0.6, 0.5, 0.8))


def test_a_reason_stands_alone():
    text = sentences(Worth(reason="the baseline did not train on 3 of 4 folds"))
    assert text == (
        "g-mean: cannot tell what methods are worth, the baseline did not train on 3 of 4 folds."
    )


@pytest.mark.parametrize(
    ("times", "repeats", "sentence"),
    [
        (1.5, None, "needs about 50 more rare rows, not more repeats."),
        (3.4, 20, "240 more rare rows (a rough figure: more than twice what there is), or 20 "
         "repeats."),
        (math.inf, None, "would not show whether balance is better than remix (0.1) in "
         "g-mean; that is no proof that they are equal."),
    ],
)  # fmt: skip
def test_what_tells_two_methods_apart(times, repeats, sentence):
    more = MoreRows("remix (0.1)", "balance", "g_mean", times, repeats)
    assert sentence in sentences(Worth(1.6, 1.2, 1.9), more=(more,))


def test_a_chosen_method_that_is_not_compared_is_named():
    text = sentences(Worth(1.6, 1.2, 1.9), chosen="balance")
    assert "balance, which the decision names, is not among these methods" in text
    assert "is not among" not in sentences(Worth(1.6, 1.2, 1.9))


def test_the_decision_says_what_more_rare_rows_would_bring():
    frames = gaussian_frames(methods=(("baseline", None), ("balance", None)))
    (comparison,) = comparisons(frames)
    decision = decide(comparison, frames.probabilities)
    part = part_of(Worth(1.6, 1.2, 1.9))
    answers = {
        a.question: a.lines for a in SENTENCES.answers("decision.questions", decision, (), part)
    }
    (line,) = answers["Would more rare rows help?"]
    assert line.startswith(
        "With 100 more rare rows, twice as many, the baseline’s scores would change by +0.020 ("
    )
