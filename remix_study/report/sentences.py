"""Sentences of the page: Jinja macros that get facts and return plain text.

Each section has a file `templates/<section>.jinja` of macros. A macro writes paragraphs separated
by empty lines; line breaks within a paragraph mean nothing. Macros decide how a fact is worded,
never what is a fact. All functions of `formatting` are known in them, as functions and as filters.
Items of a sentence are written in a loop, each followed by a broken bar, and put together by
`{% filter items %}` ("a, b and c") or `{% filter joined %}` ("a; b; c"). A paragraph begins with a
capital letter, but for a name that the filter `as_written` keeps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jinja2

from remix_study.batches.strategies import PUBLISHED_ALPHA
from remix_study.metrics import (
    NATURAL_METRICS,
    PUBLISHED_METRICS,
    better_or_worse,
    is_maximized,
    short_name,
)
from remix_study.report import formatting
from remix_study.report.page_model import Answer
from remix_study.results.problem_names import class_name
from remix_study.results.rare_rows import FURTHEST
from remix_study.results.resampled_scores import DRAWS
from remix_study.results.telling_apart import MOST_TIMES

_FUNCTIONS: Mapping[str, Any] = {
    **{
        name: function
        for name, function in vars(formatting).items()
        if callable(function) and not name.startswith("_")
    },
    "short_name": short_name,
    "class_name": class_name,
    "is_maximized": is_maximized,
    "better_or_worse": better_or_worse,
}


SEPARATOR = "¦"
"""Stands between the items of a text that the filters `items` and `joined` take apart."""

_KEPT = "\0"


def _as_written(name: str) -> str:
    """A name at the start of a paragraph whose first letter stays as it is."""
    return _KEPT + name


def _items(text: str, default: str = "") -> str:
    """Separated items in a line, as in 'a, b and c'; the default where there are none."""
    return formatting.listing(_separated(text)) or default


def _joined(text: str, joint: str = "; ") -> str:
    """Separated items with semicolons between them."""
    return joint.join(_separated(text))


def _separated(text: str) -> list[str]:
    return [item for part in text.split(SEPARATOR) if (item := part.strip(" \n"))]


class Sentences:
    """The sentences of a package's folder `templates`; filters are further ones of its macros."""

    def __init__(self, package: str, **filters: Callable[[str], str]) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader(package),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            # Text is escaped where the page is written.
            autoescape=False,
        )
        self._environment.globals.update(
            _FUNCTIONS,
            DRAWS=DRAWS,
            FURTHEST=FURTHEST,
            MOST_TIMES=MOST_TIMES,
            PUBLISHED_ALPHA=PUBLISHED_ALPHA,
            PUBLISHED_METRICS=PUBLISHED_METRICS,
            NATURAL_METRICS=NATURAL_METRICS,
        )
        self._environment.filters.update(
            _FUNCTIONS, items=_items, joined=_joined, as_written=_as_written, **filters
        )

    def paragraphs(self, macro: str, *facts: Any, **named_facts: Any) -> tuple[str, ...]:
        """The paragraphs that a macro, such as "gains.block", makes of its arguments."""
        text = self._written(macro, facts, named_facts)
        # Only blanks and line breaks are folded: a space that must not break is part of a text.
        folded = (re.sub(r"[ \n]+", " ", part).strip(" ") for part in re.split(r"\n\s*\n", text))
        return tuple(formatting.sentence(part).replace(_KEPT, "") for part in folded if part)

    def text(self, macro: str, *facts: Any, **named_facts: Any) -> str:
        """The paragraphs of a macro in one line."""
        return " ".join(self.paragraphs(macro, *facts, **named_facts))

    def answers(self, macro: str, *facts: Any, **named_facts: Any) -> tuple[Answer, ...]:
        """The questions among the paragraphs of a macro, each with the lines that follow it."""
        lines: dict[str, list[str]] = {}
        for paragraph in self.paragraphs(macro, *facts, **named_facts):
            if paragraph.endswith("?"):
                question = lines.setdefault(paragraph, [])
            else:
                question.append(paragraph)
        return tuple(Answer(question, tuple(answer)) for question, answer in lines.items())

    def phrase(self, macro: str, *facts: Any, **named_facts: Any) -> str:
        """The text of a macro as it is, for captions and titles: no full stop is added."""
        text = self._written(macro, facts, named_facts)
        return re.sub(r"[ \n]+", " ", text).strip(" ")

    def _written(self, macro: str, facts: Any, named_facts: Mapping[str, Any]) -> str:
        file, _, name = macro.partition(".")
        return str(getattr(_load(self._environment, file), name)(*facts, **named_facts))


@cache
def _load(environment: jinja2.Environment, file: str) -> Any:
    return environment.get_template(f"{file}.jinja").module


SENTENCES = Sentences("remix_study.report")  # Sentences of the standard sections
