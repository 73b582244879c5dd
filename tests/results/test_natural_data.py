"""What a page quotes of natural data: the committed numbers, of tables of the same kind."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from gaussian_studies import gaussian_frames

from remix_study.report.sentences import SENTENCES
from remix_study.results.comparison import comparisons
from remix_study.results.decision import decide
from remix_study.results.natural_data import mixing_elsewhere
from remix_study.results.remix_effect import remix_effects

REPORT = Path(__file__).parents[2] / "reports" / "natural" / "sources.csv"


def problem(rare, kind="binary", network="mlp"):
    definition = network and {"model": {"name": network}}
    info = {"counts": {"no": 3000, "yes": rare}}
    return SimpleNamespace(kind=kind, info=info, definition=definition)


@pytest.mark.parametrize(
    ("rare", "group"), [(100, "up to 100 rare rows"), (101, "more than 100 rare rows")]
)
def test_quotes_the_committed_report(rare, group):
    elsewhere = mixing_elsewhere(problem(rare))
    assert elsewhere.group == group
    lines = pd.read_csv(REPORT)
    lines = lines[(lines["group"] == group) & (lines["width"] == "128-64")]
    lines = lines[(lines["method"] == "remix") & (lines["against"] == "balance")]
    assert set(lines["metric"]) == set(elsewhere.gains) == {"g_mean", "bbs", "brier"}
    for line in lines.itertuples():
        gain = elsewhere.gains[line.metric]
        assert (gain.mean, gain.low, gain.high) == (line.mean, line.low, line.high)
        assert gain.word == line.verdict
        assert (elsewhere.sources, elsewhere.tables) == (line.sources, line.tables)


def test_says_nothing_of_other_kinds_of_problems():
    assert mixing_elsewhere(problem(50, kind="multi-class")) is None
    assert mixing_elsewhere(problem(50, network="cnn")) is None
    assert mixing_elsewhere(problem(50, network=None)) is None


def test_it_is_the_last_answer_on_what_remix_adds():
    frames = gaussian_frames(methods=(("baseline", None), ("balance", None), ("remix", 0.1)))
    (comparison,) = comparisons(frames)
    decision = decide(comparison, frames.probabilities)
    effects = remix_effects(comparison)
    answers = SENTENCES.answers(
        "decision.questions", decision, effects, None, mixing_elsewhere(problem(50))
    )
    by_question = {answer.question: answer.lines for answer in answers}
    assert by_question["What does ReMix add?"][-1].startswith("On 25 other tables with up to 100 ")
    assert "How do I take it into use?" in by_question
