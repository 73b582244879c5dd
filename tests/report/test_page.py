"""The folder as a reader and another program find it, and the lines that a run ends with."""

from __future__ import annotations

import gc
import hashlib
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

import pandas as pd
import pytest
from gaussian_studies import gaussian_frames
from made_up_studies import MadeUpProblem, at_three_ratios, made_up_frames

from remix_study.data.memory import few_collections
from remix_study.errors import UsageError
from remix_study.report.page import (
    MOST_PROBLEMS,
    outcome_lines,
    report_studies,
    study_facts,
    write_report,
)
from remix_study.report.page_files import LONG, VERY_LONG, Formats, write_page
from remix_study.report.page_model import Section

THREE_METHODS = (("baseline", None), ("balance", None), ("remix", 0.1))
COMMAND = "remix-study report made --output report"


@pytest.fixture(scope="module")
def small():
    """A few rows, enough for every section."""
    return (("baseline", None), ("balance", None), ("remix", 0.1), ("remix", 0.4))


@pytest.fixture(scope="module")
def report(tmp_path_factory, small):
    output = tmp_path_factory.mktemp("made") / "report"
    frames = made_up_frames(MadeUpProblem(methods=small))
    formats = Formats(latex=True, figures=True)
    return write_report(frames, output, command=COMMAND, formats=formats)


class Links(HTMLParser):
    """Everything that a page would load or point at."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.sources += [values[name] for name in ("src", "data") if name in values]
        self.links += [values["href"]] if "href" in values else []
        self.ids += [values["id"]] if "id" in values else []
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(path):
    page = Links()
    page.feed(path.read_text(encoding="utf-8"))
    assert page.open == []
    return page


def test_the_page_loads_nothing_from_outside_itself(report):
    page = read(report)
    assert page.sources
    assert all(source.startswith("data:image/svg+xml,") for source in page.sources)
    text = report.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "@import" not in text
    # Drawings refer to their own parts.
    assert not re.search(r"url\((?!%23)", text)
    assert not re.search(r'(href|src)="https?:', text)


def test_pictures_of_the_page_are_the_files_of_the_folder(report):
    shown = {unquote_to_bytes(source.partition(",")[2]) + b"\n" for source in read(report).sources}
    files = {path.read_bytes() for path in (report.parent / "figures").glob("*.svg")}
    assert shown <= files
    for svg in files:
        ElementTree.fromstring(svg)


def test_links_lead_to_files_and_places_that_exist(report):
    page = read(report)
    assert len(set(page.ids)) == len(page.ids)
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert (report.parent / link).is_file()


def test_manifest_lists_every_file_with_its_hash(report):
    manifest = json.loads((report.parent / "manifest.json").read_text())
    files = {
        path.relative_to(report.parent).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in report.parent.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert manifest["files"] == files
    assert manifest["command"] == COMMAND
    assert manifest["studies"] == [{"study": "made"}]


def test_each_figure_and_table_has_every_format(report):
    for folder, endings in (("figures", {".svg", ".png"}), ("tables", {".csv", ".md", ".tex"})):
        paths = list((report.parent / folder).iterdir())
        assert paths
        for stem in {path.stem for path in paths}:
            suffixes = {path.suffix for path in paths if path.stem == stem}
            if folder == "tables":
                lines = (report.parent / folder / f"{stem}.csv").read_text().count("\n") - 1
                assert suffixes == (endings if lines <= LONG else {".csv"})
            else:
                assert suffixes == endings


def test_the_page_says_what_was_run(report):
    text = report.read_text(encoding="utf-8")
    assert "Complete: 4 of 4 configurations." in text
    assert "class-balanced validation cross-entropy" in text
    assert "80 fits in 10 s of training" in text
    assert "validation scores" in text
    assert COMMAND in text


def test_the_same_study_gives_the_same_files(report, tmp_path, small):
    again = write_report(
        made_up_frames(MadeUpProblem(methods=small)),
        tmp_path / "again",
        command=COMMAND,
        formats=Formats(latex=True, figures=True),
    )
    folders = [
        json.loads((path.parent / "manifest.json").read_text())["files"]
        for path in (report, again)
    ]
    first, second = ({k: v for k, v in f.items() if k != "index.html"} for f in folders)
    assert first == second


@pytest.mark.usefixtures("unrendered_figures")
def test_an_unfinished_study_says_so_at_the_top(tmp_path, small):
    frames = made_up_frames(MadeUpProblem(methods=small, planned=26))
    text = write_report(frames, tmp_path / "r", command=COMMAND).read_text(encoding="utf-8")
    assert "Incomplete: 4 of 26 configurations." in text
    assert text.index("Incomplete: 4 of 26") < text.index("<main>")


@pytest.mark.usefixtures("unrendered_figures")
def test_notes_of_the_data_are_repeated(tmp_path):
    problems = [
        replace(p, notes=("downsampled to 400 of 900 rows",))
        for p in at_three_ratios(MadeUpProblem(methods=(("baseline", None),)))
    ]
    text = write_report(made_up_frames(*problems), tmp_path / "r", command=COMMAND).read_text()
    assert "All problems: downsampled to 400 of 900 rows" in text


@pytest.mark.usefixtures("unrendered_figures")
def test_names_from_the_data_cannot_become_markup(tmp_path, small):
    frames = made_up_frames(
        MadeUpProblem(
            methods=small,
            dataset="<script>alert(1)</script>",
            classes=("rest", "a|b<i>"),
            minority=("a|b<i>",),
            notes=("<b>bold</b> & =1+1",),
        )
    )
    path = write_report(frames, tmp_path / "r", command="<x>")
    text = path.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "<b>bold" not in text
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; =1+1" in text
    read(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"methods": ()},
        {"methods": (("baseline", None),)},
        {"methods": (("remix", 0.1),)},
        {"algorithm": "tpe"},
        {"objectives": ("log_loss",)},
        {"folds": 2, "repeats": 1},
        {"methods": (("remix", 0.1), ("remix", 0.2)), "repeats": 1},
    ],
)
def test_missing_pieces_never_stop_a_report(tmp_path, small, changes):
    frames = made_up_frames(MadeUpProblem(**{"methods": small, **changes}))
    read(write_report(frames, tmp_path / "r", command=COMMAND))


def test_stored_probabilities_are_drawn_and_corrected(tmp_path, small):
    path = write_report(
        gaussian_frames(methods=small[:3]),
        tmp_path / "r",
        command=COMMAND,
        formats=Formats(figures=True),
    )
    text = path.read_text(encoding="utf-8")
    ElementTree.parse(path.parent / "figures" / "calibration-1.svg")
    assert '<figure class="wide">' in text
    assert "corrected, natural class shares" in text
    read(path)


@pytest.mark.usefixtures("unrendered_figures")
def test_a_collapsed_block_opens_with_its_title(tmp_path, monkeypatch, small):
    monkeypatch.setattr("remix_study.report.sections.calibration.SHOWN_OPEN", 0)
    path = write_report(gaussian_frames(methods=small[:2]), tmp_path / "r", command=COMMAND)
    text = path.read_text(encoding="utf-8")
    assert '<details class="block"><summary>gauss, class rare against the rest, as it is' in text
    read(path)


@pytest.mark.usefixtures("unrendered_figures")
def test_composed_points_of_a_search_are_shown(tmp_path, small):
    frames = made_up_frames(MadeUpProblem(methods=small, algorithm="tpe"))
    runs = frames.runs.assign(strategy="", row="balanced + beta")
    text = write_report(replace(frames, runs=runs), tmp_path / "r", command=COMMAND).read_text()
    assert "balanced + beta #3" in text


@pytest.mark.usefixtures("unrendered_figures")
def test_no_problem_at_all_is_still_a_page(tmp_path):
    frames = made_up_frames(MadeUpProblem(methods=()))
    empty = replace(frames, problems=pd.DataFrame(columns=frames.problems.columns))
    read(write_report(empty, tmp_path / "r", command=COMMAND))


@pytest.mark.usefixtures("unrendered_figures")
def test_a_report_replaces_itself_and_leaves_no_old_file(tmp_path, small):
    output = tmp_path / "report"
    write_report(made_up_frames(MadeUpProblem(methods=small)), output, command=COMMAND)
    before = {path.name for path in (output / "figures").iterdir()}
    (output / ".hidden").write_text("kept")
    write_report(made_up_frames(MadeUpProblem(methods=small[:2])), output, command=COMMAND)
    after = {path.name for path in (output / "figures").glob("*")}
    assert before == {"decision-1-g_mean.png", "sensitivity-remix-1.png"}
    assert after == {"decision-1-g_mean.png"}
    assert (output / ".hidden").read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


@pytest.mark.usefixtures("unrendered_figures")
def test_folders_of_strangers_are_refused_untouched(tmp_path, small):
    frames = made_up_frames(MadeUpProblem(methods=small))
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match=r"thesis\.tex"):
        write_report(frames, thesis, command=COMMAND)
    assert [path.name for path in thesis.iterdir()] == ["thesis.tex"]
    report_folder = tmp_path / "report"
    write_report(made_up_frames(MadeUpProblem(methods=())), report_folder, command=COMMAND)
    (report_folder / "tables" / "mine.csv").write_text("a")
    with pytest.raises(UsageError, match=r"mine\.csv"):
        write_report(frames, report_folder, command=COMMAND)
    assert (report_folder / "index.html").is_file()


@pytest.mark.usefixtures("unrendered_figures")
def test_a_manifest_of_something_else_makes_no_report(tmp_path, small):
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "manifest.json").write_text('{"name": "an app", "files": []}')
    with pytest.raises(UsageError, match=r"manifest\.json"):
        write_report(made_up_frames(MadeUpProblem(methods=small)), folder, command=COMMAND)


@pytest.mark.usefixtures("unrendered_figures")
def test_a_file_in_the_way_is_one_clear_error(tmp_path, small):
    (tmp_path / "report").write_text("a file")
    with pytest.raises(UsageError, match="is a file"):
        write_report(
            made_up_frames(MadeUpProblem(methods=small)), tmp_path / "report", command=COMMAND
        )
    with pytest.raises(UsageError, match="cannot write"):
        write_report(
            made_up_frames(MadeUpProblem(methods=small)),
            tmp_path / "report" / "x",
            command=COMMAND,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_the_manifest_has_each_study_file_once():
    file = {"text": "[study]\n", "sha256": "ab"}
    facts = study_facts(
        [{"problem": "a", "file": file}, {"problem": "b", "file": file}, {"study": "c"}]
    )
    assert facts == {
        "studies": [
            {"problem": "a", "file": {"sha256": "ab"}},
            {"problem": "b", "file": {"sha256": "ab"}},
            {"study": "c"},
        ],
        "study_files": {"ab": "[study]\n"},
    }


@pytest.mark.usefixtures("unrendered_figures")
def test_the_page_alone_has_csv_tables_and_a_readme(tmp_path, small):
    page = write_report(made_up_frames(MadeUpProblem(methods=small)), tmp_path / "r", command="c")
    files = {path.relative_to(page.parent).as_posix() for path in page.parent.rglob("*.*")}
    assert {"index.html", "README.md", "manifest.json"} < files
    tables_and_figures = files - {"index.html", "README.md", "manifest.json", "decision.json"}
    figures = {name for name in tables_and_figures if name.startswith("figures/")}
    assert figures == {"figures/decision-1-g_mean.png", "figures/sensitivity-remix-1.png"}
    assert all(name.endswith(".csv") for name in tables_and_figures - figures)
    text = (page.parent / "README.md").read_text(encoding="utf-8")
    assert "**digits, class 3 against the rest, rare 1:20:** Use remix (" in text
    assert "(figures/sensitivity-remix-1.png)" in text
    assert "\n| method | " in text
    assert "\n| --- | ---: | ---: | ---: |\n" in text
    assert "`report --latex`" not in text


def test_a_table_of_thousands_of_lines_is_compressed(tmp_path):
    lines = pd.DataFrame({"row": ["remix"] * (VERY_LONG + 1), "mean": 0.25})
    sections = [Section("a", "A", "", (), {"long": lines, "short": lines[:VERY_LONG]})]
    for _ in range(2):
        folder = tmp_path / "r"
        folder.mkdir()
        write_page(folder, sections, title="t", status="s", complete=True, command="c", about={})
        assert {p.name for p in (folder / "tables").iterdir()} == {"long.csv.gz", "short.csv"}
        content = (folder / "tables" / "long.csv.gz").read_bytes()
        target = tmp_path / hashlib.sha256(content).hexdigest()
        shutil.rmtree(target, ignore_errors=True)
        folder.rename(target)
    (first,) = (path for path in tmp_path.iterdir())
    pd.testing.assert_frame_equal(pd.read_csv(first / "tables" / "long.csv.gz"), lines)


@pytest.fixture
def many():
    """Problems of one study, by their number."""
    return lambda count, **options: [
        MadeUpProblem(methods=THREE_METHODS, problem=f"problem-{at}", **options)
        for at in range(count)
    ]


def test_a_few_problems_have_a_decision_and_what_remix_adds(many):
    lines = outcome_lines(made_up_frames(*many(MOST_PROBLEMS)))
    assert len(lines) == 2 * MOST_PROBLEMS
    assert all(": Use remix (0.1)" in line for line in lines[::2])
    better = ": ReMix (0.1) against the baseline: better on g-mean and balanced Brier;"
    assert all(better in line for line in lines[1::2])


def test_many_problems_are_counted(many):
    lines = outcome_lines(made_up_frames(*many(MOST_PROBLEMS + 1)))
    assert len(lines) == 2
    assert all(line.startswith("ReMix on ") for line in lines)
    assert all(str(MOST_PROBLEMS + 1) in line for line in lines)


def test_many_searches_are_told_in_part(many):
    lines = outcome_lines(made_up_frames(*many(MOST_PROBLEMS + 2, algorithm="tpe")))
    assert len(lines) == MOST_PROBLEMS + 1
    assert lines[-1] == "And 2 more problems: see the report."


def test_nothing_complete_is_said():
    lines = outcome_lines(made_up_frames(MadeUpProblem(methods=())))
    assert lines == ("No configuration is complete yet, so there are no results.",)


class OpenParts(HTMLParser):
    """Counts the words and figures of a page that no one has to unfold."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.figures, self._hidden = 0, 0, 0

    def handle_starttag(self, tag, _attrs):
        self._hidden += tag in ("details", "style", "head")
        self.figures += tag == "figure" and not self._hidden

    def handle_endtag(self, tag):
        self._hidden -= tag in ("details", "style", "head")

    def handle_data(self, data):
        self.words += 0 if self._hidden else len(data.split())


@pytest.mark.usefixtures("unrendered_figures")
@pytest.mark.parametrize(("n_problems", "words", "figures"), [(1, 500, 2), (13, 700, 2)])
def test_a_page_is_short_before_what_is_folded(tmp_path, many, n_problems, words, figures):
    page = write_report(made_up_frames(*many(n_problems)), tmp_path / "r", command="c")
    parts = OpenParts()
    parts.feed(page.read_text(encoding="utf-8"))
    assert 100 < parts.words < words
    assert 0 < parts.figures <= figures


@pytest.fixture
def searches():
    """The generations in which unreachable objects were searched for."""
    generations = []

    def note(phase, facts):
        generations.extend([facts["generation"]] if phase == "start" else [])

    usual = gc.get_threshold()
    gc.callbacks.append(note)
    yield generations
    gc.callbacks.remove(note)
    assert gc.get_threshold() == usual


@pytest.mark.usefixtures("unrendered_figures")
def test_unreachable_objects_are_searched_for_seldom(finished, tmp_path, searches):
    report_studies([], f"sqlite:///{finished}", tmp_path / "report", command=COMMAND)
    assert len(searches) < 5


def test_the_objects_of_a_report_are_not_searched_at_its_end(searches):
    with few_collections():
        objects = [[] for _ in range(200_000)]
    more = [[] for _ in range(100)]
    assert searches == []
    assert len(objects) > len(more)
