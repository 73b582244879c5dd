"""The verdict in words: every sentence is put together from the numbers, none is typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from remix_study.metrics import NATURAL_METRICS, short_name
from remix_study.report.formatting import (
    counted,
    difference,
    digits,
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
    """The questions of a reader who has to decide, answered from the numbers."""
    found: list[Answer] = []
    baseline, balance = verdict.rival("baseline"), verdict.rival("balance")
    if baseline:
        found.append(Answer("Does ReMix help?", (_help(verdict, baseline, "the baseline"),)))
    if balance:
        question = "Does its mixing help?"
        found.append(Answer(question, (_help(verdict, balance, "balancing alone"),)))
    others = [rival for rival in verdict.rivals if rival not in (baseline, balance)]
    if others:
        found.append(Answer("Does something simpler do as well?", _simpler(verdict, others)))
    if verdict.missing_rivals:
        missing = f"Not in this study: {listing(verdict.missing_rivals)}."
        found.append(Answer("What is missing?", (missing,)))
    if verdict.remix is not None:
        question = "Can its probabilities be used at the natural class shares?"
        found.append(Answer(question, _probabilities(verdict)))
    if verdict.selections:
        lines = tuple(_choice(verdict, made) for made in verdict.selections)
        found.append(Answer("What would validation choose?", lines))
    return tuple(found)


def headline(verdict: Verdict) -> str:
    """The verdict in one or two sentences."""
    parts = []
    if verdict.remix is not None:
        parts.append(_standing_in_short(verdict))
    elif verdict.comparison.is_grid:
        parts.append("ReMix was not run here, so there is nothing to say about it")
    else:
        n = counted(len(verdict.comparison.methods), "different point")
        parts.append(
            f"Optuna chose {n} by validation scores; no fixed rows are compared here. What it "
            "found, and what that is worth, stands under Search"
        )
    chosen: dict[str, list[str]] = {}
    for made in verdict.selections:
        chosen.setdefault(made.overall.label, []).append(_purpose(made.metric))
    if chosen:
        words = [f"{row} for {listing(purposes)}" for row, purposes in chosen.items()]
        parts.append(f"The validation parts choose {'; '.join(words)}")
    return " ".join(sentence(part) for part in parts)


def _standing_in_short(verdict: Verdict) -> str:
    name, parts = remix_name(verdict), []
    baseline, balance = verdict.rival("baseline"), verdict.rival("balance")
    if baseline:
        better, worse = _metrics(verdict, baseline, "better"), _metrics(verdict, baseline, "worse")
        if better or worse:
            words = [f"better than the baseline on {listing(better)}"] if better else []
            words += [f"worse than the baseline on {listing(worse)}"] if worse else []
            parts.append(f"{name} is {' and '.join(words)}")
        else:
            parts.append(f"{name} cannot be told from the baseline")
    if balance:
        better, worse = _metrics(verdict, balance, "better"), _metrics(verdict, balance, "worse")
        if better or worse:
            words = [f"gains on {listing(better)}"] if better else []
            words += [f"costs on {listing(worse)}"] if worse else []
            parts.append(f"mixing {' and '.join(words)} against balancing alone")
        else:
            parts.append("mixing adds nothing that these folds show to balancing alone")
    return "; ".join(parts) or f"{name} has neither a baseline nor balancing to be held against"


def _metrics(verdict: Verdict, rival: Rival, wanted: Relation) -> list[str]:
    return [
        short_name(metric)
        for metric in verdict.comparison.objectives
        if rival.relation(metric) == wanted
    ]


def _help(verdict: Verdict, rival: Rival, words: str) -> str:
    found = {rival.relation(metric) for metric in verdict.comparison.objectives} - {None}
    if found == {"better"}:
        start = "Yes"
    elif found == {"worse"}:
        start = "No, it harms"
    elif found <= {"unclear"}:
        start = "These folds cannot show it"
    elif {"better", "worse"} <= found:
        start = "Both ways"
    elif "better" in found:
        start = "Partly"
    else:
        start = "No, in part it harms"
    parts = []
    for wanted, relation_words in RELATIONS:
        metrics = [
            f"{short_name(metric)} {difference(rival.differences[metric], digits(metric))}"
            for metric in verdict.comparison.objectives
            if rival.relation(metric) == wanted
        ]
        if metrics:
            parts.append(f"{relation_words} on {listing(metrics)}")
    return sentence(f"{start}. Against {words}: {', '.join(parts)}")


def _simpler(verdict: Verdict, others: Sequence[Rival]) -> tuple[str, ...]:
    objectives = verdict.comparison.objectives
    equal = [
        rival.name
        for rival in others
        if all(rival.relation(metric) in ("unclear", "worse", None) for metric in objectives)
    ]
    if equal:
        lines = [f"Yes, as far as these folds can tell: {quoted(equal)}."]
    elif all(rival.relation(m) in ("better", None) for rival in others for m in objectives):
        lines = ["No, ReMix is surely better than each rival without mixing."]
    else:
        lines = ["Not on every score."]
    for metric in objectives:
        parts = []
        for wanted, words in (
            ("worse", "surely better are"),
            ("unclear", "not told from it are"),
            ("better", "surely behind are"),
        ):
            names = [
                f"{rival.name} ({number(rival.means[metric], digits(metric))})"
                for rival in others
                if rival.relation(metric) == wanted
            ]
            if names:
                parts.append(f"{words} {quoted(names)}")
        if parts and verdict.remix is not None:
            own = float(verdict.comparison.score(verdict.remix.label, metric).mean())
            start = f"On {short_name(metric)} ReMix has {number(own, digits(metric))}"
            lines.append(sentence(f"{start}; {'; '.join(parts)}"))
    return tuple(lines)


def _probabilities(verdict: Verdict) -> tuple[str, ...]:
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
    rest = "" if trust.is_exact else ", approximately, since its rows were mixed,"
    lines.append(
        f"Corrected back to the natural class shares{rest} {_mending(trust)} Against the "
        f"baseline: {_all_differences(trust.corrected)}."
    )
    back = next(made for made in verdict.corrected if made.name == f"{remix.label} corrected")
    before, after = comparison.score(remix.label, "g_mean"), back.score("g_mean")
    if trust.correction_outcome != "none" and len(after) and after.mean() < before.mean():
        lines.append(
            f"The correction takes g-mean from {number(float(before.mean()))} to "
            f"{number(float(after.mean()))}: decide by the probabilities as they come, report the "
            "corrected ones."
        )
    return tuple(lines)


def _mending(trust: ProbabilityQuality) -> str:
    return {
        "sufficient": "they cannot be told from the baseline’s.",
        "sufficient with temperature": "they are still worse; with a temperature fitted on "
        "validation on top they cannot be told from the baseline’s.",
        "partial": "they are better, but still worse than the baseline’s.",
        "none": "they are no better.",
    }.get(trust.correction_outcome, "")


def _labels(metrics: Sequence[str]) -> list[str]:
    return [short_name(metric) for metric in metrics]


def _all_differences(found: Mapping[str, Interval]) -> str:
    return listing(
        [
            f"{short_name(metric)} {difference(found[metric], digits(metric))}"
            for metric in NATURAL_METRICS
            if metric in found
        ]
    )


def _purpose(metric: str) -> str:
    return _PURPOSE.get(metric, short_name(metric))


def _choice(verdict: Verdict, made: Selection) -> str:
    n = digits(made.metric)
    test = made.overall_test
    parts = [
        f"For {_purpose(made.metric)}: {made.overall.label}, with "
        f"{number(test.mean, n)} on the test parts ({span(test.low, test.high, n)})"
    ]
    if verdict.comparison.is_grid:
        cheaper = simpler_methods(verdict, made)
        if cheaper:
            parts.append(f"Simpler, and not surely worse: {_some(cheaper)}")
        within = [made.hindsight.label, *made.within_error]
        if len(within) > 1:
            parts.append(
                f"{_share(len(within), made.candidates)} rows are within error of the best, "
                f"{made.hindsight.label} ({number(made.hindsight_test.mean, n)})"
            )
    return " ".join(sentence(part) for part in parts)


def _share(part: int, whole: int) -> str:
    return f"all {whole}" if part == whole else f"{part} of {whole}"


def _some(names: Sequence[str]) -> str:
    shown = list(names[:MOST_NAMES])
    if len(names) > len(shown):
        shown.append(f"{len(names) - len(shown)} more")
    return quoted(shown)


def quoted(names: Sequence[str]) -> str:
    """A list of names, some of which hold a comma of their own."""
    return "; ".join(names) if any("," in name for name in names) else listing(names)
