"""Tables of the search section: for the page, and for files."""

from __future__ import annotations

from typing import Any

import pandas as pd

from remix_study.metrics import short_name
from remix_study.report.formatting import counted, digits, heading, number
from remix_study.report.page_model import Cell, Head, Table
from remix_study.results.intervals import Interval
from remix_study.results.search import SearchSummary
from remix_study.results.search_frames import SearchTrial


def _shown(found: SearchSummary) -> list[tuple[str, SearchTrial]]:
    """Trials of the table, each with why it is there."""
    rows: list[tuple[str, SearchTrial]] = [
        ("baseline" if name == "baseline" else "ReMix as in the paper", trial)
        for name, trial in found.references.items()
    ]
    rows += [(f"chosen by {short_name(metric)}", trial) for metric, trial in found.chosen.items()]
    if found.recommended is not None:
        rows.append(("recommended", found.recommended))
    return rows


def choice_table(found: SearchSummary) -> Table:
    objectives = found.comparison.objectives
    head = (
        (Head(""), *(Head(heading(m), span=2) for m in objectives)),
        (
            Head("trial"),
            *(h for _ in objectives for h in (Head("validation"), Head("test"))),
        ),
    )
    rows = []
    for why, trial in _shown(found):
        cells = [Cell(f"{why}: trial {trial.number}", trial.label, "name")]
        for metric in objectives:
            for part in ("validation", "test"):
                cells.append(_cell(metric, found.interval(trial, metric, part)))
        rows.append(tuple(cells))
    return Table(
        "Means over folds; chosen and recommended trials are optimistic in both columns",
        head,
        tuple(rows),
    )


def _cell(metric: str, score: Interval) -> Cell:
    n = digits(metric)
    return Cell(number(score.mean, n), f"{number(score.low, n)} to {number(score.high, n)}")


def outer_table(found: SearchSummary) -> Table:
    metrics = list(found.outer[0].scores)
    rows = []
    for made in found.outer:
        words = (
            "baseline" if made.choice == "baseline" else f"searched by {short_name(made.choice)}"
        )
        cells = [Cell(words, "; ".join(dict.fromkeys(made.labels)), "name")]
        cells += [_cell(metric, made.scores[metric]) for metric in metrics]
        rows.append(tuple(cells))
    folds = found.outer[0].scores[metrics[0]].folds
    return Table(
        f"Without bias: scores on {counted(folds, 'outer fold')}, of networks trained on all "
        "other rows with what a search among these rows chose",
        ((Head("choice"), *(Head(heading(metric)) for metric in metrics)),),
        tuple(rows),
    )


def table_of_trials(found: SearchSummary) -> pd.DataFrame:
    """One line a trial, complete or pruned, in the order of the search."""
    front = {trial.number for trial in found.front}
    lines = []
    for trial in found.result.trials:
        line: dict[str, Any] = {
            "study": found.comparison.study,
            "problem": found.comparison.problem,
            "trial": trial.number,
            "slot": trial.slot,
            "state": trial.state,
            "row": trial.label,
            "feasible": trial.feasible,
            "front": trial.number in front,
        }
        for metric in found.comparison.objectives:
            for part in ("validation", "test"):
                scores = found.score(trial, metric, part)
                line[f"{metric}_{part}"] = float(scores.mean())
        lines.append(line | {"folds": len(scores)})
    return pd.DataFrame(lines)


def table_of_choices(found: SearchSummary) -> pd.DataFrame:
    """One line a shown trial, objective and part, with its corrected interval."""
    return pd.DataFrame(
        [
            {
                "study": found.comparison.study,
                "problem": found.comparison.problem,
                "choice": why,
                "trial": trial.number,
                "row": trial.label,
                "metric": metric,
                "part": part,
                "mean": score.mean,
                "corrected_se": score.standard_error,
                "low": score.low,
                "high": score.high,
                "optimistic": why.startswith(("chosen", "recommended")),
            }
            for why, trial in _shown(found)
            for metric in found.comparison.objectives
            for part in ("validation", "test")
            for score in [found.interval(trial, metric, part)]
        ]
    )


def table_of_outer(found: SearchSummary) -> pd.DataFrame:
    """One line a choice and metric: the unbiased score, and the gain on the baseline."""
    lines = []
    for made in found.outer:
        for metric, score in made.scores.items():
            gain = made.gains.get(metric)
            lines.append(
                {
                    "study": found.comparison.study,
                    "problem": found.comparison.problem,
                    "choice": made.choice,
                    "metric": metric,
                    "outer_folds": score.folds,
                    "mean": score.mean,
                    "low": score.low,
                    "high": score.high,
                    "gain": gain.mean if gain else float("nan"),
                    "gain_low": gain.low if gain else float("nan"),
                    "gain_high": gain.high if gain else float("nan"),
                    "chosen": "; ".join(made.labels),
                }
            )
    return pd.DataFrame(lines)


def table_of_importances(found: SearchSummary) -> pd.DataFrame:
    """One line an objective and parameter."""
    return pd.DataFrame(
        [
            {
                "study": found.comparison.study,
                "problem": found.comparison.problem,
                "metric": metric,
                "parameter": name,
                "importance": share,
            }
            for metric, shares in found.importances.items()
            for name, share in shares.items()
        ]
    )
