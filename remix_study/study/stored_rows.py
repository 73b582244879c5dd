"""What rows of the database must look like, so that a damaged one is named instead of met.

Rows are read as the driver gives them: nothing in them can stop that.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnClause, Connection, column, inspect, select, table

from remix_study.batches.losses import LOSSES
from remix_study.study import tables
from remix_study.study.stored_content import (
    Count,
    Counts,
    Definition,
    Distribution,
    Manifest,
    NotNegative,
    Number,
    Object,
    RunFacts,
    Settings,
    StudyFacts,
    Summary,
    TrainedOn,
)

_Host, _Pid = Annotated[str, msgspec.Meta(pattern=r"\S")], Annotated[int, msgspec.Meta(gt=0)]
_Part = Literal["validation", "test"]


_ATTRIBUTE = {"key": str, "value_json": Any}
_OF_TRIAL = {"trial_id": int}
_KEY = {"run_id": int, "repeat": Count, "fold": Count}

# Columns that commands read, and what is in them. Those of Optuna's tables come last.
_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "remix_studies": {
        "uuid": str, "name": str, "study": str, "problem": str, "created": datetime,
        "definition": Definition, "facts": StudyFacts, "planned": list[str], "trials": Count,
        "settings": Settings,
    },
    "remix_manifests": {"id": int, "study_uuid": str, "manifest": Manifest},
    "remix_parts": {
        "study_uuid": str, "repeat": Count, "fold": Count, "part": _Part, "rows": bytes,
        "labels": bytes,
    },
    "remix_row_weights": {"study_uuid": str, "weights": bytes},
    "remix_runs": {
        "id": int, "uuid": str, "study_uuid": str, "label": str, "strategy": str, "sampler": str,
        "mixing": str, "alpha": NotNegative | None, "loss": Literal[tuple(LOSSES)],
        "parameters": Object, "network_parameters": Count, "seconds": Number,
        "peak_memory_mb": Number, "started": datetime, "finished": datetime,
        "facts": RunFacts | None,
    },
    "remix_folds": {
        **_KEY, "counts": Counts, "epochs": Count, "stopped": str, "failed": str,
        "trained_on": TrainedOn, "curves": bytes,
    },
    "remix_scores": {**_KEY, "part": _Part, "metric": str, "value": Number},
    "remix_probabilities": {**_KEY, "part": _Part, "probabilities": bytes},
    "remix_summaries": {"run_id": int, "content": Summary},
    "remix_workers": {
        "uuid": str, "host": _Host, "boot": str, "pid": _Pid, "started": str, "seen": datetime,
    },
    "remix_claims": {"study_uuid": str, "point": str, "worker_uuid": str, "trial": int | None},
    "studies": {"study_id": int, "study_name": str},
    "study_directions": {
        "study_id": int, "objective": Count,
        "direction": Literal["NOT_SET", "MINIMIZE", "MAXIMIZE"],
    },
    "study_user_attributes": {"study_id": int, **_ATTRIBUTE},
    "study_system_attributes": {"study_id": int, **_ATTRIBUTE},
    "trials": {
        **_OF_TRIAL, "number": Count, "study_id": int,
        "state": Literal["RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING"],
        "datetime_start": datetime | None, "datetime_complete": datetime | None,
    },
    "trial_user_attributes": {**_OF_TRIAL, **_ATTRIBUTE},
    "trial_system_attributes": {**_OF_TRIAL, **_ATTRIBUTE},
    "trial_params": {
        **_OF_TRIAL, "param_name": str, "param_value": Number, "distribution_json": Distribution,
    },
    "trial_values": {
        **_OF_TRIAL, "objective": Count, "value": Number | None,
        "value_type": Literal["FINITE", "INF_POS", "INF_NEG"],
    },
}  # fmt: skip

_JSON = {
    "definition", "facts", "planned", "settings", "manifest", "parameters", "counts",
    "trained_on", "content", "value_json", "distribution_json",
}  # fmt: skip
_ATTRIBUTES: Mapping[str, Any] = {
    tables.STUDY_ATTRIBUTE: str,
    tables.RUN_ATTRIBUTE: str,
    tables.SLOT_ATTRIBUTE: Count,
    tables.REPEATS_ATTRIBUTE: Count,
    tables.EXTENDS_ATTRIBUTE: Count,
    tables.EXTENDED_ATTRIBUTE: Count,
}


class StoredRow(NamedTuple):
    """A row of a table, and what is wrong with it; "" where nothing is."""

    table: str
    values: Mapping[str, Any]
    fault: str


def read_rows(connection: Connection) -> Iterator[StoredRow]:
    """Read all rows of the database that commands read, and say what is wrong with each."""
    table_names = set(inspect(connection).get_table_names())
    for name, kinds in _COLUMNS.items():
        if name not in table_names:
            continue
        stored = {entry["name"] for entry in inspect(connection).get_columns(name)}
        columns: list[ColumnClause[Any]] = [column(key) for key in kinds if key in stored]
        row_type = msgspec.defstruct(name, [(c.name, kinds[c.name]) for c in columns])
        for row in connection.execute(select(*columns).select_from(table(name))).mappings():
            values = {str(key): value for key, value in row.items()}
            yield StoredRow(name, values, _fault(name, dict(values), row_type))


def _fault(name: str, values: dict[str, Any], row_type: type[Any]) -> str:
    if values.get("value_json", "") is None:
        return "value_json is missing"
    text = str(values.get("distribution_json"))
    for key in values.keys() & _JSON:
        if isinstance(values[key], str | bytes):
            try:
                values[key] = json.loads(values[key])
            except ValueError as error:
                return f"{key} is no JSON ({error})"
    try:
        # Else a text would be taken for base64.
        msgspec.convert(values, row_type, builtin_types=(bytes,))
        if values.get("key") in _ATTRIBUTES:
            msgspec.convert(values["value_json"], _ATTRIBUTES[values["key"]])
    except msgspec.ValidationError as error:
        reason, _, place = str(error).replace("`", "").partition(" - at $.")
        return f"{place or values.get('key')}: {reason[:1].lower()}{reason[1:]}"
    for key in ("datetime_start", "datetime_complete"):
        # Optuna adds a zone's hours, and the calendar has no year before or after.
        if str(values.get(key)).startswith(("0001-01-01", "9999-12-31")):
            return f"{key} is at the end of the calendar"
    if values.get("value_type") == "FINITE" and values["value"] is None:
        return "value is missing"
    if name == "trial_params":
        return _parameter_fault(values["param_value"], text, values["distribution_json"])
    check = _BLOBS.get(name)
    try:
        return check(values) if check else ""
    except (zlib.error, ValueError) as error:
        return f"its bytes are damaged ({error})"


def _parameter_fault(value: float, text: str, distribution: Object) -> str:
    if fault := _distribution_fault(text):
        return fault
    choices = distribution["attributes"].get("choices")
    is_choice = choices is None or (isinstance(choices, list) and 0 <= value < len(choices))
    return "" if is_choice else "param_value is none of its choices"


@cache
def _distribution_fault(text: str) -> str:
    """What is wrong with a distribution, of which all trials of a study have the same."""
    # Reports read rows, too, and do without Optuna.
    from optuna.distributions import json_to_distribution

    try:
        json_to_distribution(text)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return f"distribution_json cannot be read ({type(error).__name__}: {error})"
    return ""


def array_of(blob: bytes, dtype: type[Any] = np.int32) -> NDArray[Any]:
    """The numbers of a blob, by default those of a part."""
    return tables.unpack(blob, dtype)


def _part_fault(values: Object) -> str:
    rows, labels = (array_of(values[key], np.int32) for key in ("rows", "labels"))
    return "" if len(rows) == len(labels) else "it has other numbers of rows and labels"


def _curves_fault(values: Object) -> str:
    return "" if len(array_of(values["curves"], np.float32)) % 3 == 0 else "curves are cut"


def _weights_fault(values: Object) -> str:
    return "" if len(array_of(values["weights"], np.float64)) else "there are no weights"


# What only the bytes of a blob show; those of probabilities depend on the part's rows.
_BLOBS: Mapping[str, Callable[[Object], str]] = {
    "remix_parts": _part_fault,
    "remix_folds": _curves_fault,
    "remix_row_weights": _weights_fault,
}
