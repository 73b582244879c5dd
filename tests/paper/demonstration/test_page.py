"""The demonstration's page, by the command line here and once more in a process of its own."""

import contextlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from remix_study.cli.main import main
from remix_study.paper.demonstration import generated_data
from remix_study.paper.demonstration.boundary import BoundaryClaim
from remix_study.paper.demonstration.generated_data import Scale
from remix_study.paper.demonstration.page import write_demonstration

TINY = Scale(seeds=2, epochs=3, side=31, draws=3)
HIDDEN = (8,)
EVERYTHING = ["--latex", "--figures"]
# The command itself, with less to train.
SMALLER = f"""
import sys
from remix_study.paper.demonstration import generated_data, page
from remix_study.paper.demonstration.generated_data import Scale
generated_data.HIDDEN = {HIDDEN!r}
page.write_demonstration.__kwdefaults__["scale"] = {TINY!r}
from remix_study.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def boundary_claim(folder: Path) -> BoundaryClaim:
    """The claim in the manifest of a demonstration."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return BoundaryClaim(**manifest["facts"]["boundary"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The folder that the command wrote, in a current folder without a database."""
    current_folder = tmp_path_factory.mktemp("demonstration")
    out, errors = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
    ):
        patch.chdir(current_folder)
        patch.setattr(generated_data, "HIDDEN", HIDDEN)
        patch.setitem(write_demonstration.__kwdefaults__, "scale", TINY)
        assert main(["report", "--demonstration", *EVERYTHING]) == 0
    assert (out.getvalue(), errors.getvalue()) == ("report: demonstration/index.html\n", "")
    assert [path.name for path in current_folder.iterdir()] == ["demonstration"]
    return current_folder / "demonstration"


@pytest.mark.slow
def test_another_process_makes_the_same_bytes(folder, tmp_path):
    words = ["report", "--demonstration", "--output", "again", *EVERYTHING]
    command = [sys.executable, "-c", SMALLER, *words]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stderr) == (0, "")
    for kind in ("figures", "tables"):
        first = {path.name: path.read_bytes() for path in (folder / kind).iterdir()}
        second = {path.name: path.read_bytes() for path in (tmp_path / "again" / kind).iterdir()}
        assert first == second


def test_the_page_stands_alone(folder):
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)=["']?(?!data:|#|%23|tables/|manifest)[^"'>]+""", page)
    assert "@import" not in page
    assert not re.search(r"url\((?!%23)", page)
    shown = re.findall(r'<img src="(data:image/svg\+xml,[^"]{200,})" alt="([^"]{40,})"', page)
    assert len(shown) == 9
    assert len({alt for _, alt in shown}) == 9
    assert len(list((folder / "figures").iterdir())) == 18


def test_pictures_inside_pictures_are_inside(folder):
    for path in (folder / "figures").glob("*.svg"):
        targets = re.findall(rb"xlink:href='([^']{0,20})", path.read_bytes())
        assert all(target.startswith((b"#", b"data:")) for target in targets)


def test_manifest_and_tables_tell_the_same(folder):
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["scale"] == vars(TINY)
    claim = boundary_claim(folder)
    by_seed = pd.read_csv(folder / "tables" / "boundary-by-seed.csv")
    for name, value in claim.minority_share.items():
        lines = by_seed[by_seed["strategy"] == name]
        assert len(lines) == claim.seeds == TINY.seeds
        assert lines["minority_share"].mean() == pytest.approx(value, rel=1e-5)
        assert lines["steepness"].mean() == pytest.approx(
            claim.steepness[name], rel=1e-5, nan_ok=True
        )
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {*manifest["files"], "manifest.json"}
    for name in ("boundary", "samples", "densities", "blends-three-classes"):
        for ending in ("csv", "md", "tex"):
            assert (folder / "tables" / f"{name}.{ending}").stat().st_size > 100


def test_it_takes_no_study(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["report", "quickstart", "--demonstration"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--demonstration takes no study: leave out quickstart" in error
    assert not list(tmp_path.iterdir())


def test_a_folder_with_other_files_is_refused(capsys, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    assert main(["report", "--demonstration", "--output", str(tmp_path)]) == 2
    assert "holds files that no report wrote (mine.txt)" in capsys.readouterr().err
    assert (tmp_path / "mine.txt").read_text() == "keep"


@pytest.mark.slow
def test_the_committed_demonstration_is_what_the_command_makes(tmp_path):
    command = [sys.executable, "-m", "remix_study", "report", "--demonstration", "--output", "new"]
    subprocess.run(command, cwd=tmp_path, check=True)
    committed = Path(__file__).parents[3] / "reports" / "demonstration"
    new, old = boundary_claim(tmp_path / "new"), boundary_claim(committed)
    # Other processors round otherwise, and training makes that larger.
    assert new.minority_share == pytest.approx(old.minority_share, abs=0.02)
    assert new.steepness == pytest.approx(old.steepness, rel=0.2)
    assert new.verdict == old.verdict
