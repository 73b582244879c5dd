"""The keys of ``[cv]``."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Share = Annotated[float, Meta(gt=0, lt=1)]


class CrossValidation(Struct, frozen=True, forbid_unknown_fields=True):
    """Repeated stratified k-fold cross-validation.

    Attributes:
        folds: Number of folds k.
        repeats: Number of repetitions, each with its own shuffle. A grid that has begun may get
            more, which are trained beside those that it has.
        validation: Share of each training part that is held out for validation.
        grouped: Whether all rows of a group are on one side of every split.
        redraw: Whether the rows that make a problem imbalanced are drawn anew for every repeat.
    """

    folds: Annotated[int, Meta(ge=2, le=1000)] = 2
    repeats: Annotated[int, Meta(ge=1, le=1000)] = 10
    validation: Share = 0.3
    grouped: bool = False
    redraw: bool = False
