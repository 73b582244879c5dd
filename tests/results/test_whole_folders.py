"""A report that is killed at any step, written twice at once, or where somebody works."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from killed_reports import Killer, forbid_exchange, writer

from remix_study.report.page_files import MANIFEST, publish


def words_of(output: Path) -> set[str]:
    """The words of all files of a folder, which are those that its manifest names."""
    files = {p.relative_to(output).as_posix() for p in output.rglob("*") if p.is_file()}
    manifest = json.loads((output / MANIFEST).read_text())
    assert files == {MANIFEST, *manifest["files"]}
    return {(output / name).read_text() for name in manifest["files"]}


@pytest.fixture(scope="module")
def killer() -> Iterator[Killer]:
    """Writes reports in processes that are killed."""
    killer = Killer()
    yield killer
    killer.close()


@pytest.mark.parametrize("can_exchange", [True, False])
def test_killed_at_any_step_the_old_report_or_the_new_one_is_there(
    tmp_path, monkeypatch, killer, can_exchange
):
    output = tmp_path / "report"
    if not can_exchange:
        forbid_exchange(monkeypatch.setattr)
    publish(output, writer("old"))
    for step in count(1):
        is_killed = killer.killed(step, output, can_exchange=can_exchange)
        # Without an exchange there is one moment with none of them: the next one finds the old.
        if can_exchange or output.exists():
            assert words_of(output) in ({"old"}, {"new"})
        publish(output, writer("old"))
        assert words_of(output) == {"old"}
        assert [path.name for path in tmp_path.iterdir()] == ["report"]
        if not is_killed:
            break
    assert step > 8


def test_killed_in_the_folder_of_the_report_the_next_one_replaces_it(
    tmp_path, monkeypatch, killer
):
    monkeypatch.chdir(tmp_path)
    output = Path("report")
    publish(output, writer("old"))
    monkeypatch.chdir(output)
    for step in count(1):
        is_killed = killer.killed(step, Path())
        publish(Path(), writer("old"))
        assert words_of(Path()) == {"old"}
        assert [path.name for path in tmp_path.iterdir()] == ["report"]
        if not is_killed:
            break


def test_two_at_once_leave_one_of_both(tmp_path):
    output = tmp_path / "report"
    meet = threading.Barrier(2)

    def publish_often(word: str) -> None:
        for _ in range(10):
            meet.wait(10)
            publish(output, writer(word))

    threads = [threading.Thread(target=publish_often, args=(word,)) for word in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert words_of(output) in ({"a"}, {"b"})
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_hidden_files_links_and_modes_stay(tmp_path):
    output = tmp_path / "report"
    publish(output, writer("old"))
    (output / "tables" / ".keep").write_text("mine")
    output.chmod(0o750)
    link = tmp_path / "link"
    link.symlink_to(output)
    publish(link, writer("new"))
    assert (output / "index.html").read_text() == "new"
    assert (output / "tables" / ".keep").read_text() == "mine"
    assert link.is_symlink()
    assert output.stat().st_mode & 0o777 == 0o750
