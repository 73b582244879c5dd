"""The README of a report's folder, which a forge shows: headlines, alpha curve and rank sums."""

from __future__ import annotations

from collections.abc import Sequence

from remix_study.report.figures import Picture
from remix_study.report.page_model import Cell, Section, Table

_SHOWN = ("decision", "sensitivity", "ranks")
MOST_HEADLINES = 8  # With more problems than this, only the counts over problems are shown


def readme(
    sections: Sequence[Section], title: str, status: str, command: str, *, has_summary: bool
) -> tuple[str, tuple[Picture, ...]]:
    """Write the decision, the sensitivity curve and the rank sums of a page as Markdown.

    A page without these sections shows the headline and the first figure of each section.
    Arguments are those of `write_page`.

    Returns:
        The text, and the pictures that it refers to as `figures/<name>.png`.
    """
    by_anchor = {section.anchor: section for section in sections}
    parts = [f"# {escape(title)}", escape(status), *_headlines(sections)]
    pictures: list[Picture] = []
    shown = [by_anchor[anchor] for anchor in _SHOWN if anchor in by_anchor]
    has_curves = any(_first_table(section) for section in shown)
    for section in shown if has_curves else sections:
        picture, table = _first_picture(section), _first_table(section) if has_curves else None
        if picture is None and table is None:
            continue
        parts.append(f"## {escape(section.title)}")
        if picture is not None:
            pictures.append(picture)
            parts.append(f"![{escape(picture.alt)}](figures/{picture.name}.png)")
        if table is not None:
            parts += [escape(table.caption) + ":", markdown(table)]
    parts += [
        "[index.html](index.html) is the whole page and opens by itself; `tables/` has its "
        "numbers as CSV, `manifest.json` study files, data hashes, versions and seeds.",
        *(["`summary.db.xz` makes the same tables without training."] if has_summary else []),
        # An indented block: nothing in it is Markdown or HTML, whatever the command holds.
        f"Made with\n\n    {command}",
    ]
    return "\n\n".join(parts) + "\n", tuple(pictures)


def _headlines(sections: Sequence[Section]) -> list[str]:
    """The answer a problem, or the first text of the page if there are many problems."""
    blocks = [
        (block.title or block.collapsed or section.title, block.headline)
        for section in sections
        for block in section.blocks
        if block.headline
    ]
    if 0 < len(blocks) <= MOST_HEADLINES:
        return [f"**{escape(title)}:** {escape(headline)}" for title, headline in blocks]
    texts = (block.text for section in sections for block in section.blocks if block.text)
    return [f"- {escape(line)}" for line in next(texts, ())] if blocks else []


def _first_picture(section: Section) -> Picture | None:
    """The first picture; of a block with an overview of its panels, the overview."""
    pictures = next((block.pictures for block in section.blocks if block.pictures), ())
    overview = next((picture for picture in pictures if not picture.on_page), None)
    return overview or next(iter(pictures), None)


def _first_table(section: Section) -> Table | None:
    return next((table for block in section.blocks for table in block.tables), None)


def markdown(table: Table) -> str:
    """A table of the page as Markdown; the smaller line of a cell follows in brackets."""
    head = _head(table)
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    lines += [[_cell(cell) for cell in row] for row in (*table.rows, *table.foot)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _head(table: Table) -> list[str]:
    """One line of names, that of a group before those of its columns."""
    *groups, names = table.head
    texts = [_text(cell.text, cell.detail) for cell in names]
    for group in groups:
        spread = [escape(cell.text) for cell in group for _ in range(cell.span)]
        texts = [" ".join(filter(None, pair)) for pair in zip(spread, texts, strict=True)]
    return texts


def _cell(cell: Cell) -> str:
    text = _text(cell.text, cell.detail)
    return f"**{text}**" if cell.kind == "best" else text


def _text(text: str, detail: str) -> str:
    return f"{escape(text)} ({escape(detail)})" if detail else escape(text)


def escape(text: str) -> str:
    """Text in which nothing is Markdown or HTML."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for mark in "\\`*_[]|#":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("\n", " ")
