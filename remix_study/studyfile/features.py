"""The keys of ``[features]``: how the columns of a table enter a network."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct


class Features(Struct, frozen=True, forbid_unknown_fields=True):
    """How the columns of a table enter a network: the keys of ``[features]``.

    Attributes:
        numeric: Of columns with more than two values: ``standard`` (mean 0, standard deviation 1,
            within 5), ``quantile`` (the share of training rows below, scaled so that its mean is 0
            and its standard deviation 1) or ``piecewise-linear`` (one number a bin, which rises
            from 0 to 1 within it). Other columns are standardised.
        bins: Bins between quantiles of a fold's training rows, for both encodings.
        mix: Whether encoded rows are mixed, or rows before they are encoded (``raw``). SMOTE
            always makes its rows before.
    """

    numeric: Literal["standard", "quantile", "piecewise-linear"] = "standard"
    bins: Annotated[int, Meta(ge=2, le=256)] = 16
    mix: Literal["encoded", "raw"] = "encoded"


FEATURE_KEYS = tuple(f"features.{key}" for key in Features.__struct_fields__)
"""The same, as a search space names them."""
