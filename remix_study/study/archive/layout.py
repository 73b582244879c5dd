"""Layout of an archive: tables, their fields, and the kind of each field."""

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
"""Version of the layout."""


class Kind(Enum):
    """Kind of a field; the value is its dtype as an array."""

    TEXT = "str"
    MAYBE = "str or none"
    JSON = "json"
    WHOLE = "int64"
    REAL = "float64"
    # Arrays with one entry an epoch, or a row of the data.
    WHOLES = "int32"
    REALS = "float32"
    SHARES = "float32 (n, K)"


Fields = Mapping[str, Kind]

_FOLD: Fields = {"run": Kind.WHOLE, "repeat": Kind.WHOLE, "fold": Kind.WHOLE}

TABLES: Mapping[str, Fields] = {
    "studies": {
        "uuid": Kind.TEXT,
        "name": Kind.TEXT,
        "title": Kind.TEXT,  # name of the Optuna study, which the dashboard can change
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
    """All that a database holds of one problem's study, without workers and leases.

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
        """SHA-256 of every number and text, the same for every database and file format."""
        digest = hashlib.sha256()
        for table, fields in TABLES.items():
            for record in self.tables[table]:
                digest.update(table.encode())
                for field, kind in fields.items():
                    digest.update(_bytes(record[field], kind))
        return digest.hexdigest()


def _bytes(value: Any, kind: Kind) -> bytes:
    if kind not in ARRAYS:
        # The order of keys does not matter in an attribute.
        return json.dumps(value, sort_keys=True).encode() + b"\n"
    array = np.ascontiguousarray(value)
    if array.dtype.kind == "f":
        # NaN has many bit patterns.
        array = np.where(np.isnan(array), np.float32(np.nan), array)
    return f"{array.dtype} {array.shape}\n".encode() + array.tobytes()


def real(value: float | None) -> float | None:
    """A real number as records hold it: None for NaN."""
    return None if value is None or math.isnan(value) else float(value)
