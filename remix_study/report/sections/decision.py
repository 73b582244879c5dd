"""Sentences of the verdict, each made from the numbers: a headline, then questions and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from remix_study.metrics import NATURAL_METRICS, short_name
from remix_study.report.formatting import (
    counted,
    difference,
    digits,
    first_names,
    listing,
    number,
    sentence,
    span,
)
from remix_study.report.page_model import Answer
from remix_study.report.sections.verdict_tables import remix_name
from remix_study.results.intervals import Interval
from remix_study.results.probability_quality import ProbabilityQuality, Relation
from remix_study.results.selection import Selection
from remix_study.results.verdict import Rival, Verdict, simpler_methods

_PURPOSE = {
    "g_mean": "decisions by g-mean",
    "bbs": "the balanced Brier score",
    "log_loss": "probabilities at the natural class shares",
}
RELATIONS: tuple[tuple[Relation, str], ...] = (
    ("better", "better"),
    ("worse", "worse"),
    ("unclear", "not told apart"),
)
MOST_NAMES = 5


def answers(verdict: Verdict) -> tuple[Answer, ...]:
    """The questions of a reader who has to decide, with answers made from the numbers."""
    questions: list[Answer] = []
    baseline, balance = verdict.rival("baseline"), verdict.rival("balance")
    if baseline:
        questions.append(
            Answer("Does ReMix help?", (_help_line(verdict, baseline, "the baseline"),))
        )
    if balance:
        question = "Does its mixing help?"
        questions.append(Answer(question, (_help_line(verdict, balance, "balancing alone"),)))
    others = [rival for rival in verdict.rivals if rival not in (baseline, balance)]
    if others:
        questions.append(
            Answer("Does something simpler do as well?", _simpler_lines(verdict, others))
        )
    if verdict.missing_rivals:
        missing = f"Not in this study: {listing(verdict.missing_rivals)}."
        questions.append(Answer("What is missing?", (missing,)))
    if verdict.remix is not None:
        question = "Can its probabilities be used at the natural class shares?"
        questions.append(Answer(question, _probability_lines(verdict)))
    if verdict.selections:
        lines = tuple(_choice_line(verdict, selection) for selection in verdict.selections)
        questions.append(Answer("What would validation choose?", lines))
    return tuple(questions)


def headline(verdict: Verdict) -> str:
    """The verdict in one or two sentences."""
    parts = []
    if verdict.remix is not None:
        parts.append(_comparison_phrase(verdict))
    elif verdict.comparison.is_grid:
        parts.append("ReMix was not run here, so there is nothing to say about it")
    else:
        n = counted(len(verdict.comparison.methods), "different point")
        parts.append(
            f"Optuna chose {n} by validation scores; no fixed rows are compared here. What it "
            "found, and what that is worth, stands under Search"
        )
    chosen: dict[str, list[str]] = {}
    for selection in verdict.selections:
        chosen.setdefault(selection.overall.label, []).append(_purpose(selection.metric))
    if chosen:
        choices = [f"{row} for {listing(purposes)}" for row, purposes in chosen.items()]
        parts.append(f"The validation parts choose {'; '.join(choices)}")
    return " ".join(sentence(text) for text in parts)


def _comparison_phrase(verdict: Verdict) -> str:
    name, parts = remix_name(verdict), []
    baseline, balance = verdict.rival("baseline"), verdict.rival("balance")
    if baseline:
        better, worse = _metrics(verdict, baseline, "better"), _metrics(verdict, baseline, "worse")
        if better or worse:
            phrases = [f"better than the baseline on {listing(better)}"] if better else []
            phrases += [f"worse than the baseline on {listing(worse)}"] if worse else []
            parts.append(f"{name} is {' and '.join(phrases)}")
        else:
            parts.append(f"{name} cannot be told from the baseline")
    if balance:
        better, worse = _metrics(verdict, balance, "better"), _metrics(verdict, balance, "worse")
        if better or worse:
            phrases = [f"gains on {listing(better)}"] if better else []
            phrases += [f"costs on {listing(worse)}"] if worse else []
            parts.append(f"mixing {' and '.join(phrases)} against balancing alone")
        else:
            parts.append("mixing adds nothing that these folds show to balancing alone")
    return "; ".join(parts) or f"{name} has neither a baseline nor balancing to be held against"


def _metrics(verdict: Verdict, rival: Rival, relation: Relation) -> list[str]:
    return [
        short_name(metric)
        for metric in verdict.comparison.objectives
        if rival.relation(metric) == relation
    ]


def _help_line(verdict: Verdict, rival: Rival, rival_name: str) -> str:
    relations = {rival.relation(metric) for metric in verdict.comparison.objectives} - {None}
    if relations == {"better"}:
        start = "Yes"
    elif relations == {"worse"}:
        start = "No, it harms"
    elif relations <= {"unclear"}:
        start = "These folds cannot show it"
    elif {"better", "worse"} <= relations:
        start = "Both ways"
    elif "better" in relations:
        start = "Partly"
    else:
        start = "No, in part it harms"
    parts = []
    for relation, relation_words in RELATIONS:
        metrics = [
            f"{short_name(metric)} {difference(rival.differences[metric], digits(metric))}"
            for metric in verdict.comparison.objectives
            if rival.relation(metric) == relation
        ]
        if metrics:
            parts.append(f"{relation_words} on {listing(metrics)}")
    return sentence(f"{start}. Against {rival_name}: {', '.join(parts)}")


def _simpler_lines(verdict: Verdict, rivals: Sequence[Rival]) -> tuple[str, ...]:
    objectives = verdict.comparison.objectives
    as_good = [
        rival.name
        for rival in rivals
        if all(rival.relation(metric) in ("unclear", "worse", None) for metric in objectives)
    ]
    if as_good:
        lines = [f"Yes, as far as these folds can tell: {quoted(as_good)}."]
    elif all(rival.relation(m) in ("better", None) for rival in rivals for m in objectives):
        lines = ["No, ReMix is surely better than each rival without mixing."]
    else:
        lines = ["Not on every score."]
    for metric in objectives:
        parts = []
        for relation, phrase in (
            ("worse", "surely better are"),
            ("unclear", "not told from it are"),
            ("better", "surely behind are"),
        ):
            names = [
                f"{rival.name} ({number(rival.means[metric], digits(metric))})"
                for rival in rivals
                if rival.relation(metric) == relation
            ]
            if names:
                parts.append(f"{phrase} {quoted(names)}")
        if parts and verdict.remix is not None:
            remix_mean = float(verdict.comparison.score(verdict.remix.label, metric).mean())
            start = f"On {short_name(metric)} ReMix has {number(remix_mean, digits(metric))}"
            lines.append(sentence(f"{start}; {'; '.join(parts)}"))
    return tuple(lines)


def _probability_lines(verdict: Verdict) -> tuple[str, ...]:
    trust, remix, comparison = verdict.probability_quality, verdict.remix, verdict.comparison
    if trust is None or remix is None:
        return ("Without a baseline there is nothing to hold them against.",)
    if trust.worse:
        start = f"Not as they come: worse than the baseline’s in {listing(_labels(trust.worse))}"
    else:
        start = "Not surely worse than the baseline’s"
    lines = [sentence(f"{start}. Against it: {_all_differences(trust.as_trained)}")]
    if trust.below_guessing:
        lines.append(
            "Worse than telling every row the class shares, in Brier or log-loss: "
            f"{listing(trust.below_guessing)}."
        )
    if not trust.worse:
        if trust.worse_corrected:
            harmed = listing(_labels(trust.worse_corrected))
            lines.append(
                "The correction back to the natural class shares is not needed; it would make "
                f"them surely worse than the baseline’s in {harmed}."
            )
        return tuple(lines)
    if not trust.corrected:
        return (*lines, "No probabilities are stored, so no correction could be tried.")
    how = "" if trust.is_exact else ", approximately, since its rows were mixed,"
    lines.append(
        f"Corrected back to the natural class shares{how} {_correction_phrase(trust)} Against the "
        f"baseline: {_all_differences(trust.corrected)}."
    )
    corrected_remix = next(
        method for method in verdict.corrected if method.label == f"{remix.label} corrected"
    )
    uncorrected, corrected_scores = (
        comparison.score(remix.label, "g_mean"),
        comparison.score(corrected_remix.label, "g_mean"),
    )
    if (
        trust.correction_outcome != "none"
        and len(corrected_scores)
        and corrected_scores.mean() < uncorrected.mean()
    ):
        lines.append(
            f"The correction takes g-mean from {number(float(uncorrected.mean()))} to "
            f"{number(float(corrected_scores.mean()))}: decide by the probabilities as they come, "
            "report the corrected ones."
        )
    return tuple(lines)


def _correction_phrase(trust: ProbabilityQuality) -> str:
    return {
        "sufficient": "they cannot be told from the baseline’s.",
        "sufficient with temperature": "they are still worse; with a temperature fitted on "
        "validation on top they cannot be told from the baseline’s.",
        "partial": "they are better, but still worse than the baseline’s.",
        "none": "they are no better.",
    }.get(trust.correction_outcome, "")


def _labels(metrics: Sequence[str]) -> list[str]:
    return [short_name(metric) for metric in metrics]


def _all_differences(differences: Mapping[str, Interval]) -> str:
    return listing(
        [
            f"{short_name(metric)} {difference(differences[metric], digits(metric))}"
            for metric in NATURAL_METRICS
            if metric in differences
        ]
    )


def _purpose(metric: str) -> str:
    return _PURPOSE.get(metric, short_name(metric))


def _choice_line(verdict: Verdict, selection: Selection) -> str:
    n = digits(selection.metric)
    test = selection.overall_test
    parts = [
        f"For {_purpose(selection.metric)}: {selection.overall.label}, with "
        f"{number(test.mean, n)} on the test parts ({span(test.low, test.high, n)})"
    ]
    if verdict.comparison.is_grid:
        cheaper = first_names(simpler_methods(verdict, selection), MOST_NAMES)
        if cheaper:
            parts.append(f"Simpler, and not surely worse: {quoted(cheaper)}")
        best_methods = [selection.hindsight.label, *selection.within_error]
        if len(best_methods) > 1:
            parts.append(
                f"{_share(len(best_methods), selection.candidates)} rows are within error of the "
                f"best, {selection.hindsight.label} ({number(selection.hindsight_test.mean, n)})"
            )
    return " ".join(sentence(text) for text in parts)


def _share(n: int, total: int) -> str:
    return f"all {total}" if n == total else f"{n} of {total}"


def quoted(names: Sequence[str]) -> str:
    """A list of names, separated by semicolons if a name contains a comma."""
    return "; ".join(names) if any("," in name for name in names) else listing(names)
