"""What a study's numbers depend on, and what may change in its file once it has begun."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from remix_study.study.configurations import encoded, grid_points, label_of
from remix_study.study.constraints import parse_constraint
from remix_study.study.initial_trials import outer_choices
from remix_study.study.optuna_parameters import kind_of
from remix_study.study.tables import point_key
from remix_study.study.task import Task
from remix_study.studyfile.search_space import Choice
from remix_study.studyfile.validation import as_toml

# A value longer than this is cut where a change is shown.
_SHOWN = 60


def plan(task: Task) -> dict[str, Any]:
    """What there is to do: keys of the grid's points, or how many trials a search has."""
    search = task.study.search
    if task.role == "outer":
        choices = outer_choices(task.study, task.spec.training)
        return {"planned": [], "trials": (search.outer or 0) * len(choices)}
    if search.algorithm != "grid":
        return {"planned": [], "trials": search.trials}
    points = [point_key(point) for point in grid_points(search.space)]
    return {"planned": points, "trials": len(points)}


def definition(task: Task) -> dict[str, Any]:
    """Everything that a study's numbers depend on and that therefore stays as it began.

    Named as in the study file. A grid's points are not part of it: points may be added. Optuna
    fixes the choices of a setting that is a name, and whether a number is whole.
    """
    study, problem, spec = task.study, task.problem, task.spec
    search = study.search
    space: Any = msgspec.to_builtins(search.space)
    if search.algorithm == "grid":
        space = {
            name: [encoded(v) for v in domain.values]
            if kind_of(domain) == "names"
            else kind_of(domain)
            for name, domain in search.space.settings.items()
            if isinstance(domain, Choice)
        }
    head: dict[str, Any] = {"seed": study.seed, "objectives": list(study.objectives)}
    cv = msgspec.to_builtins(study.cv)
    # Absent where not asked for, as in databases from before there were such keys.
    if study.extra_metrics:
        head["extra_metrics"] = list(study.extra_metrics)
    if not study.cv.redraw:
        del cv["redraw"]
    found = {
        "study": head,
        "cv": cv,
        "model": {"name": study.model.name, **study.model.options},
        "training": msgspec.to_builtins(spec.training),
        "problem": {
            "dataset": problem.dataset.name,
            "sha256": problem.dataset.sha256,
            "kind": problem.kind,
            "minority": [problem.classes[code] for code in problem.minority],
            "imbalance": problem.imbalance,
            "rows": int(problem.counts.sum()),
        },
        "search": {"algorithm": search.algorithm, "space": space, **_rules(task)},
    }
    if problem.dataset.has_images:
        chosen = study.augmentation
        found["augmentation"] = {"name": chosen.name, **chosen.options}
    # Through JSON and back, as the database will give it.
    return msgspec.json.decode(msgspec.json.encode(found))  # type: ignore[no-any-return]


def _rules(task: Task) -> dict[str, Any]:
    """What else decides what a search asks and keeps, where the file says so."""
    search = task.study.search
    found: dict[str, Any] = {}
    if search.constraints:
        found["constraints"] = [parse_constraint(text).text for text in search.constraints]
    if search.prune:
        found["prune"] = True
    if task.role in ("inner", "outer"):
        found["outer"] = search.outer
    return found


def facts(task: Task) -> dict[str, Any]:
    """What reports and the dashboard say of a problem."""
    problem, study, training = task.problem, task.study, task.spec.training
    return {
        "dataset": problem.dataset.name,
        "source": problem.dataset.source,
        "licence": problem.dataset.licence,
        "citation": problem.dataset.citation,
        "kind": problem.kind,
        "imbalance": problem.imbalance,
        "classes": list(problem.classes),
        "minority": [problem.classes[code] for code in problem.minority],
        "counts": problem.counts.tolist(),
        "notes": list(problem.notes),
        "n_rows": int(problem.counts.sum()),
        "n_features": problem.dataset.n_features,
        "folds": study.cv.folds,
        "repeats": study.cv.repeats,
        "validation": study.cv.validation,
        "grouped": study.cv.grouped,
        "redraw": study.cv.redraw,
        "early_stopping": training.stop == "early",
        "monitor": training.monitor,
        "preset": training.preset,
        "epochs": training.epochs,
        "objectives": list(study.objectives),
        "algorithm": study.search.algorithm,
        "role": task.role,
        "parent": task.parent,
        "constraints": list(study.search.constraints),
        "prune": study.search.prune,
    }


def changes(
    task: Task, began: Mapping[str, Any], planned: Sequence[str], trials: int
) -> list[str]:
    """What a study file does to a study besides adding points.

    Args:
        task: The problem as the file has it now.
        began: Its definition when the study began.
        planned: Keys of the points of its grid when it was last run.
        trials: Trials that it then had.

    Returns:
        Differences such as ``training.epochs: 2 -> 3``.
    """
    before, now = _flat(began), _flat(definition(task))
    found = [
        f"{name}: {_short(before.get(name, 'absent'))} -> {_short(now.get(name, 'absent'))}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    new = plan(task)
    gone = [label_of(json.loads(k)) for k in planned if k not in new["planned"]]
    if not found and gone:
        return [f"search.space: {_short(', '.join(gone))} taken out"]
    if not found and new["trials"] < trials:
        return [f"search.trials: {trials} -> {new['trials']}"]
    return found


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else as_toml(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _flat(table: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{path}{name}.")
        else:
            flat[path + name] = value
    return flat
