"""A problem's Optuna study and its row in our tables: begun once, never changed in mid-study."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import insert, select, update

from remix_study.batches.strategies import strategy_names
from remix_study.errors import StudyFileError
from remix_study.metrics import METRICS
from remix_study.space import Choice
from remix_study.study import tables
from remix_study.study.bench import Bench
from remix_study.study.evaluation import utc_now
from remix_study.study.points import grid_points, key
from remix_study.study.record import record_parts

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.study import Study as OptunaStudy


@dataclass(frozen=True, eq=False)
class Entry:
    """A problem's study in the database.

    Attributes:
        uuid: What the project's rows hang on.
        optuna: The Optuna study.
        strategies: Names the parameter ``strategy`` offers since the study began.
    """

    uuid: str
    optuna: OptunaStudy
    strategies: tuple[str, ...]


def enter(storage: RDBStorage, bench: Bench) -> Entry:
    """Open a problem's study, or begin it.

    Raises:
        StudyFileError: The database holds a study of this name that began with other settings or
            data (the message shows what differs), or one that another program made.
    """
    import optuna

    directions = [METRICS[name].direction for name in bench.study.objectives]
    study = optuna.create_study(
        storage=storage, study_name=bench.name, directions=directions, load_if_exists=True
    )
    own = study.user_attrs.get(tables.STUDY_ATTRIBUTE)
    if own is None:
        if study.get_trials(deepcopy=False):
            raise StudyFileError(
                f"{bench.study.source}: study.name: the database holds an Optuna study "
                f'"{bench.name}" that another program made; choose another name'
            )
        return _begin(storage, bench, study)
    with storage.engine.begin() as connection:
        row = connection.execute(select(tables.studies).where(tables.studies.c.uuid == own)).one()
        _refuse_changes(bench, row.definition)
        connection.execute(
            update(tables.studies).where(tables.studies.c.uuid == own).values(**_plan(bench))
        )
    return Entry(own, study, tuple(row.facts["strategies"]))


def _begin(storage: RDBStorage, bench: Bench, study: OptunaStudy) -> Entry:
    import optuna

    own = str(uuid.uuid4())
    strategies = strategy_names()
    with storage.engine.begin() as connection:
        connection.execute(
            insert(tables.studies).values(
                uuid=own,
                name=bench.name,
                study=bench.study.name,
                problem=bench.problem.name,
                created=utc_now(),
                definition=definition(bench),
                facts=facts(bench) | {"strategies": list(strategies)},
                **_plan(bench),
            )
        )
        record_parts(connection, own, bench)
    with warnings.catch_warnings():
        # Experimental since Optuna 3.2, and what makes the dashboard speak of metrics.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([METRICS[name].short for name in bench.study.objectives])
    counts = bench.problem.counts.tolist()
    shown = dict(zip(bench.problem.classes, counts, strict=True))
    study.set_user_attr("rows of each class", str(shown))
    study.set_user_attr("values are", "means over folds of validation scores")
    for position, note in enumerate(bench.problem.notes):
        study.set_user_attr(f"note {position + 1}", note[:200])
    study.set_user_attr(tables.STUDY_ATTRIBUTE, own)
    return Entry(own, study, strategies)


def _plan(bench: Bench) -> dict[str, Any]:
    search = bench.study.search
    if search.algorithm != "grid":
        return {"planned": [], "trials": search.trials}
    points = [key(point) for point in grid_points(search.space)]
    return {"planned": points, "trials": len(points)}


def definition(bench: Bench) -> dict[str, Any]:
    """Everything that a study's numbers depend on and that therefore stays as it began.

    A grid's points are not part of it: points may be added.
    """
    study, problem, spec = bench.study, bench.problem, bench.spec
    search = study.search
    space: Any = msgspec.to_builtins(search.space)
    if search.algorithm == "grid":
        # Categories are fixed by the first trial, numbers are not.
        space = {
            name: list(domain.values)
            for name, domain in search.space.settings.items()
            if isinstance(domain, Choice) and not all(isinstance(v, float) for v in domain.values)
        }
    found = {
        "seed": study.seed,
        "objectives": list(study.objectives),
        "cv": msgspec.to_builtins(study.cv),
        "model": msgspec.to_builtins(study.model),
        "training": msgspec.to_builtins(spec.training),
        "problem": {
            "dataset": problem.dataset.name,
            "sha256": problem.dataset.sha256,
            "kind": problem.kind,
            "minority": [problem.classes[code] for code in problem.minority],
            "imbalance": problem.imbalance,
            "rows": len(problem.rows),
        },
        "search": {"algorithm": search.algorithm, "space": space},
    }
    # Through JSON and back, as the database will give it.
    return msgspec.json.decode(msgspec.json.encode(found))  # type: ignore[no-any-return]


def facts(bench: Bench) -> dict[str, Any]:
    """What reports and the dashboard say of a problem."""
    problem, study, training = bench.problem, bench.study, bench.spec.training
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
        "n_rows": len(problem.rows),
        "n_features": int(problem.X.shape[1]),
        "folds": study.cv.folds,
        "repeats": study.cv.repeats,
        "validation": study.cv.validation,
        "grouped": study.cv.grouped,
        "early_stopping": training.stop == "early",
        "monitor": training.monitor,
        "preset": training.preset,
        "epochs": training.epochs,
        "objectives": list(study.objectives),
        "algorithm": study.search.algorithm,
        "network_parameters": bench.network_parameters(study.model),
        "stack": bench.stack,
    }


def _refuse_changes(bench: Bench, began: Mapping[str, Any]) -> None:
    before, now = _flat(began), _flat(definition(bench))
    changes = [
        f"{name}: {before.get(name, 'absent')} -> {now.get(name, 'absent')}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    if changes:
        raise StudyFileError(
            f"{bench.study.source}: {bench.name} began with other settings "
            f"({'; '.join(changes)}); undo the change, or give the study another name"
        )


def _flat(table: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{path}{name}.")
        else:
            flat[path + name] = value
    return flat
