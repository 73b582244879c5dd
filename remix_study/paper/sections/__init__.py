"""The paper's sections of a report page: text, tables and figures from the paper's results.

In: comparisons of problems, as each section's function takes them. Out: sections with their table
files, none if there is nothing to show. Read `claims` first; `table2` is no section but a block
of the section on ranks.
"""

from __future__ import annotations

from remix_study.paper.sections import (
    authors_code,
    claims,
    gains,
    robustness,
    specifications,
)
from remix_study.paper.table2 import TABLE2
from remix_study.report.page_model import Section
from remix_study.report.registry import STANDARD_SECTIONS, PageContext, Sections
from remix_study.report.sections import rank_sums


def _authors_code(page: PageContext) -> tuple[Section, ...]:
    repository = page.roles.authors_code
    corrected = [c for c in page.roles.main if c not in repository]
    return authors_code.sections(repository, corrected)


PAPER_SECTIONS: Sections = {
    10: lambda page: claims.sections((*page.roles.headline, *page.roles.curves)),
    20: lambda page: specifications.sections(page.specifications, page.roles.headline),
    60: lambda page: rank_sums.sections(page.roles.main, TABLE2),
    90: lambda page: robustness.sections((*page.roles.headline, *page.roles.variants)),
    110: _authors_code,
    115: lambda page: gains.sections(page.roles.headline),
}
"""The paper's sections; that on ranks takes the place of the one without Table 2."""

CURVE_SECTIONS: Sections = {place: PAPER_SECTIONS[place] for place in (20,)}
"""The page of specifications alone."""

ALL_SECTIONS: Sections = {**STANDARD_SECTIONS, **PAPER_SECTIONS}
