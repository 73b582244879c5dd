"""Lines of decisions in the database, for ``status``: valid until a trial is added.

A line is computed from all scores and probabilities of a study, which takes seconds; a run stores
it at its end, with what it was computed from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    String,
    Table,
    Text,
    cast,
    delete,
    func,
    insert,
    inspect,
    select,
)

from remix_study.study import optuna_tables
from remix_study.study.optuna_tables import SCORED_STATES, registered_studies
from remix_study.study.tables import MAX_NAME_LENGTH
from remix_study.version import ENGINE_VERSION

# Made when the first line is stored: databases of any version may lack it.
_LINES = Table(
    "remix_decision_lines",
    MetaData(),
    Column("study", String(256), primary_key=True),
    Column("problem", String(MAX_NAME_LENGTH), primary_key=True),
    Column("state", String(64), nullable=False),
    Column("line", Text, nullable=False),
)


def study_states(connection: Connection) -> dict[str, str]:
    """Study -> a digest of its trials with scores and of what its report goes by."""
    trials = optuna_tables.trials.c
    counts = {
        study_id: (count, newest)
        for study_id, count, newest in connection.execute(
            select(trials.study_id, func.count(), func.max(trials.trial_id))
            # PostgreSQL has a type of its own for states.
            .where(cast(trials.state, String).in_(SCORED_STATES))
            .group_by(trials.study_id)
        )
    }
    contents: dict[str, list[object]] = {}
    for study_id, row in registered_studies(connection):
        content = [row.uuid, counts.get(study_id), row.facts.get("report"), row.facts["repeats"]]
        contents.setdefault(row.study, [ENGINE_VERSION]).append(content)
    return {
        study: hashlib.sha256(json.dumps(content).encode()).hexdigest()
        for study, content in contents.items()
    }


def store_lines(connection: Connection, study: str, lines: Mapping[str, str], state: str) -> None:
    """Replace the lines of a study's problems.

    Args:
        connection: To a database that may be written, in a transaction.
        study: Its name.
        lines: Problem -> line.
        state: What :func:`study_states` gave before the lines were computed.
    """
    _LINES.create(connection, checkfirst=True)
    connection.execute(delete(_LINES).where(_LINES.c.study == study))
    # The line of no problem says that there are no others, as of a search under constraints.
    rows = [
        {"study": study, "problem": problem, "state": state, "line": line}
        for problem, line in {"": "", **lines}.items()
    ]
    connection.execute(insert(_LINES), rows)


def read_lines(connection: Connection) -> dict[tuple[str, str], str]:
    """(study, problem) -> line, without those from before a trial was added.

    A study whose lines are all there has one of the problem "", too.
    """
    if not inspect(connection).has_table(_LINES.name):
        return {}
    states = study_states(connection)
    return {
        (row.study, row.problem): row.line
        for row in connection.execute(select(_LINES))
        if states.get(row.study) == row.state
    }
