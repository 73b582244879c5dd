"""What a report is made of before it becomes a page and files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Cell:
    """One cell of a page's table.

    Attributes:
        text: what it says.
        detail: a second, smaller line.
        kind: how it looks: "name", "number", "best", "close", "better", "worse", "text", "verdict"
            or ""; several are parted by spaces.
        color: a swatch before the text, as a CSS colour.
        link: anchor of the section of the page that the text leads to; "" for none.
    """

    text: str
    detail: str = ""
    kind: str = "number"
    color: str = ""
    link: str = ""


@dataclass(frozen=True)
class Head:
    """One header cell, over `span` columns; `kind` as of the cells below it."""

    text: str
    detail: str = ""
    span: int = 1
    kind: str = ""


@dataclass(frozen=True)
class Table:
    """A table as the page shows it; the first cell of each row names the row."""

    caption: str
    head: tuple[tuple[Head, ...], ...]
    rows: tuple[tuple[Cell, ...], ...]
    foot: tuple[tuple[Cell, ...], ...] = ()


@dataclass(frozen=True)
class Picture:
    """A figure in both formats.

    Attributes:
        name: its file name without ending.
        on_page: whether the page shows it, or only the folder has it.
        wide: whether it takes the whole width of the page.
    """

    name: str
    caption: str
    alt: str
    svg: bytes
    png: bytes
    on_page: bool = True
    wide: bool = False


@dataclass(frozen=True)
class Listing:
    """Text to copy, letter by letter."""

    caption: str
    text: str


@dataclass(frozen=True)
class Answer:
    """A reader's question and the lines that answer it."""

    question: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """A part of a section: text, then figures, then tables, then text to copy.

    Attributes:
        title: its heading.
        warnings: what a reader must know before anything else.
        headline: the part in one sentence.
        answers: questions and answers.
        text: paragraphs, or a list if there are several.
        folded: the line that opens the tables; empty shows them at once.
        collapsed: the line that opens the whole block; empty shows it at once.
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
        anchor: its id in the page.
        files: file name without ending -> the table written as CSV, Markdown and LaTeX.
    """

    anchor: str
    title: str
    lead: str
    blocks: tuple[Block, ...] = ()
    files: Mapping[str, pd.DataFrame] = field(default_factory=dict)
