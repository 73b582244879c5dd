"""The parts of a page before they become HTML and files: sections, blocks, tables, pictures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from remix_study.report.figures import Picture
from remix_study.results.columns import grouped
from remix_study.results.comparison import Comparison


@dataclass(frozen=True)
class Cell:
    """A cell of a table on the page.

    Attributes:
        detail: a second, smaller line.
        kind: style of the cell, one or several of "name", "number", "best", "close", "better",
            "worse", "text", "short" and "verdict", separated by spaces; "" for none.
        color: CSS colour of a swatch before the text; "" for none.
        link: anchor of the section that the text links to; "" for none.
    """

    text: str
    detail: str = ""
    kind: str = "number"
    color: str = ""
    link: str = ""


@dataclass(frozen=True)
class Head:
    """A header cell over `span` columns; `kind` as in the cells below it."""

    text: str
    detail: str = ""
    span: int = 1
    kind: str = ""


@dataclass(frozen=True)
class Table:
    """A table on the page; the first cell of a row is its header."""

    caption: str
    head: tuple[tuple[Head, ...], ...]
    rows: tuple[tuple[Cell, ...], ...]
    foot: tuple[tuple[Cell, ...], ...] = ()


@dataclass(frozen=True)
class Listing:
    """Text to copy, such as a study file."""

    caption: str
    text: str


@dataclass(frozen=True)
class Answer:
    """A question of a reader and the lines that answer it."""

    question: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """A part of a section: text, then figures, then tables, then text to copy.

    Attributes:
        warnings: sentences shown first.
        headline: the block in one or two sentences.
        answers: questions with their answers.
        text: paragraphs, or a list if there are several.
        folded: title of the folded tables; "" shows them open.
        collapsed: title of the folded block; "" shows it open.
    """

    title: str = ""
    warnings: tuple[str, ...] = ()
    headline: str = ""
    answers: tuple[Answer, ...] = ()
    text: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    listings: tuple[Listing, ...] = ()
    folded: str = ""
    collapsed: str = ""


@dataclass(frozen=True, eq=False)
class Section:
    """A section of the page and the table files that belong to it.

    Attributes:
        anchor: id of the section in the page.
        files: file name without ending -> table, written as CSV, Markdown and LaTeX; tables
            without a line are left out.
        documents: file name -> what is written as JSON beside the page.
        is_folded: whether only the title is seen until it is opened.

    One without blocks is not on the page; its files are in the folder.
    """

    anchor: str
    title: str
    lead: str
    blocks: tuple[Block, ...] = ()
    files: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    documents: Mapping[str, Any] = field(default_factory=dict)
    is_folded: bool = False

    def __post_init__(self) -> None:
        """Leave out empty tables."""
        files = {name: frame for name, frame in self.files.items() if len(frame)}
        object.__setattr__(self, "files", files)

    def without_titles(self, titles: Collection[str]) -> Section:
        """The section without these titles of blocks."""
        blocks = (replace(b, title="") if b.title in titles else b for b in self.blocks)
        return replace(self, blocks=tuple(blocks))


MANY = 12  # With more problems than this, blocks of single problems are folded


def has_many_problems(problems: Sequence[object]) -> bool:
    """Whether blocks of single problems are folded."""
    return len(problems) > MANY


def fold(block: Block) -> Block:
    """The block folded behind its title."""
    return replace(block, title="", collapsed=block.title)


def hardest_problems(comparisons: Sequence[Comparison]) -> set[str]:
    """Names of the problems with the most extreme imbalance of each data set and kind."""
    groups = grouped(comparisons, lambda c: (c.kind, c.title)).values()
    return {min(group, key=lambda c: c.imbalance).name for group in groups}
