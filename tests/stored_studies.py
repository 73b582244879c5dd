"""What a database holds of studies, to be compared with another database's content."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import sqlalchemy

from remix_study.cli.main import main
from remix_study.study.archive.layout import Snapshot
from remix_study.study.archive.snapshot import open_source, read_studies

# Every number and text of a study, without the ids that a database gives its rows.
_QUERIES = (
    "SELECT uuid, name, study, problem, created, trials, definition, facts, planned "
    "FROM remix_studies",
    "SELECT study_uuid, manifest FROM remix_manifests ORDER BY id",
    "SELECT * FROM remix_parts ORDER BY 1, 2, 3, 4",
    "SELECT uuid, study_uuid, label, strategy, sampler, mixing, alpha, loss, parameters, "
    "network_parameters, seconds, peak_memory_mb, started, finished FROM remix_runs ORDER BY id",
    *(
        f"SELECT uuid, x.* FROM {table} x JOIN remix_runs r ON r.id = x.run_id ORDER BY {order}"
        for table, order in [
            ("remix_folds", "uuid, repeat, fold"),
            ("remix_scores", "uuid, repeat, fold, part, metric"),
            ("remix_probabilities", "uuid, repeat, fold, part"),
        ]
    ),
    "SELECT number, state, datetime_start, datetime_complete FROM trials ORDER BY number",
    *(
        f"SELECT number, x.* FROM {table} x JOIN trials t ON t.trial_id = x.trial_id"
        for table in ("trial_values", "trial_params", "trial_user_attributes")
    ),
    "SELECT x.* FROM study_user_attributes x",
    "SELECT x.* FROM study_system_attributes x",
)
_IDS = ("run_id", "trial_id", "study_id", *(f"trial_{x}_id" for x in ("value", "param")),
        *(f"{x}_user_attribute_id" for x in ("trial", "study")),
        "study_system_attribute_id")  # fmt: skip


def content(url: str) -> list[list[str]]:
    """Every number and text of the studies in a database, one list a query."""
    engine = sqlalchemy.create_engine(url)
    contents = []
    with engine.connect() as connection:
        for sql in _QUERIES:
            rows = connection.execute(sqlalchemy.text(sql)).mappings()
            contents.append(
                sorted(
                    repr([(k, _bits(v)) for k, v in row.items() if k not in _IDS]) for row in rows
                )
            )
    engine.dispose()
    return contents


def _bits(value):
    if isinstance(value, float):
        return struct.pack("<d", value).hex()
    if isinstance(value, bytes):
        return zlib.decompress(value).hex()
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value)


def snapshots(url: str) -> list[Snapshot]:
    """The studies in a database."""
    storage = open_source(url)
    studies = list(read_studies(storage))
    storage.remove_session()
    storage.engine.dispose()
    return studies


def report(storage: str, folder: str) -> dict[str, bytes]:
    """Tables and figures of a database's report, by file name."""
    assert main(["report", "--storage", storage, "--output", folder]) == 0
    paths = [*Path(folder, "tables").iterdir(), *Path(folder, "figures").glob("*.svg")]
    assert len(paths) > 20
    return {path.name: path.read_bytes() for path in paths}


def refusal(words: list[str], capsys, code: int = 2) -> str:
    """The one-line message with which a command ends."""
    capsys.readouterr()
    assert main(words) == code
    message = capsys.readouterr().err
    assert message.startswith("remix-study: ")
    assert message.count("\n") == 1
    return message.removeprefix("remix-study: ").strip()
