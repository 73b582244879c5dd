"""The split that rows bring along: folds of a column, a test part, or an order in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

SplitKind = Literal["fold", "test", "time"]


@dataclass(frozen=True, eq=False)
class Split:
    """How the rows of a data set are split by the data themselves.

    Attributes:
        kind: ``fold`` (each value of a column is a fold), ``test`` (some rows are only tested) or
            ``time`` (training rows lie before test rows).
        codes: Of each row the place of its fold or time in ``names``, intp of shape (n,); of a
            test part 1 for its rows, else 0.
        names: The folds or the distinct times as texts, in order.
        keys: What the study's fingerprint has of it, by key of the problem.
    """

    kind: SplitKind
    codes: NDArray[np.intp]
    names: tuple[str, ...]
    keys: Mapping[str, str | int | bool] = field(default_factory=dict)

    def of_rows(self, rows: NDArray[np.intp]) -> Split:
        """The split of some of the rows, with the folds or times that these have."""
        present, codes = np.unique(self.codes[rows], return_inverse=True)
        if self.kind == "test":
            return replace(self, codes=self.codes[rows])
        return replace(self, codes=codes, names=tuple(self.names[code] for code in present))
