"""The paper's part of a report page, registered with the sections of every page."""

from __future__ import annotations

from remix_study.paper.sections import ablations, authors_code, claims, robustness
from remix_study.paper.sections.table2 import TABLE2
from remix_study.report.page_model import Section
from remix_study.report.registry import PageContext, SectionRegistry, standard_sections


def all_sections() -> SectionRegistry:
    """The sections of every page together with the paper's."""
    registry = standard_sections()
    register(registry)
    return registry


def register(registry: SectionRegistry) -> None:
    """Add the paper's sections and its Table 2 to a page.

    Raises:
        ValueError: They were added before.
    """
    registry.add(10, lambda page: claims.sections((*page.roles.headline, *page.roles.curves)))
    registry.add(
        90, lambda page: robustness.sections((*page.roles.headline, *page.roles.variants))
    )
    registry.add(100, lambda page: ablations.sections(page.roles.checks))
    registry.add(110, _authors_code)
    registry.set_reference_ranks(TABLE2)


def _authors_code(page: PageContext) -> tuple[Section, ...]:
    repository = page.roles.authors_code
    corrected = [c for c in page.roles.main if c not in repository]
    return authors_code.sections(repository, corrected)
