"""Notes in Markdown on a study and on each of its trials, and the table of a trial's folds."""

from __future__ import annotations

import html
import re

import pandas as pd

from remix_study.batches.strategies import STRATEGIES
from remix_study.metrics import CORE_METRICS
from remix_study.report.formatting import digits, label_with_direction, number, sentence
from remix_study.report.sentences import Sentences
from remix_study.report.table_files import csv_text, markdown_text
from remix_study.results.columns import frame_of
from remix_study.results.comparison import Comparison
from remix_study.results.methods import Method

_MARKDOWN_CHARACTERS = re.compile(r"([\\`*_{}\[\]()#+.!|~$:@/-])")
_FOLD_COLUMNS = ["repeat", "fold", "n_train", "minority_train", "n_test", "minority_test",
                 "epochs", "stopped", "failed"]  # fmt: skip
# Validation parts stand in the place of test parts.
_SCORED_ROWS = {"n_test": "n_validation", "minority_test": "minority_validation"}


def escape_markdown(text: str) -> str:
    """Escape a name for Markdown: no tag, link, formula or emphasis is left."""
    # Entities hold a #, which must not be escaped: so Markdown comes before HTML.
    return html.escape(_MARKDOWN_CHARACTERS.sub(r"\\\1", " ".join(text.split())), quote=False)


_SENTENCES = Sentences("remix_study.dashboard", escaped=escape_markdown)


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
    parts = [
        f"# {escape_markdown(comparison.title)}",
        _SENTENCES.text("notes.problem", comparison),
        markdown_text(classes),
        _SENTENCES.text("notes.plan", comparison),
        "## How to read this page",
        "\n".join(f"- {text}" for text in _SENTENCES.paragraphs("notes.reading", comparison)),
    ]
    if info["notes"]:
        notes = "\n".join(f"- {escape_markdown(sentence(note))}" for note in info["notes"])
        parts += ["## Notes", notes]
    return "\n\n".join(parts).replace("\n\n- ", "\n- ") + "\n"


def trial_note(comparison: Comparison, method: Method) -> str:
    """The note of a trial: its strategy in words and its mean validation scores.

    Args:
        comparison: A problem of frames of validation parts alone.
        method: The method of the trial.
    """
    strategy = STRATEGIES.get(method.strategy)
    description = strategy.description if strategy else ""
    metrics = dict.fromkeys((*comparison.objectives, *CORE_METRICS))
    means = frame_of(
        (score for m in metrics if (score := comparison.effects.score(method.label, m))),
        "name mean sd folds=interval.folds",
        name=lambda score: label_with_direction(score.metric),
        mean=lambda score: number(score.mean, digits(score.metric)),
        sd=lambda score: (
            number(score.standard_deviation, digits(score.metric))
            if score.interval.folds > 1
            else ""
        ),
    ).rename(columns={"name": "validation score"})
    parts = [
        f"**{escape_markdown(method.label)}**",
        *_SENTENCES.paragraphs("notes.trial", method, description, _network(comparison, method)),
        *([markdown_text(means)] if len(means) else []),
    ]
    return "\n\n".join(parts).rstrip("\n") + "\n"


def _network(comparison: Comparison, method: Method) -> str:
    """The network of a trial in a few words; "" for an estimator, and where nothing is known."""
    model = (comparison.info.get("settings") or comparison.definition or {}).get("model", {})
    if method.is_estimator or not model:
        return ""
    hidden = method.parameters.get("model.hidden", model.get("hidden"))
    widths = f", hidden {hidden}" if hidden else ""
    parameters = f", {method.capacity:,} parameters" if method.capacity else ""
    return f"{model['name']}{widths}{parameters}"


def fold_table(comparison: Comparison, method: Method) -> bytes:
    """A CSV file with one line a fold: its rows, epochs and validation scores.

    Args:
        comparison: A problem of frames of validation parts alone.
        method: The method of the trial.
    """
    folds = comparison.folds[comparison.folds["run"] == method.run].sort_values(["repeat", "fold"])
    table = folds[_FOLD_COLUMNS].rename(columns=_SCORED_ROWS).set_index(["repeat", "fold"])
    scores = {
        f"validation {metric}": values
        for metric in comparison.metrics()
        if len(values := comparison.score(method.label, metric))
    }
    return csv_text(table.join(pd.DataFrame(scores)).reset_index()).encode()
