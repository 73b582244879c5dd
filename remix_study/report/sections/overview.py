"""The section on what was run and in how much time, with a guide to the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import pandas as pd

from remix_study.report.formatting import thousands
from remix_study.report.page_model import Block, Cell, Section, Table
from remix_study.report.page_tables import Column, line_table, text_column
from remix_study.report.sentences import SENTENCES
from remix_study.results.bootstrap import interval_column
from remix_study.results.columns import Record, frame_of, grouped
from remix_study.results.comparison import Comparison
from remix_study.results.search_frames import SearchResult


def progress(comparisons: Sequence[Comparison], searches: Sequence[SearchResult] = ()) -> Record:
    """Count planned, complete and failed configurations, and trials of searches after a grid.

    `is_complete` says whether none is left to run.
    """
    states = ("planned", "complete", "failed")
    counts = {state: sum(_number(state, c) for c in comparisons) for state in states}
    following = [search for search in searches if search.follows_grid]
    trials = {
        "searched": sum(len(search.trials) for search in following),
        "search_trials": sum(search.planned for search in following),
    }
    is_complete = counts["complete"] >= counts["planned"] and (
        trials["searched"] >= trials["search_trials"]
    )
    return Record(**counts, **trials, is_complete=is_complete)


_NUMBERS = {"rows": "n_rows", "features": "n_features"} | {
    name: name for name in ("repeats", "folds", "planned", "complete", "failed")
}


def table(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Problems as a table: classes, rows, cross-validation and progress, one line a problem."""
    return frame_of(
        comparisons,
        """study problem title kind imbalance=imbalance_name counts rows features repeats folds
        planned complete failed test_train_ratio=ratio notes"""
        + interval_column(comparisons, ""),
        counts=_class_counts,
        notes=lambda c: "; ".join(c.info["notes"]),
        **{name: partial(_number, key) for name, key in _NUMBERS.items()},
    )


def section(
    comparisons: Sequence[Comparison], studies_aside: Mapping[str, Sequence[str]] | None = None
) -> Section:
    """The section of the page; `studies_aside` are those of `StudyRoles`."""
    aside = SENTENCES.paragraphs("overview.aside", studies_aside or {})
    studies = grouped(comparisons, lambda c: c.study)
    text = tuple(line for problems in studies.values() for line in _study_lines(problems))
    has_searches = not all(c.is_grid for c in comparisons)
    has_given_tests = not all(c.has_repeated_draws for c in comparisons)
    guide = SENTENCES.paragraphs("overview.reading_guide", has_searches, has_given_tests)
    blocks = (
        *([Block(title="Studies beside the headline", text=aside)] if aside else []),
        Block(text=text, tables=(_page_table(comparisons, len(studies)),)),
        Block(title="How to read this page", text=guide),
    )
    files = {"problems": table(comparisons)}
    return Section(
        "run", "What was run, and how to read this page", "", blocks, files, is_folded=True
    )


def _study_lines(problems: Sequence[Comparison]) -> tuple[str, ...]:
    folds = pd.concat([c.folds for c in problems])
    networks = [method.run for c in problems for method in c.methods if not method.is_estimator]
    names_by_note = grouped(
        dict.fromkeys((note, c.name) for c in problems for note in c.info["notes"]),
        lambda pair: pair[0],
    )
    notes = []
    for note, pairs in names_by_note.items():
        is_of_all = len(pairs) == len(problems) > 1
        notes.append(SENTENCES.phrase("overview.note", [n for _, n in pairs], is_of_all, note))
    lines = SENTENCES.paragraphs(
        "overview.study",
        problems,
        progress(problems),
        len(folds),
        seconds=sum(method.seconds for c in problems for method in c.methods),
        monitors=dict.fromkeys(str(c.info["monitor"]) for c in problems),
        epochs=folds.loc[(folds["failed"] == "") & folds["run"].isin(networks), "epochs"],
    )
    return (*lines, *notes)


def _page_table(comparisons: Sequence[Comparison], n_studies: int) -> Table:
    columns = [
        Column[Comparison]("problem", lambda c: Cell(c.problem, c.full_title, "name")),
        text_column("study", lambda c: c.study),
        Column("rows", lambda c: thousands(int(c.info["n_rows"]))),
        Column("features", lambda c: thousands(int(c.info["n_features"]))),
        Column("cross-validation", lambda c: f"{c.info['repeats']} × {c.info['folds']}"),
        Column("configurations", lambda c: f"{c.info['complete']} of {c.info['planned']}"),
        text_column("rows of each class", _class_counts),
    ]
    if n_studies < 2:
        del columns[1]
    return line_table("Problems", comparisons, columns)


def _number(key: str, comparison: Comparison) -> int:
    return int(comparison.info[key])


def _class_counts(comparison: Comparison) -> str:
    counts: Mapping[str, int] = comparison.info["counts"]
    return ", ".join(f"{name}: {thousands(int(count))}" for name, count in counts.items())
