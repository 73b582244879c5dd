"""Sections have places; what a page shows follows from what is registered."""

from __future__ import annotations

import pytest
from made_up_studies import MadeUpProblem, made_up_frames

from remix_study.paper.page_sections import all_sections, register
from remix_study.report.page_model import Section
from remix_study.report.registry import SectionRegistry, make_context, standard_sections

FIVE = (("baseline", None), ("cost", None), ("smote", None), ("mixup", 0.1), ("remix", 0.1))


@pytest.fixture
def context():
    """One problem of the paper with its five methods."""
    return make_context(
        made_up_frames(MadeUpProblem(dataset="musk", problem="musk-1-ir0.05", methods=FIVE))
    )


def anchors(registry, context):
    return [section.anchor for section in registry.make_sections(context)]


def test_sections_stand_in_the_order_of_their_places(context):
    registry = SectionRegistry()
    for place, anchor in ((30, "third"), (10, "first"), (20, "second")):
        registry.add(place, lambda _, anchor=anchor: [Section(anchor, anchor, "")])
    registry.add(15, lambda _: [])
    assert anchors(registry, context) == ["first", "second", "third"]


def test_a_place_is_given_once():
    registry = all_sections()
    with pytest.raises(ValueError, match="place 10 "):
        registry.add(10, lambda _: [])
    with pytest.raises(ValueError, match="place 10 "):
        register(registry)


@pytest.mark.usefixtures("unrendered_figures")
def test_the_paper_adds_its_claims_and_table(context):
    pages = [registry.make_sections(context) for registry in (standard_sections(), all_sections())]
    names = [[section.anchor for section in page] for page in pages]
    assert names[1] == ["claims", *names[0]]
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
