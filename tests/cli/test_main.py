"""The command line: output, exit codes, and one line for every mistake."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tiny_studies import TINY, query, tiny

from remix_study import __version__
from remix_study.cli.main import main
from remix_study.study import runner


@pytest.fixture
def study(request, here) -> Path:
    """The tiny study's file, and simulated training."""
    request.getfixturevalue("simulated")
    path = here / "tiny.toml"
    path.write_text(TINY)
    return path


def file_hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def error_of(capfd, *words: str) -> tuple[int, str]:
    """Exit code and the one line on standard error; nothing on standard output."""
    try:
        code = main(words)
    except SystemExit as caught:
        code = caught.code
    out, errors = capfd.readouterr()
    assert out == ""
    assert errors.count("\n") == 1, errors
    assert errors.startswith("remix-study")
    return code, errors.strip()


# Kinds of bad input, each by one change to a valid study.
BAD = {
    "not TOML": ("[study]", "[study", "not valid TOML: "),
    "unknown key": ("epochs = 2", "epoch = 2", 'training.epoch: unknown key; did you mean'),
    "wrong type": ("epochs = 2", 'epochs = "2"', "training.epochs: expected a whole number"),
    "alpha -1": ("[0.0, 0.1]", "[-1]", "search.space.alpha.remix: expected numbers from"),
    "imbalance 1.7": (
        '"wine"',
        '"wine"\nkind = "binary"\nminority = [1]\nimbalance = [1.7]',
        "problems[0].imbalance[0]: expected a number above 0 and up to 1 (found 1.7)",
    ),
    "unknown data set": ('"wine"', '"wein"', 'there is no data set "wein"; did you mean "wine"?'),
    "missing file": ('dataset = "wine"', 'file = "no.csv"\nlabel = "y"', "no.csv: "),
    "one class": ('dataset = "wine"', 'file = "one.csv"\nlabel = "y"', 'one.csv, column "y"'),
    "no label": ('dataset = "wine"', 'file = "one.csv"\nlabel = "z"', "one.csv: "),
    "unknown metric": ('"bbs"', '"bss"', 'study.objectives: no metric "bss"; did you mean "bbs"?'),
    "unknown strategy": ('"remix"]', '"remox"]', 'search.space.strategy: no strategy "remox"'),
    "unknown model": ("hidden = [4]", 'name = "no.where:f"', 'model "no.where:f" cannot be impo'),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["run", "dry"])
def test_bad_input_is_one_line_and_exit_code_2(study, old, new, expected, dry, capfd, monkeypatch):
    if "no.where" in new:
        # Simulated training builds no model.
        monkeypatch.undo()
        monkeypatch.chdir(study.parent)
    (study.parent / "one.csv").write_text("x,y\n" + "1.5,a\n" * 40)
    study.write_text(tiny((old, new)))
    code, line = error_of(capfd, "run", "tiny.toml", *dry)
    assert code == 2
    assert expected in line
    if "model" not in expected:
        assert not Path("remix-study.db").exists()


def test_a_database_that_is_none_is_exit_code_3(study, capfd):
    (study.parent / "thesis.db").write_text("chapter one\n" * 500)
    with closing(sqlite3.connect(study.parent / "music.db")) as connection:
        connection.execute("CREATE TABLE albums (title TEXT)")
        connection.commit()
    before = file_hashes(study.parent)
    for words in (("run", "tiny.toml"), ("status",), ("report",)):
        code, line = error_of(capfd, *words, "--storage", "sqlite:///thesis.db")
        assert (code, "file is not a database" in line) == (3, True)
        code, line = error_of(capfd, *words, "--storage=sqlite:///music.db")
        assert code == 3
        assert "a database of something else" in line or "holds no study of remix_study" in line
    assert file_hashes(study.parent) == before


@pytest.mark.parametrize("words", [("status",), ("status", "--json"), ("report",)])
def test_reading_a_missing_database_creates_nothing(here, words, capfd):
    code, line = error_of(capfd, *words)
    assert code == 3
    assert line == "remix-study: remix-study.db: there is no such database; run a study first"
    assert file_hashes(here) == {}


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        ((), 2, "the following arguments are required: COMMAND; see remix-study --help"),
        (("rnu",), 2, "invalid choice"),
        (("run", "--storag"), 2, "--storage: expected one argument; see remix-study run --help"),
        (("run", "a", "b"), 2, "unrecognized arguments: b; see remix-study run --help"),
        (
            ("run", "a.csv", "--lable", "y", "--alhpa=1", "--tineout=3"),
            2,
            "arguments: --lable y --alhpa=1 --tineout=3 (did you mean --label, --timeout?); see",
        ),
        (("run", "quickstrat"), 2, 'nor a built-in study of this name; did you mean "quickstart"'),
        (("run", "missing.toml"), 2, "missing.toml: no such file, nor a built-in study"),
        (("run", "folder.toml"), 2, "folder.toml: is a folder; name the study file in it"),
        (("run", "binary.toml"), 2, "binary.toml: not a text file in UTF-8"),
        (("run", "tiny.toml", "--storage", "results.db"), 3, "for example sqlite:///results.db"),
        (
            ("run", "tiny.toml", "--storage", "sqlite:///folder.toml"),
            3,
            "a folder, not a database",
        ),
        (("run", "tiny.toml", "--storage", "sqlite:///no/x.db"), 3, "no: there is no such folder"),
        (("run", "tiny.toml", "--storage", "mongodb://h/x"), 3, "no driver for such a database"),
        (
            ("run", "tiny.toml", "--storage", f"sqlite:///{'x' * 300}"),
            3,
            "File name too long",
        ),
        (("status", "--storage", f"sqlite:///{'x' * 300}"), 3, "File name too long"),
        (("status", "--storage", "sqlite:///no/x.db"), 3, "no: there is no such folder"),
        (("report", "missing.toml"), 2, "missing.toml: no such file, nor a built-in study"),
        (("datasets", "wein"), 2, 'there is no data set "wein"'),
    ],
)
def test_other_mistakes(study, words, code, expected, capfd):
    (study.parent / "folder.toml").mkdir()
    (study.parent / "binary.toml").write_bytes(b"\xff\x00")
    exit_code, line = error_of(capfd, *words)
    assert exit_code == code
    assert expected in line


def test_names_that_the_database_does_not_hold(finished, here, capfd):
    storage = f"--storage=sqlite:///{finished}"
    code, line = error_of(capfd, "report", "tinny", storage)
    assert (code, 'no study "tinny"; did you mean "tiny"?' in line) == (2, True)
    code, line = error_of(capfd, "report", "tiny", storage, "--output", "/proc/no/report")
    assert (code, "/proc/no/report" in line) == (2, True)
    (here / "file").write_text("")
    code, line = error_of(capfd, "report", storage, "--output", "file")
    assert (code, "file" in line) == (2, True)


@pytest.mark.usefixtures("study")
def test_a_password_is_in_no_message(capfd, monkeypatch):
    monkeypatch.setattr(runner, "OPENING_SECONDS", 0.0)
    for url in ("postgresql://me:secret@127.0.0.1:9/x", "postgresql//me:secret@h/x"):
        for words in (("run", "tiny.toml"), ("status",), ("report",)):
            code, line = error_of(capfd, *words, f"--storage={url}")
            assert code == 3
            assert "secret" not in line


@pytest.mark.usefixtures("study")
def test_a_run_from_the_first_line_to_the_manifest(capfd):
    assert main(["run", "tiny.toml"]) == 0
    out, errors = capfd.readouterr()
    assert errors == ""
    lines = out.splitlines()
    assert lines[0] == (
        "tiny/wine  0 of 3 configurations complete; "
        "rows of each class: class_0: 59, class_1: 71, class_2: 48"
    )
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["[1/3]", "baseline"],
        ["[2/3]", "balance"],
        ["[3/3]", "remix"],
    ]
    assert lines[4] == (
        "3 of 3 configurations complete, 3 of them new, in sqlite:///remix-study.db"
    )
    ((text,),) = query(Path("remix-study.db"), "SELECT manifest FROM remix_manifests")
    manifest = json.loads(text)
    assert manifest["command"] == "remix-study run tiny.toml"
    assert manifest["file"] == {
        "text": TINY,
        "sha256": hashlib.sha256(TINY.encode()).hexdigest(),
    }
    assert len(manifest["data"]["sha256"]) == 64
    assert set(manifest) > {"started", "seed", "python", "packages", "backend", "platform"}


@pytest.mark.usefixtures("study")
def test_json_is_alone_on_standard_output(capfd):
    answers = {}
    for text in (
        "run tiny.toml",
        "run --dry-run tiny.toml",
        "status",
        "datasets",
        "datasets wine",
    ):
        words = tuple(text.split())
        assert main([*words, "--json"]) == 0
        answers[words] = json.loads(capfd.readouterr().out)
    assert answers["run", "tiny.toml"] == {
        "study": "tiny",
        "storage": "sqlite:///remix-study.db",
        "points": 3,
        "complete_before": 0,
        "completed": 3,
        "complete": 3,
        "failures": [],
        "timed_out": False,
        "remarks": [],
        "report": None,
    }
    dry = answers["run", "--dry-run", "tiny.toml"]
    assert dry["points"] == ["baseline", "balance", "remix (0.1)"]
    assert dry["networks"] == 6
    assert dry["problems"][0]["parameters"] == 7
    assert dry["problems"][0]["keys"]["training"]["patience"] == 20
    assert dry["problems"][0]["rows"] == {"class_0": 59, "class_1": 71, "class_2": 48}
    (status,) = answers["status",]
    assert (status["name"], status["planned"], status["complete"]) == ("tiny/wine", 3, 3)


def test_failed_configurations_are_exit_code_1(study, capfd):
    study.write_text(tiny(('"remix"]', '"remix"]\nlearning_rate = [0.1, 2.0]')))
    assert main(["run", "tiny.toml"]) == 1
    out = capfd.readouterr().out
    assert "failed baseline, learning_rate 2: 2 of 2 folds diverged: made up to fail" in out
    assert "3 of 6 configurations complete, 3 of them new, in sqlite" in out
    assert main(["run", "tiny.toml", "--json"]) == 1
    answer = json.loads(capfd.readouterr().out)
    assert len(answer["failures"]) == 3
    assert answer["failures"][0]["study"] == "tiny/wine"


def test_notes_of_a_problem_are_printed(study, capfd):
    study.write_text(
        tiny(('"wine"', '"wine"\nkind = "binary"\nminority = ["class_1"]\nimbalance = [0.9]'))
    )
    assert main(["run", "tiny.toml"]) == 0
    assert "  note: " in (out := capfd.readouterr().out)
    assert "the majority was reduced from 107 to 79 rows" in out
    assert main(["run", "tiny.toml", "--dry-run"]) == 0
    assert "the majority was reduced from 107 to 79 rows" in capfd.readouterr().out


def test_status_counts_failed_and_missing_configurations(study, capfd):
    study.write_text(tiny(('"remix"]', '"remix"]\nlearning_rate = [0.1, 2.0]')))
    main(["run", "tiny.toml"])
    capfd.readouterr()
    assert main(["status"]) == 0
    header, line = capfd.readouterr().out.splitlines()
    assert header.split() == [
        "study",
        "planned",
        "complete",
        "running",
        "failed",
        "dead",
        "missing",
    ]
    assert line.split() == ["tiny/wine", "6", "3", "0", "3", "0", "3"]


def test_a_dry_run_prints_what_would_run_and_creates_nothing(study, capfd):
    before = file_hashes(study.parent)
    assert main(["run", "tiny.toml", "--dry-run"]) == 0
    out = capfd.readouterr().out
    assert "tiny: grid, 6 fits in all" in out
    assert "configurations: baseline; balance; remix (0.1)" in out
    assert "3 configurations x 2 folds = 6 fits; networks of 7 parameters, 2 epochs at most" in out
    assert "  layers: dense 1 (7)\n  memory: about 15" in out
    assert (
        '[training] preset = "quick", epochs = 2, batch_size = 16, learning_rate = 0.001, ' in out
    )
    assert '[model] name = "mlp", hidden = [4], dropout = 0.1\n' in out
    assert '[problems] dataset = "wine", ' in out
    assert '[search.space] strategy = ["baseline", "remix"], alpha.remix = [0.0, 0.1]\n' in out
    assert file_hashes(study.parent) == before


@pytest.mark.usefixtures("here")
def test_a_dry_run_of_a_search_prints_what_optuna_suggests(study, capfd):
    study.write_text(
        tiny(
            ("[search.space]", '[search]\nalgorithm = "tpe"\ntrials = 5\n[search.space]'),
            ('"remix"]', '"remix"]\nlearning_rate = {low = 0.1, high = 0.2}'),
        )
    )
    assert main(["run", "tiny.toml", "--dry-run"]) == 0
    assert "suggested by Optuna: strategy, alpha, learning_rate" in capfd.readouterr().out


@pytest.mark.usefixtures("here", "simulated")
def test_the_built_in_study_is_the_default(capfd):
    assert main(["run", "--dry-run", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["study"] == "quickstart"


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["--version"]])
def test_help_is_exit_code_0(words, capfd):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 0
    out = capfd.readouterr().out
    assert __version__ in out or "exit codes: 0 done" in " ".join(out.split())


@pytest.mark.usefixtures("unrendered_figures")
def test_a_report_by_the_file_of_its_study(finished, here, capfd):
    (here / "mine").write_text(TINY)
    assert main(["report", "mine", "--storage", f"sqlite:///{finished}", "--json"]) == 0
    index = json.loads(capfd.readouterr().out)["index"]
    assert Path(index).read_text().startswith("<!")
