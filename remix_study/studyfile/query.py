"""Keys of a problem whose rows a database gives: ``sql``, its URL, and ``query``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from remix_study.errors import DataError, StudyFileError

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_PASSWORD = re.compile(
    r"//[^/@]*?:[^@]+@|[?&]\w*(?:pass|pwd|secret|token)\w*=[^&]+", re.IGNORECASE
)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_READS = re.compile(r"\s*\(*\s*(?:select|with|values|table)\b", re.IGNORECASE)
_ORDER = re.compile(r"\border\s+by\b", re.IGNORECASE)


def check_query(sql: str | None, query: str | None, where: str) -> None:
    """Check the keys of a problem that is a query, or that neither is there.

    Raises:
        StudyFileError: One without the other, a password in the URL, which the database and
            reports would keep with the study file's text, or a query that does not read.
    """
    if sql is None and query is None:
        return
    if query is None:
        raise StudyFileError(f'{where}.query: missing; write query = "select ... order by ..."')
    if sql is None:
        raise StudyFileError(f"{where}.sql: missing; write the URL of the query's database")
    if _PASSWORD.search(_VARIABLE.sub("", sql)):
        raise StudyFileError(
            f"{where}.sql: holds a password, which the results would keep; write ${{NAME}} in its "
            "place and set the environment variable NAME"
        )
    if not _READS.match(_COMMENT.sub(" ", query)):
        raise StudyFileError(f"{where}.query: only a query that reads may run: select or with")


def is_ordered(query: str) -> bool:
    """Whether a query says in which order its rows come."""
    return _ORDER.search(_COMMENT.sub(" ", query)) is not None


def variables_of(text: str) -> dict[str, str]:
    """The values of the environment variables that a URL names as ``${NAME}``.

    Raises:
        DataError: One is not set.
    """
    names = _VARIABLE.findall(text)
    missing = next((name for name in names if name not in os.environ), None)
    if missing is not None:
        raise DataError(f"sql: the environment variable {missing} is not set; set it")
    return {name: os.environ[name] for name in names}


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Put the values of environment variables in the place of their names."""
    return _VARIABLE.sub(lambda match: variables[match[1]], text)
