"""What a study would run, without running it."""

from __future__ import annotations

from typing import Any

from remix_study.config import Study
from remix_study.study.bench import prepare
from remix_study.study.points import check_study, grid_points, setting_of


def preview(study: Study) -> dict[str, Any]:
    """Load the data, make the folds, count points and networks.

    Raises:
        StudyFileError: The study file.
        DataError: The data.
    """
    check_study(study)
    grid = study.search.algorithm == "grid"
    points = grid_points(study.search.space) if grid else []
    trials = len(points) if grid else study.search.trials or 0
    problems = []
    for bench in prepare(study):
        problem = bench.problem
        problems.append(
            {
                "study": bench.name,
                "rows": dict(zip(problem.classes, problem.counts.tolist(), strict=True)),
                "features": int(problem.X.shape[1]),
                "points": trials,
                "folds": len(bench.folds),
                "networks": trials * len(bench.folds),
                "parameters": bench.network_parameters(study.model),
                "epochs_at_most": bench.spec.training.epochs,
                "notes": list(problem.notes),
            }
        )
    labels = [setting_of(point, study.training, study.model).strategy.label for point in points]
    return {
        "study": study.name,
        "algorithm": study.search.algorithm,
        "points": labels,
        "problems": problems,
        "networks": sum(problem["networks"] for problem in problems),
    }


def preview_text(found: dict[str, Any]) -> str:
    """The preview for a person."""
    lines = [f"{found['study']}: {found['algorithm']}, {found['networks']} networks in all"]
    if found["points"]:
        lines.append(f"points: {', '.join(dict.fromkeys(found['points']))}")
    for problem in found["problems"]:
        rows = ", ".join(f"{name}: {count}" for name, count in problem["rows"].items())
        lines += [
            problem["study"],
            f"  {problem['points']} points x {problem['folds']} folds = {problem['networks']} "
            f"networks of {problem['parameters']:,} parameters, {problem['epochs_at_most']} "
            "epochs at most",
            f"  {problem['features']} features; rows {rows}",
            *(f"  note: {note}" for note in problem["notes"]),
        ]
    return "\n".join(lines)
