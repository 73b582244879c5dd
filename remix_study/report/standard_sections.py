"""The sections of every report page and their places."""

from __future__ import annotations

from remix_study.report.page_model import Section
from remix_study.report.registry import PageContext, SectionRegistry
from remix_study.report.sections import (
    calibration,
    corrections,
    cost,
    gains,
    overview,
    rank_sums,
    scores,
    search,
    sensitivity,
    verdict,
)
from remix_study.results.verdict import problem_verdict


def standard_sections() -> SectionRegistry:
    """A registry with the sections of every page; packages add theirs between or behind them."""
    registry = SectionRegistry()
    registry.add(20, _verdict)
    registry.add(30, _search)
    registry.add(40, lambda page: [overview.section(page.comparisons, page.roles.studies_aside)])
    registry.add(50, _sensitivity)
    registry.add(60, lambda page: [rank_sums.section(page.roles.main, page.reference_ranks)])
    registry.add(70, lambda page: [gains.section(page.roles.headline)])
    registry.add(80, _scores)
    registry.add(120, lambda page: [calibration.section(page.calibrations)])
    registry.add(130, lambda page: [corrections.section(page.roles.main)])
    registry.add(140, _cost)
    return registry


def _verdict(page: PageContext) -> list[Section]:
    return [verdict.section([problem_verdict(comparison) for comparison in page.roles.headline])]


def _search(page: PageContext) -> list[Section]:
    return search.sections(page.comparisons, page.frames.searches, page.frames.manifests)


def _sensitivity(page: PageContext) -> list[Section]:
    return [sensitivity.section((*page.roles.headline, *page.roles.curves))]


def _scores(page: PageContext) -> list[Section]:
    return [scores.section((*page.roles.main, *page.roles.curves), page.roles.beside_main)]


def _cost(page: PageContext) -> list[Section]:
    roles = page.roles
    return [cost.section(page.comparisons, roles.main, roles.checks, page.frames.runs)]
