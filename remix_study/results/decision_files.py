"""A decision as files have it: ``decision.json``, and a table of all methods that competed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from remix_study.results.aims import report_keys
from remix_study.results.columns import Record, frame_of
from remix_study.results.decision import Decision
from remix_study.results.forms import Form
from remix_study.results.rare_rows import RareRows
from remix_study.results.rare_rows_files import as_json as rare_rows_as_json


def as_json(decision: Decision, rare_rows: RareRows | None = None) -> dict[str, Any]:
    """The decision as ``decision.json`` has it."""
    chosen = decision.chosen

    def means(part: str) -> dict[str, float]:
        frame = chosen.scores[part]
        means = frame[[m for m in decision.shown_metrics() if m in frame]].mean().dropna()
        return {str(name): float(value) for name, value in means.items()}

    def label(form: Form | None) -> str | None:
        return form.label if form else None

    answer = {
        "problem": decision.comparison.name,
        "method": chosen.method.label,
        "form": chosen.name,
        "network": decision.network,
        "validation": means("validation"),
        "test": means("test"),
        "practically_equal": list(decision.practically_equal),
        "cannot_tell": list(decision.cannot_tell),
        "better_on_test": list(decision.better),
        "best_reference": label(decision.best_reference),
        "best_keras": label(decision.best_network),
        "threshold": decision.threshold,
        "prior": chosen.prior,
        "did_not_train": list(decision.did_not_train),
        **({"rare_rows": rare_rows_as_json(rare_rows)} if rare_rows else {}),
    }
    if decision.expected_cost:
        answer["costs"] = report_keys(decision.comparison.info, "costs")
        answer["expected_cost"] = decision.expected_cost.mean
        answer["cost_of_always"] = dict(decision.constant_costs)
        answer["against_always"] = decision.against_constant
    if decision.aim.floor:
        answer["floor"] = dict([decision.aim.floor])
    return answer


def table(decisions: Sequence[Decision]) -> pd.DataFrame:
    """Table of all entries: one line a problem, method and metric, the chosen one first."""
    lines = [
        Record(problem=decision.comparison, form=form, metric=metric, words=words, score=score)
        for decision in decisions
        for form in (decision.chosen, *(f for f in decision.entries if f is not decision.chosen))
        for words in [decision.words.get(form.label, {})]
        for metric in decision.shown_metrics()
        if (score := decision.mean(form, metric))
    ]
    return frame_of(
        lines,
        """study=problem.study problem=problem.problem method=form.method.label form=form.name
        prior=form.prior metric validation mean=score.interval.mean low=score.interval.low
        high=score.interval.high folds=score.interval.folds against_chosen""",
        validation=lambda line: line.form.scores["validation"].mean().get(line.metric),
        against_chosen=lambda line: line.words.get(line.metric, ""),
    )
