"""A study's system attributes, changed by optuna-dashboard's own functions and written at once."""

from __future__ import annotations

import hashlib
import io
import json
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, column, delete, insert, table

from remix_study.dashboard.graphs import Graph

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

_attributes = table(
    "study_system_attributes", column("study_id"), column("key"), column("value_json")
)
# Digest of the last note of ours: a note that is another one is a person's.
_MARK = "remix_study:note:"
# Where the dashboard looks for artifacts of trials that are finished.
_ARTIFACT = "dashboard:artifacts:{trial}:{artifact}"
_OURS = uuid.UUID("6c1d3c53-5b0c-4d0b-8a9a-0c9a8d7d3f11")


class Overlay:
    """Takes the changes of one study's page and writes them in one transaction.

    Optuna would take one for every 2,045 letters, and a reader could see half a graph.
    """

    def __init__(self, storage: RDBStorage, study_id: int) -> None:
        """Begin with what the database holds."""
        self._storage, self._study_id = storage, study_id
        self._stored = dict(storage.get_study_system_attrs(study_id))
        self._changed: dict[str, Any] = {}

    def get_study_system_attrs(self, _study_id: int) -> dict[str, Any]:
        """What is stored, with the changes; asked by the dashboard's functions."""
        return self._stored | self._changed

    def set_study_system_attr(self, _study_id: int, key: str, value: Any) -> None:
        """Keep a change; told by the dashboard's functions."""
        if key in self._stored and self._stored[key] == value:
            self._changed.pop(key, None)
        else:
            self._changed[key] = value

    def note(self, body: str, trial_id: int | None = None) -> None:
        """Set the note of the study or of a trial, unless a person has changed it."""
        from optuna_dashboard import save_note

        study: Any = SimpleNamespace(_storage=self, _study_id=self._study_id)
        of: Any = SimpleNamespace(storage=self, study=study, _trial_id=trial_id)
        if trial_id is None:
            of = self._study()
        mark = f"{_MARK}{'study' if trial_id is None else trial_id}"
        there, known = self._note_of(of), self.get_study_system_attrs(0).get(mark)
        theirs = bool(there) if known is None else known != _digest(there)
        if theirs or there == body:
            return
        save_note(of, body)
        self.set_study_system_attr(self._study_id, mark, _digest(body))

    def graph(self, graph: Graph) -> None:
        """Set a graph of the study."""
        from optuna_dashboard import save_plotly_graph_object

        figure: Any = graph
        save_plotly_graph_object(self._study(), figure, graph_object_id=graph.name)

    def lacks(self, folder: Path, trial_id: int, run: str, name: str) -> bool:
        """Whether a trial's artifact is to be made: not there, and not deleted by a person."""
        artifact = _artifact_id(run, name)
        attributes = self.get_study_system_attrs(self._study_id)
        key = _ARTIFACT.format(trial=trial_id, artifact=artifact)
        return attributes.get(key) != "null" and not (
            key in attributes and (folder / artifact).is_file()
        )

    def artifact(
        self, folder: Path, trial_id: int, run: str, name: str, kind: str, content: bytes
    ) -> None:
        """Keep a file with a trial; the file comes first, so that no entry is without one."""
        from optuna.artifacts import FileSystemArtifactStore

        artifact = _artifact_id(run, name)
        FileSystemArtifactStore(folder).write(artifact, io.BytesIO(content))
        meta = {"artifact_id": artifact, "filename": name, "mimetype": kind, "encoding": None}
        key = _ARTIFACT.format(trial=trial_id, artifact=artifact)
        self.set_study_system_attr(self._study_id, key, json.dumps(meta))

    def write(self, engine: Engine) -> int:
        """Write all changes; how many there were."""
        rows = [
            {"study_id": self._study_id, "key": key, "value_json": json.dumps(value)}
            for key, value in self._changed.items()
        ]
        if rows:
            own = _attributes.c.study_id == self._study_id
            with engine.begin() as connection:
                for key in self._changed:
                    connection.execute(delete(_attributes).where(own, _attributes.c.key == key))
                connection.execute(insert(_attributes), rows)
        self._stored |= self._changed
        self._changed = {}
        return len(rows)

    def trials(self) -> list[Any]:
        """The study's trials, as Optuna holds them."""
        return list(self._storage.get_all_trials(self._study_id, deepcopy=False))

    def _study(self) -> Any:
        """The study as Optuna's class, which the dashboard's functions ask for, over this."""
        import optuna

        name = self._storage.get_study_name_from_id(self._study_id)
        return optuna.load_study(study_name=name, storage=self)  # type: ignore[arg-type]

    def _note_of(self, of: Any) -> str:
        from optuna_dashboard import get_note

        return str(get_note(of))

    def __getattr__(self, name: str) -> Any:
        """Anything else is the database's."""
        return getattr(self._storage, name)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _artifact_id(run: str, name: str) -> str:
    """The same file of the same run has the same id, however often it is made."""
    return str(uuid.uuid5(_OURS, f"{run} {name}"))
