"""Verdicts on a whole claim, the tables of claims, and the section of the page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from claim_studies import FIVE, SEVEN
from made_up_studies import MadeUpProblem, made_up_frames

from remix_study.paper.claims import CLAIMS, alpha, check_claims, gains
from remix_study.paper.claims.evidence import evidence_of, in_metric
from remix_study.paper.claims.verdicts import (
    BETTER,
    EQUAL,
    NOT_BETTER,
    Contrast,
    Part,
    claim,
    combine_descriptive,
    combine_inferential,
)
from remix_study.paper.sections.claims import (
    claim_table,
    contrast_table,
    part_table,
    section,
    sections,
    smallest_p_values,
)
from remix_study.results.comparison import comparisons
from remix_study.results.rank_tests import SURE


def test_answers_on_fewer_images_say_so():
    """In the verdict's cell and in the reading, with what the data set says of itself."""
    small = "cifar10-small: 6,000 of 60,000 images"
    rows = (*SEVEN[:4], ("remix", 0.1), ("augment", None), ("remix-aug", 0.1))

    def section_of(dataset, repeats, notes=()):
        problems = [
            MadeUpProblem(
                problem=f"{dataset}-{kind}",
                dataset=dataset,
                kind=kind,
                imbalance=0.25,
                repeats=repeats,
                methods=rows,
                notes=(*notes, f"{dataset}-{kind}: the majority was reduced"),
            )
            for kind in ("binary", "multi-class")
        ]
        return section(comparisons(made_up_frames(*problems)))

    reading, cells = limits_shown(section_of("cifar10-small", 1, (small, "1 repeat: a look.")))
    assert reading == (
        "Of less than the paper’s images speak C18, C19 and C20: cifar10-small: 6,000 of 60,000 "
        "images; 1 repeat: a look."
    )
    for name in ("C18", "C19", "C20"):
        assert cells[name].endswith("parts; on cifar10-small only, 2 folds")
    assert "only" not in cells["C12"]
    # All images in few folds are a look, too; the paper's own design is not.
    reading, cells = limits_shown(section_of("cifar10", 2))
    assert "C18, C19 and C20" in reading
    assert cells["C20"].endswith("on cifar10 only, 4 folds")
    reading, cells = limits_shown(section_of("cifar10", 10))
    assert reading == ""
    assert cells["C18"].endswith("parts")


def limits_shown(section):
    text = [line for line in section.blocks[0].text if line.startswith("Of less than")]
    cells = {line[0].text: line[3].detail for line in section.blocks[0].tables[0].rows}
    return "".join(text), cells


def test_bounds_are_computed_from_the_data_sets(paper_frames):
    binary, multi = smallest_p_values(comparisons(paper_frames))
    assert (binary.kind, binary.datasets, binary.least_p) == ("binary", 4, 0.125)
    assert (multi.datasets, multi.least_p, multi.least_adjusted) == (3, 0.25, 1.0)


def test_two_data_sets_decide_nothing():
    assert Contrast("x", pd.Series([0.5, 0.5]), BETTER).verdict == "undecided"
    assert Contrast("x", pd.Series([0.5, 0.5, 0.5]), BETTER).verdict == "supported"
    assert Contrast("x", pd.Series([0.5, 0.5, 0.5]), NOT_BETTER).verdict == "contradicted"
    assert Contrast("x", pd.Series([0.0] * 3), EQUAL).verdict == "supported"
    contrast = Contrast("x", pd.Series([0.5, -0.5, 0.4]), BETTER)
    assert contrast.verdict == "undecided"
    assert 1 - SURE <= contrast.probability <= SURE


def test_how_verdicts_add_up():
    yes, no, none = Part("a", holds=True), Part("b", holds=False), Part("c", missing="nothing")
    assert combine_descriptive([yes, yes]) == "holds"
    assert combine_descriptive([yes, none]) == "not run"
    assert combine_descriptive([yes, none, no]) == "does not hold"
    assert combine_inferential(["supported", "supported", "not tested"]) == "supported"
    assert combine_inferential(["supported", "undecided"]) == "undecided"
    assert combine_inferential(["supported", "contradicted", "not run"]) == "contradicted"
    assert combine_inferential(["not tested"]) == combine_inferential([]) == "not tested"


def test_all_claims_are_there_once_and_every_table_has_them(paper_frames):
    assert [claim.id for claim in CLAIMS] == [f"C{n}" for n in range(1, 26)]
    claims = check_claims(comparisons(paper_frames))
    assert claim_table(claims)["claim"].tolist() == [claim.id for claim in CLAIMS]
    assert set(part_table(claims)["claim"]) == {c.id for c in CLAIMS if c.check}
    contrasts = contrast_table(claims)
    assert np.allclose(contrasts[["better", "equal", "worse"]].dropna().sum(axis=1), 1)


def test_words_name_the_constants_of_the_rules():
    claims = {claim.id: f"{claim.text} {claim.rule}" for claim in CLAIMS}
    for names, constant in (
        (("C6",), gains.MUCH_LARGER),
        (("C12", "C14", "C15"), alpha.ALPHA_RANGE[0]),
        (("C12", "C13", "C14", "C15"), alpha.ALPHA_RANGE[1]),
        (("C16",), alpha.MOST_ALPHA),
        (("C17",), alpha.GOOD_ALPHA),
    ):
        for name in names:
            assert f" {constant:g}" in claims[name], name


def test_the_section_is_for_the_problems_of_the_paper(paper_frames):
    assert sections(comparisons(paper_frames))
    assert not sections(comparisons(made_up_frames(MadeUpProblem(methods=FIVE))))
    assert not sections(
        comparisons(made_up_frames(MadeUpProblem(dataset="musk", imbalance=0.5, methods=FIVE)))
    )
    musk = MadeUpProblem(dataset="musk", imbalance=0.05, methods=FIVE)
    assert sections(comparisons(made_up_frames(musk)))
    assert not sections(comparisons(made_up_frames(replace(musk, algorithm="tpe"))))


def test_the_section_says_what_was_found_and_what_cannot_be(paper_frames):
    page_section = section(comparisons(paper_frames))
    text = page_section.blocks[0].text
    holding = next(line for line in text if line.startswith("Hold:"))
    assert "C1, " in holding
    assert "C24" not in holding
    assert any(line.startswith("Contradicted by data set:") and "C24" in line for line in text)
    # Musk, segment, seizure and satimage at 0.05 and 0.01; of the multi-class ones those at 0.05.
    assert any("8 of the 18 binary ones and 3 of the 9 multi-class ones" in line for line in text)
    assert any(
        "4 binary data sets can give no smaller" in line and "0.12" in line for line in text
    )
    by_claim = {line[0].text: line for line in page_section.blocks[0].tables[0].rows}
    assert [cell.text for cell in by_claim["C1"][3:]] == ["holds", "supported"]
    assert by_claim["C21"][3].text == "see the demonstration"
    assert "no binary image problem" in by_claim["C18"][3].detail
    assert set(page_section.files) == {"claims", "claims-parts", "claims-differences"}
    titles = [block.collapsed for block in page_section.blocks if block.collapsed]
    assert titles[0].startswith("C1: ")
    assert not any(name.startswith("C18") for name in titles)


def test_claims_on_the_same_problems_and_metric_share_their_means():
    frames = made_up_frames(*(MadeUpProblem(f"musk-1-ir{r}", imbalance=r) for r in (0.01, 0.05)))
    binary, _ = evidence_of(comparisons(frames)).tabular
    (other,) = in_metric([binary], "bbs")
    assert in_metric([binary], "bbs") == [other]
    assert (other.metric, binary.metric) == ("bbs", "g_mean")
    # Other problems have other means.
    for part in other.by_ratio().values():
        (same_part,) = in_metric([part], "bbs")
        assert len(same_part.problems) == len(same_part.means) == 1


def test_parts_that_are_not_wanted_are_not_computed():
    computed = []

    @claim("C0", "nowhere", "gains", on=lambda names: {name: [name] for name in names})
    def rule(name: str) -> Part:
        """A claim."""
        computed.append(name)
        return Part("")

    assert [part.name for part in rule.check("ab")] == ["a", "b"]
    assert [part.name for part in rule.check("ab", "b".__eq__)] == ["b"]
    assert computed == ["a", "b", "b"]
