"""What belongs to a search beside itself: its references, and searches within outer folds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import numpy as np

from remix_study.config import Search
from remix_study.data.folds import make_folds, make_outer_folds
from remix_study.errors import DataError
from remix_study.study.bench import Bench
from remix_study.study.checks import check_batch_size
from remix_study.study.constraints import parse_constraint
from remix_study.study.references import REFERENCES, first_points, reference_points


def family(bench: Bench) -> list[Bench]:
    """A problem's benches in the order in which they run; a grid is alone.

    Raises:
        DataError: A class has too few rows for the folds within an outer fold.
        StudyFileError: Batches that the training rows within an outer fold do not fill.
    """
    search = bench.study.search
    if search.algorithm == "grid":
        return [bench]
    try:
        found = [*_references(bench), bench]
        if search.outer is not None:
            outer = _outer(bench, search.outer)
            relative = any(parse_constraint(text).relative for text in search.constraints)
            for inner in _inner(bench, outer):
                found += [*(_references(inner) if relative else ()), inner]
            found.append(outer)
    except DataError as error:
        raise DataError(f"{bench.study.source}: {error}") from error
    return found


def _references(bench: Bench) -> Iterator[Bench]:
    """The references that the space lacks: a grid beside the search, on the same folds."""
    there = first_points(bench.study, bench.spec.training)
    absent = tuple(name for name in REFERENCES if name not in there)
    if absent:
        search = Search(space=reference_points(absent))
        study = msgspec.structs.replace(bench.study, search=search)
        parent = bench.parent or bench.problem.name
        yield replace(bench, study=study, role="references", parent=parent)


def _outer(bench: Bench, folds: int) -> Bench:
    """What the inner searches choose is trained on all they had, and scored on the rest."""
    study, parent = bench.study, bench.problem.name
    problem = replace(bench.problem, name=f"{parent}/outer")
    made = make_outer_folds(
        problem,
        folds=folds,
        repeats=study.cv.repeats,
        validation=study.cv.validation,
        grouped=study.cv.grouped,
        seed=study.seed,
    )
    return replace(bench.fresh(), problem=problem, folds=made, role="outer", parent=parent)


def _inner(bench: Bench, outer: Bench) -> Iterator[Bench]:
    """The whole search again on the training rows of each outer fold, which is all it has."""
    study, parent = bench.study, bench.problem.name
    for fold in outer.folds:
        if fold.repeat > 0:
            continue
        kept = np.sort(np.concatenate([fold.train, fold.validation]))
        problem = replace(
            bench.problem,
            name=f"{parent}/outer {fold.fold + 1}",
            rows=bench.problem.rows[kept],
            y=bench.problem.y[kept],
        )
        made = make_folds(
            problem,
            folds=study.cv.folds,
            repeats=study.cv.repeats,
            validation=study.cv.validation,
            grouped=study.cv.grouped,
            seed=study.seed,
        )
        fewest = min(len(inner.train) for inner in made)
        check_batch_size(study.search.space, bench.spec.training.batch_size, fewest, problem.name)
        yield replace(bench.fresh(), problem=problem, folds=made, role="inner", parent=parent)
