"""Preview of a study: what a run would train, without training it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from remix_study.study.checks import check_study
from remix_study.study.configurations import grid_configurations, label_of
from remix_study.study.fingerprint import planned_work
from remix_study.study.search_tasks import search_tasks
from remix_study.study.task import Task
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.outside_files import outside_file_notes
from remix_study.studyfile.schema import Study
from remix_study.studyfile.search_space import SearchSpace
from remix_study.training.backend import load_networks


def preview(study: Study, loading: AbstractContextManager[None] | None = None) -> dict[str, Any]:
    """Load the data, make the folds, count configurations and networks.

    Args:
        study: The study.
        loading: Surrounds the import of Keras and its backend, after the study file and the data
            have been checked.

    Returns:
        The keys that ``run --dry-run --json`` prints; ``points`` are configurations.

    Raises:
        StudyFileError: The study file.
        DataError: The data.
        UsageError: A model of the user's own that cannot be built or does not fit the data.
    """
    check_study(study)
    is_grid = study.search.algorithm == "grid"
    configurations = grid_configurations(study.search.space) if is_grid else []
    n_trials = len(configurations) if is_grid else study.search.trials or 0
    tasks = prepare_tasks(study)
    problems: list[dict[str, Any]] = []
    with loading or nullcontext():
        load_networks()
    for task in tasks:
        problem, parts = task.problem, search_tasks(task)
        n_beside = sum(_count_networks(part) for part in parts if part is not task)
        problems.append(
            {
                "study": task.name,
                "rows": dict(zip(problem.classes, problem.counts.tolist(), strict=True)),
                "features": problem.dataset.n_features,
                "points": n_trials,
                "folds": len(task.folds),
                "networks": n_trials * len(task.folds),
                "networks_beside": n_beside,
                "parameters": task.network_parameters(study.model),
                "epochs_at_most": task.spec.training.epochs,
                "notes": list(problem.notes),
            }
        )
    return {
        "study": study.name,
        "algorithm": study.search.algorithm,
        "asked": [] if is_grid else _suggested_names(study.search.space),
        "points": [label_of(parameters) for parameters in configurations],
        "problems": problems,
        "outside": outside_file_notes(study),
        "outer": study.search.outer,
        "networks": sum(entry["networks"] + entry["networks_beside"] for entry in problems),
    }


def _count_networks(task: Task) -> int:
    """Networks of a part of a search where no trial is pruned."""
    return int(planned_work(task)["trials"]) * task.folds_per_trial


def _suggested_names(space: SearchSpace) -> list[str]:
    """Names of the parameters that Optuna suggests; alpha only where something is mixed."""
    alpha = ["alpha"] if space.alpha else []
    return [*(space.parts or ["strategy"]), *alpha, *space.settings]


def preview_text(summary: dict[str, Any]) -> str:
    """The preview as lines for a person.

    Args:
        summary: As :func:`preview` returns it.
    """
    study, algorithm, networks = summary["study"], summary["algorithm"], summary["networks"]
    lines = [f"{study}: {algorithm}, {networks} networks in all"]
    if summary["asked"]:
        lines.append(f"suggested by Optuna: {', '.join(summary['asked'])}")
    lines += [f"note: {line}" for line in summary["outside"]]
    if summary["points"]:
        lines.append(f"configurations: {'; '.join(summary['points'])}")
    for problem in summary["problems"]:
        rows = ", ".join(f"{name}: {count}" for name, count in problem["rows"].items())
        lines += [
            problem["study"],
            f"  {problem['points']} configurations x {problem['folds']} folds = "
            f"{problem['networks']} networks of {problem['parameters']:,} parameters, "
            f"{problem['epochs_at_most']} epochs at most",
            *_beside_lines(problem, summary["outer"]),
            f"  {problem['features']} features; rows {rows}",
            *(f"  note: {note}" for note in problem["notes"]),
        ]
    return "\n".join(lines)


def _beside_lines(problem: dict[str, Any], outer: int | None) -> list[str]:
    count = problem["networks_beside"]
    if not count:
        return []
    what = f"the search again within {outer} outer folds" if outer else "baseline and ReMix"
    return [f"  beside it {what}: {count} networks"]
