"""Table 2 of the paper beside the rank sums of a study."""

from __future__ import annotations

import pytest
from made_up_studies import MadeUpProblem, made_up_frames

from remix_study.paper.table2 import PROBLEMS, RANK_SUMS, TABLE2
from remix_study.report.sections.rank_sums import section
from remix_study.results.comparison import comparisons

pytestmark = pytest.mark.usefixtures("unrendered_figures")

FIVE = (("baseline", None), ("cost", None), ("smote", None), ("mixup", 0.1), ("remix", 0.1))


def paper_problems(kind, drop=0):
    multi = kind == "multi-class"
    return [
        MadeUpProblem(
            problem=f"{dataset}-1-ir{ratio}",
            dataset=dataset,
            imbalance=ratio,
            kind=kind,
            classes=("0", "1", "2") if multi else ("rest", "1"),
            minority=("1", "2") if multi else ("1",),
            methods=FIVE,
            repeats=1,
        )
        for dataset, ratio in sorted(PROBLEMS[kind])[drop:]
    ]


@pytest.mark.parametrize("drop", [0, 1])
def test_published_sums_stand_beside_ours_only_on_the_same_problems(drop):
    problems = comparisons(made_up_frames(*paper_problems("multi-class", drop)))
    blocks = section(problems, TABLE2).blocks
    five = next(block for block in blocks if block.title == "The published five")
    details = [row[1].detail for row in five.tables[0].rows]
    sums = RANK_SUMS["multi-class", "g_mean"]
    assert details == ([f"paper {value}" for value in sums] if not drop else [""] * 5)
    table2 = next(block for block in blocks if block.folded == "Table 2 of the paper")
    assert "binary balanced Brier: rank sums total 268" in table2.text[0]
    assert [cell.text for cell in table2.tables[0].foot[0]] == [
        "total",
        "270",
        "268",
        "135",
        "135",
    ]
    assert table2.tables[1].rows[0][1].text == "50.09"
    assert table2.tables[1].rows[1][1].text == "refused"
