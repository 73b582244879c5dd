"""What a worker process is sent: the study, the database and its limits, as a line of JSON.

It goes through a pipe and not onto the command line, as the database's URL may have a password.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from remix_study.errors import UsageError
from remix_study.study.trial_loop import WorkerLimits
from remix_study.studyfile.parsing import parse_study
from remix_study.studyfile.schema import Stack, Study
from remix_study.version import __version__

Event = dict[str, Any]
"""A message of a worker process; ``kind`` is ``problem``, ``trial``, ``complete``, ``failed``,
``retried``, ``note``, ``error``, ``end`` or ``died``, and says which keys there are."""


@dataclass(frozen=True)
class WorkerSpec:
    """A study, its database and the limits of one worker process.

    Attributes:
        text: Text of the study file, which may be absent on the worker's machine.
        source: Absolute path of the study file; paths in it are relative to its folder.
        storage: URL of the database.
        command: Command line for the manifest.
        cores: Cores that the process may use on a CPU; 0 for all that it may use.
        limits: How many trials the process runs, and whether it waits for others.
        stack: What the command line puts in place of the file's ``training.stack``.
        allow_plugins: Whether code of the user's own may be imported.
        version: Version of this package; one study holds numbers of one version only.
    """

    text: str
    source: str
    storage: str = field(repr=False)
    command: str
    cores: int
    limits: WorkerLimits
    stack: Stack | None = None
    allow_plugins: bool = True
    version: str = __version__

    @classmethod
    def of(
        cls, study: Study, storage: str, command: str, cores: int, limits: WorkerLimits
    ) -> WorkerSpec:
        """Describe a worker on a study that this process has read."""
        return cls(
            text=study.text,
            source=str(Path(study.source).absolute()),
            storage=storage,
            command=command,
            cores=cores,
            limits=limits,
            stack=study.stack,
            allow_plugins=study.allow_plugins,
        )

    def study(self) -> Study:
        """Parse the study file.

        Raises:
            UsageError: The spec is of another version of this package.
        """
        if self.version != __version__:
            raise UsageError(
                f"the workers' remix_study is version {__version__}, and the study was started by "
                f"version {self.version}; install the same version on both sides"
            )
        study = parse_study(self.text, self.source).with_stack(self.stack)
        return study if self.allow_plugins else study.without_plugins()

    def without_manifest(self) -> WorkerSpec:
        """The spec for every process but the pool's first, which alone adds a manifest."""
        return replace(self, limits=replace(self.limits, writes_manifest=False))

    def encode(self) -> bytes:
        """The spec as one line of JSON."""
        return msgspec.json.encode(self) + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> WorkerSpec:
        """Read the spec from one line of JSON."""
        return msgspec.json.decode(line, type=cls)
