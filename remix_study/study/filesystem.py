"""Where a database file lies: SQLite's locks cannot be trusted on a network file system."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy.engine import make_url

from remix_study.errors import StorageError

_NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "glusterfs", "gpfs",
    "lustre", "ncpfs", "nfs", "nfs4", "panfs", "pvfs2", "smb3", "smbfs",
}  # fmt: skip


def check_place(storage: str) -> None:
    """Refuse several workers on a SQLite file that machines may share.

    Raises:
        StorageError: The file lies on a network file system.
    """
    url = make_url(storage)
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    kind = file_system(url.database)
    if kind in _NETWORK:
        raise StorageError(
            f"{url.database}: lies on a network file system ({kind}), where SQLite is not safe "
            "for several workers; put it on a local disk, or take PostgreSQL"
        )


def file_system(path: str, mounts: Path = Path("/proc/mounts")) -> str:
    """The type of file system that a path lies on, "" where the system does not tell."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return ""
    place, best, kind = Path(os.path.realpath(path)), -1, ""
    for line in lines:
        _, point, found, *_ = line.split(" ")
        folder = Path(point.encode().decode("unicode_escape"))
        # The last of those mounted at one place is the one that is seen.
        if len(folder.parts) >= best and place.is_relative_to(folder):
            best, kind = len(folder.parts), found
    return kind
