"""What to train for use: the method that a decision names, or one that a user names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from remix_study.errors import UsageError, did_you_mean, join_names
from remix_study.results.candidates import decide_problem, with_other_parts
from remix_study.results.comparison import Comparison, comparisons
from remix_study.results.forms import Form, forms_of
from remix_study.results.frames import StudyFrames
from remix_study.results.methods import Method
from remix_study.results.study_roles import study_roles


@dataclass(frozen=True, eq=False)
class Choice:
    """A method in a form, with the folds that scored it.

    Attributes:
        comparison: The problem with all of its methods.
        form: What to train, and how its probabilities become answers.
        is_decided: Whether the decision names it, rather than the user.
        manifest: How the problem was run last.
    """

    comparison: Comparison
    form: Form
    is_decided: bool
    manifest: Mapping[str, Any]

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of the trial, by the names of a study file."""
        return dict(self.form.method.parameters)


def choose(
    frames: StudyFrames,
    problem: str | None = None,
    method: str | None = None,
    trial: int | None = None,
) -> Choice:
    """Choose what to train.

    Args:
        frames: A study.
        problem: The problem's name; None where the study has one.
        method: Label of a method as pages have it; None for the decision's.
        trial: Number of a trial of the problem's grid or search, in place of a label.

    Raises:
        UsageError: There is no such problem, method or trial, or nothing was decided.
    """
    comparison = _problem(_as_on_pages(frames), problem)
    candidates, decision = decide_problem(comparison, frames)
    where, methods = f"problem {candidates.name}", candidates.methods
    if trial is not None:
        (candidates,) = with_other_parts([comparison], frames, constrained=True)
        chosen = _of_trial(frames, candidates, trial)
    elif method is not None:
        forms = {form.label: form.method for form in decision.entries} if decision else {}
        by_label = {**forms, **{m.label: m for m in methods}}
        if method not in by_label:
            raise UsageError(f'{where}: no method "{method}"{did_you_mean(method, by_label)}')
        chosen = by_label[method]
    elif decision is None:
        raise UsageError(
            f"{where}: nothing is decided yet, as no method has scores on every fold or the "
            "search has constraints; name a method by --method or --trial"
        )
    else:
        chosen = decision.chosen.method
    entries = {form.method: form for form in decision.entries} if decision else {}
    form = entries.get(chosen) or _plain_form(candidates, chosen)
    manifests = [m for m in frames.manifests if m.get("problem") == candidates.problem]
    is_decided = bool(decision and form is decision.chosen)
    return Choice(candidates, form, is_decided, manifests[-1] if manifests else {})


def _of_trial(frames: StudyFrames, candidates: Comparison, trial: int) -> Method:
    """The method of a trial of the problem, of its grid or of the search that follows it."""
    numbered = [frames.runs, *([frames.following.runs] if frames.following else [])]
    runs = {run for table in numbered for run in table.loc[table["trial"] == trial, "run"]}
    methods = [method for method in candidates.methods if method.run in runs]
    where = f"problem {candidates.name}"
    if not methods:
        raise UsageError(f"{where}: trial {trial} is not there, or not complete")
    if len(methods) > 1:
        labels = " and of the search ".join(f'"{method.label}"' for method in methods)
        raise UsageError(f"{where}: trial {trial} is of the grid {labels}; name one by --method")
    return methods[0]


def _as_on_pages(frames: StudyFrames) -> tuple[Comparison, ...]:
    """The problems of a study, those that pages decide on as they are there."""
    compared = comparisons(frames)
    decided = {(c.study, c.problem): c for c in study_roles(compared).headline}
    return tuple(decided.get((c.study, c.problem), c) for c in compared)


def _plain_form(comparison: Comparison, method: Method) -> Form:
    """A method as it was trained, where no decision gave it a form."""
    return forms_of(comparison, method, None)[0]


def _problem(compared: tuple[Comparison, ...], name: str | None) -> Comparison:
    named = {name: c for c in compared for name in (c.problem, c.name)}
    if name is not None and name not in named:
        raise UsageError(f'no problem "{name}" in the study{did_you_mean(name, named)}')
    if name is None and len(compared) != 1:
        names = join_names((c.name for c in compared), 8)
        raise UsageError(f"the study has {len(compared)} problems ({names}); name one: --problem")
    return compared[0] if name is None else named[name]
