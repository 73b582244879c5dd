"""Train the golden studies with the reference commit and store their database and tables.

`python tests/golden/freeze.py` from the repository's root replaces `database.xz` and
`tables.tar.xz`. It takes minutes and gives other bytes at each run, for times and memory are
stored, too: run it only when results are meant to change, with `--reference` of the new commit.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

from frozen import pack, unpack
from reference import COMMIT, HERE, STUDIES, checkout, run_python, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", default=COMMIT, metavar="COMMIT")
    commit = parser.parse_args().reference
    with checkout(commit) as code, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = folder / "golden.db"
        for path in sorted((HERE / "studies").glob("*.toml")):
            # A manifest names the file as the command does: without a folder.
            shutil.copy(path, folder)
        for study, source in STUDIES.items():
            train(code, Path(source).name if source.endswith(".toml") else study, database)
        pack(database, HERE / "database.xz")
        unpacked = folder / "unpacked.db"
        unpack(HERE / "database.xz", unpacked)
        if _dump(database) != _dump(unpacked):
            raise RuntimeError("the unpacked database differs from the one that was packed")
        tables = folder / "tables"
        words = [str(HERE / "report_tables.py"), str(unpacked), str(tables)]
        run_python(code, words, folder)
        _archive(tables, HERE / "tables.tar.xz")
    for path in (HERE / "database.xz", HERE / "tables.tar.xz"):
        print(f"{path.name}: {path.stat().st_size:,} bytes")


def _dump(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return list(connection.iterdump())


def _archive(folder: Path, archive: Path) -> None:
    """Write the files of a folder into an archive without times and owners."""
    with tarfile.open(archive, "w:xz", preset=9) as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))


if __name__ == "__main__":
    main()
