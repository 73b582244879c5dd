"""Fingerprint of a task: what its numbers depend on, which stays as it was when it began.

Compared are the values that all keys have, defaults included: a study that began at one default
does not go on at another, and a key that is written out at its default is no change. A key that a
later version adds goes into :data:`ADDED_KEYS`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from remix_study.batches.strategies import (
    DEFAULT_STRATEGIES,
    PUBLISHED_ALPHA,
    make_strategy,
    takes_alpha,
)
from remix_study.data.problems import Problem
from remix_study.models.building import resolved_options
from remix_study.study.configurations import encoded, label_of
from remix_study.study.constraints import parse_constraint
from remix_study.study.planned_work import planned_work
from remix_study.study.scoring import requested_metrics
from remix_study.study.search_parameters import kind_of
from remix_study.study.tables import short_name
from remix_study.study.task import Task
from remix_study.studyfile.estimators import BUILT_IN
from remix_study.studyfile.features import FEATURE_KEYS, Features
from remix_study.studyfile.model_options import BUILT_IN_AUGMENTATION, RotateShiftOptions
from remix_study.studyfile.schema import ProblemSpec, Search
from remix_study.studyfile.search_space import Choice
from remix_study.studyfile.table_format import TABLE_KEYS, TableFormat
from remix_study.studyfile.validation import as_toml
from remix_study.version import ENGINE_VERSION

ADDED_KEYS: Mapping[str, Any] = {
    "study.extra_metrics": [],
    "cv.redraw": False,
    "model.ensemble": 1,
    "training.start_from_step": 0,
    **{f"features.{k}": v for k, v in msgspec.to_builtins(Features()).items()},
    "search.constraints": [],
    "search.prune": False,
    "search.outer": None,
    "problem.drop": [],
    "problem.fold": None,
    "problem.test_rows": 0,
    "problem.time": None,
    "problem.keep_time": False,
    **{f"problem.{k}": msgspec.to_builtins(getattr(TableFormat(), k)) for k in TABLE_KEYS},
}
"""Value that keys have in studies which began before there were these keys, or without them."""

_EARLY_KEYS = ("training.start_from_epoch", "training.start_from_step")
# Keys of a table that say what is found without them, too.
_FOUND = ("separator", "encoding")
# Characters of a value in a message on a change; longer ones are cut.
_MAX_SHOWN = 60


def definition(task: Task) -> dict[str, Any]:
    """Everything that a study's numbers depend on, as the study file has it.

    A grid's configurations are not part of it: more may be added. Optuna fixes the choices of a
    key whose values are names, and whether a number is whole.

    Returns:
        Sections of the study file, as JSON would hold them.
    """
    study, problem, spec = task.study, task.problem, task.spec
    search = study.search
    keys = msgspec.to_builtins(search.space).items()
    space: Any = {k: v for k, v in keys if k not in ("ratio", "conditions") or v}
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
    # Absent unless used, as in databases from before these keys existed.
    if study.extra_metrics:
        head["extra_metrics"] = list(study.extra_metrics)
    if not study.cv.redraw:
        del cv["redraw"]
    ensemble = {"ensemble": study.model.ensemble} if study.model.ensemble > 1 else {}
    sections = {
        "study": head,
        "cv": cv,
        "model": {"name": study.model.name, **study.model.options, **ensemble},
        "training": msgspec.to_builtins(spec.training),
        "problem": {
            "dataset": problem.dataset.name,
            "sha256": problem.dataset.sha256,
            "kind": problem.kind,
            "minority": [problem.classes[code] for code in problem.minority],
            "imbalance": problem.imbalance,
            "rows": int(problem.counts.sum()),
            **_reading(spec),
            **_split_keys(problem),
        },
        "search": {"algorithm": search.algorithm, "space": space},
    }
    rules = {
        "constraints": [parse_constraint(text).text for text in search.constraints],
        "prune": search.prune,
        "outer": search.outer if task.role in ("inner", "outer") else None,
    }
    sections["search"] |= {name: value for name, value in rules.items() if value}
    if custom := {e.name: e for e in study.estimators if e.name not in BUILT_IN}:
        sections["estimators"] = msgspec.to_builtins(custom)
    # Tables of one study may share it with images, which have no columns.
    features = msgspec.to_builtins(study.model.features)
    if study.model.features != Features() or search.space.settings.keys() & set(FEATURE_KEYS):
        sections["features"] = {
            k: v for k, v in features.items() if f"features.{k}" not in search.space.settings
        }
    if study.metrics:
        sections["metrics"] = msgspec.to_builtins(study.metrics)
    # Costs of a study that does not name their metric are of its report alone.
    if "cost" in requested_metrics(study):
        sections["decision"] = {"costs": study.decision.costs}
    if problem.dataset.has_images:
        augmentation = study.augmentation
        sections["augmentation"] = {"name": augmentation.name, **augmentation.options}
    # Through JSON and back, as the database will return it.
    return msgspec.json.decode(msgspec.json.encode(sections))  # type: ignore[no-any-return]


def _reading(spec: ProblemSpec) -> dict[str, Any]:
    """Keys that change what is read of a problem's data, those that are not at their default."""
    keys: dict[str, Any] = msgspec.to_builtins(spec.table)
    keys |= {"classes": msgspec.to_builtins(spec.classes), "drop": list(spec.drop)}
    keys |= {"weights": spec.weights, "class_weights": spec.class_weights}
    return {k: v for k, v in keys.items() if v not in ([], {}, None) and k not in _FOUND}


def _split_keys(problem: Problem) -> dict[str, Any]:
    """What a given split adds; a test file stands in it by its rows, as its name may change."""
    split = problem.dataset.split
    return {} if split is None else dict(split.keys)


def resolved_settings(task: Task) -> dict[str, Any]:
    """The definition of a task with the value of every key that its file leaves out.

    Keys that the search space varies are left as the file has them, and a strategy whose alpha
    does not vary has its default.
    """
    settings, study, problem = definition(task), task.study, task.problem
    model, shape = study.model, problem.dataset.row_shape
    options = resolved_options(model.name, model.options, shape, problem.K)
    varied = study.search.space.settings.keys()
    settings["model"] |= {k: v for k, v in options.items() if f"model.{k}" not in varied}
    if problem.dataset.has_images and study.augmentation.name == BUILT_IN_AUGMENTATION:
        rotate_shift = msgspec.convert(study.augmentation.options, RotateShiftOptions)
        settings["augmentation"] |= msgspec.to_builtins(rotate_shift)
    if study.search.algorithm != "grid":
        settings["search"]["space"] |= _resolved_strategies(study.search)
    settings["engine_version"] = ENGINE_VERSION
    return msgspec.json.decode(msgspec.json.encode(settings))  # type: ignore[no-any-return]


def _resolved_strategies(search: Search) -> dict[str, Any]:
    """Strategies that a search chooses from, and the alpha of each: its domain or a number."""
    space, names = search.space, search.space.strategy or DEFAULT_STRATEGIES
    if space.parts:
        fixed = {} if space.alpha_of("") else {"": PUBLISHED_ALPHA}
        return {"alpha": fixed | msgspec.to_builtins(space.alpha)}
    fixed = {
        name: make_strategy(name).alpha
        for name in names
        if takes_alpha(name) and space.alpha_of(name) is None
    }
    return {"strategy": names, "alpha": fixed | msgspec.to_builtins(space.alpha)}


def problem_facts(task: Task) -> dict[str, Any]:
    """What reports and the dashboard need to know of a task, as the database stores it."""
    problem, study, training = task.problem, task.study, task.spec.training
    is_cut = short_name(problem.name) != problem.name
    return {
        **({"whole_name": problem.name} if is_cut else {}),
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
        **({"split": problem.dataset.split.kind} if problem.dataset.split else {}),
        "early_stopping": training.stop == "early",
        "monitor": training.monitor,
        "preset": training.preset,
        "epochs": training.epochs,
        "objectives": list(study.objectives),
        "algorithm": study.search.algorithm,
        "role": task.role,
        "parent": short_name(task.parent),
        "constraints": list(study.search.constraints),
        "prune": study.search.prune,
    }


def study_changes(
    task: Task, began: Mapping[str, Any], planned: Sequence[str], trials: int
) -> list[str]:
    """How a study file contradicts a study that has begun; more configurations or repeats do not.

    Args:
        task: The task as the file has it now.
        began: Its resolved settings when the study began.
        planned: Keys of the configurations of its grid when it was last run.
        trials: Trials that it then had.

    Returns:
        Differences such as ``training.epochs: 2 -> 3``.
    """
    before, now = ({**ADDED_KEYS, **_flat(s)} for s in (began, resolved_settings(task)))
    stops = {before.get("training.stop"), now["training.stop"]}
    if "early" not in stops and "stop" not in task.study.search.space.settings:
        # They rule early stopping alone.
        before |= {key: now[key] for key in _EARLY_KEYS}
    if "cost" not in requested_metrics(task.study):
        before = {key: value for key, value in before.items() if not key.startswith("decision.")}
    why = ", but repeats can be added only"
    if now["cv.repeats"] > before["cv.repeats"]:
        why = ", but a search chose its trials by the repeats that it began with"
        # The search that follows a grid has the grid's folds.
        is_followed = task.study.then is not None and task.spec.search
        is_grid = task.study.search.algorithm == "grid" and task.role in ("", "rare-rows")
        if is_grid and not is_followed:
            before["cv.repeats"] = now["cv.repeats"]
    changes = [
        f"{name}: {_short(before.get(name, 'absent'))} -> {_short(now.get(name, 'absent'))}"
        f"{why if name == 'cv.repeats' else ''}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    work = planned_work(task)
    still_planned = set(work["planned"])
    removed = [label_of(json.loads(key)) for key in planned if key not in still_planned]
    if not changes and removed:
        return [f"search.space: {_short(', '.join(removed))} taken out"]
    # Of a finite space fewer trials may be planned than were asked for.
    if not changes and (n_trials := task.study.search.trials or work["trials"]) < trials:
        return [f"search.trials: {trials} -> {n_trials}"]
    return changes


def grown_repeats(task: Task, row: Any) -> dict[str, Any]:
    """Columns that change where a study has got more repeats, with their values; none else.

    Args:
        task: The task as the file has it now.
        row: Its row in the project's table of studies.
    """
    before, now = row.settings["cv"]["repeats"], task.study.cv.repeats
    if before >= now:
        return {}
    grown_from = [*row.facts.get("grown_from", ()), before]
    columns = {
        name: sections | {"cv": sections["cv"] | {"repeats": now}}
        for name, sections in (("definition", row.definition), ("settings", row.settings))
    }
    return {**columns, "facts": row.facts | {"repeats": now, "grown_from": grown_from}}


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else as_toml(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."


def _flat(table: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{path}{name}.")
        else:
            flat[path + name] = value
    return flat
