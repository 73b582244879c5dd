"""The section on what was run and in how much time, with a guide to the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from remix_study.report.formatting import (
    counted,
    duration,
    listing,
    monitor_name,
    sentence,
    thousands,
)
from remix_study.report.page_model import Block, Cell, Head, Section, Table
from remix_study.results.comparison import Comparison

READING = (
    "Every score on this page comes from test parts, rows that took no part in training, in "
    "stopping or in any choice. The values that Optuna and its dashboard show for a trial are "
    "validation scores; they differ from the scores here and are meant for choosing.",
    "g-mean is the geometric mean of the recalls of all classes: 1 is perfect, 0 means that some "
    "class was never found. Balanced Brier is the squared error of the probabilities with every "
    "class counting alike: 0 is perfect, and it falls with any shift of the probabilities "
    "towards the rare classes. Whoever uses the probabilities at the real class shares needs "
    "Brier, log-loss and class-wise calibration error (cw-ECE), which punish such a shift.",
    "IR is the imbalance ratio: rows of a rare class over rows of the rest (two classes) or of "
    "the largest class that was not made rare (several classes). A smaller IR is harder.",
    "The folds of a repeated cross-validation share rows, so the plain standard error is too "
    "small. Intervals here use the corrected one of Nadeau and Bengio: the variance over the J "
    "folds times 1/J + n_test/n_train, with J − 1 degrees of freedom, where n_train counts the "
    "rows that trained the weights or decided when to stop. Intervals are 95 %, one comparison "
    "at a time. That of a score ends where the score can, at 0 or at 1; a difference has no such "
    "end.",
)


def progress(comparisons: Sequence[Comparison]) -> tuple[str, bool]:
    """Say how many configurations are complete, in one line, and whether all are."""
    planned = sum(int(c.info["planned"]) for c in comparisons)
    complete = sum(int(c.info["complete"]) for c in comparisons)
    failed = sum(int(c.info["failed"]) for c in comparisons)
    if complete >= planned:
        return f"complete: {thousands(complete)} of {counted(planned, 'point')}", True
    text = f"incomplete: {thousands(complete)} of {counted(planned, 'point')}"
    if failed:
        text += f", {thousands(failed)} failed"
    return text, False


def table(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Problems as a table: classes, rows, cross-validation and progress, one line a problem."""
    return pd.DataFrame(
        [
            {
                "study": c.study,
                "problem": c.problem,
                "title": c.title,
                "kind": c.kind,
                "imbalance": c.imbalance_name,
                "counts": _counts(c.info["counts"]),
                "rows": int(c.info["n_rows"]),
                "features": int(c.info["n_features"]),
                "repeats": int(c.info["repeats"]),
                "folds": int(c.info["folds"]),
                "planned": int(c.info["planned"]),
                "complete": int(c.info["complete"]),
                "failed": int(c.info["failed"]),
                "test_train_ratio": c.ratio,
                "notes": "; ".join(c.info["notes"]),
            }
            for c in comparisons
        ]
    )


_ASIDE = {
    "curves": "several alphas of one strategy, shown under sensitivity",
    "variants": "rows drawn or split otherwise, compared under robustness",
    "checks": "trained otherwise, compared under checks",
    "authors_code": "trained as the authors’ repository does, compared with Table 2",
}


def section(
    comparisons: Sequence[Comparison], studies_aside: Mapping[str, Sequence[str]] | None = None
) -> Section:
    """The section of the page.

    Args:
        comparisons: every problem of every study.
        studies_aside: role -> studies in it that are no part of the headline, as
            `Roles.studies_aside` has them.
    """
    aside = tuple(
        f"{listing(studies)}: {_ASIDE[role]}; no part of ranks, gains, claims and verdicts."
        for role, studies in (studies_aside or {}).items()
    )
    text = tuple(
        line
        for study in dict.fromkeys(c.study for c in comparisons)
        for line in _study_lines([c for c in comparisons if c.study == study])
    )
    blocks = (
        *([Block(title="Studies beside the headline", text=aside)] if aside else []),
        Block(text=text, tables=(_page_table(comparisons),)),
        Block(title="How to read this page", text=_reading_guide(comparisons)),
    )
    return Section("run", "What was run", "", blocks, {"problems": table(comparisons)})


def _reading_guide(comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    if all(c.is_grid for c in comparisons):
        return READING
    scores_note, *notes = READING
    return (f"{scores_note} What a search chose is an exception, see Search.", *notes)


def _study_lines(problems: Sequence[Comparison]) -> list[str]:
    info = problems[0].info
    folds = pd.concat([c.folds for c in problems])
    how_complete, _ = progress(problems)
    seconds = sum(method.seconds for c in problems for method in c.methods)
    text = f"Study “{problems[0].study}”: {counted(len(problems), 'problem')}, {how_complete}"
    if len(folds):
        text += f", {counted(len(folds), 'network')} in {duration(seconds)} of training"
    sentences = [sentence(text)]
    training = f"Preset “{info['preset']}”"
    monitors = list(dict.fromkeys(monitor_name(str(c.info["monitor"])) for c in problems))
    if any(c.info["early_stopping"] for c in problems):
        training += (
            f" with early stopping, which watched the {listing(monitors)}, the same for every "
            "strategy"
        )
    else:
        training += " without early stopping: validation rows decided nothing"
    epochs = folds.loc[folds["failed"] == "", "epochs"]
    if len(epochs):
        training += (
            f". Networks ended after {epochs.median():g} epochs "
            f"(median, range {epochs.min():g} to {epochs.max():g})"
        )
    sentences.append(sentence(training))
    notes = dict.fromkeys((c.name, note) for c in problems for note in c.info["notes"])
    for note in dict.fromkeys(note for _, note in notes):
        names = [name for name, other_note in notes if other_note == note]
        where = "All problems" if len(names) == len(problems) > 1 else listing(names)
        sentences.append(f"{where}: {note}")
    return sentences


def _page_table(comparisons: Sequence[Comparison]) -> Table:
    several = len({c.study for c in comparisons}) > 1
    columns = ("rows", "features", "cross-validation", "points")
    head = (
        Head("problem"),
        *(Head("study", kind="text") for _ in range(several)),
        *map(Head, columns),
        Head("rows of each class", kind="text"),
    )
    rows = []
    for c in comparisons:
        cells = [Cell(c.problem, f"{c.title}, {c.imbalance_name}", "name")]
        if several:
            cells.append(Cell(c.study, kind="text"))
        cells += [
            Cell(thousands(int(c.info["n_rows"]))),
            Cell(thousands(int(c.info["n_features"]))),
            Cell(f"{c.info['repeats']} × {c.info['folds']}"),
            Cell(f"{c.info['complete']} of {c.info['planned']}"),
            Cell(_counts(c.info["counts"]), kind="text"),
        ]
        rows.append(tuple(cells))
    return Table("Problems", (head,), tuple(rows))


def _counts(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {thousands(int(count))}" for name, count in counts.items())
