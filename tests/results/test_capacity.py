"""Scores against the size of the network, on made-up studies of two networks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_up_studies import MadeUpProblem, made_up_frames

from remix_study.report.sections.capacity import _ticks, sections
from remix_study.results.capacity import best_lines, capacity_lines, table
from remix_study.results.comparison import comparisons

METHODS = (("baseline", None), ("remix", 0.1))
NETWORKS = {"[8]": 100, "[128, 64]": 20_000}


def two_networks(gain_of_large_baseline: float = 0.0):
    """Both methods on both networks; the large baseline's g-mean is raised."""
    frames = made_up_frames(MadeUpProblem(methods=METHODS * 2, repeats=2), noise=1e-4)
    hidden = [name for name in NETWORKS for _ in METHODS]
    runs = frames.runs.assign(
        parameters=[
            {**parameters, "model.hidden": name}
            for parameters, name in zip(frames.runs["parameters"], hidden, strict=True)
        ],
        network_parameters=[NETWORKS[name] for name in hidden],
    )
    scores = frames.scores.copy()
    is_raised = (scores["run"] == len(METHODS)) & (scores["metric"] == "g_mean")
    scores.loc[is_raised, "value"] += gain_of_large_baseline
    return comparisons(replace(frames, runs=runs, scores=scores))


def test_a_line_has_one_method_on_all_networks_the_smallest_first():
    (comparison,) = two_networks()
    lines = [line for line in capacity_lines(comparison) if line.metric == "g_mean"]
    assert [line.name for line in lines] == ["baseline", "remix (0.1)"]
    for line in lines:
        assert [point.capacity for point in line.points] == [100, 20_000]
        for point in line.points:
            scores = comparison.score(point.method.label, "g_mean")
            assert point.score.mean == pytest.approx(scores.mean())
    assert {line.name for line in best_lines(lines).values()} == {"remix (0.1)"}
    assert len(table(lines)) == 4


@pytest.mark.usefixtures("unrendered_figures")
def test_the_page_says_where_the_order_changes():
    def text_of(compared):
        (section,) = sections(compared)
        return " ".join(section.blocks[0].text)

    assert "g-mean: by the mean remix (0.1) is best at every size." in text_of(two_networks())
    changed = text_of(two_networks(gain_of_large_baseline=0.3))
    assert "remix (0.1) at 100 parameters and baseline at 20,000 parameters" in changed
    assert "balanced Brier: by the mean remix (0.1) is best at every size." in changed


def test_one_network_has_no_section():
    assert sections(comparisons(made_up_frames(MadeUpProblem(methods=METHODS)))) == []


@pytest.mark.parametrize(
    ("capacities", "ticks"),
    [
        ([250, 1_090, 9_794, 62_850], [250, 1_090, 9_794, 62_850]),
        ([100, 110, 10_000], [100, 10_000]),
    ],
)
def test_ticks_leave_room_for_their_numbers(capacities, ticks):
    assert _ticks(capacities) == ticks
