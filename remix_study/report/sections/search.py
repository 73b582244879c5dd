"""The search section: what was chosen, what it is worth, and how the search went."""

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
    choice_frame,
    choice_table,
    importance_frame,
    outer_frame,
    outer_table,
    trial_table,
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
    """The section of the page; none without a search."""
    by_name = {(search.study, search.problem): search for search in searches}
    summaries = [
        summarize_search(c, by_name[c.study, c.problem])
        for c in comparisons
        if (c.study, c.problem) in by_name and by_name[c.study, c.problem].trials
    ]
    if not summaries:
        return []
    study_files = {(m["study"], m["problem"]): m["file"]["text"] for m in manifests if "file" in m}
    blocks = []
    for place, summary in enumerate(summaries, start=1):
        blocks += _blocks(f"search-{place}", summary, study_files)
    files = {
        "search-trials": pd.concat(
            [trial_table(summary) for summary in summaries], ignore_index=True
        ),
        "search-choices": pd.concat(
            [choice_frame(summary) for summary in summaries], ignore_index=True
        ),
    }
    outer = [outer_frame(summary) for summary in summaries if summary.outer]
    weighed = [importance_frame(summary) for summary in summaries if summary.importances]
    files |= {"search-outer": pd.concat(outer, ignore_index=True)} if outer else {}
    files |= {"search-importances": pd.concat(weighed, ignore_index=True)} if weighed else {}
    return [Section("search", "Search", LEAD, tuple(blocks), files)]


def _blocks(
    name: str, summary: SearchSummary, study_files: Mapping[tuple[str, str], str]
) -> list[Block]:
    comparison = summary.comparison
    title = comparison.full_title
    if not summary.chosen:
        return [Block(title=title, text=("No trial is complete yet.",))]
    tables = [choice_table(summary), *([outer_table(summary)] if summary.outer else [])]
    block = Block(
        title=title,
        warnings=_warnings(summary),
        headline=_headline(summary),
        text=_summary_lines(summary),
        pictures=tuple(pictures(name, summary)),
        tables=tuple(tables),
    )
    return [block, *_recommended_blocks(summary, study_files)]


def _warnings(summary: SearchSummary) -> tuple[str, ...]:
    warnings = []
    metric = summary.comparison.objectives[0]
    if not summary.chosen[metric].is_feasible:
        warnings.append(
            "No trial meets all constraints: the choice is among those that miss them least."
        )
    for name, trial in summary.references.items():
        for objective, chosen in summary.chosen.items():
            if trial is chosen:
                warnings.append(
                    f"No trial did better than {_reference(name)} by {short_name(objective)} on "
                    "validation: there the search found nothing."
                )
            elif _is_better(objective, trial, chosen, summary) and trial.is_feasible:
                warnings.append(
                    f"By {short_name(objective)} the choice is below {_reference(name)}, which "
                    "its space lacks."
                )
    if summary.result.planned_outer and not summary.outer:
        warnings.append("The searches within outer folds are not complete yet.")
    return tuple(warnings)


def _is_better(
    metric: str, trial: SearchTrial, rival: SearchTrial, summary: SearchSummary
) -> bool:
    place = summary.comparison.objectives.index(metric)
    difference_ = trial.values[place] - rival.values[place]
    return difference_ > 0 if is_maximized(metric) else difference_ < 0


def _reference(name: str) -> str:
    return "the baseline" if name == "baseline" else "ReMix as in the paper"


def _headline(summary: SearchSummary) -> str:
    metric = summary.comparison.objectives[0]
    chosen, recommended = summary.chosen[metric], summary.recommended
    text = f"By {short_name(metric)} on validation: trial {chosen.number}, {chosen.label}"
    if recommended is None or recommended is chosen:
        return sentence(text)
    return (
        f"{sentence(text)} {summary.n_near_best} trials are within one corrected standard error "
        f"of it; the simplest of them is trial {recommended.number}, {recommended.label}."
    )


def _summary_lines(summary: SearchSummary) -> tuple[str, ...]:
    comparison, search = summary.comparison, summary.result
    complete = len(summary.complete)
    pruned = len(search.trials) - complete
    counts = counted(complete, "complete trial")
    if pruned:
        counts += f" and {pruned} that were ended between blocks of folds as surely worse"
    algorithm = str(comparison.info["algorithm"])
    lines = [sentence(f"{_ALGORITHMS.get(algorithm, algorithm)}: {counts}")]
    starts = [
        f"{_reference(name)} ({trial.label}{', beside the space' * (trial in references)})"
        for references in [search.references]
        for name, trial in summary.references.items()
    ]
    if starts:
        lines.append(sentence(f"The search began with {listing(starts)}"))
    constraints = {name for trial in search.trials for name in trial.constraints}
    if constraints:
        met = sum(trial.is_feasible for trial in summary.complete)
        lines.append(
            f"{met} of {complete} complete trials meet {listing(sorted(constraints))} on "
            "validation; only these can be chosen."
        )
    lines += [
        _outer_line(summary, objective) for objective in comparison.objectives if summary.outer
    ]
    if not summary.outer and not search.planned_outer:
        lines.append(
            "No unbiased score: set search.outer = 5 to repeat the whole search within outer "
            "folds, at six times the work."
        )
    for metric, shares in summary.importances.items():
        top = [f"{name} {share:.0%}" for name, share in list(shares.items())[:3] if share > 0.005]
        if top:
            lines.append(
                sentence(f"What decides on {short_name(metric)} (PED-ANOVA): {listing(top)}")
            )
    return tuple(lines)


def _outer_line(summary: SearchSummary, objective: str) -> str:
    outer = next(outer_ for outer_ in summary.outer if outer_.choice == objective)
    n, score = digits(objective), outer.scores[objective]
    chosen = summary.interval(summary.chosen[objective], objective, "test")
    text = (
        f"Searching this space by {short_name(objective)} is worth {number(score.mean, n)} "
        f"({span(score.low, score.high, n)}) on {counted(score.folds, 'outer fold')}; the chosen "
        f"trial’s own test score is {number(chosen.mean, n)}, from networks trained on fewer rows"
    )
    if gain := outer.gains.get(objective):
        text += f". Against the baseline on the same outer folds: {difference(gain, n)}"
    return sentence(text)


def _recommended_blocks(
    summary: SearchSummary, study_files: Mapping[tuple[str, str], str]
) -> list[Block]:
    comparison, trial = summary.comparison, summary.recommended
    text = study_files.get((comparison.study, comparison.problem))
    if trial is None:
        return []
    training = summary.result.definition.get("training") or {}
    keys = {key: training[key] for key in Training.__struct_fields__ if key in training}
    listings = [Listing("In Python, for a model of your own", python_text(trial.parameters, keys))]
    if text is not None:
        recommended_study = study_text(text, comparison.info, trial.parameters)
        listings.insert(0, Listing("As a study file", recommended_study))
    return [
        Block(
            collapsed=f"Recommended for {comparison.name}: trial {trial.number}, ready to paste",
            listings=tuple(listings),
        )
    ]
