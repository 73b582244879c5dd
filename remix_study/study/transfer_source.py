"""Reading studies out of a database, without writing to it or locking anybody out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from sqlalchemy.engine import URL

from remix_study.errors import StorageError
from remix_study.study import tables
from remix_study.study.database_errors import database_errors, url_without_password
from remix_study.study.optuna_tables import SCORED_STATES
from remix_study.study.storage import closing, open_reader, optuna_url, usable_url
from remix_study.study.study_selection import Registered, select_studies
from remix_study.study.transfer_rows import Block, comparable, read_rows

# One letter is a drive of Windows.
_URL = re.compile(r"[\w+]{2,}:/")


@dataclass(frozen=True, eq=False)
class OptunaStudy:
    """Optuna's part of a study.

    Attributes:
        name: ``<study>/<problem>``.
        uuid: Identity of the study in the project's tables.
        created: When it began, UTC in ISO 8601.
        title: Name of the Optuna study, which the dashboard can change.
        directions: Of its objectives.
        user_attributes: Without the binding to the project's rows, which each database has anew.
        system_attributes: Among them the names of the objectives.
        trials: All of them, in the order of their numbers.
    """

    name: str
    uuid: str
    created: str
    title: str
    directions: Sequence[StudyDirection]
    user_attributes: dict[str, Any]
    system_attributes: dict[str, Any]
    trials: list[FrozenTrial]

    @property
    def run_uuids(self) -> list[str]:
        """Identities of the runs whose rows count: those of trials with scores."""
        return [
            trial.user_attrs[tables.RUN_ATTRIBUTE]
            for trial in self.trials
            if trial.state.name in SCORED_STATES and tables.RUN_ATTRIBUTE in trial.user_attrs
        ]

    def content(self) -> str:
        """All of it as text, equal for equal studies in any database."""
        trials = [_trial_content(trial) for trial in self.trials]
        directions = [direction.name for direction in self.directions]
        attributes = [self.user_attributes, self.system_attributes]
        return comparable([self.title, directions, attributes, trials])


def _trial_content(trial: FrozenTrial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state.name,
        "started": trial.datetime_start,
        "completed": trial.datetime_complete,
        "values": trial.values,
        "parameters": trial.params,
        "distributions": {
            name: distribution_to_json(distribution)
            for name, distribution in trial.distributions.items()
        },
        "user_attributes": trial.user_attrs,
        "system_attributes": trial.system_attrs,
        "intermediate": trial.intermediate_values,
    }


def read_optuna_study(storage: RDBStorage, study_id: int, row: Any) -> OptunaStudy:
    """Read Optuna's part of a registered study; a running trial is read as it is.

    Args:
        storage: Where to read.
        study_id: Optuna's id.
        row: Its row in the project's table of studies.
    """
    attributes = storage.get_study_user_attrs(study_id)
    return OptunaStudy(
        name=row.name,
        uuid=row.uuid,
        created=row.created,
        title=storage.get_study_name_from_id(study_id),
        directions=storage.get_study_directions(study_id),
        user_attributes={
            name: value for name, value in attributes.items() if name != tables.STUDY_ATTRIBUTE
        },
        system_attributes=storage.get_study_system_attrs(study_id),
        trials=storage.get_all_trials(study_id),
    )


@dataclass(frozen=True, eq=False)
class Source:
    """A database that is open for reading.

    Attributes:
        url: Named in messages.
        storage: The database through Optuna.
    """

    url: str
    storage: RDBStorage

    def select(self, names: Collection[str] = ()) -> list[Registered]:
        """The studies that a user names, one a problem, by name; all when empty.

        Raises:
            StorageError: The database holds no study.
            UsageError: It holds none of this name.
        """
        with self._readable(), self.storage.engine.connect() as connection:
            return select_studies(connection, names)

    def optuna_study(self, registered: Registered) -> OptunaStudy:
        """Optuna's part of a study; a running trial is read as it is."""
        with database_errors(self.url), self._readable():
            return read_optuna_study(self.storage, *registered)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, TypeError) as error:
            raise StorageError(
                f"{url_without_password(self.url)}: a study that cannot be read ({error}); the "
                "database is damaged"
            ) from error

    def rows(self, study: OptunaStudy) -> Iterator[Block]:
        """The project's rows of a study, in blocks.

        Raises:
            StorageError: A row is damaged.
        """
        with database_errors(self.url), self.storage.engine.connect() as connection:
            try:
                yield from read_rows(connection, study.uuid, study.run_uuids)
            except (ValueError, TypeError) as error:
                raise StorageError(
                    f"{study.name}: rows that cannot be read ({error}); the database is damaged"
                ) from error


def source_url(path_or_url: str) -> str:
    """The URL of a database that a user names by URL or as an SQLite file."""
    if _URL.match(path_or_url):
        return path_or_url
    # In a URL these two begin an escape and the options.
    return "sqlite:///" + path_or_url.replace("%", "%25").replace("?", "%3F")


@contextmanager
def open_source(url: str) -> Iterator[Source]:
    """Open a database for reading through Optuna: no table is made, nothing is locked.

    Raises:
        StorageError: It is not there, cannot be read, or holds no study of this project.
    """
    open_reader(url).dispose()
    parsed = usable_url(url)
    if parsed.get_backend_name() == "sqlite":
        uri = Path(parsed.database or "").resolve().as_uri()
        parsed = URL.create(parsed.drivername, database=uri, query={"mode": "ro", "uri": "true"})
    with database_errors(url):
        try:
            storage = RDBStorage(optuna_url(parsed), skip_table_creation=True)
        except RuntimeError as error:
            # Optuna's tables are of another version of Optuna.
            raise StorageError(f"{url_without_password(url)}: {error}") from error
        with closing(storage):
            yield Source(url, storage)
