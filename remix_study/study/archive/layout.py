"""What an archive holds of a study: tables, their fields, and what each field is."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

VERSION = 1
"""Of the layout below."""


class Kind(Enum):
    """What a field holds; the value is its type as an array."""

    TEXT = "str"
    MAYBE = "str or none"
    JSON = "json"
    WHOLE = "int64"
    REAL = "float64"
    # Arrays, one entry an epoch or a row of the data.
    WHOLES = "int32"
    REALS = "float32"
    SHARES = "float32 (n, K)"


Fields = Mapping[str, Kind]

_FOLD: Fields = {"run": Kind.WHOLE, "repeat": Kind.WHOLE, "fold": Kind.WHOLE}

TABLES: Mapping[str, Fields] = {
    "studies": {
        "uuid": Kind.TEXT,
        "name": Kind.TEXT,
        "title": Kind.TEXT,  # Optuna's name; the dashboard can change it
        "study": Kind.TEXT,
        "problem": Kind.TEXT,
        "created": Kind.TEXT,
        "trials": Kind.WHOLE,
        "planned": Kind.JSON,
        "definition": Kind.JSON,
        "facts": Kind.JSON,
        "directions": Kind.JSON,
        "user_attributes": Kind.JSON,
        "system_attributes": Kind.JSON,
    },
    "manifests": {"manifest": Kind.JSON},
    "trials": {
        "number": Kind.WHOLE,
        "state": Kind.TEXT,
        "started": Kind.MAYBE,
        "completed": Kind.MAYBE,
        "values": Kind.JSON,
        "parameters": Kind.JSON,
        "distributions": Kind.JSON,
        "user_attributes": Kind.JSON,
        "system_attributes": Kind.JSON,
        "intermediate": Kind.JSON,
    },
    "parts": {
        "repeat": Kind.WHOLE,
        "fold": Kind.WHOLE,
        "part": Kind.TEXT,
        "row": Kind.WHOLES,
        "class": Kind.WHOLES,
    },
    "runs": {
        "run": Kind.WHOLE,
        "trial": Kind.WHOLE,
        "uuid": Kind.TEXT,
        "label": Kind.TEXT,
        "strategy": Kind.TEXT,
        "sampler": Kind.TEXT,
        "mixing": Kind.TEXT,
        "alpha": Kind.REAL,
        "loss": Kind.TEXT,
        "parameters": Kind.JSON,
        "network_parameters": Kind.WHOLE,
        "seconds": Kind.REAL,
        "peak_memory_mb": Kind.REAL,
        "started": Kind.TEXT,
        "finished": Kind.TEXT,
    },
    "folds": {
        **_FOLD,
        "counts": Kind.JSON,
        "epochs": Kind.WHOLE,
        "stopped": Kind.TEXT,
        "failed": Kind.TEXT,
        "trained_on": Kind.JSON,
    },
    "curves": {**_FOLD, "loss": Kind.REALS, "monitor": Kind.REALS, "rate": Kind.REALS},
    "scores": {**_FOLD, "part": Kind.TEXT, "metric": Kind.TEXT, "value": Kind.REAL},
    "probabilities": {**_FOLD, "part": Kind.TEXT, "probability": Kind.SHARES},
}
"""Table -> field -> kind. ``run`` numbers the runs of a study, ``trial`` is Optuna's number."""

ARRAYS = (Kind.WHOLES, Kind.REALS, Kind.SHARES)

Record = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All that a database holds of one problem's study, but for who is working on it.

    Attributes:
        tables: Table -> records with the fields of :data:`TABLES`. Real numbers are None where
            there is none; arrays have the type that their kind says.
    """

    tables: Mapping[str, list[Record]]

    @property
    def study(self) -> Record:
        """The one record of the study itself."""
        return self.tables["studies"][0]

    @property
    def name(self) -> str:
        """``<study>/<problem>``."""
        return str(self.study["name"])

    def digest(self) -> str:
        """A hash of every number and text, whatever database or file they stand in."""
        found = hashlib.sha256()
        for table, fields in TABLES.items():
            for record in self.tables[table]:
                found.update(table.encode())
                for field, kind in fields.items():
                    found.update(_bytes(record[field], kind))
        return found.hexdigest()


def _bytes(value: Any, kind: Kind) -> bytes:
    if kind not in ARRAYS:
        # The order of keys is no part of an attribute.
        return json.dumps(value, sort_keys=True).encode() + b"\n"
    array = np.ascontiguousarray(value)
    if array.dtype.kind == "f":
        # There are many NaN and they all mean the same.
        array = np.where(np.isnan(array), np.float32(np.nan), array)
    return f"{array.dtype} {array.shape}\n".encode() + array.tobytes()


def real(value: float | None) -> float | None:
    """A real number as records hold it."""
    return None if value is None or math.isnan(value) else float(value)
