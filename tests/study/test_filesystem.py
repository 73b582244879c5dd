"""The file system that a database lies on."""

from __future__ import annotations

import pytest

from remix_study.study import filesystem

MOUNTS = """\
/dev/sda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb /home/local\\040disk xfs rw 0 0
none /run/nfs tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/x.db", "ext4"),
        ("/home/me/x.db", "nfs4"),
        ("/home/local disk/x.db", "xfs"),
        ("/homely/x.db", "ext4"),
        ("/run/nfs/x.db", "tmpfs"),
    ],
)
def test_a_path_lies_on_the_deepest_mount(tmp_path, path, kind):
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert filesystem.file_system(path, mounts) == kind
    assert filesystem.file_system(path, tmp_path / "none") == ""
