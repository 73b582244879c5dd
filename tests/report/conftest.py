"""Figures of pages that these tests write are not rendered."""

from made_up_studies import unrendered_figures

__all__ = ["unrendered_figures"]
