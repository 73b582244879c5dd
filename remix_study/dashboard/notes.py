"""Notes in Markdown: what a study compares and how to read its page, what a trial trained."""

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

_MARKDOWN_CHARACTERS = re.compile(r"([\\`*_{}\[\]()#+.!|~$:@/-])")


def escape_markdown(text: str) -> str:
    """Escape a name for Markdown: no tag, link, formula or emphasis is left."""
    # Entities hold a #, which must not be escaped: so Markdown comes before HTML.
    return html.escape(_MARKDOWN_CHARACTERS.sub(r"\\\1", " ".join(text.split())), quote=False)


def study_note(comparison: Comparison) -> str:
    """The note of a study: its data and cross-validation, and how to read the page."""
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
    unit = "configurations of a grid" if comparison.is_grid else "trials of a search"
    parts = [
        f"# {escape_markdown(comparison.title)}",
        f"{escape_markdown(info['dataset'])}, {escape_markdown(comparison.imbalance_name)}: "
        f"{thousands(int(info['n_rows']))} rows, {counted(int(info['n_features']), 'feature')}, "
        f"{counted(len(info['classes']), 'class', 'classes')}.",
        markdown_text(classes),
        f"{plan} {info['planned']} {unit}.",
        "## How to read this page",
        "- Every value, graph and file here comes from **validation rows**. Test scores are in "
        "the project's own tables and in what `remix-study report` writes; do not choose by them.",
        f"- A trial is one strategy trained on every fold. Its values are means over folds of "
        f"{listing([escape_markdown(label_with_direction(m)) for m in comparison.objectives])}.",
        "- The best of many validation scores is optimistic.",
    ]
    if comparison.is_grid:
        parts.append(_GRAPHS)
    if info["notes"]:
        parts += ["## Notes", *(f"- {escape_markdown(sentence(note))}" for note in info["notes"])]
    return "\n\n".join(parts).replace("\n\n- ", "\n- ") + "\n"


_GRAPHS = """- Sensitivity: an objective against alpha, with one corrected standard error; \
alpha 0 is the same strategy without mixing.
- Ranks: mean rank of each method over the study's problems, among those complete on all; \
1 is best.
- Calibration: how often a rare class came when it was forecast; on the diagonal, forecasts \
are shares of rows.
- Each trial's page has a note, its fold table and its reliability diagram."""


def trial_note(comparison: Comparison, method: Method) -> str:
    """The note of a trial: its strategy in words and its mean validation scores."""
    sampler, mixing, loss = method.parts
    strategy = STRATEGIES.get(method.strategy)
    description = (
        strategy.description
        if strategy is not None
        else f"A strategy of sampler {sampler}, mixing {mixing} and loss {loss}."
    )
    alpha = f" Alpha is {method.alpha:g}." if method.alpha is not None else ""
    means = pd.DataFrame(
        [
            {"validation score": label_with_direction(metric), "mean": _mean(scores, metric),
             "sd": _sd(scores, metric), "folds": len(scores)}
            for metric in dict.fromkeys((*comparison.objectives, *CORE_METRICS))
            if len(scores := comparison.score(method.label, metric))
        ]
    )  # fmt: skip
    settings = f"\n\nAlso set: {escape_markdown(method.settings)}." if method.settings else ""
    text = (
        f"**{escape_markdown(method.label)}**\n\n{escape_markdown(description)}{alpha}{settings}\n"
    )
    return text + (f"\n{markdown_text(means)}" if len(means) else "")


def _mean(scores: pd.Series[float], metric: str) -> str:
    return number(float(scores.mean()), digits(metric))


def _sd(scores: pd.Series[float], metric: str) -> str:
    return number(float(scores.std(ddof=1)), digits(metric)) if len(scores) > 1 else ""
