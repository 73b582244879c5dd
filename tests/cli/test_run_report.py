"""The end of a run: what was found in a few lines, and the page in the folder of ``--report``."""

from __future__ import annotations

import html
import json
import os
import shutil
import signal
import threading
from pathlib import Path

import pytest
from tiny_studies import TINY, tiny, wait_for

from remix_study.cli.main import main

pytestmark = pytest.mark.usefixtures("unrendered_figures")

WITHOUT_REPORT = "for the page: remix-study report tiny --storage sqlite:///remix-study.db"


@pytest.fixture
def trained(finished, here) -> Path:
    """A folder with the tiny study and the database of its real training."""
    shutil.copy(finished, here / "remix-study.db")
    (here / "tiny.toml").write_text(TINY)
    return here


@pytest.fixture
def untrained(request, here) -> Path:
    """A folder with the tiny study alone; training is simulated."""
    request.getfixturevalue("simulated")
    (here / "tiny.toml").write_text(TINY)
    return here


def run(capfd, *words: str) -> tuple[int, list[str], str]:
    """Exit code, lines on standard output, and standard error of ``run tiny.toml``."""
    code = main(["run", "tiny.toml", *words])
    out, errors = capfd.readouterr()
    return code, out.splitlines(), errors


def visible_text(index: Path) -> str:
    return html.unescape(index.read_text(encoding="utf-8"))


def test_the_last_lines_are_the_verdict_and_the_page(trained, capfd):
    code, lines, errors = run(capfd, "--report", "pages/tiny")
    assert (code, errors) == (0, "")
    decision, verdict, model, page = lines[-4:]
    assert model == "for the model: remix-study fit tiny.toml"
    assert page == "report: pages/tiny/index.html"
    problem, _, headline = verdict.partition(": ")
    assert problem == "wine, class class_2 rare among 3, as it is (rare 1:1.48)"
    assert headline.startswith("ReMix (0.1) ")
    headline = decision.removeprefix(f"{problem}: ")
    assert headline.startswith("Use ")
    text = visible_text(trained / "pages" / "tiny" / "index.html")
    assert problem in text
    assert headline in text
    manifest = json.loads((trained / "pages" / "tiny" / "manifest.json").read_text())
    assert manifest["command"] == "remix-study report tiny --storage sqlite:///remix-study.db"
    assert run(capfd) == (0, [*lines[:-1], WITHOUT_REPORT], "")


def test_workers_that_find_nothing_to_do_write_the_page(trained, capfd):
    code, lines, errors = run(capfd, "--workers", "2", "--report", "page")
    assert (code, errors, lines[-1]) == (0, "", "report: page/index.html")
    assert (trained / "page" / "index.html").is_file()


@pytest.mark.usefixtures("simulated")
def test_the_page_is_of_this_study_alone(trained, capfd):
    (trained / "tiny.toml").write_text(tiny(('"tiny"', '"second"')))
    # A page of the first study is replaced by that of the second.
    assert main(["report", "tiny", "--output", "page"]) == 0
    assert run(capfd, "--report", "page")[0] == 0
    text = visible_text(trained / "page" / "index.html")
    assert "<title>ReMix study: second" in text


@pytest.mark.usefixtures("simulated")
def test_studies_of_a_specification_curve_are_not_in_the_title_but_in_the_summary(trained, capfd):
    (trained / "tiny.toml").write_text(tiny(('"tiny"', '"second"')))
    assert run(capfd)[0] == 0
    command = ["report", "tiny", "--specifications", "second", "--output", "page", "--summary"]
    assert main(command) == 0
    text = visible_text(trained / "page" / "index.html")
    assert "<title>ReMix study: tiny</title>" in text
    summary = trained / "page" / "summary.db.xz"
    assert main(["status", "--storage", f"sqlite:///{summary}"]) == 0
    assert "\nsecond/" in capfd.readouterr().out


def test_failed_configurations_are_exit_code_1_and_a_page_and_json_stays_json(untrained, capfd):
    rates = '"remix"]\nlearning_rate = [0.1, 2.0]'
    (untrained / "tiny.toml").write_text(tiny(('"remix"]', rates)))
    code, lines, _ = run(capfd, "--report", "page", "--json")
    answer = json.loads("\n".join(lines))
    assert (code, answer["complete"], answer["report"]) == (1, 3, "page/index.html")
    assert "<td>3 of 6</td>" in visible_text(untrained / "page" / "index.html")


def test_without_a_complete_trial_there_are_no_results(untrained, capfd):
    (untrained / "tiny.toml").write_text(tiny(("epochs = 2", "epochs = 2\nlearning_rate = 2.0")))
    code, lines, _ = run(capfd, "--report", "page")
    assert code == 1
    assert lines[-2:] == [
        "No configuration is complete yet, so there are no results.",
        "report: page/index.html",
    ]


@pytest.mark.parametrize(
    ("folder", "text"),
    [
        ("thesis", "thesis holds files that no report wrote (thesis.tex); name another folder"),
        ("tiny.toml", "tiny.toml is a file; name a folder for the report"),
        ("tiny.toml/page", "tiny.toml/page: cannot write the report (Not a directory)"),
        ("/proc/page", "/proc/page: cannot write the report ("),
        (
            "empty",
            "empty: the report needs a folder of its own, and the database empty/x.db would be in "
            "this one; name another folder",
        ),
    ],
)
def test_a_folder_that_can_be_no_report_is_refused_before_training(untrained, folder, text, capfd):
    (untrained / "thesis").mkdir()
    (untrained / "thesis" / "thesis.tex").write_text("years of work")
    (untrained / "empty").mkdir()
    before = sorted(untrained.rglob("*"))
    storage = "--storage=sqlite:///empty/x.db"
    code, lines, errors = run(capfd, "--report", folder, *([storage] if folder == "empty" else []))
    assert (code, lines) == (2, [])
    assert errors.startswith(f"remix-study: {text}")
    assert errors.count("\n") == 1
    assert sorted(untrained.rglob("*")) == before


@pytest.mark.usefixtures("untrained")
def test_a_dry_run_has_nothing_to_report(capfd):
    expected = (
        "remix-study: --dry-run trains nothing to report on; leave out --report or --dry-run"
    )
    assert run(capfd, "--dry-run", "--report", "page") == (2, [], f"{expected}\n")
    assert not Path("page").exists()


def test_a_run_that_is_stopped_writes_no_page(untrained, capfd, monkeypatch):
    monkeypatch.setenv("SIMULATED_SECONDS", "1")

    def interrupt_the_second_trial():
        wait_for(untrained / "remix-study.db", {"COMPLETE": 1, "RUNNING": 1})
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt_the_second_trial).start()
    code, lines, errors = run(capfd, "--report", "page")
    assert code == 130, errors
    assert not [line for line in lines if "report: " in line]
    assert {path.name.partition(".db")[0] for path in untrained.iterdir()} == {
        "tiny.toml",
        "remix-study",
    }
