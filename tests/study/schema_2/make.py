"""Make `database.xz` and `tables.tar.xz` with the code of the commit that this folder is about.

`git worktree add CODE 8207376`, then `PYTHONPATH=CODE python tests/study/schema_2/make.py`.
"""

from __future__ import annotations

import importlib
import importlib.util
import lzma
import os
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TRIALS = {"grid": 0, "half": 1, "search": 0}
"""Study -> trials after which it was left; 0 for a finished one."""


def main() -> None:
    # Modules of that commit.
    run = importlib.import_module("remix_study.study.runner").run
    limits: Any = importlib.import_module("remix_study.study.trial_loop").WorkerLimits
    load_study = importlib.import_module("remix_study.studyfile.parsing").load_study
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(HERE)
        database = Path(folder) / "x.db"
        for name, trials in TRIALS.items():
            study = load_study(f"{name}.toml")
            run(study, storage=f"sqlite:///{database}", command="make.py", limits=limits(trials))
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("VACUUM")
        (HERE / "database.xz").write_bytes(
            lzma.compress(database.read_bytes(), preset=9 | lzma.PRESET_EXTREME)
        )
        with tarfile.open(HERE / "tables.tar.xz", "w:xz", preset=9) as archive:
            for path in sorted(_report_tables(database, Path(folder) / "report").glob("*.csv")):
                entry = tarfile.TarInfo(path.name)
                entry.size = path.stat().st_size
                with path.open("rb") as content:
                    archive.addfile(entry, content)


def _report_tables(database: Path, output: Path) -> Path:
    """Write a report of all studies and return the folder of its tables."""
    path = HERE.parents[1] / "golden" / "report_tables.py"
    spec = importlib.util.spec_from_file_location("report_tables", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.report_tables(database, (), output)
    return output / "tables"


if __name__ == "__main__":
    main()
