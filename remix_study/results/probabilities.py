"""Reading stored probabilities from the database when they are needed."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, select

from remix_study.study import tables
from remix_study.study.tables import unpack

ProbabilityReader = Callable[
    [int, int, int, str], tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]
]
"""Takes run, repeat, fold and part; returns (n,) row ids, (n,) class codes, (n, K) probabilities.

Parts are "validation" and "test"."""


def probability_reader(engine: Engine) -> ProbabilityReader:
    """Make a reader that keeps the last runs and the parts of one study in memory.

    Args:
        engine: where to read, as :func:`remix_study.study.storage.open_reader` gives it.
    """

    @lru_cache(maxsize=2)
    def packed_probabilities(run: int) -> tuple[str, dict[tuple[int, int, str], bytes]]:
        """UUID of the run's study, and (repeat, fold, part) -> packed probabilities."""
        query = select(tables.probabilities).where(tables.probabilities.c.run_id == run)
        study = select(tables.runs.c.study_uuid).where(tables.runs.c.id == run)
        with engine.connect() as connection:
            stored = connection.execute(query).all()
            study_uuid = connection.execute(study).scalar_one()
        return study_uuid, {(row.repeat, row.fold, row.part): row.probabilities for row in stored}

    @lru_cache(maxsize=1)
    def packed_parts(study_uuid: str) -> dict[tuple[int, int, str], tuple[bytes, bytes]]:
        """(repeat, fold, part) -> packed row ids and packed class codes."""
        query = select(tables.parts).where(tables.parts.c.study_uuid == study_uuid)
        with engine.connect() as connection:
            stored = connection.execute(query).all()
        return {(row.repeat, row.fold, row.part): (row.rows, row.labels) for row in stored}

    def read(
        run: int, repeat: int, fold: int, part: str
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
        study_uuid, probabilities = packed_probabilities(run)
        packed_rows, packed_codes = packed_parts(study_uuid)[repeat, fold, part]
        rows, codes = unpack(packed_rows, np.int32), unpack(packed_codes, np.int32)
        p = unpack(probabilities[repeat, fold, part], np.float32).reshape(len(rows), -1)
        return rows.astype(np.int64), codes, p.astype(np.float64)

    return read
