"""What ``run --dry-run`` prints: data, folds, configurations, networks, keys and memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import msgspec

from remix_study.batches.strategies import DEFAULT_STRATEGIES
from remix_study.data.memory import as_gigabytes
from remix_study.errors import join_names
from remix_study.models.building import resolved_options
from remix_study.study.checks import check_study
from remix_study.study.configurations import label_of, planned_configurations
from remix_study.study.planned_work import planned_work
from remix_study.study.size_check import largest_need, size_notes
from remix_study.study.task import Task
from remix_study.study.task_preparation import prepare_tasks, search_tasks
from remix_study.studyfile.outside_files import outside_file_notes
from remix_study.studyfile.schema import Model, Search, Study
from remix_study.studyfile.search_space import Choice, Range
from remix_study.studyfile.validation import as_toml
from remix_study.training.backend import load_networks

Keys = Mapping[str, Mapping[str, Any]]
"""Keys of a study file with their values, by table."""


def preview(study: Study, loading: AbstractContextManager[None] | None = None) -> dict[str, Any]:
    """Load the data, make the folds, count configurations and networks.

    Args:
        study: The study.
        loading: Surrounds the import of Keras and its backend, after the study file and the data
            have been checked.

    Returns:
        The keys that ``run --dry-run --json`` prints; ``points`` are configurations.

    Raises:
        StudyFileError, DataError, UsageError: As for a run.
    """
    check_study(study)
    search, tasks = study.search, prepare_tasks(study)
    with loading or nullcontext():
        load_networks()
    problems = [_preview_problem(task) for task in tasks]
    study, search = tasks[0].study, tasks[0].study.search
    is_grid = search.algorithm == "grid"
    space = study.then.space if study.then else search.space
    # Alpha only where something is mixed.
    alpha = ["alpha"] if space.alpha else []
    ratio = ["ratio"] if space.ratio else []
    suggested = [*(space.parts or ["strategy"]), *alpha, *ratio, *space.settings]
    return {
        "study": study.name,
        "algorithm": search.algorithm,
        "then": f"{study.then.trials} trials of {study.then.algorithm}" if study.then else None,
        "asked": [] if is_grid and not study.then else suggested,
        "points": [label_of(p) for p in planned_configurations(study)] if is_grid else [],
        "problems": problems,
        "outside": outside_file_notes(study),
        "outer": search.outer,
        "networks": sum(entry["networks"] + entry["networks_beside"] for entry in problems),
    }


def _preview_problem(task: Task) -> dict[str, Any]:
    problem, n_trials = task.problem, planned_work(task)["trials"]
    beside = [search for search in search_tasks(task) if search is not task]
    size = task.network_size(task.study.model)
    return {
        "study": task.name,
        "rows": dict(zip(problem.classes, problem.counts.tolist(), strict=True)),
        "features": problem.dataset.n_features,
        "points": n_trials,
        "folds": len(task.folds),
        "networks": _networks_per_fold(task) * len(task.folds),
        "beside": sorted({search.role for search in beside}),
        "references": list(dict.fromkeys(label for part in beside for label in _references(part))),
        # Where no trial is pruned.
        "networks_beside": sum(_networks_per_fold(part) * part.folds_per_trial for part in beside),
        "parameters": size.parameters,
        "layers": [str(layer) for layer in size.layers],
        "epochs_at_most": task.spec.training.epochs,
        "memory": msgspec.to_builtins(largest_need(task)),
        "keys": _keys(task),
        "notes": [*problem.notes, *size_notes([task])],
    }


def _keys(task: Task) -> Keys:
    """The value of every key for a problem, those that the file leaves out included."""
    study, shape = task.study, task.problem.dataset.row_shape
    spec = msgspec.to_builtins(task.spec)
    training = spec.pop("training")
    del spec["table"]
    spec |= spec.pop("split")
    # As it is for a table of text; other sources of rows have no such keys.
    table = msgspec.structs.asdict(task.spec.table) if task.spec.file or task.spec.files else {}
    options = resolved_options(study.model.name, study.model.options, shape, task.problem.K)
    ensemble = {"ensemble": study.model.ensemble} if study.model.ensemble > 1 else {}
    header = ("name", "seed", "objectives", "extra_metrics", "note", "keep", "rare_rows")
    tables = {
        "study": {key: getattr(study, key) for key in header},
        "problems": spec
        | table
        | {"kind": task.problem.kind, "imbalance": task.problem.imbalance},
        "cv": msgspec.to_builtins(study.cv),
        "model": {"name": study.model.name, **options, **ensemble},
        "features": {} if task.problem.dataset.has_images else _features(study.model),
        "training": training,
        **{name: used for name in ("decision", "report") if (used := _used_keys(study, name))},
        **{f"metrics.{name}": msgspec.to_builtins(keys) for name, keys in study.metrics.items()},
        **_search_keys("search", study.search),
        **(_search_keys("search.then", study.then) if study.then else {}),
    }
    return {
        name: {key: _as_written(value) for key, value in keys.items() if value is not None}
        for name, keys in tables.items()
    }


def _references(task: Task) -> list[str]:
    """Labels of what is trained beside a search; none of other parts."""
    planned = planned_work(task)["planned"] if task.role == "references" else []
    return [label_of(json.loads(key)) for key in planned]


def _networks_per_fold(task: Task) -> int:
    """Networks of a fold in all configurations; each as the file has it where Optuna chooses."""
    work = planned_work(task)
    if not work["planned"]:
        return int(work["trials"]) * task.study.model.ensemble
    return sum(task.configuration(json.loads(key)).networks for key in work["planned"])


def _features(model: Model) -> dict[str, Any]:
    """Keys of ``[features]``; without an encoding only that there is none."""
    features = msgspec.structs.asdict(model.features)
    return features if features["numeric"] != "standard" else {"numeric": "standard"}


def _search_keys(name: str, search: Search) -> dict[str, Any]:
    space, keys = search.space, msgspec.to_builtins(search)
    del keys["space"]
    return {
        name: keys,
        f"{name}.space": {
            **({} if space.parts else {"strategy": space.strategy or DEFAULT_STRATEGIES}),
            **{
                f"alpha.{strategy}".rstrip("."): domain for strategy, domain in space.alpha.items()
            },
            **({"ratio": space.ratio} if space.ratio else {}),
            **space.parts,
            **space.settings,
        },
    }


def _used_keys(study: Study, table: str) -> dict[str, Any]:
    """Keys of a table that the study file uses."""
    return {
        key: value for key, value in msgspec.to_builtins(getattr(study, table)).items() if value
    }


def _as_written(value: Any) -> Any:
    """A value as a study file writes it: a list of choices, a range as a table."""
    if isinstance(value, Choice):
        return list(value.values)
    if isinstance(value, Range):
        return {"low": value.low, "high": value.high, "log": value.log}
    return value


def preview_text(summary: Mapping[str, Any]) -> str:
    """What :func:`preview` returns, as lines for a person."""
    lines = ["{study}: {algorithm}, {networks} fits in all".format(**summary)]
    if summary["asked"]:
        lines.append(f"suggested by Optuna: {', '.join(summary['asked'])}")
    lines += [f"note: {line}" for line in summary["outside"]]
    if summary["points"]:
        lines.append(f"configurations: {'; '.join(summary['points'])}")
    problems = summary["problems"]
    first, *remaining = [problem["keys"] for problem in problems]
    shared = {
        name: {k: v for k, v in keys.items() if all(o[name].get(k) == v for o in remaining)}
        for name, keys in first.items()
    }
    lines += _key_lines(shared)
    for problem in problems:
        rows = ", ".join(f"{name}: {count:,}" for name, count in problem["rows"].items())
        need = problem["memory"]
        parts = ", ".join(f"{part} {as_gigabytes(n_bytes)}" for part, n_bytes in need.items())
        lines += [
            problem["study"],
            f"  {problem['points']} configurations x {problem['folds']} folds = "
            f"{problem['networks']} fits; networks of {problem['parameters']:,} parameters, "
            f"{problem['epochs_at_most']} epochs at most",
            *([_beside_line(problem, summary)] if problem["beside"] else []),
            f"  {problem['features']} features; rows of each class: {rows}",
            f"  layers: {', '.join(problem['layers'])}",
            f"  memory: about {as_gigabytes(sum(need.values()))} beside the data ({parts})",
            *(f"  {line}" for line in _key_lines(problem["keys"], without=shared)),
            *(f"  note: {note}" for note in problem["notes"]),
        ]
    return "\n".join(lines)


def _key_lines(tables: Keys, without: Keys | None = None) -> list[str]:
    """One line a table: its keys with their values, as a study file writes them."""
    lines = []
    for name, keys in tables.items():
        shared = (without or {}).get(name, {})
        pairs = [f"{key} = {as_toml(v)}" for key, v in keys.items() if key not in shared]
        lines += [f"[{name}] {', '.join(pairs)}"] if pairs else []
    return lines


def _beside_line(problem: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    text_by_role = {
        "references": join_names(problem["references"]),
        "search": summary["then"],
        "outer": f"the search again within {summary['outer']} outer folds",
        "rare-rows": "the best methods again with fewer rare rows",
    }
    roles = [role for role, text in text_by_role.items() if text and role in problem["beside"]]
    work = " and ".join(text_by_role[role] for role in roles)
    place = "beside it" if {"references", "outer"} & {*problem["beside"]} else "then"
    return f"  {place} {work}: {problem['networks_beside']} fits"
