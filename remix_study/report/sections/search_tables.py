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


def _shown_trials(summary: SearchSummary) -> list[tuple[str, SearchTrial]]:
    """Trials of the table, each with the reason why it is shown."""
    trials: list[tuple[str, SearchTrial]] = [
        ("baseline" if name == "baseline" else "ReMix as in the paper", trial)
        for name, trial in summary.references.items()
    ]
    trials += [
        (f"chosen by {short_name(metric)}", trial) for metric, trial in summary.chosen.items()
    ]
    if summary.recommended is not None:
        trials.append(("recommended", summary.recommended))
    return trials


def choice_table(summary: SearchSummary) -> Table:
    """The table of the page with references, chosen and recommended trials."""
    objectives = summary.comparison.objectives
    head = (
        (Head(""), *(Head(heading(m), span=2) for m in objectives)),
        (
            Head("trial"),
            *(h for _ in objectives for h in (Head("validation"), Head("test"))),
        ),
    )
    rows = []
    for choice, trial in _shown_trials(summary):
        cells = [Cell(f"{choice}: trial {trial.number}", trial.label, "name")]
        for metric in objectives:
            for part in ("validation", "test"):
                cells.append(_cell(metric, summary.interval(trial, metric, part)))
        rows.append(tuple(cells))
    return Table(
        "Means over folds; chosen and recommended trials are optimistic in both columns",
        head,
        tuple(rows),
    )


def _cell(metric: str, score: Interval) -> Cell:
    n = digits(metric)
    return Cell(number(score.mean, n), f"{number(score.low, n)} to {number(score.high, n)}")


def outer_table(summary: SearchSummary) -> Table:
    """The table of the page with scores on outer folds."""
    metrics = list(summary.outer[0].scores)
    rows = []
    for outer in summary.outer:
        choice = (
            "baseline" if outer.choice == "baseline" else f"searched by {short_name(outer.choice)}"
        )
        cells = [Cell(choice, "; ".join(dict.fromkeys(outer.labels)), "name")]
        cells += [_cell(metric, outer.scores[metric]) for metric in metrics]
        rows.append(tuple(cells))
    folds = summary.outer[0].scores[metrics[0]].folds
    return Table(
        f"Without bias: scores on {counted(folds, 'outer fold')}, of networks trained on all "
        "other rows with what a search among these rows chose",
        ((Head("choice"), *(Head(heading(metric)) for metric in metrics)),),
        tuple(rows),
    )


def trial_table(summary: SearchSummary) -> pd.DataFrame:
    """Trials as a table, one line a complete or pruned trial, in the order of the search."""
    front = {trial.number for trial in summary.front}
    rows = []
    for trial in summary.result.trials:
        row: dict[str, Any] = {
            "study": summary.comparison.study,
            "problem": summary.comparison.problem,
            "trial": trial.number,
            "slot": trial.slot,
            "state": trial.state,
            "row": trial.label,
            "feasible": trial.is_feasible,
            "front": trial.number in front,
        }
        for metric in summary.comparison.objectives:
            for part in ("validation", "test"):
                scores = summary.score(trial, metric, part)
                row[f"{metric}_{part}"] = float(scores.mean())
        rows.append(row | {"folds": len(scores)})
    return pd.DataFrame(rows)


def choice_frame(summary: SearchSummary) -> pd.DataFrame:
    """Shown trials as a table, one line a trial, objective and part, with corrected intervals."""
    return pd.DataFrame(
        [
            {
                "study": summary.comparison.study,
                "problem": summary.comparison.problem,
                "choice": choice,
                "trial": trial.number,
                "row": trial.label,
                "metric": metric,
                "part": part,
                "mean": score.mean,
                "corrected_se": score.standard_error,
                "low": score.low,
                "high": score.high,
                "optimistic": choice.startswith(("chosen", "recommended")),
            }
            for choice, trial in _shown_trials(summary)
            for metric in summary.comparison.objectives
            for part in ("validation", "test")
            for score in [summary.interval(trial, metric, part)]
        ]
    )


def outer_frame(summary: SearchSummary) -> pd.DataFrame:
    """Unbiased scores as a table, one line a choice and metric, with the gain on the baseline."""
    rows = []
    for outer in summary.outer:
        for metric, score in outer.scores.items():
            gain = outer.gains.get(metric)
            rows.append(
                {
                    "study": summary.comparison.study,
                    "problem": summary.comparison.problem,
                    "choice": outer.choice,
                    "metric": metric,
                    "outer_folds": score.folds,
                    "mean": score.mean,
                    "low": score.low,
                    "high": score.high,
                    "gain": gain.mean if gain else float("nan"),
                    "gain_low": gain.low if gain else float("nan"),
                    "gain_high": gain.high if gain else float("nan"),
                    "chosen": "; ".join(outer.labels),
                }
            )
    return pd.DataFrame(rows)


def importance_frame(summary: SearchSummary) -> pd.DataFrame:
    """Importances as a table, one line an objective and parameter."""
    return pd.DataFrame(
        [
            {
                "study": summary.comparison.study,
                "problem": summary.comparison.problem,
                "metric": metric,
                "parameter": name,
                "importance": share,
            }
            for metric, shares in summary.importances.items()
            for name, share in shares.items()
        ]
    )
