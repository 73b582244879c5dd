"""The sections of a report page, which packages register, and what all sections are made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from remix_study.report.page_model import Block, Section
from remix_study.results.calibration import MethodReliability, method_reliabilities
from remix_study.results.comparison import Comparison, comparisons
from remix_study.results.corrections import corrected_methods, with_methods
from remix_study.results.frames import StudyFrames
from remix_study.results.rank_sums import RankTable
from remix_study.results.study_roles import StudyRoles, study_roles
from remix_study.results.verdict import remix_method


@dataclass(frozen=True)
class ReferenceRanks:
    """Rank sums that were published elsewhere, for the section on ranks.

    Attributes:
        name: what a cell calls them, such as "paper".
        beside: (ranks of the published five, their problems) -> (kind, metric, method) -> the
            published rank sum; empty where it cannot stand beside ours.
        block: makes the published table as a block of the section.
    """

    name: str
    beside: Callable[[RankTable, Sequence[Comparison]], Mapping[tuple[str, str, str], float]]
    block: Callable[[], Block]


@dataclass(frozen=True, eq=False)
class PageContext:
    """What the sections of a page are made from, computed once for all of them.

    Attributes:
        frames: the studies as read from the database.
        comparisons: every problem of every study.
        roles: which problem is compared for which purpose; those of `roles.main` and
            `roles.headline` have their corrected methods.
        calibrations: problems of `roles.main`, each with the reliability of its methods.
        reference_ranks: published rank sums that were registered.
    """

    frames: StudyFrames
    comparisons: tuple[Comparison, ...]
    roles: StudyRoles
    calibrations: tuple[tuple[Comparison, Sequence[MethodReliability]], ...]
    reference_ranks: ReferenceRanks | None = None


MakeSections = Callable[[PageContext], Sequence[Section]]
"""Makes the sections of one place on the page; none where there is nothing to show."""


class SectionRegistry:
    """The sections of a page by place.

    Places are whole numbers; the page shows sections in their order. The built-in ones are tens
    (see :mod:`remix_study.report.standard_sections`), so that others fit between them.
    """

    def __init__(self) -> None:
        self._makers: dict[int, MakeSections] = {}
        self._reference_ranks: ReferenceRanks | None = None

    def add(self, place: int, make: MakeSections) -> None:
        """Register what makes the sections of a place.

        Raises:
            ValueError: The place is taken.
        """
        if place in self._makers:
            raise ValueError(f"place {place} of the page has a section already; choose another")
        self._makers[place] = make

    def set_reference_ranks(self, ranks: ReferenceRanks) -> None:
        """Register published rank sums for the section on ranks.

        Raises:
            ValueError: There are some already.
        """
        if self._reference_ranks is not None:
            raise ValueError(f"the page shows the ranks of {self._reference_ranks.name} already")
        self._reference_ranks = ranks

    def make_sections(self, context: PageContext) -> list[Section]:
        """Every section of a page, in order."""
        context = replace(context, reference_ranks=self._reference_ranks)
        return [
            section for place in sorted(self._makers) for section in self._makers[place](context)
        ]


def make_context(frames: StudyFrames) -> PageContext:
    """Compute what several sections share.

    Stored probabilities are read once a problem: those of one problem fit in memory.
    """
    compared = tuple(comparisons(frames))
    roles = study_roles(compared)
    main, headline, reliabilities = [], [], []
    for comparison, for_headline in zip(roles.main, roles.headline, strict=True):
        read = cache(frames.probabilities) if frames.probabilities else None
        remix = remix_method(comparison)
        corrected = corrected_methods(comparison, read, remix)
        main.append(with_methods(comparison, corrected))
        headline.append(with_methods(for_headline, corrected))
        reliabilities.append((main[-1], method_reliabilities(comparison, read, remix)))
    roles = replace(roles, main=tuple(main), headline=tuple(headline))
    return PageContext(frames, compared, roles, tuple(reliabilities))
