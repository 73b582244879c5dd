"""The sections of a page and their places, and what all of them are made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from remix_study.report.page_model import Section
from remix_study.report.sections import (
    calibration,
    corrections,
    cost,
    decision,
    gains,
    overview,
    rank_sums,
    rare_rows,
    scores,
    search,
    sensitivity,
    verdict,
)
from remix_study.results.calibration import MethodReliability, method_reliabilities
from remix_study.results.candidates import with_following_searches
from remix_study.results.comparison import Comparison, comparisons
from remix_study.results.corrections import corrected_methods, with_methods
from remix_study.results.decision import Decision, decide
from remix_study.results.frames import StudyFrames
from remix_study.results.rare_rows import RareRows, compare_rare_rows
from remix_study.results.study_roles import StudyRoles, study_roles
from remix_study.results.verdict import problem_verdict, remix_method


@dataclass(frozen=True, eq=False)
class PageContext:
    """What the sections of a page are made from, computed once for all of them.

    Attributes:
        frames: the studies as read from the database.
        comparisons: every problem of every study.
        roles: which problem is compared for which purpose; those of `roles.main` and
            `roles.headline` have their corrected methods.
        decisions: of the problems of `roles.headline`.
        rare_rows: of those that were trained with fewer rare rows, too.
        calibrations: problems of `roles.main`, each with the reliability of its methods.
    """

    frames: StudyFrames
    comparisons: tuple[Comparison, ...]
    roles: StudyRoles
    decisions: tuple[Decision, ...]
    rare_rows: tuple[RareRows, ...]
    calibrations: tuple[tuple[Comparison, Sequence[MethodReliability]], ...]


MakeSections = Callable[[PageContext], Sequence[Section]]
"""Makes the sections of one place on the page; none where there is nothing to show."""


Sections = Mapping[int, MakeSections]
"""What makes the sections of a page, by place: whole numbers in the order of the page."""

STANDARD_SECTIONS: Sections = {
    15: lambda page: [decision.section(page.decisions, page.rare_rows)],
    17: lambda page: rare_rows.sections(page.rare_rows),
    20: lambda page: [verdict.section([problem_verdict(c) for c in page.roles.headline])],
    30: lambda page: search.sections(
        page.comparisons, page.frames.searches, page.frames.manifests
    ),
    40: lambda page: [overview.section(page.comparisons, page.roles.studies_aside)],
    50: lambda page: [sensitivity.section((*page.roles.headline, *page.roles.curves))],
    60: lambda page: [rank_sums.section(page.roles.main)],
    70: lambda page: [gains.section(page.roles.headline)],
    80: lambda page: [
        scores.section((*page.roles.main, *page.roles.curves), page.roles.beside_main)
    ],
    120: lambda page: [calibration.section(page.calibrations)],
    130: lambda page: [corrections.section(page.roles.main)],
    140: lambda page: [
        cost.section(page.comparisons, page.roles.main, page.roles.checks, page.frames.runs)
    ],
}
"""The sections of every page; packages can add theirs between them."""


def make_sections(makers: Sections, context: PageContext) -> list[Section]:
    """Make every section of a page, in order."""
    return [section for place in sorted(makers) for section in makers[place](context)]


def make_context(frames: StudyFrames) -> PageContext:
    """Compute what several sections share.

    Stored probabilities are read once a problem: those of one problem fit in memory.
    """
    compared = tuple(comparisons(frames))
    roles = study_roles(compared)
    main, headline, reliabilities, decisions = [], [], [], []
    for comparison, for_headline in zip(roles.main, roles.headline, strict=True):
        read = cache(frames.probabilities) if frames.probabilities else None
        remix = remix_method(comparison)
        corrected = corrected_methods(comparison, read, remix, frames.summaries)
        main.append(with_methods(comparison, corrected))
        headline.append(with_methods(for_headline, corrected))
        (candidates,) = with_following_searches([for_headline], frames)
        decisions.append(decide(candidates, read, frames.summaries))
        methods = method_reliabilities(comparison, read, remix, frames.summaries)
        reliabilities.append((main[-1], methods))
    roles = replace(roles, main=tuple(main), headline=tuple(headline))
    decided = tuple(decision for decision in decisions if decision)
    fewer = tuple(filter(None, [compare_rare_rows(decision, frames) for decision in decided]))
    return PageContext(frames, compared, roles, decided, fewer, tuple(reliabilities))
