"""The card of a model: what it is for, what it learned from, how good it is and where it ends.

Its headings are those of Hugging Face's model cards.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jinja2
import numpy as np
from scipy import stats

from remix_study.deploy.choice import Choice
from remix_study.deploy.drift import DriftLine
from remix_study.deploy.records import Answers, Recipe
from remix_study.deploy.refit import Refit
from remix_study.metrics import PUBLISHED_METRICS, is_maximized, short_name
from remix_study.results.decision import RARE_METRICS
from remix_study.results.intervals import CONFIDENCE, score_range
from remix_study.version import __version__


@dataclass(frozen=True, eq=False)
class Card:
    """What a card says.

    Attributes:
        refit: The trained model.
        answers: How probabilities become answers.
        recipe: How it was trained, and what chose that.
        method: Label of the method.
        info: What is known of the problem: the row of `StudyFrames.problems`.
        scores: Metric -> ``mean`` and ``sd`` over test parts, how many (``folds``) of how many
            rows (``n_test``), ``ratio`` of these to training rows, and ``low`` and ``high`` of the
            interval for as many new rows; ends are None where there is no interval.
        drift: How the rows differ from those of the model whose recipe was followed.
    """

    refit: Refit
    answers: Answers
    recipe: Recipe
    method: str
    info: Mapping[str, Any]
    scores: Mapping[str, Mapping[str, Any]]
    drift: tuple[DriftLine, ...] = ()


def prediction_interval(
    metric: str, scores: Mapping[str, Any], n_new: float
) -> tuple[float | None, float | None]:
    """The 95 % interval of the score of a new set of rows; None with fewer than two folds.

    The spread s of J folds is that of sets of as many rows as a test part. Another set of
    ``n_new`` rows scatters by s sqrt(n_test / n_new) around the mean, whose own error is
    s sqrt(1/J + n_test / n_train) (Nadeau and Bengio, 2003).

    Args:
        metric: Its range cuts the interval.
        scores: An entry of a manifest's ``scores``.
        n_new: Rows of the new set.
    """
    mean, sd, ratio, folds = (scores[name] for name in ("mean", "sd", "ratio", "folds"))
    if sd is None or ratio is None:
        return None, None
    spread = sd * math.sqrt(scores["n_test"] / n_new + 1 / folds + ratio)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, folds - 1)) * spread
    low, high = np.clip([mean - reach, mean + reach], *score_range(metric))
    return float(low), float(high)


def make_card(refit: Refit, choice: Choice, answers: Answers, recipe: Recipe) -> Card:
    """Gather what a card says."""
    frame, ratio = choice.form.scores["test"], choice.comparison.ratio
    folds = choice.comparison.trained_folds(choice.form.method)
    n_test = float(folds["n_test"].mean())
    names = dict.fromkeys((*choice.comparison.objectives, *PUBLISHED_METRICS, *RARE_METRICS))
    all_scores = {}
    for metric in (name for name in names if name in frame):
        values = frame[metric].dropna()
        scores: dict[str, Any] = {
            "mean": float(values.mean()),
            "sd": float(values.std(ddof=1)) if len(values) > 1 else None,
            "folds": len(values),
            "n_test": n_test,
            "ratio": None if math.isnan(ratio) else ratio,
        }
        low, high = prediction_interval(metric, scores, n_test)
        all_scores[metric] = scores | {"low": low, "high": high}
    label, info = choice.form.method.label, choice.comparison.info
    return Card(refit, answers, recipe, label, info, all_scores)


def card_markdown(card: Card) -> str:
    """The card as Markdown."""
    text = _template().render(card=card, version=__version__)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("remix_study.deploy"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    environment.filters |= {"number": _number, "metric": _metric_name, "cell": _cell}
    environment.filters["thousands"] = "{:,}".format
    return environment.get_template("card.md.jinja")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _metric_name(metric: str) -> str:
    return f"{short_name(metric)} ({'higher' if is_maximized(metric) else 'lower'} is better)"


def _cell(text: str) -> str:
    """A text of the user's own as a cell of a Markdown table or a part of a line."""
    return re.sub(r"[|`<>\r\n]", " ", str(text))


def card_html(markdown: str) -> str:
    """A page of the card's Markdown: headings, paragraphs, lists, tables and code."""
    body = re.sub(r"\A---\n.*?\n---\n", "", markdown, flags=re.DOTALL)
    blocks = [_block_html(block) for block in re.split(r"\n\s*\n", body.strip())]
    title = next(iter(re.findall(r"^# (.*)$", body, re.MULTILINE)), "Model")
    return _PAGE.format(title=html.escape(title), body="\n".join(blocks))


def _block_html(block: str) -> str:
    lines = [html.escape(line) for line in block.splitlines()]
    if heading := re.fullmatch(r"(#{1,3}) (.*)", lines[0]):
        level = len(heading[1])
        return f"<h{level}>{heading[2]}</h{level}>"
    if lines[0].startswith("```"):
        return f"<pre>{chr(10).join(lines[1:-1])}</pre>"
    if lines[0].startswith("- "):
        return f"<ul>{''.join(f'<li>{_inline(line[2:])}</li>' for line in lines)}</ul>"
    if lines[0].startswith("|"):
        return f"<table>{_rows_html(lines)}</table>"
    return f"<p>{_inline(' '.join(lines))}</p>"


def _rows_html(lines: Sequence[str]) -> str:
    rows = []
    for place, line in enumerate(line for line in lines if not re.fullmatch(r"[|: -]+", line)):
        tag = "td" if place else "th"
        cells = (f"<{tag}>{_inline(c.strip())}</{tag}>" for c in line.strip("|").split("|"))
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return "".join(rows)


def _inline(text: str) -> str:
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", text)


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem;
  overflow-wrap: break-word; }}
table {{ display: block; overflow-x: auto; border-collapse: collapse; }}
th, td {{ border-bottom: 1px solid #ccc; padding: .2rem .8rem .2rem 0; text-align: left; }}
pre {{ background: #f4f4f4; padding: .6rem; overflow-x: auto; }}
</style>
{body}
</html>
"""
