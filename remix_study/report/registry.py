"""The sections of a page and their places, and what all of them are made from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from remix_study.report.page_model import Section
from remix_study.report.sections import (
    calibration,
    capacity,
    cost,
    decision,
    overview,
    rank_sums,
    rare_rows,
    scores,
    search,
    sensitivity,
)
from remix_study.results.calibration import MethodReliability, method_reliabilities
from remix_study.results.candidates import decide_problem
from remix_study.results.comparison import Comparison, comparisons
from remix_study.results.decision import Decision
from remix_study.results.frames import StudyFrames
from remix_study.results.methods import remix_method
from remix_study.results.rare_rows import RareRows, compare_rare_rows
from remix_study.results.study_roles import StudyRoles, study_roles


@dataclass(frozen=True, eq=False)
class PageContext:
    """What the sections of a page are made from, computed once for all of them.

    Attributes:
        frames: the studies as read from the database.
        comparisons: every problem of every study.
        roles: which problem is compared for which purpose.
        decisions: of the problems of `roles.headline`.
        rare_rows: of those that were trained with fewer rare rows, too.
        calibrations: problems of `roles.main`, each with the reliability of its methods.
        specifications: problems of studies that vary free choices; they have a section of their
            own and no part in all else.
    """

    frames: StudyFrames
    comparisons: tuple[Comparison, ...]
    roles: StudyRoles
    decisions: tuple[Decision, ...]
    rare_rows: tuple[RareRows, ...]
    calibrations: tuple[tuple[Comparison, Sequence[MethodReliability]], ...]
    specifications: tuple[Comparison, ...] = ()


MakeSections = Callable[[PageContext], Sequence[Section]]
"""Makes the sections of one place on the page; none where there is nothing to show."""


Sections = Mapping[int, MakeSections]
"""What makes the sections of a page, by place: whole numbers in the order of the page."""

STANDARD_SECTIONS: Sections = {
    5: lambda page: [decision.section(page.decisions, page.rare_rows)],
    50: lambda page: sensitivity.sections((*page.roles.headline, *page.roles.curves)),
    55: lambda page: rare_rows.sections(page.rare_rows),
    60: lambda page: rank_sums.sections(page.roles.main),
    70: lambda page: [calibration.section(page.calibrations, page.decisions)],
    80: lambda page: capacity.sections(page.roles.main),
    85: lambda page: search.sections(
        page.comparisons, page.frames.searches, page.frames.manifests
    ),
    120: lambda page: [
        scores.section((*page.roles.main, *page.roles.curves), page.roles.beside_main)
    ],
    130: lambda page: [cost.section(page.comparisons, page.roles.main, page.frames.runs)],
    140: lambda page: [overview.section(page.comparisons, page.roles.studies_aside)],
}
"""The sections of every page; packages can add theirs between them."""


def make_sections(makers: Sections, context: PageContext) -> list[Section]:
    """Make every section of a page, in order; the name of an only problem stands in the first."""
    sections = [section for place in sorted(makers) for section in makers[place](context)]
    titles = {comparison.full_title for comparison in context.comparisons}
    if len(titles) > 1:
        return sections
    return [*sections[:1], *(section.without_titles(titles) for section in sections[1:])]


def make_context(frames: StudyFrames, specifications: Collection[str] = ()) -> PageContext:
    """Compute what several sections share.

    Stored probabilities are read once a problem: those of one problem fit in memory.

    Args:
        frames: the studies.
        specifications: names of those that vary free choices.
    """
    all_problems = comparisons(frames)
    compared = tuple(c for c in all_problems if c.study not in specifications)
    varied = tuple(c for c in all_problems if c.study in specifications)
    roles = study_roles(compared)
    calibrations, decisions = [], []
    for comparison, for_headline in zip(roles.main, roles.headline, strict=True):
        read = cache(frames.probabilities) if frames.probabilities else None
        _, decision_on = decide_problem(for_headline, replace(frames, probabilities=read))
        decisions.append(decision_on)
        remix = remix_method(comparison.methods)
        methods = method_reliabilities(comparison, read, remix, frames.summaries)
        calibrations.append((comparison, methods))
    decided = tuple(decision for decision in decisions if decision)
    fewer = tuple(filter(None, [compare_rare_rows(decision, frames) for decision in decided]))
    return PageContext(frames, compared, roles, decided, fewer, tuple(calibrations), varied)
