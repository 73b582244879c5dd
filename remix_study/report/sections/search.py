"""The search section: what was chosen, what it is worth, and how it came to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from remix_study.metrics import is_maximized, short_name
from remix_study.report.formatting import (
    counted,
    difference,
    digits,
    listing,
    number,
    sentence,
    span,
)
from remix_study.report.page_model import Block, Listing, Section
from remix_study.report.recommended_study import python_text, study_text
from remix_study.report.sections.search_figures import pictures
from remix_study.report.sections.search_tables import (
    choice_table,
    outer_table,
    table_of_choices,
    table_of_importances,
    table_of_outer,
    table_of_trials,
)
from remix_study.results.comparison import Comparison
from remix_study.results.search import SearchSummary, summarize_search
from remix_study.results.search_frames import SearchResult, SearchTrial
from remix_study.studyfile.schema import Training

LEAD = (
    "Optuna chose what to train next from validation scores alone. Both scores of a chosen trial "
    "are optimistic: on validation because it was chosen by them, and on the test parts because "
    "in repeated cross-validation every test row of one fold is a training or validation row of "
    "another, and so helped to choose. Only outer folds, which a search has never seen, say "
    "without such a bias what searching is worth."
)
_ALGORITHMS = {
    "tpe": "Tree-structured Parzen estimator",
    "random": "Random search",
    "nsga2": "NSGA-II",
    "gp": "Gaussian process",
    "cmaes": "CMA-ES",
    "qmc": "Sobol sequence",
}


def sections(
    comparisons: Sequence[Comparison],
    searches: Sequence[SearchResult],
    manifests: Sequence[Mapping[str, Any]],
) -> list[Section]:
    """The section of the page, none where nothing was searched."""
    by_name = {(search.study, search.problem): search for search in searches}
    found = [
        summarize_search(c, by_name[c.study, c.problem])
        for c in comparisons
        if (c.study, c.problem) in by_name and by_name[c.study, c.problem].trials
    ]
    if not found:
        return []
    texts = {(m["study"], m["problem"]): m["file"]["text"] for m in manifests if "file" in m}
    blocks = []
    for at, one in enumerate(found, start=1):
        blocks += _blocks(f"search-{at}", one, texts)
    files = {
        "search-trials": pd.concat([table_of_trials(one) for one in found], ignore_index=True),
        "search-choices": pd.concat([table_of_choices(one) for one in found], ignore_index=True),
    }
    outer = [table_of_outer(one) for one in found if one.outer]
    weighed = [table_of_importances(one) for one in found if one.importances]
    files |= {"search-outer": pd.concat(outer, ignore_index=True)} if outer else {}
    files |= {"search-importances": pd.concat(weighed, ignore_index=True)} if weighed else {}
    return [Section("search", "Search", LEAD, tuple(blocks), files)]


def _blocks(name: str, found: SearchSummary, texts: Mapping[tuple[str, str], str]) -> list[Block]:
    comparison = found.comparison
    title = f"{comparison.title}, {comparison.imbalance_name}"
    if not found.chosen:
        return [Block(title=title, text=("No trial is complete yet.",))]
    tables = [choice_table(found), *([outer_table(found)] if found.outer else [])]
    drawn = Block(
        title=title,
        warnings=_warnings(found),
        headline=_headline(found),
        text=_reading(found),
        pictures=tuple(pictures(name, found)),
        tables=tuple(tables),
    )
    return [drawn, *_recommended(found, texts)]


def _warnings(found: SearchSummary) -> tuple[str, ...]:
    warnings = []
    metric = found.comparison.objectives[0]
    if not found.chosen[metric].feasible:
        warnings.append(
            "No trial meets all constraints: the choice is among those that miss them least."
        )
    for name, trial in found.references.items():
        for objective, chosen in found.chosen.items():
            if trial is chosen:
                warnings.append(
                    f"No trial did better than {_reference(name)} by {short_name(objective)} on "
                    "validation: there the search found nothing."
                )
            elif _better(objective, trial, chosen, found) and trial.feasible:
                warnings.append(
                    f"By {short_name(objective)} the choice is below {_reference(name)}, which "
                    "its space lacks."
                )
    if found.result.planned_outer and not found.outer:
        warnings.append("The searches within outer folds are not complete yet.")
    return tuple(warnings)


def _better(metric: str, first: SearchTrial, second: SearchTrial, found: SearchSummary) -> bool:
    at = found.comparison.objectives.index(metric)
    gap = first.values[at] - second.values[at]
    return gap > 0 if is_maximized(metric) else gap < 0


def _reference(name: str) -> str:
    return "the baseline" if name == "baseline" else "ReMix as in the paper"


def _headline(found: SearchSummary) -> str:
    metric = found.comparison.objectives[0]
    chosen, simple = found.chosen[metric], found.recommended
    text = f"By {short_name(metric)} on validation: trial {chosen.number}, {chosen.label}"
    if simple is None or simple is chosen:
        return sentence(text)
    return (
        f"{sentence(text)} {found.n_near_best} trials are within one corrected standard error "
        f"of it; the simplest of them is trial {simple.number}, {simple.label}."
    )


def _reading(found: SearchSummary) -> tuple[str, ...]:
    comparison, searched = found.comparison, found.result
    complete = len(found.complete)
    pruned = len(searched.trials) - complete
    counts = counted(complete, "complete trial")
    if pruned:
        counts += f" and {pruned} that were ended between blocks of folds as surely worse"
    algorithm = str(comparison.info["algorithm"])
    lines = [sentence(f"{_ALGORITHMS.get(algorithm, algorithm)}: {counts}")]
    first = [
        f"{_reference(name)} ({trial.label}{', beside the space' * (trial in beside)})"
        for beside in [searched.references]
        for name, trial in found.references.items()
    ]
    if first:
        lines.append(sentence(f"The search began with {listing(first)}"))
    constraints = {name for trial in searched.trials for name in trial.constraints}
    if constraints:
        met = sum(trial.feasible for trial in found.complete)
        lines.append(
            f"{met} of {complete} complete trials meet {listing(sorted(constraints))} on "
            "validation; only these can be chosen."
        )
    lines += [_outer_line(found, objective) for objective in comparison.objectives if found.outer]
    if not found.outer and not searched.planned_outer:
        lines.append(
            "No unbiased score: set search.outer = 5 to repeat the whole search within outer "
            "folds, at six times the work."
        )
    for metric, shares in found.importances.items():
        top = [f"{name} {share:.0%}" for name, share in list(shares.items())[:3] if share > 0.005]
        if top:
            lines.append(
                sentence(f"What decides on {short_name(metric)} (PED-ANOVA): {listing(top)}")
            )
    return tuple(lines)


def _outer_line(found: SearchSummary, objective: str) -> str:
    made = next(one for one in found.outer if one.choice == objective)
    n, score = digits(objective), made.scores[objective]
    chosen = found.interval(found.chosen[objective], objective, "test")
    text = (
        f"Searching this space by {short_name(objective)} is worth {number(score.mean, n)} "
        f"({span(score.low, score.high, n)}) on {counted(score.folds, 'outer fold')}; the chosen "
        f"trial’s own test score is {number(chosen.mean, n)}, from networks trained on fewer rows"
    )
    if gain := made.gains.get(objective):
        text += f". Against the baseline on the same outer folds: {difference(gain, n)}"
    return sentence(text)


def _recommended(found: SearchSummary, texts: Mapping[tuple[str, str], str]) -> list[Block]:
    comparison, trial = found.comparison, found.recommended
    text = texts.get((comparison.study, comparison.problem))
    if trial is None:
        return []
    training = found.result.definition.get("training") or {}
    keys = {key: training[key] for key in Training.__struct_fields__ if key in training}
    listings = [Listing("In Python, for a model of your own", python_text(trial.parameters, keys))]
    if text is not None:
        made = study_text(text, comparison.info, trial.parameters)
        listings.insert(0, Listing("As a study file", made))
    return [
        Block(
            collapsed=f"Recommended for {comparison.name}: trial {trial.number}, ready to paste",
            listings=tuple(listings),
        )
    ]
