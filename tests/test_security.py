"""What others wrote - a study file, data, a database - runs no code and changes no page."""

from __future__ import annotations

import ast
import contextlib
import csv
import html.parser
import json
import os
import pickle
import re
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from simulated_training import simulate_training
from tiny_studies import tiny

import remix_study
from remix_study.cli.main import main
from remix_study.data.cache import load_cached
from remix_study.errors import RemixStudyError, StudyFileError, UsageError, mask_passwords
from remix_study.models.augmentation import build_augmentation
from remix_study.models.building import build_network
from remix_study.report.table_files import csv_text, markdown_text
from remix_study.study import runner
from remix_study.study.checks import check_study
from remix_study.study.task_preparation import prepare_tasks
from remix_study.study.trial_loop import WorkerLimits
from remix_study.studyfile.parsing import parse_study
from remix_study.workers.worker_spec import WorkerSpec

PACKAGE = Path(remix_study.__file__).parent

# Names whose use would run, or could run, what a file holds.
_RUNNERS = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml", "jsonpickle"}
_HARMLESS = {("joblib", "cpu_count")}
_PICKLES = "data/cifar.py"
_PACKAGED = "data/sentence_vectors.py"
_CALLS = {"eval", "exec", "compile", "__import__", "read_pickle", "to_pickle", "load_model"}


def calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_no_module_reads_a_format_that_can_run_code(path):
    tree = ast.parse(path.read_text())
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = {(node.module or "", name.name) for name in node.names}
            imported |= {module.split(".")[0] for module, _ in names - _HARMLESS}
    # CIFAR-10 is published as pickles; its reader allows three harmless names alone, which
    # tests/data/test_cifar.py shows with a malicious batch.
    assert imported & _RUNNERS <= ({"pickle"} if path == PACKAGE / _PICKLES else set())
    assert "os.system(" not in path.read_text()
    for call in calls(tree):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else None
        name = call.func.id if isinstance(call.func, ast.Name) else name
        base = call.func.value if isinstance(call.func, ast.Attribute) else None
        is_regex = name == "compile" and isinstance(base, ast.Name) and base.id == "re"
        is_model = name == "compile" and path.parent.name in ("training", "models")
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        is_sql = name == "compile" and set(keywords) == {"dialect"}
        # Of Keras' own layers alone, as tests/deploy/test_network_file.py shows.
        safe_mode = getattr(keywords.get("safe_mode"), "value", False)
        is_safe = name == "load_model" and safe_mode is True
        # Of a package that brings its weights along, as numbers (safetensors).
        is_packaged = name == "load_model" and path == PACKAGE / _PACKAGED
        allowed = is_regex or is_model or is_sql or is_packaged or is_safe
        assert name not in _CALLS or allowed, ast.unparse(call)
        for key in ("allow_pickle", "shell"):
            if key in keywords:
                assert getattr(keywords[key], "value", True) is False, ast.unparse(call)
        if name == "load" and isinstance(base, ast.Name) and base.id in ("np", "numpy"):
            assert "allow_pickle" in keywords, ast.unparse(call)


def test_only_names_of_the_users_own_are_imported():
    importers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "import_module" in path.read_text() or ".load()" in path.read_text()
    }
    # The package's own modules, by name when first used.
    importers -= {"__init__.py"}
    of_users = {"models/custom.py", "study/scoring.py", "training/estimators.py"}
    assert importers == of_users | {_PICKLES}
    reader = (PACKAGE / _PICKLES).read_text()
    # The one use of the module is the reader's base class.
    uses = {node.attr for node in ast.walk(ast.parse(reader)) if is_pickle(node)}
    assert uses == {"Unpickler", "UnpicklingError"}
    assert "import_module" not in reader
    assert reader.count(".load()") == 1


def is_pickle(node):
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "pickle"
    )


def test_only_the_dashboard_listens():
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        assert "0.0.0.0" not in text, path
        server_call = re.search(
            r"\.listen\(|\.bind\(|make_server|run_server|http\.server|WSGIServer|socketserver",
            text,
        )
        # tests/dashboard/test_server.py checks on which address.
        assert not server_call or path == PACKAGE / "dashboard" / "server.py", path


class Bomb:
    """Writes a file when it is unpickled."""

    def __reduce__(self):
        return (open, ("exploded", "w"))


@pytest.fixture
def bomb(here) -> bytes:
    content = pickle.dumps(Bomb())
    pickle.loads(content).close()
    (here / "exploded").unlink()
    return content


@pytest.mark.usefixtures("unrendered_figures")
def test_no_command_unpickles_anything(bomb, here, finished, monkeypatch, capsys):
    monkeypatch.setenv("REMIX_STUDY_CACHE", str(here))
    np.savez("wine-k.npz", key=np.array([Bomb()], dtype=object))
    assert load_cached("wine", "k") is None
    for name in ("data.csv", "data.csv.gz", "data.npz", "data.pkl", "kept.json"):
        Path(name).write_bytes(bomb)
    for name in ("data.csv", "data.csv.gz", "data.npz", "data.pkl"):
        text = tiny(('dataset = "wine"', f'file = "{name}"\nlabel = "y"'))
        Path("bad.toml").write_text(text)
        assert main(["run", "bad.toml", "--dry-run"]) == 2
    Path("bad.toml").write_bytes(bomb)
    assert main(["run", "bad.toml", "--dry-run"]) == 2
    assert main(["import", "kept.json", "--storage", "sqlite:///new.db"]) == 3
    for table, column in [
        ("remix_probabilities", "probabilities"),
        ("remix_folds", "curves"),
        ("remix_manifests", "manifest"),
        ("remix_folds", "trained_on"),
        ("trial_user_attributes", "value_json"),
    ]:
        shutil.copy(finished, "x.db")
        with closing(sqlite3.connect("x.db")) as connection:
            connection.execute(f"UPDATE {table} SET {column} = ?", (bomb,))
            connection.commit()
        for words in (["status"], ["report"], ["repair"], ["export", "--output", "kept"]):
            # Not every command has a message for damage of this kind.
            with contextlib.suppress(Exception):
                main([*words, "--storage", "sqlite:///x.db"])
        with contextlib.suppress(Exception):
            main(["import", "x.db", "--storage", "sqlite:///new.db"])
        for name in ("report", "kept"):
            shutil.rmtree(name, ignore_errors=True)
        Path("new.db").unlink(missing_ok=True)
    assert not Path("exploded").exists()
    capsys.readouterr()


MODEL = ("[model]\nhidden = [4]", '[model]\nname = "evil:build"')
EVIL = "from pathlib import Path\nPath('ran').write_text('')\n"


@pytest.mark.usefixtures("simulated")
def test_code_runs_only_where_the_user_named_it_and_did_not_forbid_it(here, capsys, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (here / "evil.py").write_text(EVIL)
    (here / "evil.toml").write_text(tiny(MODEL))
    for words in (["--dry-run"], []):
        capsys.readouterr()
        assert main(["run", "evil.toml", "--no-plugins", *words]) == 2
        assert capsys.readouterr().err == (
            'remix-study: evil.toml: model.name: "evil:build" would run code of its own, which '
            '--no-plugins forbids; write "mlp", or leave --no-plugins out\n'
        )
        assert not Path("ran").exists()
        assert str(here) not in sys.path
    assert not Path("remix-study.db").exists()
    # Forbidding it in one command does not forbid it in the next.
    (here / "tiny.toml").write_text(tiny())
    assert main(["run", "tiny.toml", "--no-plugins", "--dry-run"]) == 0
    assert not Path("ran").exists()
    assert main(["run", "evil.toml", "--dry-run"]) == 0
    assert str(here) in sys.path


def test_forbidden_code_is_refused_by_checks_builders_and_worker_processes(here, monkeypatch):
    (here / "evil.py").write_text(EVIL)
    # Another test may have imported a module of this name.
    monkeypatch.delitem(sys.modules, "evil", raising=False)
    monkeypatch.syspath_prepend(here)
    study = parse_study(tiny(MODEL), str(here / "evil.toml")).without_plugins()
    with pytest.raises(StudyFileError, match="--no-plugins forbids"):
        check_study(study)
    spec = WorkerSpec.decode(
        WorkerSpec.of(study, "sqlite:///x.db", "", 1, WorkerLimits()).encode()
    )
    assert not spec.study().allow_plugins
    assert parse_study(study.text, study.source).allow_plugins
    shape = {"stack": 1, "input_shape": (13,), "n_classes": 3, "options": {}}
    with pytest.raises(UsageError, match="--no-plugins forbids"):
        build_network("evil:build", allow_plugins=spec.study().allow_plugins, **shape)
    with pytest.raises(UsageError, match="--no-plugins forbids"):
        build_augmentation("evil:build", (8, 8, 1), {}, allow_plugins=False)
    with pytest.raises(UsageError, match="--no-plugins forbids"):
        prepare_tasks(study)[0].network_size(study.model)
    assert not Path("ran").exists()
    # Where it is allowed, the same name is imported.
    with pytest.raises(UsageError, match="cannot be imported"):
        build_network("evil:build", allow_plugins=True, **shape)
    assert Path("ran").exists()


def test_no_other_key_of_a_study_file_runs_code(here, capsys):
    (here / "evil.py").write_text(EVIL)
    for change in [
        ('dataset = "wine"', 'dataset = "evil:build"'),
        ('dataset = "wine"', 'file = "|touch ran.csv"\nlabel = "y"'),
        ('dataset = "wine"', 'file = "evil.py"\nlabel = "y"'),
        ('["baseline", "remix"]', '["evil:build"]'),
        ('"g_mean"', '"evil:build"'),
        ("folds = 2", "folds = \"__import__('evil')\""),
    ]:
        (here / "evil.toml").write_text(tiny(change))
        assert main(["run", "evil.toml", "--dry-run"]) == 2
    assert [path.name for path in here.iterdir() if path.name.startswith("ran")] == []
    capsys.readouterr()


# ---- paths

ROWS = "x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(160))
OWN = 'file = "{}"\nlabel = "y"'


@pytest.mark.usefixtures("simulated")
def test_a_file_outside_the_study_files_folder_is_noted(tmp_path, monkeypatch, capsys):
    (folder := tmp_path / "studies" / "mine").mkdir(parents=True)
    for path in (tmp_path / "far.csv", folder / "near.csv"):
        path.write_text(ROWS)
    (folder / "link.csv").symlink_to(tmp_path / "far.csv")
    (folder / "loop.csv").symlink_to("near.csv")
    monkeypatch.chdir(tmp_path)
    noted_names = {
        "near.csv": "",
        "./../mine/near.csv": "",
        "loop.csv": "",
        "../../far.csv": "../../far.csv",
        f"{tmp_path}/far.csv": f"{tmp_path}/far.csv",
        "link.csv": f"link.csv -> {tmp_path}/far.csv",
    }
    for number, (name, noted_name) in enumerate(noted_names.items()):
        text = tiny(('dataset = "wine"', OWN.format(name)), ('"tiny"', f'"tiny{number}"'))
        (folder / "t.toml").write_text(text)
        expected = f"note: problems[0].file: {noted_name} is outside the study file's folder"
        for words in (["--dry-run"], []):
            capsys.readouterr()
            assert main(["run", "studies/mine/t.toml", *words]) == 0
            assert (expected in capsys.readouterr().out.splitlines()) == bool(noted_name)
        with closing(sqlite3.connect("remix-study.db")) as connection:
            query = "SELECT manifest FROM remix_manifests ORDER BY id DESC LIMIT 1"
            manifest = json.loads(connection.execute(query).fetchone()[0])
        assert manifest["data"]["outside"] == noted_name


# ---- names from data

LABELS = ["<script>alert(1)</script>", '=cmd|"/C calc"!A0', "\\input{/etc/passwd}$\\frac$"]
NASTY = "$x^{_<img src=x onerror=alert(1)>"


class Page(html.parser.HTMLParser):
    """Tags, event attributes and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.events: list[str] = []
        self.data: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.events += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data):
        self.data.append(data)


@pytest.fixture
def hostile(here, monkeypatch):
    """A report of a study whose names are all markup, formulas or commands."""
    simulate_training(monkeypatch.setattr)
    name = f"{NASTY}.csv"
    rng = np.random.default_rng(0)
    with open(name, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["=1+1", "<b>", NASTY, "@class"])
        for i in range(120):
            writer.writerow([*rng.normal(size=2).round(3), "-+"[i % 2], LABELS[i % 3]])
    key = json.dumps(name)
    changes = (
        ('dataset = "wine"', f'file = {key}\nlabel = "@class"'),
        ("repeats = 1", "repeats = 2"),
    )
    (here / "odd.toml").write_text(tiny(*changes))
    assert main(["run", "odd.toml"]) == 0
    assert main(["report", "--output", "report", "--latex", "--figures"]) == 0
    return here / "report"


def test_hostile_names_change_no_output(hostile, here, capsys):
    text = (hostile / "index.html").read_text()
    page = Page(text)
    assert "script" not in page.tags
    assert page.events == []
    assert LABELS[0] in "".join(page.data)
    assert "<script" not in text
    assert "<img src=x" not in text
    assert not re.search(r"<\w", (hostile / "README.md").read_text())
    for path in (hostile / "figures").glob("*.svg"):
        drawing = Page(path.read_text())
        assert not {"script", "img", "b"} & set(drawing.tags)
        assert drawing.events == []
    for path in (hostile / "tables").glob("*.csv"):
        with open(path, newline="") as file:
            cells = [cell for line in csv.reader(file) for cell in line]
        for cell in cells:
            is_safe = not cell.startswith(("=", "@", "+", "-", "\t", "\r"))
            assert is_safe or re.fullmatch(r"[+-]?[\d.e+-]+", cell), (path.name, cell)
    for path in (hostile / "tables").glob("*.md"):
        assert not re.search(r"<\w", path.read_text()), path.name
    for path in (hostile / "tables").glob("*.tex"):
        assert not re.search(r"\\(input|frac)", path.read_text()), path.name
    json.loads((hostile / "manifest.json").read_text())
    for form in ("csv", "json"):
        assert main(["export", "--output", f"kept-{form}", "--format", form]) == 0
    for path in (here / "kept-csv").glob("*.csv"):
        with open(path, newline="") as file:
            assert not [
                cell
                for line in csv.reader(file)
                for cell in line
                if cell.startswith(("=", "@", "\t", "\r"))
            ]
    assert main(["import", "remix-study.db", "--storage", "sqlite:///other.db"]) == 0
    # All files are in the folders that were named.
    assert {path.name for path in here.iterdir()} >= {"report", "kept-csv", "other.db"}
    capsys.readouterr()


def test_names_that_look_like_numbers_stay_numbers():
    import pandas as pd

    frame = pd.DataFrame({"class": ["-1", "+1", "-1e-5", "-1+1", "--1", "\n=1", "＝1"]})
    assert [line.strip('"') for line in csv_text(frame).split("\n")[1:-1]][:5] == [
        "-1", "+1", "-1e-5", "'-1+1", "'--1",
    ]  # fmt: skip
    assert csv_text(frame).count("'") == 4
    link = pd.DataFrame({"a": ["![x](http://h/t.png)"]})
    assert "!\\[x](" in markdown_text(link)


# ---- passwords


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me:secret@host/db is away",
        "postgresql://me:sec@ret:x@host/db",
        "postgresql:/me:secret@host/db",
        'x "postgresql+psycopg://me:secret@h" y',
        "mysql://h/db?user=me&password=secret&x=1",
        "postgresql://h/db?sslPassword=secret",
    ],
)
def test_a_password_in_any_message_is_masked(text):
    for message in (mask_passwords(text), str(RemixStudyError(text))):
        assert "secret" not in message
        assert "ret:x" not in message
        assert "***" in message


def test_other_text_is_not_masked():
    for text in ("sqlite:///C:/a@b.db", "see https://h/a@b", "data/a:b@c.csv", "a: b@c"):
        assert mask_passwords(text) == text


@pytest.mark.parametrize(
    "words",
    [
        ["status", "--storge", "postgresql://me:s3cr3t@h/d"],
        ["run", "postgresql://me:s3cr3t@h/d"],
        ["report", "postgresql://me:s3cr3t@h/d.toml"],
        ["status", "--storage", "postgresql+psycopg://me:s3cr3t@127.0.0.1:9/d"],
        ["repair", "--storage", "postgresql+psycopg://me:s3cr3t@127.0.0.1:9/d"],
        ["export", "--output", "x", "--storage", "postgresql+psycopg://me:s3@s3cr3t@h.invalid/d"],
        ["import", "postgresql+psycopg://me:s3cr3t@127.0.0.1:9/d"],
        ["status", "--json", "--storage", "postgresql+psycopg://h.invalid/d?password=s3cr3t"],
        ["status", "--storage", "s3cr3t+psycopg://me:s3cr3t@h:x/d".replace("s3cr3t+", "pg+")],
    ],
)
@pytest.mark.usefixtures("here")
def test_no_message_holds_a_password(words, capfd):
    pytest.importorskip("psycopg")
    try:
        code = main(words)
    except SystemExit as caught:
        code = caught.code
    out, errors = capfd.readouterr()
    assert code in (2, 3)
    assert errors.count("\n") == 1
    assert "s3" not in (out + errors).replace(os.getcwd(), "")


def test_a_traceback_holds_no_password(here, monkeypatch):
    pytest.importorskip("psycopg")
    monkeypatch.setattr(runner, "OPENING_SECONDS", 0.0)
    import traceback

    (here / "tiny.toml").write_text(tiny())
    url = "postgresql+psycopg://me:s3cr3t@127.0.0.1:9/d"
    with pytest.raises(RemixStudyError) as caught:
        remix_study.run("tiny.toml", storage=url)
    printed = "".join(traceback.format_exception(caught.value))
    assert "s3cr3t" not in printed.replace(f'"{url}"', "")
    error: BaseException | None = caught.value
    while error is not None:
        assert "s3cr3t" not in f"{error!r} {error} {vars(error)}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
