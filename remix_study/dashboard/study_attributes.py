"""System attributes of a study, where optuna-dashboard keeps notes, graphs and artifacts."""

from __future__ import annotations

import hashlib
import io
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, delete, insert

from remix_study.dashboard.graphs import Graph
from remix_study.study import optuna_tables

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

# Digest of the last note that was written here; a note with another digest is a person's.
_DIGEST_KEY = "remix_study:note:"
# Where the dashboard looks for artifacts of finished trials.
_ARTIFACT_KEY = "dashboard:artifacts:{trial}:{artifact}"
_MIME_TYPES = {".csv": "text/csv", ".png": "image/png"}
_ARTIFACT_NAMESPACE = uuid.UUID("6c1d3c53-5b0c-4d0b-8a9a-0c9a8d7d3f11")


class StudyAttributes:
    """System attributes of one study, whose changes are collected and written in one transaction.

    It stands in for the storage in calls of optuna-dashboard's functions: Optuna itself would
    write 2,045 characters a transaction, and a reader could see half a graph.
    """

    def __init__(self, storage: RDBStorage, study_id: int) -> None:
        """Read the attributes that the database holds."""
        self._storage, self.study_id = storage, study_id
        self._stored = dict(storage.get_study_system_attrs(study_id))
        self._changed: dict[str, Any] = {}

    def get_study_system_attrs(self, _study_id: int) -> dict[str, Any]:
        """The attributes with all changes; called by optuna-dashboard's functions."""
        return self._stored | self._changed

    def set_study_system_attr(self, _study_id: int, key: str, value: Any) -> None:
        """Collect a change; called by optuna-dashboard's functions."""
        if key in self._stored and self._stored[key] == value:
            self._changed.pop(key, None)
        else:
            self._changed[key] = value

    def set_note(self, body: str, trial_id: int | None = None) -> None:
        """Set the note of the study or of a trial, unless a person has changed it."""
        from optuna_dashboard import get_note, save_note

        study: Any = SimpleNamespace(_storage=self, _study_id=self.study_id)
        owner: Any = SimpleNamespace(storage=self, study=study, _trial_id=trial_id)
        if trial_id is None:
            owner = self._study()
        digest_key = f"{_DIGEST_KEY}{'study' if trial_id is None else trial_id}"
        note, digest = str(get_note(owner)), self.get_study_system_attrs(0).get(digest_key)
        is_a_persons = bool(note) if digest is None else digest != _digest(note)
        if is_a_persons or note == body:
            return
        save_note(owner, body)
        self.set_study_system_attr(self.study_id, digest_key, _digest(body))

    def set_graph(self, graph: Graph) -> None:
        """Set a graph of the study."""
        from optuna_dashboard import save_plotly_graph_object

        figure: Any = graph
        save_plotly_graph_object(self._study(), figure, graph_object_id=graph.name)

    def set_artifact(
        self, folder: Path, trial_id: int, run: str, name: str, make: Callable[[], bytes | None]
    ) -> None:
        """Write an artifact of a trial into the folder, unless it is there or was deleted.

        Args:
            folder: Folder of artifacts.
            trial_id: Optuna's id of the trial.
            run: UUID of the trial's run.
            name: File name.
            make: Makes the file; None where there is nothing to show.
        """
        from optuna.artifacts import FileSystemArtifactStore

        # The same id however often it is made.
        artifact = str(uuid.uuid5(_ARTIFACT_NAMESPACE, f"{run} {name}"))
        key = _ARTIFACT_KEY.format(trial=trial_id, artifact=artifact)
        entry = self.get_study_system_attrs(self.study_id).get(key)
        was_deleted = entry == "null"
        if was_deleted or (entry is not None and (folder / artifact).is_file()):
            return
        content = make()
        if content is not None:
            FileSystemArtifactStore(folder).write(artifact, io.BytesIO(content))
            kind = _MIME_TYPES[Path(name).suffix]
            meta = {"artifact_id": artifact, "filename": name, "mimetype": kind, "encoding": None}
            self.set_study_system_attr(self.study_id, key, json.dumps(meta))

    def write(self, engine: Engine) -> int:
        """Write all changes in one transaction; returns their number."""
        rows = [
            {"study_id": self.study_id, "key": key, "value_json": json.dumps(value)}
            for key, value in self._changed.items()
        ]
        if rows:
            table = optuna_tables.study_system_attributes
            is_changed = table.c.key.in_(self._changed)
            with engine.begin() as connection:
                connection.execute(
                    delete(table).where(table.c.study_id == self.study_id, is_changed)
                )
                connection.execute(insert(table), rows)
        self._stored |= self._changed
        self._changed = {}
        return len(rows)

    def _study(self) -> Any:
        """The study as optuna-dashboard's functions need it: Optuna's class, with this storage."""
        import optuna

        name = self._storage.get_study_name_from_id(self.study_id)
        return optuna.load_study(study_name=name, storage=self)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        """Pass on everything else to the storage."""
        return getattr(self._storage, name)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
