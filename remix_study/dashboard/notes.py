"""Notes in Markdown: what a study is and how to read it, what a trial trained."""

from __future__ import annotations

import html
import re

import pandas as pd

from remix_study.batches.strategies import STRATEGIES
from remix_study.metrics import CORE_METRICS
from remix_study.report.formatting import (
    counted,
    digits,
    label_with_direction,
    listing,
    number,
    sentence,
    thousands,
)
from remix_study.report.table_files import markdown_text
from remix_study.results.comparison import Comparison
from remix_study.results.methods import Method

_MARKS = re.compile(r"([\\`*_{}\[\]()#+.!|~$:@/-])")


def escaped(text: str) -> str:
    """A name as Markdown that shows it as it is: no tag, link, formula or emphasis."""
    # Entities hold a # and nothing else that has a meaning; so marks are escaped first.
    return html.escape(_MARKS.sub(r"\\\1", " ".join(text.split())), quote=False)


def study_note(comparison: Comparison) -> str:
    """What the problem is, how it was judged, how to read the page."""
    info = comparison.info
    rare = list(info["minority"])
    classes = pd.DataFrame(
        [
            {"class": name, "rows": count, "": "rare" if name in rare else ""}
            for name, count in info["counts"].items()
        ]
    )
    plan = (
        f"{counted(int(info['repeats']), 'repetition')} of {int(info['folds'])}-fold "
        f"cross-validation; {info['validation']:.0%} of the rows outside the test part are "
        "validation rows."
    )
    points = "points of a grid" if comparison.is_grid else "trials of a search"
    parts = [
        f"# {escaped(comparison.title)}",
        f"{escaped(info['dataset'])}, {escaped(comparison.imbalance_name)}: "
        f"{thousands(int(info['n_rows']))} rows, {counted(int(info['n_features']), 'feature')}, "
        f"{counted(len(info['classes']), 'class', 'classes')}.",
        markdown_text(classes),
        f"{plan} {info['planned']} {points}.",
        "## How to read this page",
        "- Every value, graph and file here comes from **validation rows**. Test scores are in "
        "the project's own tables and in what `remix-study report` writes; do not choose by them.",
        f"- A trial is one strategy trained on every fold. Its values are means over folds of "
        f"{listing([escaped(label_with_direction(m)) for m in comparison.objectives])}.",
        "- The best of many validation scores is optimistic.",
    ]
    if comparison.is_grid:
        parts.append(_GRAPHS)
    if info["notes"]:
        parts += ["## Notes", *(f"- {escaped(sentence(note))}" for note in info["notes"])]
    return "\n\n".join(parts).replace("\n\n- ", "\n- ") + "\n"


_GRAPHS = """- Sensitivity: an objective against alpha, with one corrected standard error; \
alpha 0 is the same strategy without mixing.
- Ranks: mean rank of each strategy over the study's problems, among those complete on all; \
1 is best.
- Calibration: how often a rare class came when it was forecast; on the diagonal, forecasts can \
be taken at their word.
- Each trial's page has a note, its fold table and its reliability diagram."""


def trial_note(comparison: Comparison, row: Method) -> str:
    """The strategy in words and the trial's mean validation scores."""
    sampler, mixing, loss = row.parts
    known = STRATEGIES.get(row.strategy)
    what = (
        known.description
        if known is not None
        else f"Put together from sampler {sampler}, mixing {mixing} and loss {loss}."
    )
    alpha = f" Alpha is {row.alpha:g}." if row.alpha is not None else ""
    means = pd.DataFrame(
        [
            {"validation score": label_with_direction(metric), "mean": _mean(scores, metric),
             "sd": _sd(scores, metric), "folds": len(scores)}
            for metric in dict.fromkeys((*comparison.objectives, *CORE_METRICS))
            if len(scores := comparison.score(row.label, metric))
        ]
    )  # fmt: skip
    settings = f"\n\nAlso set: {escaped(row.settings)}." if row.settings else ""
    text = f"**{escaped(row.label)}**\n\n{escaped(what)}{alpha}{settings}\n"
    return text + (f"\n{markdown_text(means)}" if len(means) else "")


def _mean(scores: pd.Series[float], metric: str) -> str:
    return number(float(scores.mean()), digits(metric))


def _sd(scores: pd.Series[float], metric: str) -> str:
    return number(float(scores.std(ddof=1)), digits(metric)) if len(scores) > 1 else ""
