"""Sentences of the paper's sections, from the templates of this package."""

from __future__ import annotations

from remix_study.report.sentences import Sentences

SENTENCES = Sentences("remix_study.paper")
"""Macros of `paper/templates`; see `report/sentences`."""
