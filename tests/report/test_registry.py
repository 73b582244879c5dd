"""Sections have places; what a page shows follows from what is registered."""

from __future__ import annotations

import pytest
from made_up_studies import MadeUpProblem, made_up_frames

from remix_study.paper.sections import ALL_SECTIONS, PAPER_SECTIONS
from remix_study.report.page_model import Section
from remix_study.report.registry import STANDARD_SECTIONS, make_context, make_sections

FIVE = (("baseline", None), ("cost", None), ("smote", None), ("mixup", 0.1), ("remix", 0.1))


@pytest.fixture
def context():
    """Two problems of the paper with its five methods."""
    problems = [
        MadeUpProblem(
            dataset="musk", problem=f"musk-1-ir{ratio}", imbalance=ratio, methods=FIVE, repeats=2
        )
        for ratio in (0.05, 0.025)
    ]
    return make_context(made_up_frames(*problems))


def test_sections_stand_in_the_order_of_their_places(context):
    makers = {
        place: lambda _, anchor=anchor: [Section(anchor, anchor, "")]
        for place, anchor in ((30, "third"), (10, "first"), (20, "second"))
    }
    sections = make_sections({**makers, 15: lambda _: []}, context)
    assert [section.anchor for section in sections] == ["first", "second", "third"]


def test_the_paper_takes_one_place_of_another_section():
    assert PAPER_SECTIONS.keys() & STANDARD_SECTIONS.keys() == {60}


@pytest.mark.usefixtures("unrendered_figures")
def test_the_paper_adds_its_claims_and_table(context):
    pages = [make_sections(makers, context) for makers in (STANDARD_SECTIONS, ALL_SECTIONS)]
    names = [[section.anchor for section in page] for page in pages]
    assert names[0][0] == "decision"
    assert names[1][:2] == ["decision", "claims"]
    assert [name for name in names[1] if name not in ("claims", "gains")] == names[0]
    has_table = [
        any(
            block.folded == "Table 2 of the paper"
            for section in page
            if section.anchor == "ranks"
            for block in section.blocks
        )
        for page in pages
    ]
    assert has_table == [False, True]
