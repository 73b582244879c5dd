"""What a study would run, without running it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from remix_study.study.checks import check_study
from remix_study.study.configurations import grid_points, label_of
from remix_study.study.fingerprint import plan
from remix_study.study.search_tasks import family
from remix_study.study.task import Task, prepare
from remix_study.studyfile.outside_files import outside_file_notes
from remix_study.studyfile.schema import Study
from remix_study.studyfile.search_space import SearchSpace
from remix_study.training.backend import load_networks


def preview(study: Study, loading: AbstractContextManager[None] | None = None) -> dict[str, Any]:
    """Load the data, make the folds, count points and networks.

    Args:
        study: What to look at.
        loading: Surrounds the import of Keras and TensorFlow, once the study file and the data
            are found to be in order.

    Raises:
        StudyFileError: The study file.
        DataError: The data.
        UsageError: A model of the user's own that cannot be built or does not fit the data.
    """
    check_study(study)
    grid = study.search.algorithm == "grid"
    points = grid_points(study.search.space) if grid else []
    trials = len(points) if grid else study.search.trials or 0
    tasks = prepare(study)
    problems: list[dict[str, Any]] = []
    with loading or nullcontext():
        load_networks()
    for task in tasks:
        problem, members = task.problem, family(task)
        beside = sum(_networks(member) for member in members if member is not task)
        problems.append(
            {
                "study": task.name,
                "rows": dict(zip(problem.classes, problem.counts.tolist(), strict=True)),
                "features": problem.dataset.n_features,
                "points": trials,
                "folds": len(task.folds),
                "networks": trials * len(task.folds),
                "networks_beside": beside,
                "parameters": task.network_parameters(study.model),
                "epochs_at_most": task.spec.training.epochs,
                "notes": list(problem.notes),
            }
        )
    return {
        "study": study.name,
        "algorithm": study.search.algorithm,
        "asked": [] if grid else _asked(study.search.space),
        "points": [label_of(point) for point in points],
        "problems": problems,
        "outside": outside_file_notes(study),
        "outer": study.search.outer,
        "networks": sum(p["networks"] + p["networks_beside"] for p in problems),
    }


def _networks(task: Task) -> int:
    """Networks of a part of a search, none of them pruned."""
    work = plan(task)["trials"]
    return int(work) * (task.study.cv.repeats if task.role == "outer" else len(task.folds))


def _asked(space: SearchSpace) -> list[str]:
    """Parameters of a search; alpha is asked only where something is mixed."""
    alpha = ["alpha"] if space.alpha else []
    return [*(space.parts or ["strategy"]), *alpha, *space.settings]


def preview_text(found: dict[str, Any]) -> str:
    """The preview for a person."""
    lines = [f"{found['study']}: {found['algorithm']}, {found['networks']} networks in all"]
    if found["asked"]:
        lines.append(f"asked of Optuna: {', '.join(found['asked'])}")
    lines += [f"note: {line}" for line in found["outside"]]
    if found["points"]:
        lines.append(f"points: {'; '.join(found['points'])}")
    for problem in found["problems"]:
        rows = ", ".join(f"{name}: {count}" for name, count in problem["rows"].items())
        lines += [
            problem["study"],
            f"  {problem['points']} points x {problem['folds']} folds = {problem['networks']} "
            f"networks of {problem['parameters']:,} parameters, {problem['epochs_at_most']} "
            "epochs at most",
            *_beside(problem, found["outer"]),
            f"  {problem['features']} features; rows {rows}",
            *(f"  note: {note}" for note in problem["notes"]),
        ]
    return "\n".join(lines)


def _beside(problem: dict[str, Any], outer: int | None) -> list[str]:
    count = problem["networks_beside"]
    if not count:
        return []
    what = f"the search again within {outer} outer folds" if outer else "baseline and ReMix"
    return [f"  beside it {what}: {count} networks"]
