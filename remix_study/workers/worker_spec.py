"""What a worker process is told; by a pipe, as its database may have a password."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from remix_study import __version__
from remix_study.errors import UsageError
from remix_study.study.worker_limits import WorkerLimits
from remix_study.studyfile.parsing import parse_study
from remix_study.studyfile.schema import Stack, Study


@dataclass(frozen=True)
class WorkerSpec:
    """A worker's part in a study.

    Attributes:
        text: The study file's text; the file may not be there where the worker is.
        source: Its path, which paths in it are relative to.
        storage: URL of the database.
        command: Command line for the manifest.
        cores: Cores that the worker may use on a CPU; 0 for its share to be what it finds.
        terms: When it has done its part.
        stack: What the command line puts in place of the file's ``training.stack``.
        allow_plugins: Whether code of the user's own may be imported.
        version: Of this package; numbers of different versions do not belong in one study.
    """

    text: str
    source: str
    storage: str = field(repr=False)
    command: str
    cores: int
    terms: WorkerLimits
    stack: Stack | None = None
    allow_plugins: bool = True
    version: str = __version__

    @classmethod
    def of(
        cls, study: Study, storage: str, command: str, cores: int, terms: WorkerLimits
    ) -> WorkerSpec:
        """The order to work on a study."""
        source = str(Path(study.source).absolute())
        return cls(
            study.text,
            source,
            storage,
            command,
            cores,
            terms,
            study.stack,
            study.allow_plugins,
        )

    def study(self) -> Study:
        """The study file again.

        Raises:
            UsageError: The order is of another version of this package.
        """
        if self.version != __version__:
            raise UsageError(
                f"the workers' remix_study is version {__version__}, and the study was started by "
                f"version {self.version}; install the same on both sides"
            )
        study = parse_study(self.text, self.source).stacked(self.stack)
        return study if self.allow_plugins else study.without_plugins()

    def following(self) -> WorkerSpec:
        """The order for a process that takes another's place."""
        return replace(self, terms=replace(self.terms, manifest=False))

    def encode(self) -> bytes:
        """One line of JSON."""
        return msgspec.json.encode(self) + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> WorkerSpec:
        """The order in a line of JSON."""
        return msgspec.json.decode(line, type=cls)


Event = dict[str, Any]
"""What a worker process tells: ``kind`` is a method of a reporter, ``error`` or ``end``."""
