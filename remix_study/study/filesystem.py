"""File system of a database file: SQLite's locks are not safe on a network file system."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy.engine import make_url

from remix_study.errors import StorageError

_NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "glusterfs", "gpfs",
    "lustre", "ncpfs", "nfs", "nfs4", "panfs", "pvfs2", "smb3", "smbfs",
}  # fmt: skip


def check_filesystem(storage: str) -> None:
    """Refuse a SQLite file on a network file system, for several workers.

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
    """Type of the file system of a path, "" where the system has no list of mounts."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return ""
    real_path, depth, kind = Path(os.path.realpath(path)), -1, ""
    for line in lines:
        _, mount, mount_kind, *_ = line.split(" ")
        folder = Path(mount.encode().decode("unicode_escape"))
        # Of several mounts on one folder the last one is visible.
        if len(folder.parts) >= depth and real_path.is_relative_to(folder):
            depth, kind = len(folder.parts), mount_kind
    return kind
